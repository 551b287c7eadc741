package collect

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// cycloneDXVersions are the versions of the specification whose JSON form is
// read; 1.0 and 1.1 had none.
var cycloneDXVersions = []string{"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

func isCycloneDX(s shape) bool {
	return s.json == '{' && (s.members["bomFormat"] || (s.members["specVersion"] && s.members["components"]))
}

// readCycloneDX counts components, nested ones included; the subject of the
// document (metadata.component) is not one of them.
func readCycloneDX(f *file, into *Report) error {
	var format string
	var subject struct {
		Component *struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"component"`
	}
	err := f.object(members{
		"bomFormat":   value(&format),
		"specVersion": value(&into.Version),
		"metadata":    value(&subject),
		"components":  into.cycloneComponents,
	})
	if err != nil {
		return err
	}
	if format != "CycloneDX" {
		return &ReadError{Place: "bomFormat", Reason: fmt.Sprintf("is %q, not CycloneDX", clip(format, 40))}
	}
	if !slices.Contains(cycloneDXVersions, into.Version) {
		return &ReadError{Place: "specVersion", Reason: fmt.Sprintf("%q is not read; 1.2 to 1.7 are", clip(into.Version, 40))}
	}
	if c := subject.Component; c != nil {
		into.Subject = c.Name
		if c.Version != "" {
			into.Subject += "@" + c.Version
		}
	}
	return nil
}

func (r *Report) cycloneComponents(d *jsontext.Decoder) error {
	return elements(d, func(d *jsontext.Decoder) error {
		at := len(r.Components)
		if err := r.component(Component{}); err != nil {
			return err
		}
		var c Component
		err := members{
			"name": value(&c.Name), "version": value(&c.Version), "purl": value(&c.PURL), "components": r.cycloneComponents,
		}.read(d)
		r.Components[at] = c
		return err
	})
}
