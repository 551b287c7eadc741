package collect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// isOSV knows OSV-Scanner by what stands beside its results, for other tools
// write results too, and none of theirs must be taken for a clean scan.
func isOSV(s shape) bool {
	if s.json != '{' || !s.members["results"] {
		return false
	}
	for name := range s.members {
		if name != "results" && name != "image_metadata" && !strings.HasPrefix(name, "experimental_") && !strings.HasPrefix(name, "license") {
			return false
		}
	}
	return true
}

type osvGroup struct {
	IDs      few[string] `json:"ids"`
	Aliases  few[string] `json:"aliases"`
	Severity string      `json:"max_severity"`
}

// readOSV counts groups: the ids of one group are names of one vulnerability.
// The scanner writes only packages with findings, and writes no report if it
// found no package at all; so an empty list is a clean scan, and no list is
// none.
func readOSV(f *file, into *Report) error {
	finished := false
	err := f.object(members{"results": func(d *jsontext.Decoder) error {
		finished = d.PeekKind() == '['
		return elements(d, into.osvResult)
	}})
	if err != nil {
		return err
	}
	if !finished {
		return errors.New("results is null: the scan did not finish")
	}
	into.Tool, into.Targets = "osv-scanner", max(into.Targets, 1)
	return nil
}

func (r *Report) osvResult(d *jsontext.Decoder) error {
	r.Targets++
	packages := false
	var source struct {
		Path string `json:"path"`
	}
	err := members{"source": value(&source), "packages": func(d *jsontext.Decoder) error {
		packages = true
		return elements(d, func(d *jsontext.Decoder) error { return r.osvPackage(d, source.Path) })
	}}.read(d)
	if err == nil && !packages {
		err = &ReadError{Place: clip(string(d.StackPointer()), 100), Reason: "has no packages: this is not a result of OSV-Scanner"}
	}
	return err
}

func (r *Report) osvPackage(d *jsontext.Decoder, source string) error {
	var pkg struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		Commit  string `json:"commit"`
	}
	var groups few[osvGroup]
	var ids few[string]
	err := members{
		"package": value(&pkg), "groups": value(&groups),
		"vulnerabilities": func(d *jsontext.Decoder) error {
			return each(d, func(v struct {
				ID string `json:"id"`
			}) error {
				if ids = append(ids, v.ID); len(ids) > maxFew {
					return fmt.Errorf("a package has more than %d vulnerabilities", maxFew)
				}
				return nil
			})
		},
	}.read(d)
	if err != nil {
		return err
	}
	in := packageAt(pkg.Name, pkg.Version)
	if pkg.Name == "" {
		in = packageAt(source, pkg.Commit)
	}
	return r.osvGroups(in, groups, ids)
}

func (r *Report) osvGroups(in string, groups []osvGroup, ids []string) error {
	grouped := map[string]bool{}
	for _, g := range groups {
		var names []string
		for _, name := range slices.Concat(g.IDs, g.Aliases) {
			grouped[name] = true
			if !slices.Contains(names[:min(len(names), 100)], name) {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return errors.New("a group of " + clip(in, 100) + " has no ids")
		}
		if err := r.vulnerability(names[0], in, Finding{Severity: scoreOf(g.Severity), Aliases: names[1:]}); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if grouped[id] {
			continue
		}
		if err := r.add(id, in, Unknown); err != nil {
			return err
		}
	}
	return nil
}

// scoreOf is the severity of a score that is written as text. No score, or one
// that cannot be read, is Unknown.
func scoreOf(text string) Severity {
	score, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return Unknown
	}
	return severityOfScore(score)
}
