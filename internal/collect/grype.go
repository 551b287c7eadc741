package collect

import (
	"errors"

	"github.com/go-json-experiment/json"
)

func isGrype(s shape) bool { return s.json == '{' && s.members["matches"] }

// readGrype takes the matches; ignoredMatches were suppressed by the user's own
// rules and do not count.
func readGrype(data []byte, into *Report) error {
	var report struct {
		Matches *[]struct {
			Vulnerability struct {
				ID       string `json:"id"`
				Severity string `json:"severity"`
			} `json:"vulnerability"`
			Artifact struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"artifact"`
		} `json:"matches"`
		Descriptor struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"descriptor"`
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return err
	}
	if report.Matches == nil {
		return errors.New("matches is null: the scan did not finish")
	}
	into.Tool, into.Targets = "grype", 1
	if report.Descriptor.Version != "" {
		into.Tool += " " + report.Descriptor.Version
	}
	for _, m := range *report.Matches {
		into.add(m.Vulnerability.ID, m.Artifact.Name+"@"+m.Artifact.Version, severityOf(m.Vulnerability.Severity))
	}
	return nil
}
