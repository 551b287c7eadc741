package capsule

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/risk"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// outcome is what a capsule says of its request, read from its members.
type outcome struct {
	Outcome
	pkg     cab.Package
	risk    cab.Risk
	record  evidence.Record
	facts   evidence.Facts
	scored  evidence.Assessment // made again
	rules   cab.Policy
	votes   []cab.VoteAt
	decided *cab.DecisionAt
}

// judge makes everything again that was decided, and compares.
func (v *verification) judge() {
	o, err := v.tellOutcome(v.request)
	if err != nil {
		v.failed(checkTrail, err)
		return
	}
	v.pass(checkTrail, "they are one trail without a gap, and give %s as it stands: %s", o.Request.Name, o.Request.Status)
	v.outcome = o
	document := v.document(o)
	model := v.rules(o)
	if model == nil {
		return
	}
	if document {
		v.score(o, model)
	}
	v.decision(o)
}

// tellOutcome is what the events say of a request.
func (s *said) tellOutcome(name string) (*outcome, error) {
	r, p, assessed, err := s.trail.Request(name)
	if err != nil {
		return nil, err
	}
	o := &outcome{pkg: p, risk: assessed, votes: s.trail.Votes[r.ID]}
	o.Deployment, o.Request = s.trail.Deployments[r.DeploymentID], r
	if d, ok := s.trail.Decisions[r.ID]; ok {
		o.decided, o.Decision = &d, &d.Decision
	}
	for _, x := range s.trail.Exceptions {
		if x.RequestID == r.ID {
			o.Exceptions = append(o.Exceptions, x)
		}
	}
	slices.SortFunc(o.Exceptions, func(a, b cab.Exception) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return o, nil
}

// document: the bytes are those that were filed, submitted and decided on.
func (v *verification) document(o *outcome) bool {
	text := v.kept[documentName]
	digest := evidence.Digest(text)
	said := map[string]string{"the evidence package": o.pkg.ContentHash, "the request": o.Request.ContentHash}
	if o.decided != nil {
		said["the decision"] = o.decided.ContentHash
	}
	for _, who := range slices.Sorted(maps.Keys(said)) {
		if said[who] != digest {
			v.fail(checkDocument, "its SHA-256 is %s, and %s says %s", digest, who, said[who])
		}
	}
	if err := o.read(text); err != nil {
		v.fail(checkDocument, "%v", err)
		return false
	}
	d := o.record
	if d.ID != o.pkg.ID || d.DeploymentIntentID != o.pkg.DeploymentID || d.CorrelationID != o.pkg.CorrelationID {
		v.fail(checkDocument, "it is the document of evidence package %s, deployment %s, and not of %s, %s", d.ID, d.DeploymentIntentID, o.pkg.ID, o.pkg.DeploymentID)
	}
	v.pass(checkDocument, "the evidence is byte for byte what was filed, submitted%s: SHA-256 %s", o.andDecided(), digest)
	return true
}

func (o *outcome) andDecided() string {
	if o.decided == nil {
		return ""
	}
	return " and decided on"
}

// read reads the document and the facts in it. It has the members that documents
// have and no others; facts are read from its RFC 8785 form.
func (o *outcome) read(text []byte) (err error) {
	if err := checkForm(text); err != nil {
		return err
	}
	if o.record, err = evidence.ParseDocument(text); err != nil {
		return err
	}
	if again, err := o.record.Document(); err != nil || !bytes.Equal(again, text) {
		return fmt.Errorf("it is not written as evidence documents are")
	}
	var parts struct {
		Evidence jsontext.Value `json:"evidence_data"`
	}
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	sections, err := evidence.ParseSections(parts.Evidence)
	if err != nil {
		return err
	}
	o.facts = evidence.ReadFacts(sections, o.record.Origins...)
	return nil
}

// rules: the model and the policy are those that were published and used. It
// returns the model unless it cannot be used.
func (v *verification) rules(o *outcome) *risk.Model {
	if v.model == nil || v.policy == nil {
		v.fail(checkRules, "the events that published the risk model and the policy are not both there")
		return nil
	}
	model, err := risk.ParseCanonical(v.kept[modelName])
	if err != nil {
		v.failed(checkRules, err)
		return nil
	}
	rules, err := cab.PolicyFromDocument(v.kept[policyName])
	if err != nil {
		v.failed(checkRules, err)
		return nil
	}
	o.rules = rules
	again, err := rules.Document()
	require := func(ok bool, format string, args ...any) {
		if !ok {
			v.fail(checkRules, format, args...)
		}
	}
	require(bytes.Equal(model.Document(), v.kept[modelName]) && err == nil && bytes.Equal(again, v.kept[policyName]), "the model or the policy is not in the form of RFC 8785")
	require(model.Digest() == v.model.Digest && model.Version() == v.model.Version, "the risk model is not the %s that was published", v.model.Version)
	require(model.Digest() == o.risk.ModelDigest && model.Version() == o.risk.ModelVersion, "the score was made by model %s with the digest %s, and this is %s", o.risk.ModelVersion, o.risk.ModelDigest, model.Version())
	require(model.Version() == o.Request.ModelVersion && model.Version() == o.pkg.ModelVersion, "the request was scored by model %s", o.Request.ModelVersion)
	require(evidence.Digest(v.kept[policyName]) == v.policy.Digest && rules.Version == v.policy.Version, "the policy is not the %s that was published", v.policy.Version)
	require(rules.Version == o.Request.PolicyVersion, "the request was gated by policy %s, and this is %s", o.Request.PolicyVersion, rules.Version)
	v.pass(checkRules, "risk model %s and policy %s are those that were published, and used", model.Version(), rules.Version)
	return model
}

// score makes the score and the gate again, from the evidence alone.
func (v *verification) score(o *outcome, model *risk.Model) {
	o.scored = model.Assess(o.facts)
	score := o.scored.Score
	if a := o.record.Assessment; a.Score != score || a.ModelVersion != model.Version() || a.ModelDigest != model.Digest() {
		v.fail(checkScore, "the document says %s by model %s, and its evidence scores %s", a.Score, a.ModelVersion, score)
	}
	for _, has := range []struct {
		who   string
		score evidence.Score
	}{{"the assessment", o.risk.Score}, {"the evidence package", o.pkg.Score}, {"the request", o.Request.Score}} {
		if has.score != score {
			v.fail(checkScore, "%s says %s, and the evidence scores %s", has.who, has.score, score)
		}
	}
	if o.decided != nil && o.decided.Score != score {
		v.fail(checkScore, "the decision says %s, and the evidence scores %s", o.decided.Score, score)
	}
	v.pass(checkScore, "the evidence scores %s, made again by model %s", score, model.Version())
	if again := o.rules.Evaluate(score, o.facts); !o.rules.SameGate(o.Request.Gate, score, o.facts) {
		v.fail(checkGate, "the request says %s (%s), and policy %s says %s (%s)", o.Request.Gate.Decision, o.Request.Gate.Rationale, o.rules.Version, again.Decision, again.Rationale)
	}
	v.pass(checkGate, "the gate is %s, made again: %s", o.Request.Gate.Decision, o.Request.Gate.Rationale)
}

func (v *verification) decision(o *outcome) {
	defects := v.trail.Judge(o.Request, o.rules)
	for _, defect := range defects {
		v.fail(checkDecision, "%s", defect)
	}
	if len(defects) == 0 { // only then there is all that it speaks of
		v.pass(checkDecision, "%s", o.inWords())
	}
}

// inWords says what became of the request, and by whom.
func (o *outcome) inWords() string {
	d := o.decided
	if d == nil {
		return fmt.Sprintf("%s is %s, and nobody has decided on it", o.Request.Name, strings.ReplaceAll(string(o.Request.Status), "_", " "))
	}
	var voters []string
	for _, vote := range o.votes {
		voters = append(voters, vote.Voter.Username)
	}
	by := strings.Join(voters, " and ")
	text := strings.ToLower(d.Decision.Decision.StatusText())
	switch d.Decision.Decision {
	case cab.AutoApproved:
		text += ", as the gate allows"
	case cab.RejectedByCAB:
		text += " by " + by
	default:
		text += fmt.Sprintf(" by %s (%d of %d votes wanted)", by, len(voters), o.Request.Quorum)
		if x := d.RestOn; x != nil && o.Request.Gate.Decision == cab.GateException {
			text += fmt.Sprintf(", on the exception %s, granted until %s", x.Name, x.ExpiresAt.Format("2006-01-02 15:04 UTC"))
		}
	}
	if o.Request.Status == cab.Revoked {
		text += "; revoked since"
	}
	return o.Request.Name + " was " + text
}

// attachments holds the files against the document, and looks at the time-stamp.
func (v *verification) attachments() error {
	v.timestamp()
	if v.outcome == nil || v.outcome.record.ID == "" {
		return nil
	}
	listed := map[string]int64{}
	for _, a := range v.outcome.record.Attachments {
		listed[a.SHA256] = a.Size
	}
	all := len(listed)
	for _, m := range v.members {
		if !attachmentForm.MatchString(m.name) {
			continue
		}
		digest := strings.TrimPrefix(m.name, attachments)
		if size, ok := listed[digest]; !ok || size != m.size {
			v.fail(checkAttachments, "the file %s of %d bytes is none that the evidence lists", digest, m.size)
		}
		delete(listed, digest)
	}
	switch {
	case all == 0:
		v.pass(checkAttachments, "the evidence has no files")
	case len(listed) == 0:
		v.pass(checkAttachments, "all %d files of the evidence are here, as they were filed", all)
	default:
		v.pass(checkAttachments, "%d of %d files of the evidence are here, as they were filed; %d by digest only", all-len(listed), all, len(listed))
	}
	return nil
}
