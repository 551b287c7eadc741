package evidence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Origin says where a value of the sections comes from: it was read from
// attachments, or somebody declared it. A package without attachments has no
// origins: everything in it is declared.
type Origin struct {
	Declared jsontext.Value `json:"declared,omitzero"` // what was declared instead; only where it differs
	Origin   OriginKind     `json:"origin"`
	Path     string         `json:"path"`             // scan_results.critical, artifacts[0].signature.status
	Sources  []OriginSource `json:"sources,omitzero"` // of what is derived
}

// OriginKind is derived or declared.
type OriginKind string

// The origins of values.
const (
	IsDerived  OriginKind = "derived"
	IsDeclared OriginKind = "declared"
)

// OriginSource is an attachment that a value was read from, and what read it.
type OriginSource struct {
	Attachment string `json:"attachment"`              // SHA-256, lower-case hex
	Version    string `json:"format_version,omitzero"` // as the file states it
	Parser     string `json:"parser"`                  // the format that it was read as
}

// Derived is a value that was read from attachments.
type Derived struct {
	Path    string         // of a section's member, at any depth
	Value   jsontext.Value // nil: nothing counts here, whatever was declared
	Sources []OriginSource
}

// Derive puts derived values in the place of declared ones, and says of each
// fact where it comes from. Where a declared value differs, it is kept in the
// origin: the derived one counts. The sections are in canonical form, before and
// after; those of s are not changed.
//
// Two declared values are the same if their canonical forms are, a digest
// whatever its case, and a list of findings the same as their number. A text
// where an object is derived becomes the object's description; the text of a
// signature is compared with the derived status if it is one of the statuses.
func (s Sections) Derive(values []Derived) (Sections, []Origin, error) {
	var origins []Origin
	for _, d := range values {
		name, steps := splitPath(d.Path)
		section := s.section(name)
		if section == nil || len(steps) == 0 {
			return Sections{}, nil, fmt.Errorf("derive %s: not a member of a section", d.Path)
		}
		declared, err := replace(section, steps, d.Value)
		if err != nil {
			return Sections{}, nil, fmt.Errorf("derive %s: %w", d.Path, err)
		}
		origins = append(origins, Origin{declared, IsDerived, d.Path, d.Sources})
	}
	for _, d := range definitions {
		name, member, _ := strings.Cut(string(d.Name), ".")
		if section := s.section(name); section != nil && hasMember(*section, member) && !has(origins, string(d.Name)) {
			origins = append(origins, Origin{Origin: IsDeclared, Path: string(d.Name)})
		}
	}
	slices.SortStableFunc(origins, func(a, b Origin) int { return strings.Compare(a.Path, b.Path) })
	return s, origins, nil
}

func has(origins []Origin, path string) bool {
	return slices.ContainsFunc(origins, func(o Origin) bool { return o.Path == path })
}

func hasMember(section jsontext.Value, name string) bool {
	return section.Kind() == '{' && member(section, name) != nil
}

// splitPath takes artifacts[0].signature.status apart: artifacts; 0, signature,
// status.
func splitPath(path string) (section string, steps []string) {
	parts := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	if len(parts) == 0 {
		return "", nil
	}
	return parts[0], parts[1:]
}

// replace puts a value at the end of some steps, making what is not there on the
// way. It returns what was declared there, if that is something else.
func replace(at *jsontext.Value, steps []string, value jsontext.Value) (declared jsontext.Value, err error) {
	if i, err := strconv.Atoi(steps[0]); err == nil {
		return replaceElement(at, i, steps[1:], value)
	}
	object := map[string]jsontext.Value{}
	text, isText := readText(*at)
	switch {
	case at.Kind() == '{':
		if err := json.Unmarshal(*at, &object); err != nil {
			return nil, err
		}
	case isText && strings.TrimSpace(text) != "":
		object["description"] = *at
	}
	name := steps[0]
	if len(steps) > 1 {
		inner := object[name]
		declared, err = replace(&inner, steps[1:], value)
		if err != nil {
			return nil, err
		}
		object[name] = inner
	} else {
		before := declaredAs(object, name, text)
		switch same := before == nil || sameValue(name, before, value); {
		case !same:
			declared = before
			object[name] = value
		case before.Kind() != '[': // a list of findings says more than their number
			object[name] = value
		}
		if object[name] == nil {
			delete(object, name)
		}
	}
	return declared, write(at, object)
}

func replaceElement(at *jsontext.Value, i int, steps []string, value jsontext.Value) (declared jsontext.Value, err error) {
	var array []jsontext.Value
	switch at.Kind() {
	case '[':
		if err := json.Unmarshal(*at, &array); err != nil {
			return nil, err
		}
	case '{':
		array = []jsontext.Value{*at}
	}
	for len(array) <= i {
		array = append(array, jsontext.Value("{}"))
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("an element is no value")
	}
	if declared, err = replace(&array[i], steps, value); err != nil {
		return nil, err
	}
	return declared, write(at, array)
}

func write(at *jsontext.Value, value any) error {
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return err
	}
	*at = text
	return at.Canonicalize()
}

// declaredAs is what was declared for a member: under its own name, under the
// earlier system's name of the digest, or as the text that a signature was.
func declaredAs(object map[string]jsontext.Value, name, text string) jsontext.Value {
	switch {
	case object[name] != nil:
		return object[name]
	case name == "sha256":
		return object["hash"]
	case name == "status" && slices.Contains(signatureStatuses, strings.ToLower(strings.TrimSpace(text))):
		return quoted(strings.ToLower(strings.TrimSpace(text)))
	}
	return nil
}

func sameValue(name string, declared, derived jsontext.Value) bool {
	if n, ok := length(declared); ok && derived.Kind() == '0' {
		return strconv.Itoa(n) == string(derived)
	}
	if name == "sha256" {
		return strings.EqualFold(string(declared), string(derived))
	}
	return string(declared) == string(derived)
}

func quoted(text string) jsontext.Value {
	value, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return jsontext.Value(`""`) // cannot be: it was read from JSON
	}
	return value
}

// Differences counts the values that were declared otherwise than they are.
func Differences(origins []Origin) int {
	n := 0
	for _, o := range origins {
		if o.Declared != nil {
			n++
		}
	}
	return n
}
