package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// schema is what OCSF asks of classes and objects, by name.
type schema map[string]*object

type object struct {
	attributes map[string]attribute
	atLeastOne []string
}

// attribute is one attribute. kind is string, integer, boolean, json, or an
// object's name.
type attribute struct {
	kind     string
	list     bool
	required bool
	enum     map[int64]string // with captions, where they are known
	sibling  string           // the attribute that holds the enum's caption
	form     *regexp.Regexp
	most     int // characters; 0: any number
}

// check returns what is wrong with a value of an object.
func (s schema) check(name, path string, value map[string]any) (wrong []string) {
	of := s[name]
	if of == nil {
		return []string{path + ": no object " + name + " in the schema"}
	}
	say := func(format string, args ...any) { wrong = append(wrong, path+fmt.Sprintf(format, args...)) }
	for member, v := range value {
		a, known := of.attributes[member]
		if !known {
			say(".%s: is no attribute of %s", member, name)
			continue
		}
		all := []any{v}
		if a.list {
			var ok bool
			if all, ok = v.([]any); !ok {
				say(".%s: want a list", member)
			}
		}
		for _, one := range all {
			wrong = append(wrong, s.checkValue(a, path+"."+member, one)...)
		}
		if n, ok := v.(json.Number); ok && a.enum != nil && a.sibling != "" && value[a.sibling] != nil {
			id, _ := n.Int64()
			if caption := a.enum[id]; id != 99 && caption != "" && caption != value[a.sibling] {
				say(".%s: %v, and %s is called %q", a.sibling, value[a.sibling], n, caption)
			}
		}
	}
	for member, a := range of.attributes {
		if _, there := value[member]; a.required && !there {
			say(".%s: is required", member)
		}
	}
	if of.atLeastOne != nil && !slices.ContainsFunc(of.atLeastOne, func(m string) bool { return value[m] != nil }) {
		say(": want at least one of %v", of.atLeastOne)
	}
	return wrong
}

func (s schema) checkValue(a attribute, path string, value any) []string {
	switch v := value.(type) {
	case string:
		if a.kind != "string" {
			return []string{path + ": a string, want " + a.kind}
		}
		if a.form != nil && !a.form.MatchString(v) || a.most > 0 && len([]rune(v)) > a.most {
			return []string{fmt.Sprintf("%s: %q has not the form of its type", path, v)}
		}
	case json.Number:
		n, err := v.Int64()
		if a.kind != "integer" || err != nil {
			return []string{path + ": " + v.String() + ", want " + a.kind}
		}
		if _, known := a.enum[n]; a.enum != nil && !known {
			return []string{fmt.Sprintf("%s: %d is none of %v", path, n, slices.Sorted(maps.Keys(a.enum)))}
		}
	case map[string]any:
		return s.check(a.kind, path, v)
	default:
		return []string{fmt.Sprintf("%s: %T, want %s", path, value, a.kind)}
	}
	return nil
}

// classNames are the classes by their uid.
var classNames = map[string]string{"6003": "api_activity", "3004": "entity_management"}

// checkEvent checks a line, and that the numbers agree that follow from others.
func (s schema) checkEvent(line []byte) []string {
	decoder := json.NewDecoder(strings.NewReader(string(line)))
	decoder.UseNumber()
	var e map[string]any
	if err := decoder.Decode(&e); err != nil {
		return []string{err.Error()}
	}
	wrong := s.check(classNames[fmt.Sprint(e["class_uid"])], "event", e)
	class, _ := strconv.Atoi(fmt.Sprint(e["class_uid"]))
	act, _ := strconv.Atoi(fmt.Sprint(e["activity_id"]))
	if fmt.Sprint(e["type_uid"]) != strconv.Itoa(class*100+act) || fmt.Sprint(e["category_uid"]) != strconv.Itoa(class/1000) {
		wrong = append(wrong, fmt.Sprintf("event: type_uid %v and category_uid %v do not follow from class and activity", e["type_uid"], e["category_uid"]))
	}
	return wrong
}

// published reads OCSF's own files, of the version that is written here. They
// are not part of this repository: see docs/exports.md.
func published(t *testing.T) (schema, string) {
	t.Helper()
	dir := os.Getenv("EUCORA_OCSF_SCHEMA")
	if dir == "" {
		dir = "../../../shared/ocsf-schema"
	}
	var version struct{ Version string }
	if _, err := os.Stat(filepath.Join(dir, "version.json")); err != nil {
		t.Skipf("no copy of ocsf/ocsf-schema at ../shared/ocsf-schema or $EUCORA_OCSF_SCHEMA: the rules written down in rules_test.go were checked, the published schema was not")
	}
	files := ocsfFiles{t: t, dir: dir}
	files.read("version.json", &version)
	if version.Version != OCSFVersion {
		t.Fatalf("%s holds version %s of the schema, and events say %s", dir, version.Version, OCSFVersion)
	}
	return files.schema(), dir
}

