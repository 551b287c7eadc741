package evidence

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Sections are the five sections of evidence, each in canonical form, nil when
// absent. Members beyond those that are read are kept and hashed.
type Sections struct {
	Artifacts      jsontext.Value `json:"artifacts,omitzero"` // an object, or an array of them
	DeploymentPlan jsontext.Value `json:"deployment_plan,omitzero"`
	RollbackPlan   jsontext.Value `json:"rollback_plan,omitzero"`
	ScanResults    jsontext.Value `json:"scan_results,omitzero"`
	TestResults    jsontext.Value `json:"test_results,omitzero"`
}

// The sections' names, in the order in which people read them.
const (
	artifacts      = "artifacts"
	testResults    = "test_results"
	scanResults    = "scan_results"
	deploymentPlan = "deployment_plan"
	rollbackPlan   = "rollback_plan"
)

// SectionNames lists the five sections in the specification's order.
func SectionNames() []string {
	return []string{artifacts, testResults, scanResults, deploymentPlan, rollbackPlan}
}

func (s *Sections) section(name string) *jsontext.Value {
	switch name {
	case artifacts:
		return &s.Artifacts
	case testResults:
		return &s.TestResults
	case scanResults:
		return &s.ScanResults
	case deploymentPlan:
		return &s.DeploymentPlan
	case rollbackPlan:
		return &s.RollbackPlan
	}
	return nil
}

// FieldError names a member of evidence that has the wrong form.
type FieldError struct {
	Field   string // evidence_data.scan_results
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// MaxArtifacts is how many artifacts one package may have.
const MaxArtifacts = 256

// ParseSections reads the evidence_data object, which must be in canonical form
// (see [Canonical]). A section that is not an object, or a sixth one, is a
// *FieldError: a misspelt section would otherwise be silently missing.
func ParseSections(canonical []byte) (Sections, error) {
	const root = "evidence_data"
	var s Sections
	if jsontext.Value(canonical).Kind() != '{' {
		return Sections{}, &FieldError{root, "must be an object with the sections " + strings.Join(SectionNames(), ", ")}
	}
	err := eachMember(canonical, func(name string, value jsontext.Value) error {
		section := s.section(name)
		if section == nil {
			return &FieldError{root + "." + name, "is not a section; the sections are " + strings.Join(SectionNames(), ", ")}
		}
		if err := checkShape(name, value); err != nil {
			return &FieldError{root + "." + name, err.Error()}
		}
		*section = value
		return nil
	})
	if err != nil {
		return Sections{}, err
	}
	return s, nil
}

func checkShape(name string, value jsontext.Value) error {
	switch {
	case value.Kind() == '{':
		return nil
	case name != artifacts:
		return fmt.Errorf("must be an object")
	case value.Kind() != '[':
		return fmt.Errorf("must be an object or an array of objects")
	}
	return eachElement(value, func(i int, element jsontext.Value) error {
		if i == MaxArtifacts {
			return fmt.Errorf("must not have more than %d elements", MaxArtifacts)
		}
		if element.Kind() != '{' {
			return fmt.Errorf("element %d must be an object", i)
		}
		return nil
	})
}

// scanner reads values that have been checked before; looking for duplicate
// names a second time would only cost.
func scanner(value jsontext.Value) *jsontext.Decoder {
	return jsontext.NewDecoder(bytesReader(value), jsontext.AllowDuplicateNames(true))
}

// eachMember calls yield for each member of an object. The values share the
// object's memory.
func eachMember(object jsontext.Value, yield func(name string, value jsontext.Value) error) error {
	decoder := scanner(object)
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		value, err := valueIn(object, decoder)
		if err != nil {
			return err
		}
		if err := yield(name, value); err != nil {
			return err
		}
	}
	return nil
}

// eachElement calls yield for each element of an array.
func eachElement(array jsontext.Value, yield func(i int, element jsontext.Value) error) error {
	decoder := scanner(array)
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for i := 0; decoder.PeekKind() != ']'; i++ {
		element, err := valueIn(array, decoder)
		if err != nil {
			return err
		}
		if err := yield(i, element); err != nil {
			return err
		}
	}
	return nil
}

// valueIn reads the next value as a slice of the text it stands in, so that it
// stays good after the decoder moves on.
func valueIn(text jsontext.Value, decoder *jsontext.Decoder) (jsontext.Value, error) {
	value, err := decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := decoder.InputOffset()
	return text[end-int64(len(value)) : end : end], nil
}

// member finds one member of an object; nil when it is not there, or this is none.
func member(object jsontext.Value, name string) jsontext.Value {
	var found jsontext.Value
	if object.Kind() != '{' {
		return nil
	}
	err := eachMember(object, func(n string, value jsontext.Value) error {
		if n == name {
			found = value
			return io.EOF // enough
		}
		return nil
	})
	_ = err // the object was checked when it was parsed; the only error is ours
	return found
}
