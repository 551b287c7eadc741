package capsuletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/go-json-experiment/json/jsontext"
)

// Case is a capsule, and what is to be said of it.
type Case struct {
	Name    string
	Capsule []byte
	Key     string // the auditor's, if given
	Trust   string // the auditor's tlog-policy, if given
	Holds   bool
	Check   string // which of the checks finds it; "" where it holds
	Says    string // part of what it says
}

// Cases are good capsules and damaged ones. Whoever damaged them has the log's key:
// the manifest is signed again, and where events were changed, the checkpoint.
func Cases() []Case {
	var all []Case
	for _, s := range Stories() {
		w := s.Make()
		all = append(all, Case{Name: s.Name, Capsule: w.Capsule(true), Holds: true})
		all = append(all, Case{Name: s.Name + "-with-key", Capsule: w.Capsule(false), Key: w.Signer.VerifierKey(), Holds: true})
		all = append(all, Case{Name: s.Name + "-with-trust", Capsule: w.Capsule(false), Trust: w.Trust, Holds: true})
	}
	all = append(all, whoseCases()...)
	all = append(all, memberCases()...)
	all = append(all, zipCases()...)
	all = append(all, rewrittenCases()...)
	return append(all, limits()...)
}

// whoseCases are about whose word a capsule is.
func whoseCases() []Case {
	w, other := conditional().WitnessedBy(), NewSigner("eucora.example/ledger")
	unwitnessed := conditional().WitnessedBy()
	unwitnessed.Witnessed = false
	forged := conditional()
	forged.WitnessedBy().Witness = w.Witness
	forged.Trust = fmt.Sprintf("log %s\nquorum none\n", forged.Signer.VerifierKey())
	fork := conditional().WitnessedBy()
	known := fork.Trust
	fork.Witnessed, fork.Trust = false, fmt.Sprintf("log %s\nquorum none\n", fork.Signer.VerifierKey())
	m := Unpack(w.Capsule(false))
	wrong := NewWitness("witness.example")
	stranger := strings.Replace(w.Trust, w.Witness.Key, wrong.Key, 1)
	spoilt := slices.Clone(m[1].Body)
	spoilt[len(spoilt)-20] ^= 1
	return []Case{
		{Name: "another-key-given", Capsule: w.Capsule(false), Key: other.VerifierKey(), Check: "checkpoint", Says: "eucora.example/ledger"},
		{Name: "forged-log-on-trust", Capsule: forged.Capsule(false), Holds: true},
		{Name: "forged-log-and-the-true-key", Capsule: forged.Capsule(false), Key: w.Signer.VerifierKey(), Check: "checkpoint"},
		{Name: "forged-log-and-the-true-trust", Capsule: forged.Capsule(false), Trust: w.Trust, Check: "checkpoint"},
		{Name: "no-quorum", Capsule: unwitnessed.Capsule(false), Check: "witnesses", Says: "nobody else"},
		{Name: "fork-that-asks-for-no-witness", Capsule: fork.Capsule(false), Key: fork.Signer.VerifierKey(), Holds: true},
		{Name: "fork-and-the-true-trust", Capsule: fork.Capsule(false), Trust: known, Check: "witnesses", Says: "quorum"},
		{Name: "witness-unknown-to-the-auditor", Capsule: w.Capsule(false), Trust: stranger, Check: "witnesses"},
		{Name: "cosignature-damaged", Capsule: m.With("checkpoint", spoilt).reproved(spoilt).Sealed(w.r.Name, w.Signer), Check: "checkpoint"},
		{Name: "manifest-by-a-stranger", Capsule: m.Sealed(w.r.Name, other), Check: "manifest"},
		{Name: "trust-of-another-log", Capsule: m.With("trust", []byte("log "+NewSigner("other.example").VerifierKey()+"\nquorum none\n")).Sealed(w.r.Name, w.Signer),
			Trust: w.Trust, Check: "witnesses", Says: "another log"},
		{Name: "trust-that-is-none", Capsule: m.With("trust", []byte("quorum none\n")).Sealed(w.r.Name, w.Signer), Trust: w.Trust, Check: "witnesses"},
	}
}

// reproved has the checkpoint in every proof.
func (all Members) reproved(checkpoint []byte) Members {
	changed := slices.Clone(all)
	for i, m := range changed {
		if strings.HasSuffix(m.Name, ".tlog-proof") {
			p := must(ledger.ParseProof(m.Body))
			p.Checkpoint = checkpoint
			changed[i].Body = p.Text()
		}
	}
	return changed
}

