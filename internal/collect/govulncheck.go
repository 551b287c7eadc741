package collect

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
)

// isGovulncheck knows the first message: an object with one member.
func isGovulncheck(s shape) bool {
	return s.json != 0 && len(s.members) == 1 &&
		(s.members["config"] || s.members["progress"] || s.members["SBOM"] || s.members["osv"] || s.members["finding"])
}

type govulnMessage struct {
	Config *struct {
		Name    string `json:"scanner_name"`
		Version string `json:"scanner_version"`
	} `json:"config"`
	Progress *struct {
		Message string `json:"message"`
	} `json:"progress"`
	OSV *struct {
		ID      string      `json:"id"`
		Aliases few[string] `json:"aliases"`
	} `json:"osv"`
	Finding *struct {
		OSV   string `json:"osv"`
		Trace first[struct {
			Module  string `json:"module"`
			Version string `json:"version"`
		}] `json:"trace"`
	} `json:"finding"`
}

// readGovulncheck reads a stream of messages, or an array of them. A
// vulnerability stands there up to three times, as its module, its package and
// its symbol are found to be used: it counts once for its module, whether or
// not its symbol is called. The database has no severities: all are Unknown.
func readGovulncheck(f *file, into *Report) error {
	g := govulncheck{report: into, aliases: map[string][]string{}}
	d := f.decoder()
	for {
		switch d.PeekKind() {
		case 0: // the end, or an error
			if _, err := d.ReadToken(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errors.Join(errors.New("cannot be read on"), err)
			}
			return g.end()
		case '[':
			if err := each(d, g.message); err != nil {
				return err
			}
		default:
			var m govulnMessage
			if err := json.UnmarshalDecode(d, &m); err != nil {
				return err
			}
			if err := g.message(m); err != nil {
				return err
			}
		}
	}
}

// govulncheck is what the messages said so far.
type govulncheck struct {
	report   *Report
	aliases  map[string][]string
	held     int // strings in aliases
	config   bool
	progress string // the last message
}

func (g *govulncheck) message(m govulnMessage) error {
	if m.Config != nil {
		g.config = true
		g.report.Tool = strings.TrimSpace(clip(m.Config.Name, 100) + " " + clip(m.Config.Version, 100))
	}
	if m.Progress != nil {
		g.progress = clip(m.Progress.Message, 200)
	}
	if m.OSV != nil {
		if g.held += 1 + len(m.OSV.Aliases); g.held > maxItems {
			return fmt.Errorf("lists more than %d entries of the database", maxItems)
		}
		g.aliases[m.OSV.ID] = m.OSV.Aliases
	}
	if m.Finding == nil {
		return nil
	}
	in := m.Finding.Trace.value
	return g.report.vulnerability(m.Finding.OSV, packageAt(in.Module, in.Version), Finding{Severity: Unknown, Aliases: g.aliases[m.Finding.OSV]})
}

// end refuses a stream that stopped before anything was looked at: it has no
// last message that would say so.
func (g *govulncheck) end() error {
	switch {
	case !g.config:
		return errors.New("has no config message: it is not a whole report of govulncheck")
	case len(g.report.Findings) > 0:
	case g.progress == "":
		return errNothingScanned("the stream has no message about its progress")
	case strings.HasPrefix(g.progress, "Fetching"), strings.HasPrefix(g.progress, "Loading"):
		return errNothingScanned(fmt.Sprintf("the stream ends at %q", g.progress))
	}
	if g.report.Tool == "" {
		g.report.Tool = "govulncheck"
	}
	g.report.Targets = 1
	return nil
}
