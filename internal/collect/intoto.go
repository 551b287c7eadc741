package collect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	statementPrefix = "https://in-toto.io/Statement/"
	slsaPrefix      = "https://slsa.dev/provenance/"
)

func isStatement(s shape) bool {
	return s.json != 0 && s.members["_type"] && s.members["predicateType"]
}

// statement is an in-toto statement.
type statement struct {
	kind, predicateType string
	subjects            []Subject
	predicate           predicate
}

func (s *statement) members(r *attestations) members {
	return members{
		"_type": value(&s.kind), "predicateType": r.keep(&s.predicateType), "predicate": s.predicate.read,
		"subject": func(d *jsontext.Decoder) error {
			return elements(d, func(d *jsontext.Decoder) error { return r.subject(d, s) })
		},
	}
}

func (r *attestations) subject(d *jsontext.Decoder, s *statement) error {
	if r.subjects++; r.subjects > maxSubjects {
		return fmt.Errorf("lists more than %d subjects", maxSubjects)
	}
	var subject Subject
	var uri string
	err := members{"name": r.keep(&subject.Name), "uri": r.keep(&uri), "digest": r.digests(&subject)}.read(d)
	if subject.Name == "" {
		subject.Name = uri
	}
	s.subjects = append(s.subjects, subject)
	return err
}

// digests reads an object of digests by their algorithm.
func (r *attestations) digests(s *Subject) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		if none, err := enter(d, '{'); none || err != nil {
			return err
		}
		s.Digests = map[string]string{}
		for d.PeekKind() != '}' {
			var algorithm, digest string
			if err := r.keep(&algorithm)(d); err != nil {
				return err
			}
			if err := r.keep(&digest)(d); err != nil {
				return err
			}
			if s.Digests[algorithm] = strings.ToLower(digest); len(s.Digests) > maxDigests {
				return fmt.Errorf("a subject has more than %d digests", maxDigests)
			}
		}
		_, err := d.ReadToken()
		return err
	}
}

// into puts what the statement says into an attestation.
func (s *statement) into(a *Attestation) error {
	if !slices.Contains([]string{"v0.1", "v1"}, strings.TrimPrefix(s.kind, statementPrefix)) {
		return fmt.Errorf("_type %q is not an in-toto statement v0.1 or v1", clip(s.kind, 60))
	}
	switch {
	case s.predicateType == "":
		return errors.New("the statement has no predicateType")
	case len(s.subjects) == 0:
		return errors.New("the statement has no subject: it is about no file")
	}
	version, p := slsaVersion(s.predicateType), s.predicate
	if version != 0 && p.odd != "" {
		return fmt.Errorf("predicate: %s does not have the form of SLSA provenance", p.odd)
	}
	a.PredicateType, a.Subjects = s.predicateType, s.subjects
	build := p.build
	switch {
	case version == 1:
		build = p.run
	case build.kind == "":
		build.kind = p.recipe
	}
	a.BuilderID, a.BuildType, a.Dependencies = build.builder, build.kind, build.dependencies
	return nil
}

// slsaVersion is the major version of SLSA provenance that a predicate type
// names: 1, or -1 for the ones before it; 0 for anything else.
func slsaVersion(predicateType string) int {
	switch version, _ := strings.CutPrefix(predicateType, slsaPrefix); version {
	case "v1", "v1.0", "v1.1", "v1.2":
		return 1
	case "v0.1", "v0.2":
		return -1
	}
	return 0
}

// predicate is how something was built: what SLSA provenance before 1.0 says,
// which other predicates say in the same place, and what it says since.
type predicate struct {
	build, run buildFacts
	recipe     string // v0.1's type of build
	odd        string // a place that has another form, which is an error in SLSA provenance only
}

type buildFacts struct {
	builder, kind string
	dependencies  int
}

func (p *predicate) read(d *jsontext.Decoder) error {
	return p.object(members{
		"builder": p.object(members{"id": p.text(&p.build.builder)}), "buildType": p.text(&p.build.kind), "materials": p.count(&p.build.dependencies),
		"recipe":          p.object(members{"type": p.text(&p.recipe)}),
		"buildDefinition": p.object(members{"buildType": p.text(&p.run.kind), "resolvedDependencies": p.count(&p.run.dependencies)}),
		"runDetails":      p.object(members{"builder": p.object(members{"id": p.text(&p.run.builder)})}),
	})(d)
}

// as reads a value of one kind; null is nothing, and another kind is noted and
// passed over.
func (p *predicate) as(kind jsontext.Kind, read func(*jsontext.Decoder) error) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		switch d.PeekKind() {
		case kind, 0:
			return read(d)
		case 'n':
		default:
			p.odd = clip(string(d.StackPointer()), 100)
		}
		return d.SkipValue()
	}
}

func (p *predicate) object(m members) func(*jsontext.Decoder) error { return p.as('{', m.read) }
func (p *predicate) text(to *string) func(*jsontext.Decoder) error  { return p.as('"', value(to)) }

func (p *predicate) count(to *int) func(*jsontext.Decoder) error {
	return p.as('[', func(d *jsontext.Decoder) error { return counted(d, to) })
}

// counted counts the elements of an array.
func counted(d *jsontext.Decoder, to *int) error {
	return elements(d, func(d *jsontext.Decoder) error {
		*to++
		return d.SkipValue()
	})
}
