package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/attachment"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// Diff is what changed from one package to another.
type Diff struct {
	Before, After Evidence
	evidence.Comparison

	Components     collect.ComponentDiff
	ComponentsNote string // why they cannot be compared; "" if they are
	Findings       collect.FindingDiff
	FindingsNote   string // the same of findings
}

// Aliases for those who may not read files themselves.
type (
	FindingChange   = collect.FindingChange
	ComponentChange = collect.ComponentChange
	FoundState      = collect.FoundState
	FindingDiff     = collect.FindingDiff
	ComponentDiff   = collect.ComponentDiff
)

// SameApplication reports whether both packages are of one application.
func (d *Diff) SameApplication() bool { return d.Before.Record.AppName == d.After.Record.AppName }

// Diff compares a package with another one, or with the last approved one of its
// application if against is "". The caller must be allowed to read both.
func (s *Service) Diff(ctx context.Context, call Call, id, against string) (Diff, error) {
	after, err := s.Evidence(ctx, call, id)
	if err != nil {
		return Diff{}, err
	}
	if against == "" {
		if against, err = s.lastApproved(ctx, call, after); err != nil {
			return Diff{}, err
		}
	}
	before, err := s.Evidence(ctx, call, against)
	if err != nil {
		return Diff{}, err
	}
	d := Diff{Before: before, After: after, Comparison: evidence.Compare(before.Record, after.Record)}
	return d, s.compareFiles(ctx, call, &d)
}

// lastApproved is the newest approved package of the same application that is
// older, among those that the caller may read.
func (s *Service) lastApproved(ctx context.Context, call Call, e Evidence) (string, error) {
	id, err := see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (string, error) {
		owner, _ := reach(call.Actor, cab.ReadEvidence, "") // approved they all are
		return r.LastApproved(e.Record.AppName, e.Record.CreatedAt, e.ID, owner)
	})
	if cab.KindOf(err) == cab.NotFound {
		err = &cab.Error{
			Kind: cab.NotFound, Code: "NO_APPROVED_PACKAGE",
			Message: "no older package of " + e.Record.AppName + " that you may read has been approved; name one to compare with",
		}
	}
	return id, err
}

// compareFiles compares what is in files only: components and findings.
func (s *Service) compareFiles(ctx context.Context, call Call, d *Diff) error {
	d.ComponentsNote, d.FindingsNote = lacking(d, evidence.SBOMFile, "SBOM"), lacking(d, evidence.ScanFile, "scan report")
	var wanted []evidence.Role
	if d.ComponentsNote == "" {
		wanted = append(wanted, evidence.SBOMFile)
	}
	if d.FindingsNote == "" {
		wanted = append(wanted, evidence.ScanFile, evidence.VEXFile)
	}
	if wanted == nil {
		return nil
	}
	before, after := &rereading{of: &d.Before, roles: wanted}, &rereading{of: &d.After, roles: wanted}
	done, err := s.readAgain(ctx, call, before, after)
	if err != nil {
		return err
	}
	defer done()
	if d.ComponentsNote == "" {
		d.ComponentsNote = before.useless(after, evidence.SBOMFile)
	}
	if d.ComponentsNote == "" {
		d.Components = collect.CompareComponents(before.reports[evidence.SBOMFile], after.reports[evidence.SBOMFile])
	}
	if d.FindingsNote == "" {
		d.FindingsNote = before.useless(after, evidence.ScanFile, evidence.VEXFile)
	}
	if d.FindingsNote == "" {
		d.Findings = collect.CompareFindings(before.findings(), after.findings())
		d.Values = slices.DeleteFunc(d.Values, func(v evidence.ValueChange) bool { return strings.HasPrefix(v.Path, "scan_results.set_aside") })
	}
	return nil
}

// lacking says which of the packages has no file of a role; "" if both have one.
func lacking(d *Diff, role evidence.Role, what string) string {
	has := func(e *Evidence) bool { return len(ofRoles(e.Record.Attachments, role)) > 0 }
	of := ""
	switch before, after := has(&d.Before), has(&d.After); {
	case before && after:
		return ""
	case after:
		of = "the package before"
	case before:
		of = "this package"
	default:
		of = "either package"
	}
	return "there is no " + what + " among the files of " + of
}

func ofRoles(files []evidence.Attachment, roles ...evidence.Role) (all []evidence.Attachment) {
	for _, role := range roles {
		for _, f := range files {
			if f.Role == role {
				all = append(all, f)
			}
		}
	}
	return all
}

