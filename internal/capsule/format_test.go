package capsule_test

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/risk"
	"github.com/go-json-experiment/json"
)

var block = regexp.MustCompile("(?ms)^```([a-z-]+)\n(.*?)^```$")

// examples are the marked blocks of docs/ledger-format.md, by their names, without
// their last newline.
func examples(t *testing.T) map[string]string {
	text, err := os.ReadFile("../../docs/ledger-format.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if _, twice := found[m[1]]; twice {
			t.Fatalf("two blocks %s", m[1])
		}
		found[m[1]] = strings.TrimSuffix(m[2], "\n")
	}
	return found
}

// TestFormatOfTheLog: the example in the format's description is one.
func TestFormatOfTheLog(t *testing.T) {
	said := examples(t)
	leaf := []byte(said["leaf"])
	if hash := ledger.LeafHash(leaf); hex.EncodeToString(hash[:]) != said["leaf-hash"] {
		t.Errorf("the leaf has the hash %x", hash)
	}
	key, err := ledger.NewVerifier(said["vkey"])
	if err != nil {
		t.Fatal(err)
	}
	trust, err := ledger.ParseTrust([]byte(said["trust"]))
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := said["checkpoint"] + "\n"
	opened, err := trust.Open([]byte(checkpoint))
	if err != nil || !trust.Enough(opened) || len(opened.By) != 1 {
		t.Errorf("%+v, %v", opened, err)
	}
	proof, err := ledger.ParseProof([]byte(said["proof"] + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if string(proof.Checkpoint) != checkpoint || proof.Seq != 1 {
		t.Errorf("the proof is about %d of\n%s", proof.Seq, proof.Checkpoint)
	}
	if _, err := proof.Check(leaf, key); err != nil {
		t.Error(err)
	}
	if _, err := proof.Check(append(leaf, ' '), key); err == nil {
		t.Error("another leaf is proven")
	}
	var e cab.Event
	if err := json.Unmarshal(leaf, &e, json.RejectUnknownMembers(true)); err != nil || e.Seq != proof.Seq {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestFormatOfTheScore: so are those of the score and the gate.
func TestFormatOfTheScore(t *testing.T) {
	said := examples(t)
	sections, err := evidence.ParseSections([]byte(said["evidence"]))
	if err != nil {
		t.Fatal(err)
	}
	var origins []evidence.Origin
	if err := json.Unmarshal([]byte(said["origins"]), &origins); err != nil {
		t.Fatal(err)
	}
	model, err := risk.ParseCanonical([]byte(said["model"]))
	if err != nil || string(model.Document()) != said["model"] {
		t.Fatalf("%v", err)
	}
	policy, err := cab.PolicyFromDocument([]byte(said["policy"]))
	if err != nil {
		t.Fatal(err)
	}
	facts := evidence.ReadFacts(sections, origins...)
	score := model.Assess(facts).Score
	if score.String() != said["score"] {
		t.Errorf("the score is %s", score)
	}
	var gate cab.Gate
	if err := json.Unmarshal([]byte(said["gate"]), &gate); err != nil || !policy.SameGate(gate, score, facts) {
		t.Errorf("%v; the gate is %+v", err, policy.Evaluate(score, facts))
	}
}
