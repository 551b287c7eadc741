package collect

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

func isGrype(s shape) bool { return s.json == '{' && s.members["matches"] }

type grypeMatch struct {
	Vulnerability struct {
		ID       string `json:"id"`
		Severity string `json:"severity"`
	} `json:"vulnerability"`
	Artifact struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	} `json:"artifact"`
}

// readGrype takes the matches; ignoredMatches were set aside by the user's own
// rules: they are listed and do not count.
func readGrype(f *file, into *Report) error {
	finished := false
	matches := func(setAside string) func(*jsontext.Decoder) error {
		return func(d *jsontext.Decoder) error {
			if d.PeekKind() == '[' && setAside == "" {
				finished = true
			}
			return each(d, func(m grypeMatch) error {
				return into.find(FindingKey{m.Vulnerability.ID, m.Artifact.Name + "@" + m.Artifact.Version},
					Finding{severityOf(m.Vulnerability.Severity), m.Artifact.PURL, setAside})
			})
		}
	}
	var descriptor struct {
		Version string `json:"version"`
	}
	err := f.object(members{"matches": matches(""), "ignoredMatches": matches("ignored by a rule of the scanner"), "descriptor": value(&descriptor)})
	if err != nil {
		return err
	}
	if !finished {
		return errors.New("matches is null: the scan did not finish")
	}
	into.Tool, into.Targets = "grype", 1
	if descriptor.Version != "" {
		into.Tool += " " + descriptor.Version
	}
	return nil
}
