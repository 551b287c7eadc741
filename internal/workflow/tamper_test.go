package workflow

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store/storetest"
)

// history fills a world with one of everything.
func (w *world) history() (auto, decided, blocked RequestRow) {
	w.t.Helper()
	auto, decided, blocked = w.submitted("low"), w.submitted("mid"), w.submitted("high")
	must[RequestRow](w.t)(w.StartReview(w.ctx, w.carol, decided.ID))
	must[RequestRow](w.t)(w.Approve(w.ctx, w.carol, decided.ID, "fine", []byte(`{"max_ring":"PILOT"}`)))
	x := must[cab.Exception](w.t)(w.RequestException(w.ctx, w.erin, ExceptionAsk{DeploymentID: blocked.DeploymentID, Reason: "r", Justification: "j", Controls: []string{"c"}}))
	must[cab.Exception](w.t)(w.ApproveException(w.ctx, w.sam, x.ID, "ok"))
	must[cab.Token](w.t)(w.IssueToken(w.ctx, w.root, "carol", "t1", "laptop", hash64, 10))
	must[cab.Deployment](w.t)(w.ReportDeployment(w.ctx, w.pat, auto.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted, Detail: "go"}))
	return auto, decided, blocked
}

// TestTheDatabaseRefuses: what is final cannot be changed by SQL, on either
// engine, not even by REPLACE.
func TestTheDatabaseRefuses(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.history()
		if _, err := w.store.Checkpoint(w.ctx); err != nil {
			t.Fatal(err)
		}
		db := storetest.Owner(t, w.url)
		for table, column := range map[string]string{
			"event": "type", "decision": "rationale", "evidence_package": "content_hash", "vote": "rationale",
			"risk_model": "digest", "policy": "digest", "checkpoint": "note", "meta": "value",
		} {
			attacks := []string{"UPDATE " + table + " SET " + column + " = 'x'", "DELETE FROM " + table}
			if w.engine == "postgres" {
				attacks = append(attacks, "TRUNCATE "+table+" CASCADE")
			} else {
				attacks = append(attacks, "INSERT OR REPLACE INTO "+table+" SELECT * FROM "+table, "REPLACE INTO "+table+" SELECT * FROM "+table)
			}
			for _, attack := range attacks {
				if _, err := db.Exec(attack); err == nil || !strings.Contains(err.Error(), "immutable") {
					t.Errorf("%s: %v", attack, err)
				}
			}
		}
		for _, table := range []string{"cab_request", "cab_exception", "deployment", "principal", "token"} {
			attacks := []string{"DELETE FROM " + table, "UPDATE " + table + " SET id = 'x'"}
			if w.engine == "sqlite" {
				attacks = append(attacks, "UPDATE OR REPLACE "+table+" SET id = id || 'x'", "UPDATE OR REPLACE "+table+" SET rowid = rowid + 1")
			}
			for _, attack := range attacks {
				if result, err := db.Exec(attack); err == nil {
					n, err := result.RowsAffected()
					t.Errorf("%s changed %d rows (%v)", attack, n, err)
				}
			}
		}
		for _, attack := range []string{"DELETE FROM ledger_tile", "DELETE FROM ledger_state",
			`INSERT INTO event SELECT -1, 'forged', time, type, correlation_id, actor_id, leaf FROM event WHERE seq = 1`} {
			if _, err := db.Exec(attack); err == nil {
				t.Errorf("%s is not refused", attack)
			}
		}
		if w.engine == "postgres" { // a session of replication skips ordinary triggers
			replica := must[*sql.Conn](t)(db.Conn(w.ctx))
			defer replica.Close()
			for _, attack := range []string{"SET session_replication_role = replica", "DELETE FROM event", "UPDATE decision SET rationale = 'x'", "TRUNCATE evidence_package"} {
				if _, err := replica.ExecContext(w.ctx, attack); (err == nil) != strings.HasPrefix(attack, "SET") {
					t.Errorf("%s in a session of replication: %v", attack, err)
				}
			}
		}
		if w.engine == "sqlite" { // by the other unique keys too
			for _, attack := range []string{
				`INSERT OR REPLACE INTO evidence_package SELECT 'other', deployment_id, position, correlation_id, created_by_id, created_by_name, created_at, risk_score, risk_model_version, is_complete, content_hash, document FROM evidence_package LIMIT 1`,
				`INSERT OR REPLACE INTO decision (rowid, request_id, decision, rationale, decider_id, decider_name, decider_role, risk_score, risk_model_version, policy_version, content_hash, conditions, decided_at, valid_until) SELECT rowid, 'other', decision, rationale, decider_id, decider_name, decider_role, risk_score, risk_model_version, policy_version, content_hash, conditions, decided_at, valid_until FROM decision LIMIT 1`,
			} {
				if _, err := db.Exec(attack); err == nil || !strings.Contains(err.Error(), "immutable") {
					t.Errorf("%.60s…: %v", attack, err)
				}
			}
		}
		w.wantSound()
	})
}

