package collect

import (
	"cmp"
	"slices"
	"strings"
)

// earlier are the words for versions before the one that they stand with, by how
// far before it they are.
var earlier = map[string]int{
	"dev": 1, "snapshot": 1, "nightly": 1, "canary": 1, "next": 1,
	"a": 2, "alpha": 2,
	"b": 3, "beta": 3,
	"c": 4, "cr": 4, "m": 4, "milestone": 4, "pre": 4, "preview": 4, "rc": 4,
}

// semantic are the package types whose versions follow Semantic Versioning: what
// comes after a hyphen is before the version. revised are those where it is a
// later packaging of it.
var (
	semantic = []string{"cargo", "golang", "hex", "npm", "nuget", "pub", "swift"}
	revised  = []string{"alpm", "apk", "deb", "rpm"}
)

// maxVersion is how long a version may be to be compared, in bytes.
const maxVersion = 256

// compareVersions tells which version is later, of a package of a type ("" where
// it is not known): below 0 if a is the earlier one. It is not ok where that
// cannot be told; a version that is not known is neither earlier nor later.
// Parts that are numbers are compared as numbers, whatever their length; words
// only where they say "before" (alpha, beta, rc …) or the type defines their
// order.
func compareVersions(kind, a, b string) (order int, ok bool) {
	if a == b {
		return 0, true
	}
	x, y := parseVersion(a), parseVersion(b)
	if x == nil || y == nil {
		return 0, false
	}
	if order := compareNumbers(x.epoch, y.epoch); order != 0 {
		return order, true
	}
	c := versionOrder{semantic: slices.Contains(semantic, kind), revised: slices.Contains(revised, kind)}
	return c.compare(x.parts, y.parts)
}

// version is a version, taken apart.
type version struct {
	epoch string
	parts []versionPart
}

// versionPart is a number or a word, and what stands before it: '.', '-', '_',
// '+', '~', or 0 where a number follows a word or the other way about.
type versionPart struct {
	before byte
	text   string // a number without leading zeros, or a word in lower case
	number bool
}

// parseVersion is nil for what does not begin with a number: a commit, a branch,
// a range, nothing.
func parseVersion(text string) *version {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > maxVersion {
		return nil
	}
	for _, prefix := range []string{"v", "go"} { // v1.2.3, go1.26.1
		if rest, found := strings.CutPrefix(text, prefix); found {
			text = rest
			break
		}
	}
	v := &version{epoch: "0"}
	if epoch, rest, found := strings.Cut(text, ":"); found && isNumber(epoch) {
		v.epoch, text = epoch, rest
	}
	if text == "" || !isDigit(text[0]) {
		return nil
	}
	for i := 0; i < len(text); {
		part := versionPart{}
		if strings.IndexByte(".-_+~", text[i]) >= 0 {
			part.before = text[i]
			i++
		}
		from := i
		switch {
		case i < len(text) && isDigit(text[i]):
			for part.number = true; i < len(text) && isDigit(text[i]); i++ {
			}
		default:
			for ; i < len(text) && text[i] >= 'a' && text[i] <= 'z'; i++ {
			}
		}
		if from == i {
			return nil // a character that no version has, or a separator with nothing after it
		}
		if part.text = text[from:i]; part.number {
			part.text = strings.TrimLeft(part.text, "0")
		}
		v.parts = append(v.parts, part)
	}
	return v
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// compareNumbers compares numbers of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// versionOrder compares the parts of versions one by one.
type versionOrder struct {
	semantic, revised bool
	inside            bool // of what comes after a word that means "before"
}

func (c *versionOrder) compare(a, b []versionPart) (order int, ok bool) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case c.isFurther(a, b):
			if a[0].text != "" {
				return 1, true
			}
			a = a[1:]
			continue
		case c.isFurther(b, a):
			if b[0].text != "" {
				return -1, true
			}
			b = b[1:]
			continue
		case len(a) == 0:
			order, ok = c.rest(b)
			return -order, ok
		case len(b) == 0:
			return c.rest(a)
		}
		c.inside = c.inside || c.semantic && a[0].before == '-' && b[0].before == '-'
		if order, ok := c.part(a[0], b[0]); order != 0 || !ok {
			return order, ok
		}
		c.inside = c.inside || !a[0].number && earlier[a[0].text] > 0
		a, b = a[1:], b[1:]
	}
	return 0, true
}

// isFurther: a goes on with a number after a dot where b does not, as 1.2.1 does
// after 1.2, 1.2-3 and 1.2rc1. A further 0 says nothing.
func (c *versionOrder) isFurther(a, b []versionPart) bool {
	further := func(p []versionPart) bool { return len(p) > 0 && p[0].number && p[0].before == '.' }
	return further(a) && !further(b) && !(c.inside && len(b) > 0)
}

// rest is the order of a version that goes on, against the same without the rest.
func (c *versionOrder) rest(more []versionPart) (order int, ok bool) {
	first := more[0]
	before := !first.number && earlier[first.text] > 0
	if before && len(first.text) == 1 { // 1.0b1 is before 1.0, and 1.0.2b is after 1.0.2
		before = len(more) > 1 && more[1].number && more[1].before == 0
	}
	switch {
	case first.before == '+':
		return 0, false // a build: who knows
	case c.inside:
		return 1, true // rc.1 is after rc
	case before, first.before == '~', c.semantic && first.before == '-':
		return -1, true
	case c.revised && first.number && first.before == '-':
		return 1, true
	}
	return 0, false
}

func (c *versionOrder) part(a, b versionPart) (order int, ok bool) {
	if a.before == '~' != (b.before == '~') {
		return map[bool]int{true: -1, false: 1}[a.before == '~'], true
	}
	switch {
	case a.number && b.number:
		return compareNumbers(a.text, b.text), a.before == b.before || c.inside || compareNumbers(a.text, b.text) == 0
	case a.text == b.text:
		return 0, true
	case a.number != b.number:
		if c.semantic && c.inside {
			return map[bool]int{true: -1, false: 1}[a.number], true
		}
		return 0, false
	}
	m, n := earlier[a.text], earlier[b.text]
	switch {
	case len(a.text) == 1 && len(b.text) == 1 && a.before == 0 && b.before == 0:
		return strings.Compare(a.text, b.text), true // 1.0.2k is before 1.0.2u
	case m > 0 && n > 0:
		return cmp.Compare(m, n), true
	case c.semantic && c.inside:
		return strings.Compare(a.text, b.text), true
	}
	return 0, false
}
