// Package capsuletest makes capsules, good ones and damaged ones, without a
// database: the rules make the events, and this makes a log of them. Every verifier
// of capsules is tested with the same ones.
package capsuletest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/risk"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// The people.
var (
	erin  = actor("erin", cab.PackagingEngineer)
	carol = actor("carol", cab.CABMember)
	chris = actor("chris", cab.CABMember)
	sam   = actor("sam", cab.SecurityReviewer)
	pat   = actor("pat", cab.Publisher)
)

func actor(name string, role cab.Role) cab.Actor {
	sum := sha256.Sum256([]byte(name))
	return cab.Actor{ID: uuidOf(sum[:]), Name: name, Role: role}
}

func uuidOf(b []byte) string {
	h := hex.EncodeToString(b[:16])
	return h[:8] + "-" + h[8:12] + "-7" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}

// World is a site: its log, and the deployment that its story is about.
type World struct {
	Signer  *ledger.Signer
	Witness Witness
	Trust   string // tlog-policy; who counts
	Events  []cab.Event
	Files   [][]byte

	now       time.Time
	made      int
	model     *risk.Model
	rules     cab.Policy
	document  []byte
	record    evidence.Record
	d         cab.Deployment
	p         cab.Package
	r         cab.Request
	x         []cab.Exception
	votes     []cab.Vote
	rewritten bool
	raw       map[int][]byte // what stands in events' places
	Witnessed bool           // the checkpoint gets the witness's cosignature
	Stamped   bool           // and a time-stamp
}

// Witness cosigns whatever it is shown.
type Witness struct {
	Key    string
	signer note.Signer
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err) // in a test, and then it ends
	}
	return value
}

// NewSigner makes a ledger's key.
func NewSigner(origin string) *ledger.Signer {
	return must(ledger.NewSigner(must(ledger.GenerateKey(origin, rand.Reader))))
}

// NewWitness makes a witness.
func NewWitness(name string) Witness {
	secret, key, err := note.GenerateKey(rand.Reader, name)
	must(key, err)
	return Witness{key, must(cosignature.NewSignerForCosignatureV1(secret))}
}

// NewWorld is a site with the newest policy, changed by edit (nil: as it is). It
// has other deployments' events in its log too.
func NewWorld(edit func(*cab.Policy)) *World {
	w := &World{Signer: NewSigner("eucora.example/ledger"), Witness: NewWitness("witness.example"), now: time.Date(2026, 3, 2, 9, 0, 0, 123456000, time.UTC)}
	w.Trust = "log " + w.Signer.VerifierKey() + "\nquorum none\n"
	name, text := cab.DefaultPolicy()
	w.rules = must(cab.ParsePolicy(name, text))
	if edit != nil {
		edit(&w.rules)
	}
	for _, m := range risk.Embedded() {
		if m.Version() == w.rules.RiskModel {
			w.model = m
		}
	}
	w.save(cab.NewPrincipal(w.call(cab.Setup), w.id(), "root", cab.Admin))
	w.save(cab.PublishModel(w.call(cab.Setup), w.model, w.rules.RiskThresholds(), nil))
	w.save(cab.PublishPolicy(w.call(cab.Setup), w.rules, w.model, nil))
	w.File("low")
	w.Submit()
	return w
}

// WitnessedBy has the log's checkpoints witnessed, and the site wants it.
func (w *World) WitnessedBy() *World {
	w.Trust = fmt.Sprintf("log %s\nwitness w1 %s\nquorum w1\n", w.Signer.VerifierKey(), w.Witness.Key)
	w.Witnessed = true
	return w
}

func (w *World) id() string {
	w.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "id %d", w.made))
	return uuidOf(sum[:])
}

func (w *World) call(who cab.Actor) cab.Call {
	w.now = w.now.Add(time.Minute)
	return cab.Call{Actor: who, Source: cab.Source{Address: "192.0.2.7", UserAgent: "test"}, Now: w.now}
}

// Wait lets time pass.
func (w *World) Wait(d time.Duration) { w.now = w.now.Add(d) }

// save appends the events of a change, and keeps its rows.
func (w *World) save(change cab.Change, err error) {
	must(change, err)
	for _, e := range change.Events {
		e.Seq, e.ID = int64(len(w.Events)), w.id()
		w.Events = append(w.Events, clone(e))
	}
	if change.Deployment != nil {
		w.d = *change.Deployment
	}
	if change.Package != nil {
		w.p = *change.Package
	}
	if change.Request != nil {
		w.r = *change.Request
	}
	if change.Vote != nil {
		w.votes = append(w.votes, *change.Vote)
	}
	for _, x := range change.Exceptions {
		w.x = []cab.Exception{*x}
	}
}

// clone makes rows of an event's own: some are shared between events.
func clone(e cab.Event) (c cab.Event) {
	must(0, json.Unmarshal(must(json.Marshal(e)), &c))
	return c
}

const digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// File records a deployment and files evidence for it: low, mid or high.
func (w *World) File(kind string, files ...[]byte) {
	w.x, w.votes = nil, nil
	w.save(cab.NewDeployment(w.call(erin), w.id(), w.id(), "Notepad++ <b>&\u2028", "8.7.1", cab.Pilot))
	v := map[string][]any{
		"low":  {"95.5", "completed", 0, 0, true, `"a"`, "low", 10},
		"mid":  {"85", "not_started", 0, 2, false, `"a","b","c","d","e"`, "medium", 500},
		"high": {"50", "not_started", 0, 9, false, `1,2,3,4,5,6,7,8,9,10,11`, "high", 50000},
	}[kind]
	text := fmt.Sprintf(`{"artifacts":{"sha256":"`+digest+`","signature":"x","sbom":"y","note":"\u003cscript\u003ealert(1)\u003c/script\u003e 𝄞"},
		"test_results":{"coverage_percent":%s,"manual_test_status":%q},"scan_results":{"scanner":"trivy","critical":%d,"high":%d},
		"rollback_plan":{"strategy":"reinstall","validated":%t},
		"deployment_plan":{"rings":["LAB"],"affected_components":[%s],"complexity":%q,"affected_users":%d}}`, v...)
	call := w.call(erin)
	record := evidence.Record{
		ID: w.id(), DeploymentIntentID: w.d.ID, CorrelationID: w.d.CorrelationID, AppName: w.d.AppName, Version: w.d.AppVersion,
		TargetRing: string(w.d.TargetRing), CreatedBy: evidence.Person(erin.Person()), CreatedAt: call.Now,
		Sections: must(evidence.ParseSections(must(evidence.Canonical([]byte(text))))),
	}
	w.Files = files
	for _, f := range files {
		record.Attachments = append(record.Attachments, evidence.Attachment{
			MediaType: "application/octet-stream", Name: "app.bin", Role: evidence.ArtifactFile, SHA256: evidence.Digest(f), Size: int64(len(f)),
		})
	}
	if len(files) > 0 {
		record.Origins = []evidence.Origin{
			{Path: "scan_results.critical", Origin: evidence.IsDerived, Sources: []evidence.OriginSource{{Attachment: evidence.Digest(files[0]), Parser: "trivy"}}},
			{Path: "test_results.coverage_percent", Origin: evidence.IsDerived, Sources: []evidence.OriginSource{{Attachment: evidence.Digest(files[0]), Parser: "lcov"}}},
		}
		if kind == "mid" { // then something was declared otherwise, too
			record.Origins[1].Declared = jsontext.Value("99")
		}
	}
	record.Completeness = record.Sections.Completeness()
	record.Assessment = w.model.Assess(evidence.ReadFacts(record.Sections, record.Origins...))
	w.record, w.document = record, must(record.Document())
	w.save(cab.NewPackage(call, w.d, record, w.document, evidence.Digest(w.document)))
}

// Submit submits what was filed.
func (w *World) Submit() {
	w.save(cab.Submit(w.call(erin), cab.Submission{
		ID: w.id(), Deployment: w.d, Package: w.p, Score: w.record.Assessment.Score, Model: w.model.Version(), Complete: w.record.Completeness,
		Facts: evidence.ReadFacts(w.record.Sections, w.record.Origins...), LatestID: w.p.ID, Policy: w.rules, Notes: "please", Urgency: cab.Urgent,
	}))
}

// Release approves by rule what waited for witnesses.
func (w *World) Release() {
	w.save(w.r.Release(w.call(cab.RiskGate), cab.Waiting{
		LatestID: w.p.ID, Policy: w.rules, Submitter: &cab.Caller{Principal: cab.Principal{ID: erin.ID, Role: erin.Role}}, Score: w.record.Assessment.Score,
		Complete: w.record.Completeness, Facts: evidence.ReadFacts(w.record.Sections, w.record.Origins...), Witnessed: true,
	}))
}

func (w *World) situation() cab.Situation {
	return cab.Situation{Exceptions: w.x, LatestID: w.p.ID, Votes: w.votes}
}

// Review says who is on it.
func (w *World) Review(who cab.Actor) { w.save(w.r.StartReview(w.call(who), w.situation())) }

// Vote casts a vote. conditions is "" for none.
func (w *World) Vote(who cab.Actor, approve bool, conditions string) {
	var stated jsontext.Value
	if conditions != "" {
		stated = jsontext.Value(conditions)
	}
	w.save(w.r.CastVote(w.call(who), w.situation(), approve, "looked at it", stated))
}

// Except requests an exception for some days, and sam grants it.
func (w *World) Except(days int) {
	w.save(cab.RequestException(w.call(erin), cab.ExceptionAsk{
		ID: w.id(), Request: &w.r, Intent: w.d, Others: w.x, Policy: w.rules, Reason: "needed", Justification: "accepted", Controls: []string{"watch it"}, Days: days,
	}))
	w.save(w.x[0].Approve(w.call(sam), w.r, w.votes, "controls suffice"))
}

// Leaf is the form of an event that is hashed.
func Leaf(e cab.Event) []byte {
	leaf := jsontext.Value(must(json.Marshal(e)))
	must(0, leaf.Canonicalize())
	return leaf
}

// Cosign is the line of the witness about a checkpoint of the log with a key.
func (w Witness) Cosign(signed []byte, key string) string {
	n := must(note.Open(signed, note.VerifierList(must(note.NewVerifier(key)))))
	both := must(note.Sign(n, w.signer))
	for line := range strings.Lines(string(both)) {
		if strings.HasPrefix(line, "— "+w.signer.Name()+" ") {
			return line
		}
	}
	panic("the witness did not sign")
}
