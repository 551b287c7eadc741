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
// Two values are the same if their canonical forms are, a digest whatever its
// case, a version whatever its spelling ([SameVersion]), a scanner's name if it
// is part of the other, and a list of findings the same as their number. A text
// where an object is derived becomes the object's description; the text of a
// signature is compared with the derived status if it is one of the statuses.
func (s Sections) Derive(values []Derived) (Sections, []Origin, error) {
	var origins []Origin
	all := s.artifactList() // taken apart once: there may be many, and they may be large
	changed := false
	for _, d := range values {
		name, steps := splitPath(d.Path)
		section := s.section(name)
		if section == nil || len(steps) == 0 {
			return Sections{}, nil, fmt.Errorf("derive %s: not a member of a section", d.Path)
		}
		var declared jsontext.Value
		var err error
		if name == artifacts {
			changed = true
			declared, err = replaceElement(&all, steps, d.Value)
		} else {
			declared, err = replace(section, steps, d.Value)
		}
		if err != nil {
			return Sections{}, nil, fmt.Errorf("derive %s: %w", d.Path, err)
		}
		origins = append(origins, Origin{declared, IsDerived, d.Path, d.Sources})
	}
	if changed {
		if err := write(&s.Artifacts, all); err != nil {
			return Sections{}, nil, fmt.Errorf("derive %s: %w", artifacts, err)
		}
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
		if alias := object["hash"]; name == "sha256" && alias != nil { // a second digest would be somebody's to deploy
			if declared == nil && !sameValue(name, alias, value) {
				declared = alias
			}
			delete(object, "hash")
		}
		if len(object[name]) == 0 {
			delete(object, name)
		}
	}
	return declared, write(at, object)
}

// replaceElement is replace for an element of an array: the first step is its
// place.
func replaceElement(array *[]jsontext.Value, steps []string, value jsontext.Value) (declared jsontext.Value, err error) {
	i, err := strconv.Atoi(steps[0])
	if err != nil || i < 0 || i >= MaxArtifacts || len(steps) == 1 {
		return nil, fmt.Errorf("not a member of an element")
	}
	for len(*array) <= i {
		*array = append(*array, jsontext.Value("{}"))
	}
	return replace(&(*array)[i], steps[1:], value)
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
	if string(declared) == string(derived) {
		return true
	}
	a, isText := readText(declared)
	b, alsoText := readText(derived)
	if !isText || !alsoText {
		return false
	}
	switch name {
	case "sha256":
		return strings.EqualFold(a, b)
	case "version":
		return SameVersion(a, b)
	case "scanner": // trivy, of trivy 0.66.0
		return a != "" && strings.Contains(strings.ToLower(b), strings.ToLower(a))
	}
	return false
}

// SameVersion reports whether two versions differ in their spelling only: v1.2
// is 1.2.0.0.
func SameVersion(a, b string) bool {
	plain := func(version string) string {
		version = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(version)), "v")
		for strings.HasSuffix(version, ".0") {
			version = strings.TrimSuffix(version, ".0")
		}
		return version
	}
	return plain(a) == plain(b)
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

// At is the value at a path, such as artifacts[0].sbom.components; nil if there
// is none.
func (s Sections) At(path string) jsontext.Value {
	name, steps := splitPath(path)
	section := s.section(name)
	if section == nil {
		return nil
	}
	at := *section
	for _, step := range steps {
		switch at.Kind() {
		case '[':
			at = element(elements(at), step)
		case '{':
			at = member(at, step)
		default:
			return nil
		}
	}
	return at
}

// artifactList is the section's artifacts one by one.
func (s Sections) artifactList() []jsontext.Value {
	switch s.Artifacts.Kind() {
	case '{':
		return []jsontext.Value{s.Artifacts}
	case '[':
		return elements(s.Artifacts)
	}
	return nil
}

// ArtifactCount is how many artifacts the section has.
func (s Sections) ArtifactCount() int { return len(s.artifactList()) }

// ArtifactsNamed reports of each artifact whether it has a name.
func (s Sections) ArtifactsNamed() []bool {
	var named []bool
	for _, a := range s.artifactList() {
		named = append(named, isText(member(a, "name")))
	}
	return named
}

// ArtifactDigests are the SHA-256 of the artifacts, in lower-case hex. An artifact
// without one has none here.
func (s Sections) ArtifactDigests() []string {
	var digests []string
	for _, a := range s.artifactList() {
		for _, name := range []string{"sha256", "hash"} {
			if value := member(a, name); isSHA256(value) {
				text, _ := readText(value)
				digests = append(digests, strings.ToLower(text))
				break
			}
		}
	}
	return digests
}

// declaredArtifact is what an artifact says of itself.
type declaredArtifact struct {
	digest, name string
	named        bool
}

// ArtifactPlaces finds which of the declared artifacts some files are, by their
// digests, then by their names; what is left over are the artifacts that say
// neither, in their order. A file that is none of them gets a place after all.
func (s Sections) ArtifactPlaces(digests, names []string) []int {
	places := make([]int, len(digests))
	taken := map[int]bool{}
	for i := range places {
		places[i] = -1
	}
	var all []declaredArtifact // read once: there may be many, and they may be large
	for _, a := range s.artifactList() {
		name, _ := readText(member(a, "name"))
		all = append(all, declaredArtifact{declaredDigest(a), name, isText(member(a, "name"))})
	}
	match := func(is func(file int, a declaredArtifact) bool) {
		for file := range places {
			for i := 0; i < len(all) && places[file] < 0; i++ {
				if !taken[i] && is(file, all[i]) {
					places[file], taken[i] = i, true
				}
			}
		}
	}
	match(func(file int, a declaredArtifact) bool { return strings.EqualFold(a.digest, digests[file]) })
	match(func(file int, a declaredArtifact) bool { return a.name != "" && a.name == names[file] })
	match(func(_ int, a declaredArtifact) bool {
		return a.digest == "" && !a.named || len(all) == 1 && len(places) == 1
	})
	count := len(all)
	for file := range places {
		if places[file] < 0 {
			places[file] = count
			count++
		}
	}
	return places
}

// declaredDigest accepts the earlier system's name for the digest.
func declaredDigest(artifact jsontext.Value) string {
	if text, ok := readText(member(artifact, "sha256")); ok {
		return text
	}
	text, _ := readText(member(artifact, "hash"))
	return text
}
