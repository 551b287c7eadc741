package export

import (
	"strconv"
	"strings"
	"testing"
)

// rules is what OCSF 1.8.0 asks of everything that is written here, written
// down by hand: an attribute a line with its type, ! where it is required, []
// where it is a list, and the numbers that it may be. What does not stand here
// is unknown. TestRulesAreThePublished holds it against the schema itself.
const rules = `
api_activity
	activity_id integer ! 0 1 2 3 4 99
	activity_name string
	actor actor !
	api api !
	category_name string
	category_uid integer ! 6
	class_name string
	class_uid integer ! 6003
	http_request http_request
	message string
	metadata metadata !
	raw_data string
	raw_data_hash fingerprint
	raw_data_size integer
	resources resource_details []
	severity string
	severity_id integer ! 0 1 2 3 4 5 6 99
	src_endpoint network_endpoint !
	status string
	status_detail string
	status_id integer 0 1 2 99
	time integer !
	type_name string
	type_uid integer !
entity_management
	activity_id integer ! 0 1 2 3 4 5 6 7 8 9 10 11 12 13 99
	activity_name string
	actor actor
	category_name string
	category_uid integer ! 3
	class_name string
	class_uid integer ! 3004
	comment string
	entity managed_entity !
	http_request http_request
	message string
	metadata metadata !
	raw_data string
	raw_data_hash fingerprint
	raw_data_size integer
	severity string
	severity_id integer ! 0 1 2 3 4 5 6 99
	src_endpoint network_endpoint
	status string
	status_detail string
	status_id integer 0 1 2 99
	time integer !
	type_name string
	type_uid integer !
actor
	user user
api
	operation string !
	version string
fingerprint
	algorithm string
	algorithm_id integer ! 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 99
	value string !
group
	name string
	type string
http_request
	user_agent string
managed_entity
	name string
	type string
	type_id integer 0 1 2 3 4 5 6 7 99
	uid string
	user user
	version string
metadata
	correlation_uid string
	event_code string
	log_name string
	original_time string
	product product !
	sequence integer
	uid string
	version string !
network_endpoint
	ip string
	name string
product
	name string
	vendor_name string
	version string
resource_details
	name string
	type string
	uid string
user
	groups group []
	name string
	type string
	type_id integer 0 1 2 3 4 99
	uid string
`

// written reads the rules. The objects whose attributes are all optional want
// at least one of those that are used here.
func written(t testing.TB) schema {
	t.Helper()
	all := schema{}
	var of *object
	for line := range strings.Lines(strings.TrimSpace(rules)) {
		words := strings.Fields(line)
		if !strings.HasPrefix(line, "\t") {
			of = &object{attributes: map[string]attribute{}}
			all[words[0]] = of
			continue
		}
		a := attribute{kind: words[1]}
		for _, word := range words[2:] {
			switch word {
			case "!":
				a.required = true
			case "[]":
				a.list = true
			default:
				n, err := strconv.ParseInt(word, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				if a.enum == nil {
					a.enum = map[int64]string{}
				}
				a.enum[n] = ""
			}
		}
		of.attributes[words[0]] = a
	}
	all["network_endpoint"].atLeastOne = []string{"ip", "name"}
	all["user"].atLeastOne = []string{"name", "uid"}
	all["actor"].atLeastOne = []string{"user"}
	all["managed_entity"].atLeastOne = []string{"name", "uid", "user"}
	return all
}

// TestRulesAreThePublished: the rules say of each attribute what the schema
// says, and leave out nothing that is required.
func TestRulesAreThePublished(t *testing.T) {
	theirs, dir := published(t)
	for name, o := range written(t) {
		their := theirs[name]
		if their == nil {
			t.Errorf("%s has no %s", dir, name)
			continue
		}
		for member, a := range o.attributes {
			b, known := their.attributes[member]
			if !known || a.kind != b.kind || a.list != b.list || a.required != b.required || len(a.enum) != len(b.enum) && len(a.enum) > 0 {
				t.Errorf("%s.%s is %+v in the rules and %+v in the schema", name, member, a, b)
			}
			for n := range a.enum {
				if _, known := b.enum[n]; !known {
					t.Errorf("%s.%s: %d is not in the schema", name, member, n)
				}
			}
		}
		for member, b := range their.attributes {
			if b.required && !o.attributes[member].required {
				t.Errorf("%s.%s is required", name, member)
			}
		}
	}
}
