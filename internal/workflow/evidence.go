package workflow

import (
	"context"
	"errors"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/eucora/eucora/internal/store"
)

// Evidence is a package with its document read.
type Evidence struct {
	cab.Package
	Record evidence.Record
}

// CreateEvidence scores and files evidence for a deployment. data is the
// evidence_data object in canonical form: what is declared. What the files say
// takes its place. Incomplete evidence is filed too; it can be looked at and
// never submitted.
//
// Everything is worked out before the transaction, from what never changes (the
// deployment's owner and correlation id, a published model) and from the policy
// as it was seen last. The transaction writes, unless a policy is in force now that
// names another model: then the package is scored again.
func (s *Service) CreateEvidence(ctx context.Context, call Call, deploymentID string, data []byte, files ...*Upload) (Evidence, error) {
	in, err := s.evidenceInput(ctx, call, deploymentID)
	if err != nil {
		return Evidence{}, err
	}
	c := s.cabCall(call)
	record, err := s.recordOf(ctx, c, in.Deployment, data, files)
	if err != nil {
		return Evidence{}, err
	}
	for _, f := range files { // before a package refers to them
		if err := f.Keep(); err != nil {
			return Evidence{}, keptNot(err)
		}
	}
	e, err := s.file(ctx, call, c, in, record)
	if cab.CodeOf(err) == superseded {
		s.inForce.Store(nil)
		if in, err = s.evidenceInput(ctx, call, deploymentID); err == nil {
			e, err = s.file(ctx, call, c, in, record)
		}
	}
	return e, err
}

const superseded = "POLICY_SUPERSEDED"

// recordOf is a package as it is before it is scored.
func (s *Service) recordOf(ctx context.Context, c cab.Call, d cab.Deployment, data []byte, files []*Upload) (evidence.Record, error) {
	sections, err := evidence.ParseSections(data)
	if err != nil {
		return evidence.Record{}, invalidSections(err)
	}
	record := evidence.Record{
		ID: newID(), DeploymentIntentID: d.ID, CorrelationID: d.CorrelationID,
		AppName: d.AppName, Version: d.AppVersion, TargetRing: string(d.TargetRing),
		CreatedBy: evidence.Person(c.Actor.Person()), CreatedAt: c.Now, Sections: sections,
	}
	if err := s.derive(ctx, &record, files); err != nil {
		return evidence.Record{}, err
	}
	record.Completeness = record.Sections.Completeness()
	return record, nil
}

// file scores a record by the model that a policy names, and files it if that
// model is still the one.
func (s *Service) file(ctx context.Context, call Call, c cab.Call, in store.EvidenceInput, record evidence.Record) (Evidence, error) {
	model, err := s.modelInForce(ctx, in.Policy)
	if err != nil {
		return Evidence{}, err
	}
	record.Assessment = model.Assess(evidence.ReadFacts(record.Sections, record.Origins...))
	document, err := record.Document()
	if err != nil {
		return Evidence{}, err
	}
	change, err := cab.NewPackage(c, in.Deployment, record, document, evidence.Digest(document))
	if err != nil {
		return Evidence{}, err
	}
	return do(ctx, s, call, cab.CreateEvidence, func(tx *store.Tx, _ cab.Call) (Evidence, error) {
		active, err := tx.ActivePolicy()
		if err != nil {
			return Evidence{}, err
		}
		if rules, err := s.policy(active); err != nil {
			return Evidence{}, err
		} else if rules.RiskModel != model.Version() {
			return Evidence{}, &cab.Error{Kind: cab.Conflict, Code: superseded, Message: "another policy came into force just now; file the evidence again"}
		}
		if err := tx.Save(change.Again()); err != nil {
			return Evidence{}, err
		}
		s.scored.keep(change.Package.ContentHash, scored(record))
		return Evidence{*change.Package, record}, nil
	})
}

