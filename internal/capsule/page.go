package capsule

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/risk"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": pageTime,
	"size": func(n int64) string { return fmt.Sprintf("%d bytes", n) },
	"join": strings.Join,
	"words": func(v any) string {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(fmt.Sprint(v)), "_", " "), "cab ", "CAB ")
	},
}).Parse(pageText))

func pageTime(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// page is what the page for people shows. Nothing is decided here: it is read from
// what is in the capsule, and only the manifest's signature holds it.
type page struct {
	*outcome
	Record      evidence.Record
	Scored      evidence.Assessment
	Rules       cab.Policy
	Votes       []cab.VoteAt
	Words       string
	Tone        string // good, bad, waiting
	Facts       []pageFact
	Files       []pageFile
	Events      []cab.Event
	Checkpoint  ledger.Cosigned
	Log         string // the log's key
	Required    bool   // witnesses
	StampedAt   time.Time
	ModelDigest string
	PolicyHash  string
}

// pageFact is one fact of the evidence, and where it came from.
type pageFact struct{ Meaning, Value, From string }

// pageFile is one file of the evidence.
type pageFile struct {
	evidence.Attachment
	Here bool
}

// page makes the page of a capsule.
func (c Contents) page() ([]byte, error) {
	p, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("capsule of %s: %w", c.Request, err)
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("capsule of %s: %w", c.Request, err)
	}
	return out.Bytes(), nil
}

// read reads the members as whoever verifies them does.
func (c Contents) read() (*page, error) {
	p := new(page)
	var s said
	for _, e := range c.Events {
		event, err := readEvent(e.Leaf)
		if err != nil {
			return nil, fmt.Errorf("%w: event %d is no event as the ledger writes them", ErrContradictory, e.Seq)
		}
		_, _ = s.tell(event) // what is wrong with it is for whoever verifies
		p.Events = append(p.Events, event)
	}
	var err error
	if p.outcome, err = s.tellOutcome(c.Request); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContradictory, err)
	}
	if err := p.outcome.read(c.Document); err != nil {
		return nil, err
	}
	model, err := risk.ParseCanonical(c.Model)
	if err != nil {
		return nil, err
	}
	if p.Rules, err = cab.PolicyFromDocument(c.Policy); err != nil {
		return nil, err
	}
	trust, err := ledger.ParseTrust([]byte(c.Trust))
	if err != nil {
		return nil, err
	}
	if p.Checkpoint, err = trust.Open(c.Checkpoint); err != nil {
		return nil, err
	}
	if c.Timestamp != nil {
		p.StampedAt, _ = stampedAt(c.Timestamp, asLogSigned(c.Checkpoint)) // likewise
	}
	p.Record, p.Scored, p.Votes, p.Required = p.record, model.Assess(p.facts), p.votes, trust.Required()
	p.ModelDigest, p.PolicyHash = model.Digest(), evidence.Digest(c.Policy)
	p.Log = logKey(c.Trust)
	p.Words, p.Tone = p.inWords(), tone(p.Request.Status)
	p.Facts = p.tellFacts()
	for _, a := range p.record.Attachments {
		here := slices.ContainsFunc(c.Attachments, func(b Attachment) bool { return a.SHA256 == b.SHA256 })
		p.Files = append(p.Files, pageFile{a, here})
	}
	return p, nil
}

// logKey is the key of the log line of a trust policy that has been parsed.
func logKey(trust string) string {
	for line := range strings.Lines(trust) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "log" {
			return fields[1]
		}
	}
	return ""
}

func tone(s cab.Status) string {
	switch {
	case s.Approved():
		return "good"
	case s.Open():
		return "waiting"
	}
	return "bad"
}

// tellFacts lists what is known of the evidence, and what the score or the gate
// wanted.
func (p *page) tellFacts() []pageFact {
	var all []pageFact
	for _, d := range evidence.FactDefinitions() {
		fact := p.facts.Get(d.Name)
		used := slices.ContainsFunc(p.Scored.Factors, func(f evidence.Factor) bool { return f.Source == string(d.Name) }) ||
			slices.ContainsFunc(p.Rules.Guards, func(g cab.PolicyGuard) bool { return g.Fact == d.Name }) || slices.Contains(p.Rules.RequireDerived, d.Name)
		if !used && (fact.State == evidence.Missing || workedOut(d.Name)) {
			continue
		}
		shown := pageFact{Meaning: d.Meaning, Value: fact.Shown, From: p.from(d.Name, fact)}
		if d.Name == evidence.RatedCriticalAndHigh {
			shown.Meaning = "number of critical and high findings whose severity is known"
		}
		if fact.State != evidence.Known {
			shown.Value = strings.TrimSpace(fact.State.String() + " " + fact.Shown)
		}
		all = append(all, shown)
	}
	return all
}

// workedOut reports whether a fact is no member of the evidence, and follows from
// others.
func workedOut(name evidence.FactName) bool {
	return slices.Contains([]evidence.FactName{evidence.CriticalAndHigh, evidence.RatedCriticalAndHigh, evidence.DeclaredMismatch, evidence.SignatureStatus}, name)
}

// from says where a fact came from.
func (p *page) from(name evidence.FactName, fact evidence.Fact) string {
	i := slices.IndexFunc(p.record.Origins, func(o evidence.Origin) bool { return o.Path == string(name) })
	switch {
	case fact.State == evidence.Missing:
		return "nobody said"
	case workedOut(name):
		return "follows from the others"
	case i < 0 || p.record.Origins[i].Origin != evidence.IsDerived:
		return "declared by " + p.record.CreatedBy.Username
	}
	var parts []string
	for _, source := range p.record.Origins[i].Sources {
		parts = append(parts, fmt.Sprintf("%s (%s)", p.fileName(source.Attachment), source.Parser))
	}
	text := "read from " + strings.Join(parts, ", ")
	if declared := p.record.Origins[i].Declared; declared != nil {
		text += fmt.Sprintf("; declared was %s, which did not count", declared)
	}
	return text
}

func (p *page) fileName(digest string) string {
	for _, a := range p.record.Attachments {
		if a.SHA256 == digest && a.Name != "" {
			return a.Name
		}
	}
	return digest
}
