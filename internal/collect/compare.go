package collect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
)

// MaxCompared is how many components, or findings, of one package are compared:
// ten times what the largest images have, and little enough to be held twice.
const MaxCompared = 1 << 17

// ComponentChange is a component whose versions differ. Versions are each named
// once, the earliest first as far as that can be told.
type ComponentChange struct {
	Name          string // as its package URL has it, without version; else its name
	Before, After []string
}

// ComponentDiff is what differs between the components of two packages, each
// list by name.
type ComponentDiff struct {
	Added, Removed, Upgraded, Downgraded []ComponentChange

	Changed []ComponentChange // their versions differ, and which are later cannot be told
	Same    int               // components that have the same versions in both
}

// componentKey is what makes two components one in different versions: type,
// namespace and name of the package URL, or the name alone where there is none.
type componentKey struct{ kind, namespace, name string }

func (k componentKey) String() string {
	if k.kind == "" {
		return clip(k.name, 500)
	}
	name := k.name
	if k.namespace != "" {
		name = k.namespace + "/" + name
	}
	return clip("pkg:"+k.kind+"/"+name, 500)
}

// CompareComponents compares the components of some SBOMs with those of others.
func CompareComponents(before, after []Report) ComponentDiff {
	was, is := versionsOf(before), versionsOf(after)
	var d ComponentDiff
	for key, versions := range is {
		earlier, known := was[key]
		if !known {
			d.Added = append(d.Added, ComponentChange{Name: key.String(), After: key.sorted(versions)})
			continue
		}
		if to := d.list(key, earlier, versions); to != nil {
			*to = append(*to, ComponentChange{key.String(), key.sorted(earlier), key.sorted(versions)})
		} else {
			d.Same++
		}
	}
	for key, versions := range was {
		if is[key] == nil {
			d.Removed = append(d.Removed, ComponentChange{Name: key.String(), Before: key.sorted(versions)})
		}
	}
	for _, list := range []*[]ComponentChange{&d.Added, &d.Removed, &d.Upgraded, &d.Downgraded, &d.Changed} {
		slices.SortFunc(*list, func(a, b ComponentChange) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Before, b.Before), slices.Compare(a.After, b.After))
		})
	}
	return d
}

// versionsOf are the versions of each component.
func versionsOf(sboms []Report) map[componentKey]map[string]bool {
	all := map[componentKey]map[string]bool{}
	for _, r := range sboms {
		for _, c := range r.Components {
			key, version := componentKey{name: c.Name}, c.Version
			if p, err := parsePURL(c.PURL); err == nil {
				key, version = componentKey{p.kind, p.namespace, p.name}, cmp.Or(p.version, version)
			}
			if all[key] == nil {
				all[key] = map[string]bool{}
			}
			all[key][version] = true
		}
	}
	return all
}

// list is where a component belongs whose versions were some and are others; nil
// if they are the same. It is upgraded if its earliest and its latest version
// are no earlier than they were, and one of them is later.
func (d *ComponentDiff) list(key componentKey, was, is map[string]bool) *[]ComponentChange {
	before, after := key.sorted(was), key.sorted(is)
	if slices.EqualFunc(before, after, evidence.SameVersion) {
		return nil
	}
	if !key.ordered(before) || !key.ordered(after) {
		return &d.Changed
	}
	first, ok := compareVersions(key.kind, before[0], after[0])
	last, okToo := compareVersions(key.kind, before[len(before)-1], after[len(after)-1])
	switch {
	case !ok || !okToo:
		return &d.Changed
	case first <= 0 && last <= 0 && (first < 0 || last < 0):
		return &d.Upgraded
	case first >= 0 && last >= 0 && (first > 0 || last > 0):
		return &d.Downgraded
	}
	return &d.Changed
}

// sorted puts the earliest version first; those that cannot be told apart by
// their text.
func (k componentKey) sorted(versions map[string]bool) []string {
	all := make([]string, 0, len(versions))
	for v := range versions {
		all = append(all, v)
	}
	slices.Sort(all)
	if len(all) > maxOrdered {
		return all
	}
	slices.SortStableFunc(all, func(a, b string) int {
		order, _ := compareVersions(k.kind, a, b)
		return order
	})
	return all
}

// maxOrdered is how many versions of one component are put in order. No package
// has more; a file that says otherwise is not to cost time.
const maxOrdered = 64

// ordered: each version is later than the one before it, as far as it can be
// told.
func (k componentKey) ordered(versions []string) bool {
	if len(versions) > maxOrdered {
		return false
	}
	for i := 1; i < len(versions); i++ {
		if _, ok := compareVersions(k.kind, versions[i-1], versions[i]); !ok {
			return false
		}
	}
	return true
}

// FoundState is a finding as one package has it.
type FoundState struct {
	Package  string // what it is in
	Severity Severity
	SetAside string // why it does not count; "" if it counts
}

// FindingChange is a finding that differs; nil where a package does not have it.
type FindingChange struct {
	ID            string
	Before, After *FoundState
}

// FindingDiff is what differs between the findings of two packages. Each list has
// the worst first.
type FindingDiff struct {
	New      []FindingChange // that count
	Fixed    []FindingChange // that counted
	Changed  []FindingChange // of another severity, or that count again; those that got worse first
	SetAside []FindingChange // that do not count now, and did or were not there
	Same     int             // that count in both, at the same severity
}