// modelInForce is the risk model that a policy names.
func (s *Service) modelInForce(ctx context.Context, published cab.Published) (*risk.Model, error) {
	rules, err := s.policy(published)
	if err != nil {
		return nil, err
	}
	var model *risk.Model
	if known, ok := s.models.Load(rules.RiskModel); ok {
		return known.(*risk.Model), nil
	}
	err = s.store.View(ctx, func(r *store.Reader) (err error) {
		model, err = s.modelVersion(r, rules.RiskModel)
		return err
	})
	return model, err
}

// invalidSections gives a malformed section the shape of a caller's error.
func invalidSections(err error) error {
	refusal := &cab.Error{Kind: cab.Invalid, Code: "INVALID_INPUT", Message: err.Error(), Err: err}
	if field, ok := errors.AsType[*evidence.FieldError](err); ok {
		refusal.Fields = []cab.FieldError{{Field: field.Field, Message: field.Message}}
	}
	return refusal
}

// modelVersion is a published model, parsed. Published models never change, so
// each is read once.
func (s *Service) modelVersion(r *store.Reader, version string) (*risk.Model, error) {
	if known, ok := s.models.Load(version); ok {
		return known.(*risk.Model), nil
	}
	published, err := r.Model(version)
	if err != nil {
		return nil, err
	}
	model, err := modelOf(published)
	if err != nil {
		return nil, err
	}
	s.models.Store(version, model)
	return model, nil
}

// modelOf reads a published model. One whose bytes no longer have its digest
// scores nothing: nothing ever falls back.
func modelOf(published cab.Published) (*risk.Model, error) {
	if actual := evidence.Digest(published.Document); actual != published.Digest {
		return nil, &cab.Error{
			Kind: cab.Internal, Code: "MODEL_TAMPERED",
			Message: "the stored risk model " + published.Version + " no longer has its published digest; nothing is scored with it",
		}
	}
	return risk.ParseCanonical(published.Document)
}

// policy is a published policy, parsed; one whose bytes have changed opens no
// gate. Each is read once: the cache is by digest, and the digest is checked.
func (s *Service) policy(published cab.Published) (cab.Policy, error) {
	if actual := evidence.Digest(published.Document); actual != published.Digest {
		return cab.Policy{}, &cab.Error{
			Kind: cab.Internal, Code: "POLICY_TAMPERED",
			Message: "the stored policy " + published.Version + " no longer has its published digest; no gate opens by it",
		}
	}
	if known, ok := s.policies.Load(published.Digest); ok {
		return known.(cab.Policy), nil
	}
	rules, err := cab.PolicyFromDocument(published.Document)
	if err == nil {
		s.policies.Store(published.Digest, rules)
	}
	return rules, err
}

// intact checks a package's bytes against its hash, and against the hash that
// was submitted: another package's bytes and hash, put in the place of both, are
// whole and are not what was approved. submitted is "" before there is a
// request. What is wrong comes back as [tampered], with the event to write.
func intact(c cab.Call, p cab.Package, submitted, during string) error {
	actual, ok := whole(&p, submitted)
	if !ok {
		return &tampered{cab.TamperFound(c, p, actual, during), cab.ErrTampered(p)}
	}
	return nil
}

// whole reports whether a package is what its row and its request say, and the
// hash of its bytes as they are now. Where the row says something else than the
// request, the request is believed: p then has the hash that was submitted.
func whole(p *cab.Package, submitted string) (actual string, ok bool) {
	actual = evidence.Digest(p.Document)
	ok = actual == p.ContentHash && (submitted == "" || submitted == actual)
	if submitted != "" {
		p.ContentHash = submitted
	}
	return actual, ok
}

// Verification is the result of checking a package's bytes again.
type Verification struct {
	PackageID string
	Expected  string // the hash recorded at creation
	Actual    string // the hash of the bytes as they are now
	Valid     bool
	Files     []FileVerification
}

// FileVerification is the result of checking a file of a package again.
type FileVerification struct {
	SHA256  string
	Problem string // "" if it is what was stored
}

// VerifyEvidence hashes the stored bytes of a package again, and its files.
func (s *Service) VerifyEvidence(ctx context.Context, call Call, id string) (Verification, error) {
	p, err := s.packageOf(ctx, call, id)
	if err != nil {
		return Verification{}, err
	}
	actual := evidence.Digest(p.Document)
	v := Verification{PackageID: p.ID, Expected: p.ContentHash, Actual: actual, Valid: actual == p.ContentHash && isOf(p)}
	if !v.Valid {
		return v, s.recordTampering(ctx, call, p, actual, "verification")
	}
	return v, s.verifyFiles(ctx, call, p, &v)
}

