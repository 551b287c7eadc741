package collect

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// isSonar knows the answers of api/measures/component_tree and of
// api/measures/component.
func isSonar(s shape) bool {
	return s.json == '{' && ((s.members["baseComponent"] && s.members["components"]) || (s.members["component"] && s.within["measures"]))
}

type sonarComponent struct {
	Key       string `json:"key"`
	Path      string `json:"path"`
	Qualifier string `json:"qualifier"`
	Measures  []struct {
		Metric string         `json:"metric"`
		Value  jsontext.Value `json:"value"`
	} `json:"measures"`
}

// readSonar takes an upper bound: SonarQube gives no function's complexity,
// only the sum of each file, and no function exceeds that of its file. The sum
// of a project bounds nothing that is worth saying.
func readSonar(f *file, into *Report) error {
	into.Tool = "sonarqube"
	t := sonarTree{}
	var single *sonarComponent
	err := f.object(members{
		"paging": value(&t.paging), "baseComponent": value(&t.base), "component": value(&single),
		"components": func(d *jsontext.Decoder) error {
			return each(d, func(c sonarComponent) error {
				complexity, err := into.sonarFile(c)
				t.components, t.sum = t.components+1, t.sum+complexity
				return err
			})
		},
	})
	if err != nil {
		return err
	}
	if single == nil {
		if err := t.complete(); err != nil {
			return err
		}
		return into.anyFunctions()
	}
	if _, err := into.sonarFile(*single); err != nil {
		return err
	}
	if into.Functions == 0 {
		return errors.New("gives the sums of a component and no number of a file or a function: which function is the most complex cannot be said; ask api/measures/component_tree for complexity and functions")
	}
	return nil
}

// sonarTree is what tells whether all files of a project are there.
type sonarTree struct {
	base   *sonarComponent
	paging struct {
		Total *int `json:"total"`
	}
	components, sum int // that are there, and the complexity of their files
}

func (t sonarTree) complete() error {
	switch {
	case t.base == nil || t.paging.Total == nil:
		return errors.New("does not say whether all files are there (paging.total, baseComponent)")
	case t.components != *t.paging.Total:
		return fmt.Errorf("lists %d of %d components: the most complex file may be among the others", t.components, *t.paging.Total)
	}
	whole, _, err := t.base.complexity()
	if err == nil && whole != nil && t.sum < *whole {
		err = fmt.Errorf("lists files with a complexity of %d together, of %d: the most complex file may be among the others", t.sum, *whole)
	}
	return err
}

// sonarFile notes a file; directories and projects are sums of files, and
// tests have no complexity there.
func (r *Report) sonarFile(c sonarComponent) (int, error) {
	complexity, functions, err := c.complexity()
	if err != nil || (c.Qualifier != "FIL" && c.Qualifier != "UTS") || (complexity == nil && functions == nil) {
		return 0, err
	}
	name := c.Path
	if name == "" {
		name = c.Key
	}
	switch {
	case complexity == nil || functions == nil:
		return 0, &ReadError{Place: clip(name, 200), Reason: "does not have both complexity and functions"}
	case *functions > 0 && *complexity == 0:
		return 0, &ReadError{Place: clip(name, 200), Reason: "has functions and no complexity, which is at least 1 for each of them"}
	}
	r.Functions += *functions
	r.highest(*complexity, clip(name, 200)+" (upper bound: the sum of the file)")
	return *complexity, nil
}

// complexity reads the measures that count; nil is one that is not there.
func (c sonarComponent) complexity() (complexity, functions *int, err error) {
	for _, m := range c.Measures {
		to := &complexity
		switch m.Metric {
		case "complexity":
		case "functions":
			to = &functions
		default:
			continue
		}
		n, ok := amount(strings.Trim(string(m.Value), `"`))
		if !ok || *to != nil {
			return nil, nil, &ReadError{Place: clip(c.Key, 200), Reason: m.Metric + " is not one whole number"}
		}
		*to = &n
	}
	return complexity, functions, nil
}