// memberCases put other things into a capsule, and sign its manifest again.
func memberCases() []Case {
	w := conditional().WitnessedBy()
	m := Unpack(w.Capsule(false))
	sealed := func(m Members) []byte { return m.Sealed(w.r.Name, w.Signer) }
	review, submitted, vote := m.Event("CAB_REVIEW_STARTED"), m.Event("CAB_SUBMITTED"), m.Event("CAB_VOTE_CAST")
	stranger := w.event(w.log(), 4) // of another deployment
	put := func(m Members, name string, e []byte, proof []byte) Members {
		return slices.Insert(m.Without(name+".json", name+".tlog-proof"), slices.IndexFunc(m, func(x Member) bool { return x.Name > name && strings.HasPrefix(x.Name, "events/") }),
			Member{name + ".json", e}, Member{name + ".tlog-proof", proof})
	}
	proofOf := func(name string) []byte { return m[m.at(name+".tlog-proof")].Body }
	other := must(ledger.ParseProof(proofOf(vote)))
	other.Checkpoint = must(w.Signer.Sign(int64(len(w.Events)), w.log().root))
	older := autoApproved()
	older.Signer = w.Signer
	model := bytes.Replace(m[m.at("model.json")].Body, []byte(`"points":30`), []byte(`"points":29`), 1)
	policy := bytes.Replace(m[m.at("policy.json")].Body, []byte(`"quorum":2`), []byte(`"quorum":1`), 1)
	return []Case{
		{Name: "sealed-again", Capsule: sealed(m), Holds: true},
		{Name: "page-altered-with-the-key", Capsule: sealed(m.With("index.html", []byte("<p>approved</p>"))), Holds: true},
		{Name: "page-altered", Capsule: m.With("index.html", []byte("<p>approved</p>")).Zip(), Check: "manifest", Says: "index.html"},
		{Name: "event-left-out", Capsule: sealed(m.Without(review+".json", review+".tlog-proof")), Check: "trail", Says: "left out"},
		{Name: "submission-left-out", Capsule: sealed(m.Without(submitted+".json", submitted+".tlog-proof")), Check: "trail", Says: "left out"},
		{Name: "first-vote-left-out", Capsule: sealed(m.Without(vote+".json", vote+".tlog-proof")), Check: "trail", Says: "left out"},
		{Name: "another-document", Capsule: sealed(m.With("document.json", older.document)), Check: "document", Says: "SHA-256"},
		{Name: "another-model", Capsule: sealed(m.With("model.json", model)), Check: "rules", Says: "model"},
		{Name: "another-policy", Capsule: sealed(m.With("policy.json", policy)), Check: "rules", Says: "policy"},
		{Name: "another-requests-event", Capsule: sealed(put(m, "events/000000000004", stranger.Leaf,
			ledger.Proof{Seq: 4, Path: stranger.Path, Checkpoint: m[1].Body}.Text())), Check: "trail", Says: "trail"},
		{Name: "event-twice-under-another-place", Capsule: sealed(put(m, "events/000000000005", m[m.at(vote+".json")].Body, proofOf(vote))), Check: "events"},
		{Name: "proof-of-another-checkpoint", Capsule: sealed(m.With(vote+".tlog-proof", other.Text())), Check: "events", Says: "another checkpoint"},
		{Name: "proof-of-another-event", Capsule: sealed(m.With(vote+".tlog-proof", proofOf(review))), Check: "events"},
		{Name: "event-altered-in-the-capsule", Capsule: sealed(m.With(vote+".json", bytes.Replace(m[m.at(vote+".json")].Body, []byte("looked at it"), []byte("looked at me"), 1))),
			Check: "events", Says: "not in the tree"},
		{Name: "model-event-left-out", Capsule: sealed(m.Without(m.Event("MODEL_CHANGED")+".json", m.Event("MODEL_CHANGED")+".tlog-proof")), Check: "rules"},
		{Name: "another-name", Capsule: m.Sealed("CAB-0123456789AB", w.Signer), Check: "trail", Says: "no request"},
		{Name: "no-name", Capsule: m.Sealed("CAB-1", w.Signer), Check: "manifest", Says: "name"},
		{Name: "stamp-of-another-checkpoint", Capsule: sealed(slices.Insert(slices.Clone(m), 3, Member{"timestamp.tsr", Stamp([]byte("else"))})), Check: "time-stamp"},
		{Name: "checkpoint-that-is-none", Capsule: sealed(m.With("checkpoint", []byte("eucora"))), Check: "checkpoint"},
		{Name: "file-that-nobody-listed", Capsule: sealed(append(slices.Clone(m), Member{"attachments/" + evidence.Digest([]byte("x")), []byte("x")})), Check: "attachments"},
		{Name: "file-under-another-name", Capsule: sealed(append(slices.Clone(m), Member{"attachments/" + digest, []byte("x")})), Check: "attachments"},
	}
}

