package risk

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/eucora/eucora/internal/evidence"
	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// Normalization says how a factor's points become its part of the score.
type Normalization string

// The normalizations.
const (
	// ByMax: a factor's value is its points as a share of its rubric's highest
	// points, its weight its share of the total weight. Scores reach 100.
	ByMax Normalization = "max"
	// Raw: points and weights as they stand, the sum clamped to 100.
	Raw Normalization = "none"
)

// Model is a risk model, checked and ready to score. It never changes and is
// safe for concurrent use.
type Model struct {
	source   source
	document []byte
	digest   string
	formula  string
	factors  []factor
	denom    *big.Int // common denominator of every contribution in hundredths
}

// source is a model as its author writes it.
type source struct {
	Version          string         `json:"version" yaml:"version"`
	Title            string         `json:"title" yaml:"title"`
	Normalization    Normalization  `json:"normalization" yaml:"normalization"`
	AllowUnreachable bool           `json:"allow_unreachable,omitzero" yaml:"allow_unreachable"`
	Factors          []sourceFactor `json:"factors" yaml:"factors"`
}

type sourceFactor struct {
	Name   string            `json:"name" yaml:"name"`
	Fact   evidence.FactName `json:"fact" yaml:"fact"`
	Weight string            `json:"weight" yaml:"weight"`
	Rubric []sourceBucket    `json:"rubric" yaml:"rubric"`
}

// sourceBucket is one line of a rubric: is; or below; or above; or from and to
// (both included).
type sourceBucket struct {
	Is     string `json:"is,omitzero" yaml:"is"`
	Below  string `json:"below,omitzero" yaml:"below"`
	From   string `json:"from,omitzero" yaml:"from"`
	To     string `json:"to,omitzero" yaml:"to"`
	Above  string `json:"above,omitzero" yaml:"above"`
	Points int    `json:"points" yaml:"points"`
}

// factor is a factor ready to score.
type factor struct {
	definition evidence.FactDefinition
	name       string
	weight     *big.Rat
	share      *big.Rat
	shown      struct{ weight, share string }
	most       int
	buckets    []bucket
	worst      int // index of the bucket with the most points
}

// bucket is one line of a rubric, with its contribution in hundredths of a
// point as a numerator over the model's denominator.
type bucket struct {
	label    string
	is       string
	interval interval
	points   int
	value    string
	part     *big.Int
}

// Version is the model's version.
func (m *Model) Version() string { return m.source.Version }

// Title is the model's title.
func (m *Model) Title() string { return m.source.Title }

// Digest is the SHA-256 of [Model.Document], lower-case hex.
func (m *Model) Digest() string { return m.digest }

// Document is the model in RFC 8785 form: what is published, stored, hashed.
func (m *Model) Document() []byte { return bytes.Clone(m.document) }

// Parse reads a model from YAML. The error lists every problem as
// "name:line: reason".
func Parse(name string, text []byte) (*Model, error) {
	var src source
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&src); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", name)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, problems := build(src)
	if len(problems) == 0 {
		return m, nil
	}
	located := make([]error, 0, len(problems))
	for _, p := range problems {
		located = append(located, fmt.Errorf("%s:%d: %s", name, lineOf(&root, p.path), p.reason))
	}
	return nil, errors.Join(located...)
}

// ParseCanonical reads what [Model.Document] wrote.
func ParseCanonical(document []byte) (*Model, error) {
	var src source
	if err := json.Unmarshal(document, &src, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("stored risk model: %w", err)
	}
	m, problems := build(src)
	if len(problems) > 0 {
		return nil, fmt.Errorf("stored risk model %s: %s", src.Version, problems[0].reason)
	}
	return m, nil
}

// lineOf finds the line of a path (keys and indices) in a YAML tree: of the
// deepest part of it that is there.
func lineOf(node *yaml.Node, path []any) int {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	line := node.Line
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			break
		}
		node, line = next, next.Line
	}
	return line
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch at := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && at < len(node.Content) {
			return node.Content[at]
		}
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == at {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

//go:embed models/*.yaml
var files embed.FS

// Embedded returns the models that come with the program, oldest first. Each is
// frozen once it has been published.
func Embedded() []*Model {
	entries, err := files.ReadDir("models")
	if err != nil {
		panic("no embedded risk models: " + err.Error()) // cannot happen: embedded at build
	}
	var models []*Model
	for _, entry := range entries {
		text, err := files.ReadFile("models/" + entry.Name())
		if err == nil {
			var m *Model
			if m, err = Parse(entry.Name(), text); err == nil {
				models = append(models, m)
				continue
			}
		}
		panic("embedded risk model: " + err.Error()) // cannot happen: tested
	}
	return models
}
