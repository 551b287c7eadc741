package collect

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func isOpenVEX(s shape) bool {
	return s.json == '{' && s.members["statements"] &&
		(strings.HasPrefix(s.texts["@context"], "https://openvex.dev/") || s.members["author"] || s.members["timestamp"])
}

// openVEXVulnerability is a name, or an object since version 0.2.0.
type openVEXVulnerability struct {
	ID      string
	Name    string
	Aliases few[string]
}

// UnmarshalJSONFrom reads either.
func (v *openVEXVulnerability) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		return value(&v.Name)(d)
	}
	err := members{"@id": value(&v.ID), "name": value(&v.Name), "aliases": value(&v.Aliases)}.read(d)
	if v.Name == "" && v.ID != "" {
		v.Name = path.Base(v.ID)
	}
	return err
}

// openVEXProduct is a reference, or an object since version 0.2.0.
type openVEXProduct struct {
	ID    string
	PURL  string
	Parts few[openVEXProduct]
}

// UnmarshalJSONFrom reads either.
func (p *openVEXProduct) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		return value(&p.ID)(d)
	}
	return members{
		"@id": value(&p.ID), "identifiers": members{"purl": value(&p.PURL)}.read, "subcomponents": value(&p.Parts),
	}.read(d)
}

// reference is the purl if there is one, and else what the document calls it.
func (p openVEXProduct) reference() string {
	if p.PURL != "" && !strings.HasPrefix(p.ID, "pkg:") {
		return p.PURL
	}
	return p.ID
}

type openVEXStatement struct {
	Vulnerability openVEXVulnerability `json:"vulnerability"`
	Products      few[openVEXProduct]  `json:"products"`
	Parts         few[openVEXProduct]  `json:"subcomponents"` // until version 0.0.1
	Status        string               `json:"status"`
	Justification string               `json:"justification"`
	Impact        string               `json:"impact_statement"`
	Time          string               `json:"timestamp"`
}

// readOpenVEX keeps every statement with its time, or the document's where it
// has none of its own: which one holds is decided when they are applied.
func readOpenVEX(f *file, into *Report) error {
	var when, context string
	n := 0
	err := f.object(members{
		"@context": value(&context), "timestamp": value(&when), "author": value(&into.Tool),
		"statements": func(d *jsontext.Decoder) error {
			return elements(d, func(d *jsontext.Decoder) error {
				var s openVEXStatement
				if err := json.UnmarshalDecode(d, &s); err != nil {
					return err
				}
				n++
				return into.openVEXStatement(fmt.Sprintf("statement %d", n), s)
			})
		},
	})
	if err != nil {
		return err
	}
	if err := isTime("timestamp", when); err != nil {
		return err
	}
	for i := range into.Statements {
		if into.Statements[i].Time == "" {
			into.Statements[i].Time = when
		}
	}
	if strings.HasPrefix(path.Base(context), "v") {
		into.Version = path.Base(context)
	}
	return into.anyStatements()
}

func (r *Report) openVEXStatement(place string, s openVEXStatement) error {
	if !slices.Contains([]string{notAffected, affected, fixed, underInvestigation}, s.Status) {
		return &ReadError{Place: place, Reason: fmt.Sprintf("%q is no status of a VEX statement", clip(s.Status, 40))}
	}
	if err := isTime(place, s.Time); err != nil {
		return err
	}
	if s.Justification == "" {
		s.Justification = clip(s.Impact, 200)
	}
	statement := VEXStatement{
		Vulnerability: s.Vulnerability.Name, Aliases: s.Vulnerability.Aliases,
		Status: s.Status, Justification: s.Justification, Time: s.Time,
	}
	// Products of which only parts are meant are a statement of their own, if
	// others stand beside them.
	parted := statement
	for _, p := range s.Products {
		if len(p.Parts)+len(s.Parts) == 0 {
			statement.Products = append(statement.Products, p.reference())
			continue
		}
		parted.Products = append(parted.Products, p.reference())
		for _, part := range slices.Concat(p.Parts, s.Parts) {
			parted.Parts = append(parted.Parts, part.reference())
		}
		if len(parted.Parts) > maxFew {
			return &ReadError{Place: place, Reason: fmt.Sprintf("names more than %d parts", maxFew)}
		}
	}
	if len(parted.Products) > 0 {
		if err := r.states(parted); err != nil || len(statement.Products) == 0 {
			return err
		}
	}
	return r.states(statement)
}

// isTime refuses a time that statements could not be ordered by.
func isTime(place, text string) error {
	if text == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
		return &ReadError{Place: place, Reason: fmt.Sprintf("%q is no time (RFC 3339)", clip(text, 60))}
	}
	return nil
}