// zipCases are encoded otherwise than a capsule is.
func zipCases() []Case {
	w := autoApproved()
	good := w.Capsule(true)
	m := Unpack(good)
	last := len(m) - 1
	swapped := slices.Clone(m)
	swapped[last], swapped[last-1] = swapped[last-1], swapped[last]
	sealed := func(m Members) []byte { return m.Sealed(w.r.Name, w.Signer) }
	return []Case{
		{Name: "something-in-front", Capsule: append([]byte("x"), good...), Check: "encoding"},
		{Name: "something-behind", Capsule: append(slices.Clone(good), 0), Check: "encoding"},
		{Name: "cut-off", Capsule: good[:len(good)-30], Check: "encoding"},
		{Name: "empty", Capsule: []byte{}, Check: "encoding"},
		{Name: "empty-zip", Capsule: Members{}.Zip(), Check: "encoding"},
		{Name: "member-too-many", Capsule: sealed(append(slices.Clone(m), Member{"readme.txt", []byte("x")})), Check: "encoding", Says: "readme.txt"},
		{Name: "member-above", Capsule: sealed(append(slices.Clone(m), Member{"../evil", []byte("x")})), Check: "encoding"},
		{Name: "member-twice", Capsule: sealed(append(slices.Clone(m), m[last])), Check: "encoding"},
		{Name: "member-that-the-manifest-does-not-list", Capsule: append(slices.Clone(m[:last]), m[last]).Without(m[last].Name).Zip(), Check: "manifest"},
		{Name: "no-page", Capsule: sealed(m.Without("index.html")), Check: "encoding"},
		{Name: "proof-missing", Capsule: sealed(m.Without(m.Event("CAB_SUBMITTED") + ".tlog-proof")), Check: "encoding"},
		{Name: "other-order", Capsule: sealed(swapped), Check: "encoding"},
		{Name: "event-place-too-long", Capsule: bytes.ReplaceAll(slices.Clone(good), []byte("events/0000"), []byte("events/+000")), Check: "encoding"},
		{Name: "an-hour-later", Capsule: bytes.ReplaceAll(slices.Clone(good), []byte{0, 0, 0, 0, 0x21, 0}, []byte{0, 0, 0, 8, 0x21, 0}), Check: "encoding"},
	}
}

