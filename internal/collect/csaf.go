package collect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func isCSAF(s shape) bool {
	return s.json == '{' && s.members["document"] && (s.members["vulnerabilities"] || s.members["product_tree"])
}

// csaf is a CSAF document that is read. Products have ids of their own, which
// are resolved at the end: the tree of products may stand behind what uses it.
type csaf struct {
	report *Report
	purls  map[string]string   // by product id
	groups map[string][]string // product ids by group id
	held   int                 // strings in these two
}

// readCSAF reads what a CSAF 2.0 document says about products (product_status),
// whatever its category is. All statements are as old as the document's current
// release.
func readCSAF(f *file, into *Report) error {
	c := csaf{report: into, purls: map[string]string{}, groups: map[string][]string{}}
	var document struct {
		Version   string `json:"csaf_version"`
		Publisher struct {
			Name string `json:"name"`
		} `json:"publisher"`
		Tracking struct {
			Released string `json:"current_release_date"`
		} `json:"tracking"`
	}
	var pending []csafVulnerability
	err := f.object(members{
		"document":     value(&document),
		"product_tree": c.tree,
		"vulnerabilities": func(d *jsontext.Decoder) error {
			return each(d, func(v csafVulnerability) error {
				if err := c.hold(1 + v.size()); err != nil {
					return err
				}
				pending = append(pending, v)
				return nil
			})
		},
	})
	if err != nil {
		return err
	}
	if document.Version != "2.0" && document.Version != "2.1" {
		return &ReadError{Place: "document", Reason: fmt.Sprintf("has the csaf_version %q; 2.0 and 2.1 are read", clip(document.Version, 40))}
	}
	if err := isTime("document/tracking/current_release_date", document.Tracking.Released); err != nil {
		return err
	}
	into.Version, into.Tool = document.Version, clip(document.Publisher.Name, 200)
	for _, v := range pending {
		if err := c.statements(v, document.Tracking.Released); err != nil {
			return err
		}
	}
	return into.anyStatements()
}

func (c *csaf) hold(n int) error {
	if c.held += n; c.held > maxItems {
		return fmt.Errorf("names more than %d products", maxItems)
	}
	return nil
}

type csafProduct struct {
	ID     string `json:"product_id"`
	Helper struct {
		PURL  string      `json:"purl"`
		PURLs few[string] `json:"purls"` // since 2.1
	} `json:"product_identification_helper"`
}

func (c *csaf) product(p csafProduct) error {
	purl := p.Helper.PURL
	if purl == "" && len(p.Helper.PURLs) == 1 {
		purl = p.Helper.PURLs[0]
	}
	if p.ID == "" || purl == "" {
		return nil
	}
	if known, ok := c.purls[p.ID]; ok && known != purl {
		return &ReadError{Place: "product_tree", Reason: fmt.Sprintf("product %q stands there twice, with different package URLs", clip(p.ID, 100))}
	}
	c.purls[p.ID] = purl
	return c.hold(1)
}

func (c *csaf) tree(d *jsontext.Decoder) error {
	one := func(d *jsontext.Decoder) error {
		var p csafProduct
		if err := value(&p)(d); err != nil {
			return err
		}
		return c.product(p)
	}
	var branches func(d *jsontext.Decoder) error
	branches = func(d *jsontext.Decoder) error {
		return elements(d, members{"product": one, "branches": func(d *jsontext.Decoder) error { return branches(d) }}.read)
	}
	return members{
		"branches":           branches,
		"full_product_names": func(d *jsontext.Decoder) error { return elements(d, one) },
		// A product that is part of another has an id of its own. The purl of the
		// part alone would say too much: it is not used.
		"relationships": func(d *jsontext.Decoder) error {
			return elements(d, members{"full_product_name": one}.read)
		},
		"product_groups": func(d *jsontext.Decoder) error {
			return each(d, func(g struct {
				ID       string      `json:"group_id"`
				Products few[string] `json:"product_ids"`
			}) error {
				c.groups[g.ID] = g.Products
				return c.hold(1 + len(g.Products))
			})
		},
	}.read(d)
}

