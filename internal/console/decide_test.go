package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store/storetest"
)

// TestDecide: what is to be signed off is shown, and then it is signed.
func TestDecide(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		carol := w.as("carol")
		list := carol.get("/requests")
		list.has(t, "7-Zip 24.08", "/requests/"+row.Name, row.Score.String(), "medium", "erin", "left")
		path := "/requests/" + row.Name
		shown := carol.get(path)
		shown.has(t, row.ContentHash, "Why the score is "+row.Score.String(), "Your decision", "put the old one back", "No earlier version of 7-Zip")
		fields := []string{"seen", shown.seen(t), "act", "approve", "rationale", "fine, if <b>watched</b>", "conditions", "max ring: PILOT\nmonitor_hours: 24"}
		confirm := carol.post(path+"/decision", fields...)
		confirm.has(t, "Approve 7-Zip 24.08, with conditions?", row.ContentHash, row.Score.String(), "max ring", "PILOT", "monitor hours", "fine, if &lt;b&gt;watched&lt;/b&gt;", "Good until")
		if before, err := w.service.Request(w.ctx, w.call("carol"), row.ID); err != nil || before.Status != cab.Submitted {
			t.Fatalf("the first step decided already: %s, %v", before.Status, err)
		}
		carol.post(path+"/decision", append(fields, "step", "edit")...).has(t, "monitor_hours: 24</textarea>", `value="approve" required checked`)
		done := carol.post(path+"/decision", append(fields, "step", "confirm")...)
		if done.status != http.StatusSeeOther {
			t.Fatalf("%d %s", done.status, done.body)
		}
		after := carol.get(done.to())
		after.has(t, "Your approval is recorded.", "Approved with conditions", "carol", "approved the request")
		decided, err := w.service.Request(w.ctx, w.call("carol"), row.ID)
		w.must(err)
		if d := decided.Decision; d == nil || string(d.Conditions) != `{"max_ring":"PILOT","monitor_hours":24}` || d.Decider.Name != "carol" {
			t.Errorf("%+v", decided.Decision)
		}
		// The same form once more, as an impatient finger sends it.
		if again := carol.post(path+"/decision", append(fields, "step", "confirm")...); again.to() != done.to() {
			t.Errorf("the second of two presses: %d %s", again.status, again.to())
		}
	})
}

// TestMistakesKeepWhatWasTyped: a form that is wrong comes back as it was.
func TestMistakesKeepWhatWasTyped(t *testing.T) {
	eachWorld(t, func(w *world) {
		path := "/requests/" + w.submitted("7-Zip", "24.08", "mid").Name
		carol := w.as("carol")
		seen := carol.get(path).seen(t)
		for name, c := range map[string]struct {
			fields []string
			says   string
		}{
			"no act":             {[]string{"rationale", "typed text"}, "Choose what you decide"},
			"no reason":          {[]string{"act", "approve", "conditions", "typed: text"}, "Say why"},
			"bad condition":      {[]string{"act", "approve", "rationale", "typed text", "conditions", "nonsense"}, "is not a condition"},
			"conditional no":     {[]string{"act", "reject", "rationale", "typed text", "conditions", "a: b"}, "only"},
			"condition unknown":  {[]string{"act", "approve", "rationale", "typed text", "conditions", "hours: 3"}, "no condition that the gate can check"},
			"condition's value":  {[]string{"act", "approve", "rationale", "typed text", "conditions", "max_ring: SPACE"}, "is not one of the rings"},
			"condition twice":    {[]string{"act", "approve", "rationale", "typed text", "conditions", "a: b\na: c"}, "twice"},
			"too long":           {[]string{"act", "approve", "rationale", "typed text" + strings.Repeat("x", 2000)}, "at most 2000"},
			"no act, and signed": {[]string{"act", "burn", "rationale", "typed text", "step", "confirm"}, "Choose what you decide"},
		} {
			p := carol.post(path+"/decision", append(c.fields, "seen", seen)...)
			if p.status != http.StatusBadRequest {
				t.Errorf("%s: %d", name, p.status)
			}
			p.has(t, c.says, "typed")
		}
	})
}

// TestTwoAtOnce: the second of two is told what happened, and loses nothing typed.
func TestTwoAtOnce(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/requests/" + row.Name
		carol, chris := w.as("carol"), w.as("chris")
		seen := carol.get(path).seen(t)
		chris.post(path+"/decision", "seen", seen, "act", "reject", "rationale", "not tested", "step", "confirm")
		for _, step := range []string{"preview", "confirm"} {
			late := carol.post(path+"/decision", "seen", seen, "act", "approve", "rationale", "I had written this", "conditions", "note: b", "step", step)
			if late.status != http.StatusConflict {
				t.Errorf("%s: %d", step, late.status)
			}
			late.has(t, "chris rejected this request", "not tested", "I had written this", "note: b")
		}
		final, err := w.service.Request(w.ctx, w.call("ada"), row.ID)
		w.must(err)
		if final.Status != cab.RejectedByCAB {
			t.Errorf("%s", final.Status)
		}
	})
}

