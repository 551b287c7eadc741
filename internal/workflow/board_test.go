package workflow

import (
	"fmt"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// filed submits evidence of a kind for an application, by erin or somebody else.
func (w *world) filed(by Call, app, version string, ring cab.Ring, kind string) RequestRow {
	w.t.Helper()
	d := must[cab.Deployment](w.t)(w.CreateDeployment(w.ctx, by, app, version, ring))
	e := must[Evidence](w.t)(w.CreateEvidence(w.ctx, by, d.ID, evidenceOf(kind)))
	return must[RequestRow](w.t)(w.Submit(w.ctx, by, Submission{PackageID: e.ID, Urgency: cab.Standard}))
}

func versions(rows []BoardRow) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.AppVersion)
	}
	return fmt.Sprint(all)
}

// TestBoard: filters, orders and pages, and what each role sees.
func TestBoard(t *testing.T) {
	eachWorld(t, func(w *world) {
		for i, kind := range []string{"mid", "low", "high", "mid", "mid", "low"} {
			w.filed(w.erin, "7-Zip", fmt.Sprint(i), cab.Rings()[i%5], kind)
			w.clock.advance(time.Minute)
		}
		w.filed(w.eve, "100%_Pure", "6", cab.Lab, "mid")
		for name, c := range map[string]struct {
			call   Call
			filter BoardFilter
			band   Band
			want   string
		}{
			"all":                {w.carol, BoardFilter{}, "", "[6 5 4 3 2 1 0]"},
			"waiting":            {w.carol, BoardFilter{Order: DueFirst, Statuses: []cab.Status{cab.Submitted, cab.UnderReview}}, "", "[0 3 4 6]"},
			"by risk":            {w.carol, BoardFilter{Order: RiskFirst, Statuses: []cab.Status{cab.Submitted, cab.NeedsException}}, "", "[2 6 4 3 0]"},
			"low":                {w.ada, BoardFilter{}, LowRisk, "[5 1]"},
			"medium":             {w.ada, BoardFilter{}, MediumRisk, "[6 4 3 0]"},
			"high":               {w.ada, BoardFilter{}, HighRisk, "[2]"},
			"a ring":             {w.ada, BoardFilter{Ring: cab.Lab}, "", "[6 5 0]"},
			"a text":             {w.ada, BoardFilter{Text: "7-ZIP"}, "", "[5 4 3 2 1 0]"},
			"a text with signs":  {w.ada, BoardFilter{Text: "0%_p"}, "", "[6]"},
			"signs that are not": {w.ada, BoardFilter{Text: "7%z"}, "", "[]"},
			"a person":           {w.ada, BoardFilter{Text: "eve"}, "", "[6]"},
			"their own":          {w.eve, BoardFilter{}, "", "[6]"},
			"another's by name":  {w.eve, BoardFilter{Text: "erin"}, "", "[]"},
			"what is approved":   {w.pat, BoardFilter{}, "", "[5 1]"},
		} {
			board, err := w.Board(w.ctx, c.call, c.filter, c.band)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := versions(board.Rows); got != c.want || board.Count != len(board.Rows) {
				t.Errorf("%s: %s of %d, want %s", name, got, board.Count, c.want)
			}
			var paged []BoardRow // the same, two by two
			for c.filter.Limit = 2; ; {
				page, err := w.Board(w.ctx, c.call, c.filter, c.band)
				if err != nil {
					t.Fatal(err)
				}
				paged = append(paged, page.Rows...)
				if c.filter.Cursor = page.Next; page.Next == "" {
					break
				}
			}
			if got := versions(paged); got != c.want {
				t.Errorf("%s, two by two: %s, want %s", name, got, c.want)
			}
		}
	})
}

// TestDossierAsksTheRules: what would come of each act is what comes of it.
func TestDossierAsksTheRules(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.filed(w.erin, "7-Zip", "1", cab.Pilot, "mid")
		choices := func(call Call) map[cab.Act]Choice {
			t.Helper()
			d := must[Dossier](t)(w.Dossier(w.ctx, call, row.Name))
			all := map[cab.Act]Choice{}
			for _, c := range d.Choices {
				all[c.Act] = c
			}
			return all
		}
		carols := choices(w.carol)
		if c := carols[cab.ActApprove]; c.Refusal != nil || c.Outcome != cab.ApprovedByCAB || c.ValidUntil.IsZero() {
			t.Errorf("carol, approve: %+v", c)
		}
		if c := carols[cab.ActRevoke]; cab.CodeOf(c.Refusal) != "INVALID_TRANSITION" {
			t.Errorf("carol, revoke: %+v", c)
		}
		if _, there := carols[cab.ActWithdraw]; there {
			t.Error("a CAB member can take requests back")
		}
		if c := choices(w.erin); len(c) != 1 || c[cab.ActWithdraw].Refusal != nil {
			t.Errorf("erin: %+v", c)
		}
		if c := choices(w.ada); len(c) != 0 {
			t.Errorf("an auditor: %+v", c)
		}
		until := carols[cab.ActApprove].ValidUntil
		if _, err := w.Approve(w.ctx, w.carol, row.ID, "fine", nil); err != nil {
			t.Fatal(err)
		}
		after := must[RequestRow](t)(w.Request(w.ctx, w.carol, row.ID))
		if d := after.ValidUntil.Sub(until); d < 0 || d > time.Second {
			t.Errorf("said until %s, came out %s", until, after.ValidUntil)
		}
		if _, err := w.Dossier(w.ctx, w.eve, row.Name); cab.KindOf(err) != cab.Forbidden {
			t.Errorf("eve saw erin's: %v", err)
		}
	})
}

// TestSeenAndSession: a decision on what has changed since, or from a session that has
// ended since, is none.
func TestSeenAndSession(t *testing.T) {
	eachWorld(t, func(w *world) {
		row := w.filed(w.erin, "7-Zip", "1", cab.Pilot, "mid")
		call := w.carol
		call.Seen = row.Revision
		if _, err := w.StartReview(w.ctx, w.chris, row.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Approve(w.ctx, call, row.ID, "fine", nil); cab.CodeOf(err) != "CHANGED_MEANWHILE" {
			t.Errorf("decided on what had changed: %v", err)
		}
		call.Seen++
		p := must[cab.Principal](t)(w.principal(w.carol.Actor.ID))
		session, change := p.SignIn(cab.Call{Actor: w.carol.Actor, Now: w.now()}, "s1", "hash")
		if err := w.store.Update(w.ctx, func(tx *store.Tx) error { return tx.SaveSession(session, change.Again()) }); err != nil {
			t.Fatal(err)
		}
		call.SessionID = "s1"
		if _, err := w.EndSession(w.ctx, Call{Actor: cab.Setup}, "s1"); err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]string{"ended": "s1", "unknown": "s2"} {
			call.SessionID = id
			if _, err := w.Approve(w.ctx, call, row.ID, "fine", nil); cab.CodeOf(err) != "ACCESS_ENDED" {
				t.Errorf("decided from a session that is %s: %v", name, err)
			}
			if _, err := w.Dossier(w.ctx, call, row.ID); cab.CodeOf(err) != "ACCESS_ENDED" {
				t.Errorf("read from a session that is %s: %v", name, err)
			}
		}
		call.SessionID = ""
		if _, err := w.Approve(w.ctx, call, row.ID, "fine", nil); err != nil {
			t.Errorf("after another look: %v", err)
		}
	})
}

func (w *world) principal(id string) (p cab.Principal, err error) {
	err = w.store.View(w.ctx, func(r *store.Reader) error {
		p, err = r.Principal(id)
		return err
	})
	return p, err
}
