package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is read whole: only small files are written in it.
const (
	maxYAML      = 1 << 20 // in bytes
	maxYAMLDepth = 100
)

// yaml reads the file as one YAML mapping. Duplicate keys are refused, and so
// are aliases and merge keys: no tool writes them here, and they are what makes
// a small file large.
func (f *file) yaml() (*yaml.Node, error) {
	if f.size > maxYAML {
		return nil, fmt.Errorf("is larger than %d bytes, which is too much for YAML", maxYAML)
	}
	text, err := io.ReadAll(f.text())
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one document, or something after it")
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("must be a mapping: name: value")
	}
	return document.Content[0], checkYAML(document.Content[0], 1)
}

func checkYAML(node *yaml.Node, depth int) error {
	switch {
	case depth > maxYAMLDepth:
		return onLine(node.Line, fmt.Sprintf("nested deeper than %d levels", maxYAMLDepth))
	case node.Kind == yaml.AliasNode:
		return onLine(node.Line, "has an alias, which is not read")
	case node.Kind == yaml.MappingNode:
		if err := checkKeys(node); err != nil {
			return err
		}
	}
	for _, child := range node.Content {
		if err := checkYAML(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func checkKeys(mapping *yaml.Node) error {
	seen := map[string]bool{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			return onLine(key.Line, "has a key that is not a name")
		case seen[key.Value]:
			return onLine(key.Line, fmt.Sprintf("duplicate key %q", clip(key.Value, 60)))
		}
		seen[key.Value] = true
	}
	return nil
}

// yamlMap reads the texts of a mapping; the first error stays.
type yamlMap struct {
	node *yaml.Node
	err  *error
}

// of is the value of a key; nil where there is none, or null.
func (m yamlMap) of(key string) *yaml.Node {
	if m.node == nil {
		return nil
	}
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if v := m.node.Content[i+1]; m.node.Content[i].Value == key && v.Tag != "!!null" {
			return v
		}
	}
	return nil
}

// text is a scalar as it is written: a version 1.10 is not the number 1.1.
func (m yamlMap) text(key string) string {
	v := m.of(key)
	if v == nil {
		return ""
	}
	if v.Kind != yaml.ScalarNode {
		m.fail(onLine(v.Line, key+" must be a text"))
	}
	m.fail(fieldLength(v.Value))
	return v.Value
}

// texts are the texts of the list at a key, or the one text.
func (m yamlMap) texts(key string) []string {
	v := m.of(key)
	switch {
	case v == nil:
		return nil
	case v.Kind == yaml.ScalarNode:
		return []string{v.Value}
	case v.Kind != yaml.SequenceNode:
		m.fail(onLine(v.Line, key+" must be a list"))
		return nil
	}
	var texts []string
	for _, item := range v.Content {
		if item.Kind == yaml.ScalarNode {
			texts = append(texts, item.Value)
		}
	}
	return texts
}

// mapping is the mapping at a key.
func (m yamlMap) mapping(key string) yamlMap {
	v := m.of(key)
	if v != nil && v.Kind != yaml.MappingNode {
		m.fail(onLine(v.Line, key+" must be a mapping"))
		v = nil
	}
	return yamlMap{v, m.err}
}

// list is the list of mappings at a key.
func (m yamlMap) list(key string) []yamlMap {
	v := m.of(key)
	if v == nil {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		m.fail(onLine(v.Line, key+" must be a list"))
		return nil
	}
	var list []yamlMap
	for _, item := range v.Content {
		if item.Kind != yaml.MappingNode {
			m.fail(onLine(item.Line, key+" must be a list of mappings"))
			return nil
		}
		list = append(list, yamlMap{item, m.err})
	}
	return list
}

func (m yamlMap) fail(err error) {
	if *m.err == nil {
		*m.err = err
	}
}

var yamlKey = regexp.MustCompile(`^(?:- +)*["']?([A-Za-z_]+)["']?\s*:(?:\s|$)`)

// yamlKeys are the keys on the first lines, at whatever depth.
func (s shape) yamlKeys() map[string]bool {
	keys := map[string]bool{}
	if s.json != 0 || s.root != "" {
		return keys
	}
	for _, line := range s.lines {
		if found := yamlKey.FindStringSubmatch(line); found != nil {
			keys[found[1]] = true
		}
	}
	return keys
}