// TestChangedMeanwhile: who signs, signs what they saw.
func TestChangedMeanwhile(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/requests/" + row.Name
		carol, chris := w.as("carol"), w.as("chris")
		seen := carol.get(path).seen(t)
		if p := chris.post(path+"/decision", "step", "review"); p.status != http.StatusSeeOther {
			t.Fatalf("%d %s", p.status, p.body)
		}
		late := carol.post(path+"/decision", "seen", seen, "act", "approve", "rationale", "typed", "step", "confirm")
		late.has(t, "has changed since you looked", "Under review", ">typed</textarea>")
		if p := carol.post(path+"/decision", "act", "approve", "rationale", "typed", "step", "confirm"); p.status != http.StatusConflict {
			t.Errorf("a form that says nothing of what was seen: %d", p.status)
		}
		now := late.seen(t)
		if p := carol.post(path+"/decision", "seen", now, "act", "approve", "rationale", "typed", "step", "confirm"); p.status != http.StatusSeeOther {
			t.Errorf("after another look: %d %s", p.status, p.body)
		}
	})
}

// TestSessionEndsInMidForm: nothing typed is lost, and nothing is done unasked.
func TestSessionEndsInMidForm(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/requests/" + row.Name
		w.member("carol")
		carol := w.as("carol")
		seen := carol.get(path).seen(t)
		w.pass(cab.SessionIdle)
		ended := carol.post(path+"/decision", "seen", seen, "act", "approve", "rationale", "a long \"thought\"\nin two lines", "conditions", "note: b", "step", "confirm")
		if ended.status != http.StatusUnauthorized {
			t.Fatalf("%d", ended.status)
		}
		ended.has(t, "what you wrote is kept", `name="kept.rationale" value="a long &#34;thought&#34;`)
		wrong := carol.post("/signin", "username", "carol", "password", "wrong", "next", path+"/decision", "kept.rationale", "a long thought", "kept.act", "approve")
		wrong.has(t, "not right", `name="kept.rationale" value="a long thought"`)
		back := carol.post("/signin", "username", "carol", "password", password, "next", path+"/decision",
			"kept.seen", seen, "kept.act", "approve", "kept.rationale", "a long thought", "kept.conditions", "note: b", "kept.step", "confirm")
		back.has(t, "You are signed in again", ">a long thought</textarea>", ">note: b</textarea>", `value="approve" required checked`, row.Name)
		now, err := w.service.Request(w.ctx, w.call("ada"), row.ID)
		w.must(err)
		if now.Status != cab.Submitted {
			t.Errorf("signing in decided: %s", now.Status)
		}
		if p := carol.post(path+"/decision", "seen", back.seen(t), "act", "approve", "rationale", "a long thought", "step", "confirm"); p.status != http.StatusSeeOther {
			t.Errorf("%d", p.status)
		}
	})
}

func TestExceptions(t *testing.T) {
	eachWorld(t, func(w *world) {
		row, e := w.excepted("VPN", "5")
		sam, carol := w.as("sam"), w.as("carol")
		if home := sam.get("/"); home.to() != "/exceptions" {
			t.Errorf("a security reviewer begins at %s", home.to())
		}
		sam.get("/exceptions").has(t, "VPN 5", e.Name, row.Name, row.Score.String(), "high", "2 controls")
		path := "/exceptions/" + e.Name
		seen := func() string { return sam.get(path).seenOr("1") }
		sam.get(path).has(t, "support ends", "not reachable", "watched", "isolated", row.Name, "14 days")
		carol.get(path).lacks(t, "Your decision")
		carol.get("/requests/"+row.Name).has(t, "waits for a Security Reviewer", e.Name)
		sam.post(path+"/decision", "seen", seen(), "act", "approve", "rationale", "two weeks").has(t, "Accept the risk?", row.ContentHash, "watched", "two weeks")
		done := sam.post(path+"/decision", "seen", seen(), "act", "approve", "rationale", "two weeks", "step", "confirm")
		sam.get(done.to()).has(t, "You have accepted the risk", "In force")
		late := sam.post(path+"/decision", "seen", seen(), "act", "reject", "rationale", "or not", "step", "confirm")
		if late.status != http.StatusConflict {
			t.Errorf("%d", late.status)
		}
		late.has(t, "sam approved this exception", "or not")
		if p := carol.post(path+"/decision", "seen", seen(), "act", "approve", "rationale", "me too", "step", "confirm"); p.status != http.StatusForbidden {
			t.Errorf("a CAB member decided an exception: %d", p.status)
		}
		sam.post(path+"/decision", "seen", seen(), "act", "revoke", "rationale", "no more").has(t, "Revoke the exception?")
		gone := sam.post(path+"/decision", "seen", seen(), "act", "revoke", "rationale", "no more", "step", "confirm")
		sam.get(gone.to()).has(t, "Revoked", "no more")
	})
}

