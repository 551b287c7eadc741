package collect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

func isSARIF(s shape) bool { return s.json == '{' && s.members["runs"] }

// readSARIF reads the file twice: rules, which say how severe a result is, may
// stand behind the results.
func readSARIF(f *file, into *Report) error {
	var version, schema string
	var runs []*sarifRun
	err := f.object(members{"version": value(&version), "$schema": value(&schema), "runs": func(d *jsontext.Decoder) error {
		return elements(d, func(d *jsontext.Decoder) error {
			run := &sarifRun{at: len(runs) + 1, components: []*sarifComponent{{}}, overrides: map[string]string{}}
			if len(runs) == maxSARIFRuns {
				return fmt.Errorf("has more than %d runs", maxSARIFRuns)
			}
			runs = append(runs, run)
			return run.read(d)
		})
	}})
	if err != nil {
		return err
	}
	if version != "2.1.0" && (version != "" || (schema != "" && !strings.Contains(schema, "2.1"))) {
		return &ReadError{Place: "version", Reason: fmt.Sprintf("%q is not read; 2.1.0 is", clip(version, 40))}
	}
	into.Version = "2.1.0"
	if err := into.sarifRuns(runs); err != nil {
		return err
	}
	results := sarifResults{report: into, seen: map[FindingKey]string{}}
	at := 0
	return f.object(members{"runs": func(d *jsontext.Decoder) error {
		return elements(d, func(d *jsontext.Decoder) error {
			run := runs[at]
			at++
			return members{"results": func(d *jsontext.Decoder) error {
				return each(d, func(result sarifResult) error { return results.add(run, result) })
			}}.read(d)
		})
	}})
}

const (
	maxSARIFRuns    = 10_000
	maxSARIFResults = 2 << 20 // of one run; most of the time goes into them
)

// sarifRun is what a run says besides its results.
type sarifRun struct {
	at         int               // counted from 1
	components []*sarifComponent // the driver, then the extensions
	rules      int               // of all components
	overrides  map[string]string // level by rule, as the tool was told
	finished   bool              // there is a list of results
	results    int
	failed     bool // the tool says so
	elsewhere  bool // results stand in other files
}

type sarifComponent struct {
	name, guid, version string
	rules               []sarifRule
	byID                map[string]int
}

type sarifRule struct {
	ID            string `json:"id"`
	Configuration struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
	Properties sarifProperties `json:"properties"`
}

type sarifProperties struct {
	Score loose `json:"security-severity"` // CVSS, 0 to 10
}

func (run *sarifRun) read(d *jsontext.Decoder) error {
	return members{
		"tool": members{
			"driver": func(d *jsontext.Decoder) error { return run.component(d, run.components[0]) },
			"extensions": func(d *jsontext.Decoder) error {
				return elements(d, func(d *jsontext.Decoder) error {
					if len(run.components) > maxFew {
						return fmt.Errorf("run %d has more than %d extensions", run.at, maxFew)
					}
					run.components = append(run.components, &sarifComponent{})
					return run.component(d, run.components[len(run.components)-1])
				})
			},
		}.read,
		"invocations": func(d *jsontext.Decoder) error { return each(d, run.invocation) },
		"results": func(d *jsontext.Decoder) error {
			run.finished = d.PeekKind() == '['
			return elements(d, func(d *jsontext.Decoder) error {
				if run.results++; run.results > maxSARIFResults {
					return fmt.Errorf("has more than %d results", maxSARIFResults)
				}
				return d.SkipValue()
			})
		},
		"externalPropertyFileReferences": members{"results": func(d *jsontext.Decoder) error {
			return elements(d, func(d *jsontext.Decoder) error {
				run.elsewhere = true
				return d.SkipValue()
			})
		}}.read,
	}.read(d)
}

func (run *sarifRun) component(d *jsontext.Decoder, c *sarifComponent) error {
	c.byID = map[string]int{}
	var semantic string
	err := members{
		"name": value(&c.name), "guid": value(&c.guid), "version": value(&c.version), "semanticVersion": value(&semantic),
		"rules": func(d *jsontext.Decoder) error {
			return each(d, func(rule sarifRule) error {
				if run.rules++; run.rules > maxItems {
					return fmt.Errorf("has more than %d rules", maxItems)
				}
				if _, known := c.byID[rule.ID]; !known {
					c.byID[rule.ID] = len(c.rules)
				}
				c.rules = append(c.rules, rule)
				return nil
			})
		},
	}.read(d)
	if c.version == "" {
		c.version = semantic
	}
	return err
}

type sarifInvocation struct {
	Successful *bool `json:"executionSuccessful"`
	Overrides  few[struct {
		Descriptor struct {
			ID string `json:"id"`
		} `json:"descriptor"`
		Configuration struct {
			Level string `json:"level"`
		} `json:"configuration"`
	}] `json:"ruleConfigurationOverrides"`
}

func (run *sarifRun) invocation(i sarifInvocation) error {
	run.failed = run.failed || (i.Successful != nil && !*i.Successful)
	for _, o := range i.Overrides {
		if o.Descriptor.ID != "" && o.Configuration.Level != "" && len(run.overrides) < maxFew {
			run.overrides[o.Descriptor.ID] = o.Configuration.Level
		}
	}
	return nil
}

// sarifRuns refuses a file in which some tool did not run, or failed.
func (r *Report) sarifRuns(runs []*sarifRun) error {
	if len(runs) == 0 {
		return errNothingScanned("no runs")
	}
	var tools []string
	for _, run := range runs {
		driver := run.components[0]
		tool := strings.TrimSpace(clip(driver.name, 100) + " " + clip(driver.version, 100))
		if tool == "" {
			tool = "unnamed tool"
		}
		refuse := func(why string) error {
			return &ReadError{Place: fmt.Sprintf("run %d (%s)", run.at, tool), Reason: why}
		}
		switch {
		case run.results == 0 && run.failed:
			return refuse("the scan failed and has no results: that is not a clean scan")
		case run.elsewhere:
			return refuse("keeps results in other files: they are not read")
		case !run.finished:
			return refuse("has no list of results: the tool did not run, and that is not a clean scan")
		}
		r.Targets++
		if !slices.Contains(tools, tool) && len(tools) < 10 {
			tools = append(tools, tool)
		}
	}
	r.Tool = strings.Join(tools, ", ")
	return nil
}