// TestTamperingIsFound: with the triggers gone, whoever owns the database can
// change anything; verification names what was changed.
func TestTamperingIsFound(t *testing.T) {
	for _, attack := range []struct {
		name, sql, want string
		held            bool // found only by somebody who kept a checkpoint
	}{
		{"change an event", `UPDATE event SET leaf = CAST(replace(CAST(leaf AS TEXT), '192.0.2.1', '192.0.2.9') AS BLOB) WHERE seq = 20`, "event 20 is not the one", false},
		{"change an event's column", `UPDATE event SET actor_id = 'x' WHERE seq = 12`, "event 12: the columns", false},
		{"delete an event", `DELETE FROM event WHERE seq = 15`, "event 15 is missing", false},
		{"cut off the end", `DELETE FROM event WHERE seq >= 20`, "has 20: the first that lacks is 20", false},
		{"insert an event", `INSERT INTO event SELECT (SELECT MAX(seq) + 1 FROM event), 'forged', time, type, correlation_id, actor_id, leaf FROM event WHERE seq = 20`, "is not in the tree", false},
		{"flip a decision", `UPDATE decision SET decision = 'rejected' WHERE decision = 'conditional'`, "is not what event", false},
		{"drop a condition", `UPDATE decision SET conditions = ''`, "is not what event", false},
		{"flip a request", `UPDATE cab_request SET status = 'approved' WHERE status = 'under_review'`, "is not what event", false},
		{"prolong an exception", `UPDATE cab_exception SET expires_at = expires_at + 1`, "is not what event", false},
		{"delete a vote", `DELETE FROM vote`, "is gone: event", false},
		{"change a document", `UPDATE evidence_package SET document = CAST('{}' AS BLOB)`, "no longer has its hash", false},
		{"lower a score", `UPDATE evidence_package SET risk_score = 0`, "is not what event", false},
		{"make an admin", `UPDATE principal SET role = 'admin' WHERE username = 'erin'`, "is not what event", false},
		{"forge a token", `UPDATE token SET secret_sha256 = 'mine'`, "is not what event", false},
		{"forge a user", `INSERT INTO principal VALUES ('x', 'x', 'cab_member', 1, 0, 1)`, "was never written by an event", false},
		{"loosen a policy", `UPDATE policy SET document = CAST('{}' AS BLOB)`, "no longer has its published digest", false},
		{"change a tile", `UPDATE ledger_tile SET data = CAST('' AS BLOB)`, "is not in the tree", false},
		{"bring an older policy back", `UPDATE policy SET position = position + 10 WHERE version = '1.0'`, "made it number 1", false},
		{"make an older package the newest", `UPDATE evidence_package SET position = position + 1`, "made it number 1", false},
		{"move a model", `UPDATE risk_model SET position = 7`, "made it number 1", false},
		{"forge an event before the first", `INSERT INTO event SELECT -1, 'forged', time, type, correlation_id, actor_id, leaf FROM event WHERE seq = 20`, "before the first place", false},
		{"take all checkpoints away", `DELETE FROM checkpoint`, "no signed checkpoint", false},
		{"spoil a gate", `UPDATE cab_request SET gate = '{'`, "cannot be read", false},
		{"spoil reviewers", `UPDATE cab_request SET reviewers = '7'`, "cannot be read", false},
		{"spoil conditions", `UPDATE decision SET conditions = 'x'`, "decision ", false},
		{"spoil controls", `UPDATE cab_exception SET compensating_controls = '{}'`, "cannot be read", false},
		{"drop a checkpoint's signature", `UPDATE checkpoint SET note = 'eucora.test/ledger'`, "is not signed", false},
	} {
		t.Run(attack.name, func(t *testing.T) {
			eachWorld(t, func(w *world) {
				w.history()
				held := must[[]byte](t)(w.store.Checkpoint(w.ctx))
				db := storetest.Owner(t, w.url)
				storetest.DropTriggers(t, db, w.engine)
				if w.engine == "postgres" {
					if _, err := db.Exec(`ALTER TABLE event DROP CONSTRAINT event_no_place_before_the_first`); err != nil {
						t.Fatal(err)
					}
				}
				sql := attack.sql
				if w.engine == "postgres" {
					sql = strings.NewReplacer("CAST(replace(CAST(leaf AS TEXT), '192.0.2.1', '192.0.2.9') AS BLOB)", "convert_to(replace(convert_from(leaf, 'UTF8'), '192.0.2.1', '192.0.2.9'), 'UTF8')",
						"AS BLOB)", "AS BYTEA)").Replace(sql)
				}
				result, err := db.Exec(sql)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := result.RowsAffected(); err != nil || n == 0 {
					t.Fatalf("the attack changed nothing: %v", err)
				}
				var found []string
				for _, f := range w.audit(held) {
					found = append(found, f.What)
				}
				if !strings.Contains(strings.Join(found, "\n"), attack.want) {
					t.Errorf("want %q, found %q", attack.want, found)
				}
			})
		})
	}
}