// ocsfFiles resolves the schema as it is written: attributes come from the
// dictionary, from what an object extends, and from itself. Those that belong to
// a profile are left out: no event here names a profile.
type ocsfFiles struct {
	t          testing.TB
	dir        string
	dictionary struct {
		Attributes map[string]ocsfAttribute
		Types      struct{ Attributes map[string]ocsfType }
	}
}

type ocsfAttribute struct {
	Type        string
	IsArray     bool `json:"is_array"`
	Requirement string
	Sibling     string
	Enum        map[string]struct{ Caption string }
	Deprecated  any `json:"@deprecated"`
}

type ocsfType struct {
	Type, Regex string
	MaxLen      int `json:"max_len"`
}

type ocsfObject struct {
	Name, Extends, Category, Caption string
	UID                              int
	Attributes                       map[string]json.RawMessage
	Constraints                      map[string][]string
}

func (f *ocsfFiles) read(name string, to any) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *ocsfFiles) schema() schema {
	f.read("dictionary.json", &f.dictionary)
	sources := map[string]ocsfObject{}
	for _, pattern := range []string{"objects/*.json", "events/*.json", "events/*/*.json"} {
		paths, _ := filepath.Glob(filepath.Join(f.dir, pattern))
		for _, path := range paths {
			var o ocsfObject
			name, _ := filepath.Rel(f.dir, path)
			f.read(name, &o)
			sources[strings.TrimSuffix(filepath.Base(path), ".json")] = o
		}
	}
	var categories struct {
		Attributes map[string]struct {
			UID     int
			Caption string
		}
	}
	f.read("categories.json", &categories)
	resolved := schema{}
	for name := range sources {
		resolved[name] = f.resolve(sources, name)
	}
	for uid, name := range classNames {
		parent := sources[sources[name].Extends]
		category := categories.Attributes[parent.Category]
		if got := strconv.Itoa(category.UID*1000 + sources[name].UID); got != uid {
			f.t.Fatalf("%s is class %s in the schema, not %s", name, got, uid)
		}
		n, _ := strconv.ParseInt(uid, 10, 64)
		f.fix(resolved[name], "class_uid", n, sources[name].Caption, "class_name")
		f.fix(resolved[name], "category_uid", int64(category.UID), category.Caption, "category_name")
	}
	return resolved
}

// fix gives an attribute the one value that the class says it has.
func (f *ocsfFiles) fix(o *object, name string, value int64, caption, sibling string) {
	a := o.attributes[name]
	a.enum, a.sibling = map[int64]string{value: caption}, sibling
	o.attributes[name] = a
}

func (f *ocsfFiles) resolve(sources map[string]ocsfObject, name string) *object {
	source, o := sources[name], &object{attributes: map[string]attribute{}}
	if source.Extends != "" {
		parent := f.resolve(sources, source.Extends)
		o.atLeastOne = parent.atLeastOne
		maps.Copy(o.attributes, parent.attributes)
	}
	if list := source.Constraints["at_least_one"]; list != nil {
		o.atLeastOne = list
	}
	for name, text := range source.Attributes {
		var own ocsfAttribute
		var profile struct{ Profile *string }
		if name == "$include" {
			continue // profiles
		}
		if json.Unmarshal(text, &own) != nil || json.Unmarshal(text, &profile) != nil || profile.Profile != nil {
			continue
		}
		before, inherited := o.attributes[name]
		if !inherited {
			before = f.attribute(name)
		}
		if own.Type != "" {
			f.typed(&before, own.Type)
		}
		if own.Requirement != "" {
			before.required = own.Requirement == "required"
		}
		before.enum = merge(before.enum, own.Enum)
		if own.Deprecated == nil {
			o.attributes[name] = before
		}
	}
	return o
}

func (f *ocsfFiles) attribute(name string) attribute {
	entry := f.dictionary.Attributes[name]
	a := attribute{list: entry.IsArray, enum: merge(nil, entry.Enum), sibling: entry.Sibling}
	f.typed(&a, entry.Type)
	return a
}

// typed gives an attribute its type, down to the simple type that it is made of.
func (f *ocsfFiles) typed(a *attribute, name string) {
	a.kind, a.form, a.most = name, nil, 0
	for strings.HasSuffix(a.kind, "_t") {
		of, known := f.dictionary.Types.Attributes[a.kind]
		if !known {
			f.t.Fatalf("the schema has no type %s", a.kind)
		}
		if of.Regex != "" {
			a.form = regexp.MustCompile(of.Regex)
		}
		a.most = max(a.most, of.MaxLen)
		if of.Type == "" {
			break
		}
		a.kind = of.Type
	}
	a.kind = map[string]string{"string_t": "string", "integer_t": "integer", "long_t": "integer", "boolean_t": "boolean", "json_t": "json"}[a.kind]
	if a.kind == "" {
		a.kind = name
	}
}

func merge(into map[int64]string, enum map[string]struct{ Caption string }) map[int64]string {
	if len(enum) == 0 {
		return into
	}
	merged := maps.Clone(into)
	if merged == nil {
		merged = map[int64]string{}
	}
	for text, entry := range enum {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			merged[n] = entry.Caption
		}
	}
	return merged
}
