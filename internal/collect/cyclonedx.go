package collect

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// cycloneDXVersions are the versions of the specification whose JSON form is
// read; 1.0 and 1.1 had none.
var cycloneDXVersions = []string{"1.2", "1.3", "1.4", "1.5", "1.6", "1.7"}

func isCycloneDX(s shape) bool {
	return s.json == '{' && (s.members["bomFormat"] || (s.members["specVersion"] && s.members["components"]))
}

type cycloneComponent struct {
	Name       string             `json:"name"`
	Version    string             `json:"version"`
	Components []cycloneComponent `json:"components"`
}

func (c cycloneComponent) count() int {
	n := 1
	for _, inner := range c.Components {
		n += inner.count()
	}
	return n
}

// readCycloneDX counts components, nested ones included; the subject of the
// document (metadata.component) is not one of them.
func readCycloneDX(data []byte, into *Report) error {
	var bom struct {
		BOMFormat   string             `json:"bomFormat"`
		SpecVersion string             `json:"specVersion"`
		Components  []cycloneComponent `json:"components"`
		Metadata    struct {
			Component *cycloneComponent `json:"component"`
			Tools     jsontext.Value    `json:"tools"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		return err
	}
	if bom.BOMFormat != "CycloneDX" {
		return &ReadError{Place: "bomFormat", Reason: fmt.Sprintf("is %q, not CycloneDX", bom.BOMFormat)}
	}
	if !slices.Contains(cycloneDXVersions, bom.SpecVersion) {
		return &ReadError{Place: "specVersion", Reason: fmt.Sprintf("%q is not read; 1.2 to 1.7 are", bom.SpecVersion)}
	}
	into.SpecVersion = bom.SpecVersion
	for _, c := range bom.Components {
		into.Components += c.count()
	}
	if c := bom.Metadata.Component; c != nil {
		into.Subject = c.Name
		if c.Version != "" {
			into.Subject += "@" + c.Version
		}
	}
	return nil
}