// verifyFiles reads the files of a package that is whole.
func (s *Service) verifyFiles(ctx context.Context, call Call, p cab.Package, v *Verification) error {
	filed, err := s.reading(p.ContentHash, p.Document)
	if err != nil {
		return err
	}
	lost, err := s.checkFiles(ctx, filed.attachments)
	if err != nil {
		return err
	}
	problems := map[string]string{}
	for _, l := range lost {
		problems[l.digest] = l.actual
		v.Valid = false
		if err := s.recordLost(ctx, call, p, l, "verification"); cab.CodeOf(err) != "EVIDENCE_TAMPERED" {
			return err
		}
	}
	for _, f := range filed.attachments {
		v.Files = append(v.Files, FileVerification{f.SHA256, problems[f.SHA256]})
	}
	return nil
}

// isOf reports whether a package's document is the document of that package.
func isOf(p cab.Package) bool {
	filed, err := evidence.ReadScored(p.Document)
	return err == nil && filed.ID == p.ID && filed.DeploymentIntentID == p.DeploymentID
}

// recordTampering writes the event of a tampering found while only reading:
// once for each alteration, or whoever looks again and again would fill the
// ledger. After a restart it is written once more.
func (s *Service) recordTampering(ctx context.Context, call Call, p cab.Package, actual, during string) error {
	key := tampering{p.ID, actual, during}
	if _, known := s.tamperings.Load(key); known {
		return nil
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		return tx.Save(cab.TamperFound(s.cabCall(call), p, actual, during))
	})
	if err == nil {
		s.tamperings.Store(key, true)
	}
	return err
}

// tampering is one alteration as it was noticed.
type tampering struct{ packageID, actual, during string }

// Evidence returns a package as it was filed. A package whose bytes have
// changed is shown to nobody as evidence; its document still can be had.
func (s *Service) Evidence(ctx context.Context, call Call, id string) (Evidence, error) {
	p, err := s.packageOf(ctx, call, id)
	if err != nil {
		return Evidence{}, err
	}
	if actual := evidence.Digest(p.Document); actual != p.ContentHash || !isOf(p) {
		if err := s.recordTampering(ctx, call, p, actual, "reading"); err != nil {
			return Evidence{}, err
		}
		return Evidence{}, cab.ErrTampered(p)
	}
	record, err := evidence.ParseDocument(p.Document)
	return Evidence{p, record}, err
}

// Document returns a package's stored bytes, whatever they are now.
func (s *Service) Document(ctx context.Context, call Call, id string) (cab.Package, error) {
	return s.packageOf(ctx, call, id)
}

func (s *Service) packageOf(ctx context.Context, call Call, id string) (cab.Package, error) {
	return see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (cab.Package, error) {
		p, err := r.Package(id)
		if err != nil {
			return cab.Package{}, err
		}
		held, err := r.PackageHolding(id)
		if err != nil {
			return cab.Package{}, err
		}
		return p, cab.PermitOn(call.Actor, cab.ReadEvidence, held)
	})
}

// EvidenceList lists packages, newest first, without their documents.
func (s *Service) EvidenceList(ctx context.Context, call Call, filter PackageFilter) (Page[cab.Package], error) {
	return see(ctx, s, call, cab.ReadEvidence, func(r *store.Reader) (Page[cab.Package], error) {
		filter.Owner, filter.ApprovedOnly = reach(call.Actor, cab.ReadEvidence, filter.Owner)
		return r.Packages(filter)
	})
}

// reach limits a list to what the actor may see.
func reach(actor cab.Actor, action cab.Action, owner string) (onlyOwner string, approvedOnly bool) {
	switch cab.AccessOf(actor.Role, action) {
	case cab.Own:
		return actor.ID, false
	case cab.Approved:
		return owner, true
	}
	return owner, false
}