// rereading is the reading of files of a package that was filed long ago.
type rereading struct {
	of      *Evidence
	roles   []evidence.Role
	reports map[evidence.Role][]collect.Report
	faults  map[evidence.Role]string // why what the files say cannot be used
}

func (r *rereading) size() (sum int64) {
	for _, f := range ofRoles(r.of.Record.Attachments, r.roles...) {
		sum += f.Size
	}
	return sum
}

// useless says why the files of some roles are of no use in one of two packages.
func (r *rereading) useless(other *rereading, roles ...evidence.Role) string {
	for _, side := range []*rereading{r, other} {
		for _, role := range roles {
			if fault := side.faults[role]; fault != "" {
				return fault
			}
		}
	}
	return ""
}

func (r *rereading) findings() map[collect.FindingKey]collect.Finding {
	return collect.Findings(r.reports[evidence.ScanFile], r.reports[evidence.VEXFile])
}

// readAgain reads the files of two packages, after each was held against its
// digest. They are in memory together, so they have room together, until done:
// comparisons at the same time are bounded as uploads are. What is too large for
// that is not read.
func (s *Service) readAgain(ctx context.Context, call Call, packages ...*rereading) (done func(), err error) {
	weight := int64(0)
	for _, p := range packages {
		if p.size() > collect.MaxReport {
			for _, p := range packages {
				p.faults = map[evidence.Role]string{}
				for _, role := range p.roles {
					p.faults[role] = fmt.Sprintf("the files of one package are larger than %d MiB together", collect.MaxReport>>20)
				}
			}
			return func() {}, nil
		}
		weight += roomFor(p.size())
	}
	done, err = turn(ctx, s.room, min(weight, readingMost))
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		if err := s.readFilesOf(ctx, call, p); err != nil {
			done()
			return nil, err
		}
	}
	return done, nil
}

// readFilesOf reads the files of one package. A file that is not what was stored
// is a refusal and an event; one that is, and cannot be read by today's readers,
// is a fault, and so are scans that looked at nothing.
func (s *Service) readFilesOf(ctx context.Context, call Call, p *rereading) error {
	p.reports, p.faults = map[evidence.Role][]collect.Report{}, map[evidence.Role]string{}
	held := int64(0)
	for _, f := range ofRoles(p.of.Record.Attachments, p.roles...) {
		if p.faults[f.Role] != "" {
			continue
		}
		a, err := s.attachAgain(ctx, f, held)
		switch _, fault := errors.AsType[*collect.ReadError](err); {
		case errors.Is(err, attachment.ErrMissing), errors.Is(err, attachment.ErrAltered):
			return s.recordLost(ctx, call, p.of.Package, lostFile{f.SHA256, err.Error()}, "comparison")
		case fault:
			p.faults[f.Role] = "evidence " + p.of.ID + ": " + err.Error()
		case err != nil:
			return unreadable(f, err)
		case a.Empty == "":
			p.add(f.Role, a.Report)
			held = a.Held()
		}
	}
	for _, role := range p.roles {
		if role == evidence.ScanFile && len(p.reports[role]) == 0 && p.faults[role] == "" {
			p.faults[role] = "the scans of evidence " + p.of.ID + " looked at nothing"
		}
	}
	return nil
}

// add keeps a report, unless there is too much in it to be held beside others.
func (r *rereading) add(role evidence.Role, report collect.Report) {
	r.reports[role] = append(r.reports[role], report)
	n := 0
	for _, report := range r.reports[role] {
		n += len(report.Components) + len(report.Findings)
	}
	if n > collect.MaxCompared {
		r.reports[role] = nil
		r.faults[role] = fmt.Sprintf("evidence %s has more than %d of them", r.of.ID, collect.MaxCompared)
	}
}

func (s *Service) attachAgain(ctx context.Context, f evidence.Attachment, held int64) (collect.Attached, error) {
	if s.files == nil {
		return collect.Attached{}, attachment.ErrMissing
	}
	file, err := s.files.OpenChecked(ctx, f.SHA256, f.Size)
	if err != nil {
		return collect.Attached{}, err
	}
	defer file.Close()
	return collect.Attach(f.Role, collect.Source{Name: f.Name, SHA256: f.SHA256, Size: f.Size, ReaderAt: file}, s.trust, s.now(), held)
}