// CompareFindings compares findings. Two are the same if their id is and what
// they are in but for the version (of a package) or the line (of a file). Where
// there are several of one kind, those in the same version or line are the same;
// the others are taken in order, and what is left over is new, or fixed: that
// many more, or fewer, are counted.
func CompareFindings(before, after map[FindingKey]Finding) FindingDiff {
	groups := map[FindingKey]*[2][]found{}
	for side, findings := range []map[FindingKey]Finding{before, after} {
		for key, f := range findings {
			group := FindingKey{vulnerabilityOf(key.ID, f.Aliases), placeOf(key.Package)}
			if groups[group] == nil {
				groups[group] = &[2][]found{}
			}
			groups[group][side] = append(groups[group][side], found{key, f})
		}
	}
	var d FindingDiff
	for _, group := range groups {
		d.group(group[0], group[1])
	}
	for list, by := range map[*[]FindingChange]func(FindingChange) []int{
		&d.New:      func(c FindingChange) []int { return []int{c.After.rank()} },
		&d.Fixed:    func(c FindingChange) []int { return []int{c.Before.rank()} },
		&d.Changed:  func(c FindingChange) []int { return []int{c.After.rank() - c.Before.rank(), c.After.rank()} },
		&d.SetAside: func(c FindingChange) []int { return []int{int(c.After.Severity)} },
	} {
		slices.SortFunc(*list, func(a, b FindingChange) int {
			return cmp.Or(slices.Compare(by(b), by(a)), strings.Compare(a.ID, b.ID), strings.Compare(a.where(), b.where()))
		})
	}
	return d
}

func (c FindingChange) where() string {
	if c.After != nil {
		return c.After.Package
	}
	return c.Before.Package
}

func (s *FoundState) rank() int { return rank(s.Severity, s.SetAside) }

// rank is how much a finding matters: one that is set aside less than any that
// counts.
func rank(severity Severity, setAside string) int {
	if setAside != "" {
		return -1
	}
	return int(severity)
}

// found is a finding with its key.
type found struct {
	FindingKey
	Finding
}

func (f *found) state() *FoundState {
	return &FoundState{clip(f.Package, 300), f.Severity, clip(f.SetAside, 300)}
}

// worstFirst puts findings of one kind in an order that does not depend on the
// order in which they were read.
func worstFirst(a, b found) int {
	return cmp.Or(cmp.Compare(rank(b.Severity, b.SetAside), rank(a.Severity, a.SetAside)), strings.Compare(a.Package, b.Package), strings.Compare(a.ID, b.ID))
}

func (d *FindingDiff) group(before, after []found) {
	slices.SortFunc(before, worstFirst)
	slices.SortFunc(after, worstFirst)
	exact := make(map[FindingKey]int, len(before)) // its place in before
	for i, b := range before {
		exact[b.FindingKey] = i
	}
	taken := make([]bool, len(before))
	var others []found
	for _, a := range after {
		if i, same := exact[a.FindingKey]; same {
			taken[i] = true
			d.add(&before[i], &a)
			continue
		}
		others = append(others, a)
	}
	next := 0
	for _, a := range others {
		for next < len(taken) && taken[next] {
			next++
		}
		if next == len(taken) {
			d.add(nil, &a)
			continue
		}
		taken[next] = true
		d.add(&before[next], &a)
	}
	for i := range before {
		if !taken[i] {
			d.add(&before[i], nil)
		}
	}
}

// add puts a finding where it belongs. One that was set aside and is not found
// any more is nothing to tell.
func (d *FindingDiff) add(before, after *found) {
	counted, counts := before != nil && before.Finding.SetAside == "", after != nil && after.Finding.SetAside == ""
	var to *[]FindingChange
	c := FindingChange{}
	switch {
	case before == nil && counts:
		to = &d.New
	case after == nil && counted:
		to = &d.Fixed
	case counts && (!counted || before.Severity != after.Severity):
		to = &d.Changed
	case counts:
		d.Same++
		return
	case after != nil && (before == nil || counted):
		to = &d.SetAside
	default:
		return
	}
	if before != nil {
		c.ID, c.Before = clip(before.ID, 200), before.state()
	}
	if after != nil {
		c.ID, c.After = clip(after.ID, 200), after.state()
	}
	*to = append(*to, c)
}

// vulnerabilityOf is the name that a vulnerability has whoever found it: its CVE,
// if it has one and not several, else its id.
func vulnerabilityOf(id string, aliases []string) string {
	cve := ""
	for _, name := range vexNames(id, aliases) {
		if strings.HasPrefix(name, "cve-") {
			if cve != "" {
				return strings.ToLower(id)
			}
			cve = name
		}
	}
	return cmp.Or(cve, strings.ToLower(id))
}

// placeOf is what a finding is in without what changes from build to build: the
// version of a package, or the line in a file; nor does it have the fingerprint
// that SARIF results at one line are told apart by.
func placeOf(pkg string) string {
	const printed = len(" #0123456789abcdef")
	if n := len(pkg) - printed; n > 0 && pkg[n:n+2] == " #" && strings.Trim(pkg[n+2:], "0123456789abcdef") == "" {
		pkg = pkg[:n]
	}
	if at := strings.LastIndexByte(pkg, '@'); at > 0 && strings.IndexByte(pkg[at:], '/') < 0 {
		return pkg[:at]
	}
	if line := strings.LastIndexByte(pkg, ':'); line > 0 && isNumber(pkg[line+1:]) {
		return pkg[:line]
	}
	return pkg
}
