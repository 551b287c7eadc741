package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/eucora/eucora/internal/store/storetest"
)

// requested saves a deployment, a package of some second and its request.
func requested(t *testing.T, s *store.Store, app, id, owner string, second int, status cab.Status) {
	t.Helper()
	at := time.Unix(int64(second), 0).UTC()
	owned := cab.Person{ID: owner, Username: owner}
	change := cab.Change{
		Deployment: &cab.Deployment{ID: "d-" + id, CorrelationID: "c-" + id, AppName: app, AppVersion: id, State: cab.Planned, CreatedBy: owned, CreatedAt: at, Revision: 1},
		Package:    &cab.Package{ID: id, DeploymentID: "d-" + id, CorrelationID: "c-" + id, CreatedBy: owned, CreatedAt: at, Document: []byte("{}")},
		Request: &cab.Request{
			ID: "r-" + id, Name: "CAB-" + id, DeploymentID: "d-" + id, PackageID: id, PackageOwner: owner, IntentOwner: owner,
			Status: status, Revision: 1, SubmittedAt: at,
		},
		Events: newDeployment(t).Events,
	}
	if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Save(change.Again()) }); err != nil {
		t.Fatal(err)
	}
}

func TestLastApproved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url, signer := e.URL(t), storetest.Key(t)
		s := storetest.Open(t, store.Options{URL: url, Signer: signer})
		requested(t, s, "7-Zip", "p1", "erin", 1, cab.ApprovedByCAB)
		requested(t, s, "7-Zip", "p2", "erin", 2, cab.AutoApproved)
		requested(t, s, "7-Zip", "p3", "eve", 3, cab.ConditionallyApp)
		for i, status := range []cab.Status{cab.Submitted, cab.UnderReview, cab.NeedsException, cab.RejectedByCAB, cab.Withdrawn, cab.Revoked} {
			requested(t, s, "7-Zip", fmt.Sprintf("p4%d", i), "erin", 4, status)
		}
		requested(t, s, "Other", "p5", "erin", 5, cab.ApprovedByCAB)
		requested(t, s, "7-Zip", "p6", "erin", 6, cab.Submitted)
		ask := func(s *store.Store, app string, second int, id, owner string) string {
			t.Helper()
			var found string
			err := s.View(ctx, func(r *store.Reader) (err error) {
				found, err = r.LastApproved(app, time.Unix(int64(second), 0), id, owner)
				return err
			})
			if err != nil && cab.KindOf(err) != cab.NotFound {
				t.Fatal(err)
			}
			return found
		}
		for _, c := range []struct {
			app       string
			second    int
			id, owner string
			want      string
		}{
			{"7-Zip", 6, "p6", "", "p3"}, {"7-Zip", 6, "p6", "erin", "p2"}, {"7-Zip", 6, "p6", "eve", "p3"}, {"7-Zip", 6, "p6", "nobody", ""},
			{"7-Zip", 3, "p3", "", "p2"}, {"7-Zip", 3, "p4", "", "p3"}, {"7-Zip", 1, "p1", "", ""}, {"7-zip", 9, "p", "", ""}, {"Other", 9, "p", "", "p5"},
		} {
			if got := ask(s, c.app, c.second, c.id, c.owner); got != c.want {
				t.Errorf("%s before %s at %d, of %q: %q, want %q", c.app, c.id, c.second, c.owner, got, c.want)
			}
		}

		// A database that was filled before the columns were there.
		db := storetest.Owner(t, url)
		for _, text := range []string{
			`DROP TABLE start_permit`, `ALTER TABLE deployment DROP COLUMN rings`, `ALTER TABLE deployment DROP COLUMN checks`,
			`DROP TABLE job`, `DROP INDEX request_ends`, `ALTER TABLE cab_request DROP COLUMN clock_ended`, `ALTER TABLE cab_request DROP COLUMN clock_escalated`, `ALTER TABLE cab_exception DROP COLUMN clock_warned`,
			`DROP TABLE cosignature`, `DROP TABLE witnessed`, `DROP TABLE checkpoint_timestamp`, // later ones go first
			`DROP INDEX deployment_app`, `DROP INDEX request_due`, `DROP TABLE password`, `DROP TABLE signin_link`, `DROP TABLE session`, `DROP TABLE signin_tries`,
			`DROP INDEX request_approved`, `ALTER TABLE cab_request DROP COLUMN app_name`, `ALTER TABLE cab_request DROP COLUMN package_created_at`,
			`DELETE FROM goose_db_version WHERE version_id >= ` + map[string]string{"sqlite": "4", "postgres": "5"}[e.Name],
		} {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		later := storetest.Open(t, store.Options{URL: url, Signer: signer})
		if got := ask(later, "7-Zip", 6, "p6", ""); got != "p3" {
			t.Errorf("after the schema was brought up to date: %q", got)
		}
		copies := func() (found []string) {
			t.Helper()
			for _, f := range verified(t, later).Findings {
				if strings.Contains(f.What, "is listed under another application") {
					found = append(found, f.What)
				}
			}
			return found
		}
		if found := copies(); found != nil {
			t.Errorf("audit: %q", found)
		}
		if _, err := db.Exec(`UPDATE cab_request SET app_name = 'Other' WHERE id = 'r-p3'`); err != nil {
			t.Fatal(err)
		}
		if found := copies(); len(found) != 1 || !strings.Contains(found[0], "r-p3") {
			t.Errorf("a request was put under another application, and the audit says %q", found)
		}
	})
}
