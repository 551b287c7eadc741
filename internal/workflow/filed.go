package workflow

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/collect"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// VersionRow is the store's, by the name that verbs use.
type VersionRow = store.VersionRow

// FiledEvidence is a package, with the request that it was submitted with.
type FiledEvidence struct {
	Evidence             // of one that was altered, what its row says only
	Altered  error       // the stored evidence is not what was filed, or submitted, and is not shown; nil if it is
	Request  *RequestRow // nil if it was not submitted, or the caller may not see it
}

// FiledEvidence is [Service.Evidence] for people: what is wrong with a package is
// part of the answer, and it is held against what was submitted, too.
func (s *Service) FiledEvidence(ctx context.Context, call Call, id string) (FiledEvidence, error) {
	submitted := ""
	filed, err := see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (f FiledEvidence, err error) {
		if f.Package, err = r.Package(id); err != nil {
			return f, err
		}
		held, err := r.PackageHolding(id)
		if err != nil {
			return f, err
		}
		if err := cab.PermitOn(call.Actor, cab.ReadEvidence, held); err != nil {
			return f, err
		}
		request, err := optional(r.RequestOf(id))
		if err != nil || request == nil {
			return f, err
		}
		submitted = request.ContentHash
		if cab.PermitOn(call.Actor, cab.ReadRequest, request.Holding()) == nil {
			f.Request = request
		}
		return f, nil
	})
	if err != nil {
		return FiledEvidence{}, err
	}
	whole, altered, err := s.readWhole(ctx, call, filed.Package, submitted)
	if filed.Altered = altered; altered == nil {
		filed.Evidence = whole
	}
	return filed, err
}

// Versions lists the other packages of a package's application that the caller may
// read, newest first.
func (s *Service) Versions(ctx context.Context, call Call, of Evidence, paging Paging) (Page[VersionRow], error) {
	return see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (Page[VersionRow], error) {
		filter := store.VersionFilter{Paging: paging, App: of.Record.AppName, Except: of.ID}
		filter.Owner, filter.ApprovedOnly = reach(call.Actor, cab.ReadEvidence, "")
		return r.Versions(filter)
	})
}

// ListedComponent is a component of one of a package's SBOMs.
type ListedComponent struct {
	collect.Component
	File string // whose name it has; "" if it has none
}

// ListedFinding is a finding of a package's scans, at the highest severity that any
// of them gave it.
type ListedFinding struct {
	collect.FindingKey
	collect.Finding
}

// Components lists what the SBOMs of a package list, by name. note says why there is
// nothing to list; "" if there is.
func (s *Service) Components(ctx context.Context, call Call, id string) (e Evidence, all []ListedComponent, note string, err error) {
	r, done, err := s.reread(ctx, call, id, "SBOM", evidence.SBOMFile)
	if err != nil {
		return Evidence{}, nil, "", err
	}
	defer done()
	for _, report := range r.reports[evidence.SBOMFile] {
		for _, c := range report.Components {
			all = append(all, ListedComponent{c, report.File})
		}
	}
	slices.SortFunc(all, func(a, b ListedComponent) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.PURL, b.PURL), strings.Compare(a.File, b.File))
	})
	return *r.of, all, r.faults[evidence.SBOMFile], nil
}

// Findings lists what the scans of a package found, the worst first, those that are
// set aside last. note is as in [Service.Components].
func (s *Service) Findings(ctx context.Context, call Call, id string) (e Evidence, all []ListedFinding, note string, err error) {
	r, done, err := s.reread(ctx, call, id, "scan report", evidence.ScanFile, evidence.VEXFile)
	if err != nil {
		return Evidence{}, nil, "", err
	}
	defer done()
	if note = cmp.Or(r.faults[evidence.ScanFile], r.faults[evidence.VEXFile]); note != "" {
		return *r.of, nil, note, nil
	}
	for key, f := range r.findings() {
		all = append(all, ListedFinding{key, f})
	}
	slices.SortFunc(all, func(a, b ListedFinding) int {
		return cmp.Or(boolOrder(a.SetAside != "", b.SetAside != ""), cmp.Compare(b.Severity, a.Severity), strings.Compare(a.ID, b.ID), strings.Compare(a.Package, b.Package))
	})
	return *r.of, all, "", nil
}

// boolOrder puts false before true.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// reread reads the files of some roles of one package again; what is lacking is a
// fault of the first role.
func (s *Service) reread(ctx context.Context, call Call, id, what string, roles ...evidence.Role) (*rereading, func(), error) {
	e, err := s.Evidence(ctx, call, id)
	if err != nil {
		return nil, nil, err
	}
	r := &rereading{of: &e, roles: roles}
	if len(ofRoles(e.Record.Attachments, roles[0])) == 0 {
		r.faults = map[evidence.Role]string{roles[0]: "there is no " + what + " among the files of this package"}
		return r, func() {}, nil
	}
	done, err := s.readAgain(ctx, call, r)
	return r, done, err
}