// TestTamperedEvidenceStopsEverything: altered bytes are noticed at submission,
// at decision and at the gate, refused, and written down.
func TestTamperedEvidenceStopsEverything(t *testing.T) {
	eachWorld(t, func(w *world) {
		auto, waiting := w.submitted("low"), w.submitted("mid")
		d, filed := w.deployment("low")
		db := storetest.Owner(t, w.url)
		storetest.DropTriggers(t, db, w.engine)
		blob := map[string]string{"sqlite": "BLOB", "postgres": "BYTEA"}[w.engine]
		for _, id := range []string{auto.PackageID, waiting.PackageID, filed.ID} {
			if _, err := db.Exec(fmt.Sprintf(`UPDATE evidence_package SET document = CAST('{"schema":"eucora.evidence/1"}' AS %s) WHERE id = $1`, blob), id); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.Submit(w.ctx, w.erin, Submission{PackageID: filed.ID, Urgency: cab.Standard})
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.Approve(w.ctx, w.carol, waiting.ID, "yes", nil)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.ApprovalStatus(w.ctx, w.pat, auto.DeploymentID)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.ReportDeployment(w.ctx, w.pat, auto.DeploymentID, cab.Reported{Kind: cab.DeploymentStarted})
		w.wantCode(err, "EVIDENCE_TAMPERED")
		_, err = w.Evidence(w.ctx, w.ada, filed.ID)
		w.wantCode(err, "EVIDENCE_TAMPERED")
		if v := must[Verification](t)(w.VerifyEvidence(w.ctx, w.ada, filed.ID)); v.Valid {
			t.Error("altered evidence verifies")
		}
		if row := must[RequestRow](t)(w.Request(w.ctx, w.ada, waiting.ID)); row.Status != cab.Submitted {
			t.Errorf("the request became %s", row.Status)
		}
		for _, trail := range []string{d.ID, waiting.ID, auto.ID} {
			if !strings.Contains(w.types(trail), "EVIDENCE_TAMPERED") {
				t.Errorf("no event in %s: %s", trail, w.types(trail))
			}
		}
	})
}