// TestSentTwice: only what was done word for word counts as a second press; anything
// else that comes too late is told so, and not confirmed.
func TestSentTwice(t *testing.T) {
	eachWorld(t, func(w *world) {
		carol := w.as("carol")
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/requests/" + row.Name
		seen := carol.get(path).seen(t)
		send := func(b *browser, path string, fields ...string) page {
			return b.post(path+"/decision", append(fields, "seen", seen, "step", "confirm")...)
		}
		if p := send(carol, path, "act", "approve", "rationale", "ok"); p.to() != path+"?done=approve" {
			t.Fatalf("%d %s", p.status, p.body)
		}
		for name, c := range map[string]struct {
			fields []string
			again  bool
		}{
			"the same":          {[]string{"act", "approve", "rationale", "ok"}, true},
			"with a condition":  {[]string{"act", "approve", "rationale", "ok", "conditions", "max_ring: LAB"}, false},
			"the other way":     {[]string{"act", "reject", "rationale", "ok"}, false},
			"another reason":    {[]string{"act", "approve", "rationale", "ok!"}, false},
			"taking back":       {[]string{"act", "withdraw", "rationale", "ok"}, false},
			"white space":       {[]string{"act", "approve", "rationale", "ok "}, true},
			"conditions, empty": {[]string{"act", "approve", "rationale", "ok", "conditions", "\n \n"}, true},
		} {
			if p := send(carol, path, c.fields...); (p.status == http.StatusSeeOther) != c.again {
				t.Errorf("%s: %d %s", name, p.status, p.to())
			}
		}
		chris := w.as("chris")
		if p := send(chris, path, "act", "approve", "rationale", "ok"); p.status != http.StatusConflict {
			t.Errorf("chris, in carol's words: %d", p.status)
		}
		if now, err := w.service.Request(w.ctx, w.call("ada"), row.ID); err != nil || !now.Status.Approved() || now.Decision.Conditions != nil {
			t.Errorf("%s, %v", now.Status, err)
		}
	})
}

// TestExceptionSentTwice is the same of an exception.
func TestExceptionSentTwice(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, e := w.excepted("VPN", "5")
		sam := w.as("sam")
		path := "/exceptions/" + e.Name
		send := func(act string) page {
			return sam.post(path+"/decision", "act", act, "rationale", "ok", "step", "confirm", "seen", sam.get(path).seenOr("1"))
		}
		for _, c := range []struct {
			act    string
			status int
		}{{"approve", 303}, {"approve", 303}, {"reject", 409}, {"revoke", 303}, {"revoke", 303}, {"reject", 409}, {"approve", 409}} {
			if p := send(c.act); p.status != c.status {
				t.Errorf("%s: %d %s, want %d", c.act, p.status, p.to(), c.status)
			}
		}
	})
}

// TestNobodyIsToldWhatTheyDidNotDo: an address that says so is no proof.
func TestNobodyIsToldWhatTheyDidNotDo(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		_, e := w.excepted("VPN", "5")
		says := []string{"recorded", "It says now", "taken back.", "revoked.", "You have accepted"}
		for _, act := range []string{"approve", "reject", "review", "withdraw", "revoke", "x"} {
			w.as("carol").get("/requests/"+row.Name+"?done="+act).lacks(t, says...)
			w.as("sam").get("/exceptions/"+e.Name+"?done="+act).lacks(t, says...)
		}
		_, err := w.service.Approve(w.ctx, w.call("chris"), row.ID, "fine", nil)
		w.must(err)
		w.as("carol").get("/requests/"+row.Name+"?done=approve").lacks(t, says...)
		w.as("chris").get("/requests/"+row.Name+"?done=reject").lacks(t, says...)
		w.as("chris").get("/requests/"+row.Name+"?done=approve").has(t, "Your approval is recorded.")
	})
}