// rewrittenCases have another history: the events were changed in the database,
// and everything signed again.
func rewrittenCases() []Case {
	at := func(name string, w *World, check, says string) Case {
		return Case{Name: name, Capsule: w.Capsule(false), Key: w.Signer.VerifierKey(), Check: check, Says: says}
	}
	rows := func(w *World, change func(r *cab.Request, d *cab.Decision)) *World {
		return w.Rewrite(func(e *cab.Event) {
			r, d := e.Data.Request, e.Data.Decision
			if r == nil {
				r = new(cab.Request)
			}
			if d == nil {
				d = new(cab.Decision)
			}
			change(r, d)
		})
	}
	voter := func(w *World, who cab.Actor, role cab.Role) *World {
		return w.Rewrite(func(e *cab.Event) {
			if e.Data.Vote != nil || e.Data.Decision != nil {
				e.Actor = cab.Actor{ID: who.ID, Name: who.Name, Role: role}
			}
			if e.Data.Vote != nil {
				e.Data.Vote.Voter = who.Person()
			}
			if e.Data.Decision != nil {
				e.Data.Decision.Decider = e.Actor
			}
		})
	}
	witnessed := conditional().WitnessedBy()
	witnessed.Witnessed = false
	return []Case{
		at("rewritten-and-not-witnessed", rows(witnessed, func(r *cab.Request, _ *cab.Decision) { r.Notes = "" }), "witnesses", "quorum"),
		at("score-in-rows", approved().Rewrite(func(e *cab.Event) {
			if e.Data.Package != nil {
				e.Data.Package.Score = 1000
			}
			if e.Data.Risk != nil {
				e.Data.Risk.Score = 1000
			}
			if e.Data.Request != nil {
				e.Data.Request.Score = 1000
			}
			if e.Data.Decision != nil {
				e.Data.Decision.Score = 1000
			}
		}), "score", "10.00"),
		at("score-of-the-decision", rows(approved(), func(_ *cab.Request, d *cab.Decision) { d.Score = 1000 }), "score", "decision"),
		at("vote-by-the-submitter", voter(approved(), erin, cab.CABMember), "decision", "erin"),
		at("vote-by-an-engineer", voter(approved(), pat, cab.PackagingEngineer), "trail", "who may not"),
		at("vote-in-anothers-name", approved().Rewrite(func(e *cab.Event) {
			if e.Data.Vote != nil {
				e.Data.Vote.Voter = chris.Person()
			}
		}), "trail", "its row says"),
		at("quorum-not-reached", conditional().Drop(cab.CABVoteCast), "decision", "quorum"),
		at("quorum-lowered", rows(conditional(), func(r *cab.Request, _ *cab.Decision) { r.Quorum = 1 }), "decision", "policy"),
		at("approved-before-the-vote", approved().Drop(cab.CABVoteCast), "decision", "quorum"),
		at("vote-twice", conditional().Repeat(cab.CABVoteCast), "trail", "second vote"),
		at("decision-twice", approved().Repeat(cab.CABApproved), "trail", "second decision"),
		at("decision-dropped", approved().Drop(cab.CABApproved), "decision", ""),
		at("exception-granted-by-a-voter", voter(excepted(), sam, cab.CABMember), "decision", "voted"),
		at("exception-granted-by-the-submitter", excepted().Rewrite(func(e *cab.Event) {
			if x := e.Data.Exception; x != nil && x.Approver != nil {
				person := erin.Person()
				x.Approver = &person
			}
			if e.Type == cab.ExceptionApproved {
				e.Actor = cab.Actor{ID: erin.ID, Name: erin.Name, Role: cab.SecurityReviewer}
			}
		}), "decision", "erin"),
		at("exception-expired", excepted().Rewrite(func(e *cab.Event) {
			until := time.Date(2026, 3, 2, 9, 1, 0, 0, time.UTC)
			if x := e.Data.Exception; x != nil {
				x.ExpiresAt = until
			}
			if r := e.Data.Request; r != nil && !r.ValidUntil.IsZero() {
				r.ValidUntil = until
			}
			if d := e.Data.Decision; d != nil {
				d.ValidUntil = until
			}
		}), "decision", "expired"),
		at("exception-of-another-request", excepted().Rewrite(func(e *cab.Event) {
			if x := e.Data.Exception; x != nil {
				x.RequestID = "0"
			}
		}), "decision", "none had been granted"),
		at("exception-never-granted", excepted().Drop(cab.ExceptionApproved), "trail", "left out"),
		at("gate-flipped", rows(filed("mid", nil), func(r *cab.Request, _ *cab.Decision) { r.Gate.Decision = cab.GateAuto }), "gate", "manual_review"),
		at("gate-reasons-changed", rows(filed("mid", nil), func(r *cab.Request, _ *cab.Decision) { r.Gate.Rationale = "fine" }), "gate", "fine"),
		at("gate-thresholds-changed", rows(filed("mid", nil), func(r *cab.Request, _ *cab.Decision) { r.Gate.Thresholds.Auto = 90 }), "gate", ""),
		at("approved-by-rule-against-the-gate", rows(autoApprovedHigh(), func(*cab.Request, *cab.Decision) {}), "decision", "by rule"),
		at("conditions-dropped", rows(conditional(), func(r *cab.Request, d *cab.Decision) {
			if d.Conditions = nil; r.Status == cab.ConditionallyApp {
				r.Status = cab.ApprovedByCAB
			}
			if d.Decision == cab.ConditionallyApp {
				d.Decision = cab.ApprovedByCAB
			}
		}), "decision", "conditions"),
		at("condition-changed", rows(conditional(), func(_ *cab.Request, d *cab.Decision) {
			if d.Conditions != nil {
				d.Conditions = jsontext.Value(`{"hours":[20,22.5],"max_ring":"GLOBAL"}`)
			}
		}), "decision", "conditions"),
		at("valid-for-ever", rows(approved(), func(r *cab.Request, d *cab.Decision) {
			ever := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
			if d.ValidUntil = ever; !r.ValidUntil.IsZero() {
				r.ValidUntil = ever
			}
		}), "decision", "valid until"),
		at("other-owner", rows(approved(), func(r *cab.Request, _ *cab.Decision) { r.PackageOwner = pat.ID }), "trail", "whose"),
		at("status-flipped", rows(revoked(), func(r *cab.Request, _ *cab.Decision) {
			if r.Status == cab.Revoked {
				r.Status = cab.ConditionallyApp
			}
		}), "decision", "conditional"),
		at("decided-by-who-did-not-vote", approved().Rewrite(func(e *cab.Event) {
			if d := e.Data.Decision; d != nil {
				e.Actor, d.Decider = chris, chris
			}
		}), "decision", "did not cast the vote"),
		at("rejected-by-nobody", Stories()[2].Make().Drop(cab.CABVoteCast), "decision", "nobody voted"),
		at("rows-of-another-trail", rows(approved(), func(r *cab.Request, _ *cab.Decision) { r.CorrelationID = "x" }), "trail", "trail"),
		at("unknown-type", approved().Rewrite(func(e *cab.Event) {
			if e.Type == cab.CABReviewStarted {
				e.Type = "CAB_BLESSED"
			}
		}), "trail", "CAB_BLESSED"),
		at("model-by-an-engineer", approved().Rewrite(func(e *cab.Event) {
			if e.Type == cab.ModelChanged {
				e.Actor = erin
			}
		}), "rules", "who may not"),
		at("model-event-with-a-request", approved().Rewrite(func(e *cab.Event) {
			if e.Type == cab.ModelChanged {
				e.Data.Request = &cab.Request{ID: "x", CorrelationID: e.CorrelationID, Revision: 1}
			}
		}), "rules", "more than that"),
		{Name: "revocation-left-out-at-the-end", Capsule: revoked().Drop(cab.ApprovalRevoked).Capsule(false), Holds: true},
	}
}

