package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
)

// counted counts what a Reader asks for.
type counted struct {
	conn
	runs, statements int
}

func (c *counted) run(statements ...statement) error {
	c.runs++
	c.statements += len(statements)
	return c.conn.run(statements...)
}

func notThereYet(err error) error {
	if cab.KindOf(err) == cab.NotFound {
		return nil
	}
	return err
}

// TestStatementsAreConstant: lesson 25. What a call asks of the database does
// not grow with the rows.
func TestStatementsAreConstant(t *testing.T) {
	ctx := context.Background()
	secret, err := ledger.GenerateKey("eucora.test/ledger", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "s.db"), Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	calls := map[string]func(r *Reader) error{
		"queue": func(r *Reader) error {
			_, err := r.Requests(RequestFilter{Statuses: []cab.Status{cab.Submitted, cab.UnderReview}})
			return err
		},
		"requests":                            func(r *Reader) error { _, err := r.Requests(RequestFilter{}); return err },
		"board":                               func(r *Reader) error { _, err := r.Board(BoardFilter{Text: "x"}); return err },
		"exceptions with what they are about": func(r *Reader) error { _, err := r.ExceptionBoard(ExceptionFilter{Now: time.Now()}); return err },
		"deployments":                         func(r *Reader) error { _, err := r.Deployments(DeploymentFilter{}); return err },
		"exceptions":                          func(r *Reader) error { _, err := r.Exceptions(ExceptionFilter{Now: time.Now()}); return err },
		"packages":                            func(r *Reader) error { _, err := r.Packages(PackageFilter{}); return err },
		"event":                               func(r *Reader) error { _, _, err := r.Event(0); return notThereYet(err) },
		"leaves":                              func(r *Reader) error { _, err := r.Leaves(0, 256); return err },
		"checkpoint":                          func(r *Reader) error { _, err := r.NewestCheckpoint(); return err },
		"tiles":                               func(r *Reader) error { _, err := r.Tiles(ledger.EdgeTiles(70_000)); return err },
		"events":                              func(r *Reader) error { _, err := r.Events(EventFilter{Trail: "x"}); return err },
		"versions":                            func(r *Reader) error { _, err := r.Versions(VersionFilter{App: "x"}); return err },
		"request of a package":                func(r *Reader) error { _, err := r.RequestOf("x"); return notThereYet(err) },
		"accounts":                            func(r *Reader) error { _, err := r.Accounts(AccountFilter{Text: "x"}); return err },
		"tokens":                              func(r *Reader) error { _, err := r.TokenPage("x", Paging{}); return err },
		"courses":                             func(r *Reader) error { _, _, err := r.Courses(time.Now(), 10); return err },
		"pending":                             func(r *Reader) error { _, _, err := r.Pending(time.Now(), nil, nil); return err },
		"voters":                              func(r *Reader) error { _, err := r.Voters(time.Now()); return err },
		"events of somebody":                  func(r *Reader) error { _, err := r.Events(EventFilter{ActorName: "x"}); return err },
	}
	if _, err := s.Checkpoint(ctx); err != nil { // of nothing
		t.Fatal(err)
	}
	count := func() map[string]string {
		out := map[string]string{}
		for name, call := range calls {
			c := &counted{}
			err := s.View(ctx, func(r *Reader) error {
				c.conn = r.c
				return call(&Reader{c})
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.statements > 3 {
				t.Errorf("%s: %d statements", name, c.statements)
			}
			out[name] = fmt.Sprintf("%d runs, %d statements", c.runs, c.statements)
		}
		return out
	}
	before := count()
	err = s.Update(ctx, func(tx *Tx) error {
		for i := range 300 {
			id := fmt.Sprint(i)
			d := &cab.Deployment{ID: id, CorrelationID: id, State: cab.Planned, Revision: 1}
			p := &cab.Package{ID: id, DeploymentID: id, CorrelationID: id, Document: []byte("{}")}
			q := &cab.Request{ID: id, Name: "CAB-" + id, DeploymentID: id, PackageID: id, Status: cab.Submitted, Revision: 1}
			e := &cab.Exception{ID: id, Name: "EXC-" + id, DeploymentID: id, RequestID: id, Status: cab.ExceptionPending, Revision: 1}
			change := cab.Change{Deployment: d, Package: p, Request: q, Exceptions: []*cab.Exception{e}, Events: []cab.Event{{Type: cab.CABSubmitted, CorrelationID: "x"}}}
			if err := tx.Save(change); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := count(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("with no rows %v, with 300 %v", before, after)
	}
}