type csafVulnerability struct {
	CVE string `json:"cve"`
	IDs few[struct {
		Text string `json:"text"`
	}] `json:"ids"`
	Status struct {
		NotAffected   few[string] `json:"known_not_affected"`
		Affected      few[string] `json:"known_affected"`
		FirstAffected few[string] `json:"first_affected"`
		LastAffected  few[string] `json:"last_affected"`
		Fixed         few[string] `json:"fixed"`
		FirstFixed    few[string] `json:"first_fixed"`
		Investigated  few[string] `json:"under_investigation"`
	} `json:"product_status"`
	Flags   few[csafReason] `json:"flags"`
	Threats few[csafReason] `json:"threats"`
}

// csafReason is why products are not affected: a label, or an impact in words.
type csafReason struct {
	Label    string      `json:"label"`
	Category string      `json:"category"`
	Details  string      `json:"details"`
	Products few[string] `json:"product_ids"`
	Groups   few[string] `json:"group_ids"`
}

func (v csafVulnerability) size() int {
	s := v.Status
	n := len(v.IDs) + len(s.NotAffected) + len(s.Affected) + len(s.FirstAffected) + len(s.LastAffected) + len(s.Fixed) + len(s.FirstFixed) + len(s.Investigated)
	for _, reason := range slices.Concat(v.Flags, v.Threats) {
		n += 1 + len(reason.Products) + len(reason.Groups)
	}
	return n
}

// statements makes one statement for each status, and for each reason why
// products are not affected. Those that clear products come first: where a
// document contradicts itself, the other statement holds.
func (c *csaf) statements(v csafVulnerability, when string) error {
	base := VEXStatement{Vulnerability: v.CVE, Time: when}
	for _, id := range v.IDs { // beside a CVE they are numbers of a tracker
		switch {
		case v.CVE != "" || id.Text == "":
		case base.Vulnerability == "":
			base.Vulnerability = id.Text
		default:
			base.Aliases = append(base.Aliases, id.Text)
		}
	}
	reasons, err := c.reasons(v)
	if err != nil {
		return err
	}
	byReason := map[string][]string{}
	var order []string
	for _, product := range v.Status.NotAffected {
		reason := reasons[product]
		if _, known := byReason[reason]; !known {
			order = append(order, reason)
		}
		byReason[reason] = append(byReason[reason], product)
	}
	for _, reason := range order {
		if err := c.state(base, notAffected, reason, byReason[reason]); err != nil {
			return err
		}
	}
	s := v.Status
	for _, group := range []struct {
		status   string
		products []string
	}{
		{fixed, slices.Concat(s.Fixed, s.FirstFixed)}, {underInvestigation, s.Investigated},
		{affected, slices.Concat(s.Affected, s.FirstAffected, s.LastAffected)},
	} {
		if err := c.state(base, group.status, "", group.products); err != nil {
			return err
		}
	}
	return nil
}

// reasons are why products are not affected, by product id: labels before
// words.
func (c *csaf) reasons(v csafVulnerability) (map[string]string, error) {
	reasons := map[string]string{}
	for _, r := range slices.Concat(v.Flags, v.Threats) {
		text := r.Label
		if text == "" && r.Category == "impact" {
			text = clip(r.Details, 200)
		}
		if text == "" {
			continue
		}
		for _, products := range append(c.groupsOf(r), r.Products) {
			if err := c.hold(len(products)); err != nil {
				return nil, err
			}
			for _, product := range products {
				if reasons[product] == "" {
					reasons[product] = text
				}
			}
		}
	}
	return reasons, nil
}

func (c *csaf) groupsOf(r csafReason) [][]string {
	var groups [][]string
	for _, group := range r.Groups {
		groups = append(groups, c.groups[group])
	}
	return groups
}

func (c *csaf) state(s VEXStatement, status, reason string, products []string) error {
	if len(products) == 0 {
		return nil
	}
	s.Status, s.Justification = status, reason
	for _, id := range products {
		if purl := c.purls[id]; purl != "" {
			id = purl
		}
		s.Products = append(s.Products, strings.TrimSpace(id))
	}
	return c.report.states(s)
}
