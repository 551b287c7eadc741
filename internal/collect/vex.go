package collect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The statuses of a VEX statement.
const (
	notAffected        = "not_affected"
	affected           = "affected"
	fixed              = "fixed"
	underInvestigation = "under_investigation"
)

// maxStatements is how many statements one document may make.
const maxStatements = 1 << 18

// states notes a statement.
func (r *Report) states(s VEXStatement) error {
	r.references += (1+len(s.Aliases))*(1+len(s.Products)) + len(s.Parts)
	if r.references > maxItems {
		return fmt.Errorf("states more than %d things", maxItems)
	}
	if err := r.hold(heldStatement + heldReference*(len(s.Aliases)+len(s.Products)+len(s.Parts))); err != nil {
		return err
	}
	if len(r.Statements) == maxStatements {
		return fmt.Errorf("makes more than %d statements", maxStatements)
	}
	if s.Vulnerability == "" {
		return errors.New("a statement names no vulnerability")
	}
	r.Statements = append(r.Statements, s)
	return nil
}

// anyStatements refuses a document that states nothing.
func (r *Report) anyStatements() error {
	if len(r.Statements) == 0 {
		return errors.New("makes no statement about a vulnerability")
	}
	return nil
}

// ApplyVEX sets aside the findings that a vendor says do not affect the package
// they were found in: those, and only those, for which a not_affected statement
// is later than every statement that says otherwise. Statements are compared by
// their time, and by their order where neither has one or both are of the same;
// one with a time and one without cannot be compared, and then the finding
// counts. It counts, too, if a statement names no product, or is about parts of
// a product: a finding does not say which product its package is part of. The
// findings that are handed in are not changed.
func ApplyVEX(findings map[FindingKey]Finding, statements []VEXStatement) map[FindingKey]Finding {
	applied := maps.Clone(findings)
	index := vexIndex(statements)
	for key, finding := range findings {
		if finding.SetAside != "" {
			continue
		}
		if s := index.about(key, finding).clearing(); s != nil {
			finding.SetAside = s.reason()
			applied[key] = finding
		}
	}
	return applied
}

// vexEntry is a statement that is ready to be compared.
type vexEntry struct {
	*VEXStatement
	order int
	at    time.Time // zero: not dated
}

// laterThan compares two statements that are both dated, or both not.
func (e *vexEntry) laterThan(other *vexEntry) bool {
	if e.at.Equal(other.at) {
		return e.order > other.order
	}
	return e.at.After(other.at)
}

// vexLatest are the latest statements about one vulnerability in one product.
type vexLatest struct {
	clears, denies, undatedClears, undatedDenies *vexEntry
}

func (l *vexLatest) add(e *vexEntry) {
	clears := e.Status == notAffected
	if clears && len(e.Parts) > 0 {
		return
	}
	kept := &l.denies
	switch {
	case clears && e.at.IsZero():
		kept = &l.undatedClears
	case clears:
		kept = &l.clears
	case e.at.IsZero():
		kept = &l.undatedDenies
	}
	if *kept == nil || e.laterThan(*kept) {
		*kept = e
	}
}

// clearing is the statement that sets a finding aside, or nil.
func (l vexLatest) clearing() *vexEntry {
	switch {
	case l.clears != nil && l.undatedDenies == nil && (l.denies == nil || l.clears.laterThan(l.denies)):
		return l.clears
	case l.undatedClears != nil && l.denies == nil && (l.undatedDenies == nil || l.undatedClears.laterThan(l.undatedDenies)):
		return l.undatedClears
	}
	return nil
}

// vexKey is a vulnerability, in lower case, in a product: a package URL, or a
// plain name.
type vexKey struct {
	vulnerability string
	purl          purl
	plain         string
}

type vexStatements map[vexKey]*vexLatest

func vexIndex(statements []VEXStatement) vexStatements {
	index := vexStatements{}
	for i := range statements {
		entry := &vexEntry{VEXStatement: &statements[i], order: i}
		if at, err := time.Parse(time.RFC3339Nano, entry.Time); err == nil {
			entry.at = at
		}
		names := vexNames(entry.Vulnerability, entry.Aliases)
		for _, product := range entry.Products {
			key, ok := vexProduct(product)
			if !ok {
				continue
			}
			for _, key.vulnerability = range names {
				if index[key] == nil {
					index[key] = &vexLatest{}
				}
				index[key].add(entry)
			}
		}
	}
	return index
}

// vexProduct is the key of a product. What begins like a package URL and is
// none names nothing.
func vexProduct(name string) (key vexKey, ok bool) {
	if !strings.HasPrefix(name, "pkg:") {
		return vexKey{plain: name}, name != ""
	}
	p, err := parsePURL(name)
	return vexKey{purl: p}, err == nil
}

// vexNames are the names of a vulnerability, in lower case, each once.
func vexNames(id string, aliases []string) []string {
	var names []string
	for _, name := range slices.Concat([]string{id}, aliases) {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// about is the latest of all statements that are about a finding.
func (index vexStatements) about(key FindingKey, f Finding) vexLatest {
	var latest vexLatest
	for _, product := range vexProductsOf(key, f) {
		for _, product.vulnerability = range vexNames(key.ID, f.Aliases) {
			found := index[product]
			if found == nil {
				continue
			}
			for _, e := range []*vexEntry{found.clears, found.denies, found.undatedClears, found.undatedDenies} {
				if e != nil {
					latest.add(e)
				}
			}
		}
	}
	return latest
}

// vexProductsOf are the ways in which a statement can name what a finding is
// in: its package URL, with or without version and path, name@version, or the
// name alone.
func vexProductsOf(key FindingKey, f Finding) []vexKey {
	products := []vexKey{{plain: key.Package}}
	if at := strings.LastIndexByte(key.Package, '@'); at > 0 {
		products = append(products, vexKey{plain: key.Package[:at]})
	}
	p, err := parsePURL(f.PURL)
	if err != nil {
		return products
	}
	for _, named := range []purl{
		p, {p.kind, p.namespace, p.name, "", p.subpath}, {p.kind, p.namespace, p.name, p.version, ""}, {p.kind, p.namespace, p.name, "", ""},
	} {
		products = append(products, vexKey{purl: named})
	}
	return products
}

func (e *vexEntry) reason() string {
	reason := "VEX: " + clip(e.Vulnerability, 100) + " " + notAffected
	if e.Justification != "" {
		reason += " (" + clip(e.Justification, 200) + ")"
	}
	if e.Time != "" {
		reason += ", stated " + clip(e.Time, 40)
	}
	return reason
}