// autoApprovedHigh is approved by rule though the gate wants a review.
func autoApprovedHigh() *World {
	w := filed("mid", nil)
	call := w.call(cab.RiskGate)
	until := call.Now.Add(time.Duration(w.r.ApprovalDays) * 24 * time.Hour)
	w.r.Status, w.r.ValidUntil, w.r.Revision = cab.AutoApproved, until, w.r.Revision+1
	d := &cab.Decision{
		RequestID: w.r.ID, Decision: cab.AutoApproved, Rationale: "x", Decider: cab.RiskGate, Score: w.r.Score, ModelVersion: w.r.ModelVersion,
		PolicyVersion: w.r.PolicyVersion, ContentHash: w.r.ContentHash, DecidedAt: call.Now, ValidUntil: until,
	}
	r := w.r
	w.save(cab.Change{Request: &r, Decision: d, Events: []cab.Event{{
		Time: call.Now, Type: cab.CABApproved, CorrelationID: r.CorrelationID, DeploymentID: r.DeploymentID,
		Subject: cab.Subject{Kind: cab.KindRequest, ID: r.ID}, Actor: cab.RiskGate, Data: cab.EventData{Request: &r, Decision: d},
	}}}, nil)
	return w
}

// limits are about events that are no events.
func limits() []Case {
	w := approved()
	m := Unpack(w.Capsule(false))
	review := m.Event("CAB_REVIEW_STARTED")
	leaf := m[m.at(review+".json")].Body
	sealed := func(name string, body []byte) Case {
		return Case{Name: name, Capsule: m.With(review+".json", body).Sealed(w.r.Name, w.Signer), Check: "events"}
	}
	var pretty bytes.Buffer
	must(0, json.Indent(&pretty, leaf, "", " "))
	return []Case{
		sealed("leaf-with-a-name-twice", bytes.Replace(leaf, []byte(`{"actor"`), []byte(`{"seq":1,"actor"`), 1)),
		sealed("leaf-that-is-no-json", bytes.Repeat([]byte("["), ledger.MaxLeaf)),
		sealed("leaf-with-spaces", pretty.Bytes()),
		sealed("leaf-with-a-bom", append([]byte("\xef\xbb\xbf"), leaf...)),
		sealed("leaf-of-nothing", nil),
	}
}