// TestAlteredPredecessor: an old package that was altered closes no later request; the
// page says so where the comparison would be.
func TestAlteredPredecessor(t *testing.T) {
	eachWorld(t, func(w *world) {
		old := w.submitted("7-Zip", "24.07", "mid")
		_, err := w.service.Approve(w.ctx, w.call("chris"), old.ID, "fine", nil)
		w.must(err)
		row := w.submitted("7-Zip", "24.08", "mid")
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		if _, err := db.Exec(`UPDATE evidence_package SET content_hash = $1 WHERE id = $2`, strings.Repeat("0", 64), old.PackageID); err != nil {
			t.Fatal(err)
		}
		carol := w.as("carol")
		path := "/requests/" + row.Name
		shown := carol.get(path)
		shown.has(t, "What was approved last cannot be compared with", old.PackageID, "Your decision", "Why the score is")
		shown.lacks(t, "No earlier version")
		fields := []string{"seen", shown.seen(t), "act", "reject", "rationale", "tell an auditor", "step", "confirm"}
		if p := carol.post(path+"/decision", fields...); p.status != http.StatusSeeOther {
			t.Errorf("%d %s", p.status, p.body)
		}
	})
}

// TestExceptionChangedMeanwhile: who accepts a risk, accepts what they saw.
func TestExceptionChangedMeanwhile(t *testing.T) {
	eachWorld(t, func(w *world) {
		row, e := w.excepted("VPN", "5")
		sam := w.as("sam")
		path := "/exceptions/" + e.Name
		seen := sam.get(path).seen(t)
		sam.get(path).lacks(t, "newer evidence")
		_, err := w.service.CreateEvidence(w.ctx, w.call("erin"), row.DeploymentID, evidenceOf("high"))
		w.must(err)
		sam.get(path).has(t, "has newer evidence than this")
		sam.post(path+"/decision", "act", "approve", "rationale", "x", "seen", seen).has(t, "Accept the risk?", "has newer evidence than this")
		fields := []string{"act", "approve", "rationale", "two weeks", "step", "confirm"}
		if p := sam.post(path+"/decision", fields...); p.status != http.StatusConflict {
			t.Errorf("a form that says nothing of what was seen: %d", p.status)
		}
		_, err = w.service.ApproveException(w.ctx, w.call("sam"), e.ID, "by the API")
		w.must(err)
		stale := []string{"act", "revoke", "rationale", "typed", "seen", seen}
		for _, step := range []string{"preview", "confirm"} {
			p := sam.post(path+"/decision", append(stale, "step", step)...)
			if p.status != http.StatusConflict {
				t.Errorf("%s: %d", step, p.status)
			}
			p.has(t, "has changed since you looked at it", ">typed</textarea>")
		}
		now := sam.get(path).seen(t)
		_, err = w.service.StartReview(w.ctx, w.call("carol"), row.ID)
		w.must(err)
		if p := sam.post(path+"/decision", append(stale[:4:4], "seen", now, "step", "confirm")...); p.status != http.StatusConflict {
			t.Errorf("somebody of the board is on its request since: %d", p.status)
		}
		if p := sam.post(path+"/decision", append(stale[:4:4], "seen", sam.get(path).seen(t), "step", "confirm")...); p.status != http.StatusSeeOther {
			t.Errorf("after another look: %d %s", p.status, p.body)
		}
	})
}

// TestOnIt: to say that one is on it loses nothing written, and sends none of it.
func TestOnIt(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.submitted("7-Zip", "24.08", "mid")
		path := "/requests/" + row.Name
		carol := w.as("carol")
		shown := carol.get(path)
		if n := strings.Count(shown.body, `action="`+path+`/decision`); n != 1 {
			t.Errorf("%d forms", n)
		}
		on := carol.post(path+"/decision", "seen", shown.seen(t), "act", "approve", "rationale", "half a tho", "conditions", "note: b", "step", "review")
		on.has(t, "It says now that you are on it.", ">half a tho</textarea>", ">note: b</textarea>", `value="approve" required checked`, "Under review")
		on.lacks(t, "had changed", "I am on it")
		if p := carol.post(path+"/decision", "seen", on.seen(t), "act", "approve", "rationale", "half a thought", "step", "preview"); p.status != http.StatusOK {
			t.Errorf("and on from there: %d", p.status)
		}
		late := w.as("chris").post(path+"/decision", "seen", shown.seen(t), "act", "reject", "rationale", "typed", "step", "review")
		late.has(t, "had changed before", ">typed</textarea>")
		again := carol.post(path+"/decision", "seen", on.seen(t), "rationale", "kept", "step", "review")
		again.has(t, ">kept</textarea>")
		if status, _ := w.statusOf(row.ID); status != cab.UnderReview {
			t.Errorf("%s", status)
		}
	})
}
