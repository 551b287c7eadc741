package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/ledger"
	"github.com/eucora/eucora/internal/report"
	"github.com/go-json-experiment/json"
)

// ChangeReport makes the control report of a period: from the ledger's first
// event on, exactly those that its newest checkpoint covers. Their hashes must
// make the root that the checkpoint states; otherwise there is no report.
func (s *Service) ChangeReport(ctx context.Context, call Call, since, until time.Time) (*report.Report, error) {
	if err := permit(call.Actor, cab.ReadReports); err != nil {
		return nil, err
	}
	done, err := turn(ctx, s.reports, 1)
	if err != nil {
		return nil, err
	}
	defer done()
	note, err := s.store.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	verifier, err := ledger.NewVerifier(s.store.LedgerKey())
	if err != nil {
		return nil, err
	}
	signed, err := verifier.Open(note)
	if err != nil {
		return nil, errLedger(err)
	}
	events, err := s.ExportEvents(ctx, call, EventFilter{})
	if err != nil {
		return nil, err
	}
	builder := report.New(since, until)
	if err := events.foldInto(ctx, builder, signed); err != nil {
		return nil, err
	}
	return builder.Report(report.Made{At: s.now(), Ledger: report.Ledger{
		Origin: signed.Origin, Size: signed.Size, Root: signed.Root.String(), Key: s.store.LedgerKey(), Note: string(note),
	}}), nil
}

var errCovered = errors.New("all that the checkpoint covers has been read")

// foldInto folds what a checkpoint covers.
func (e *Export) foldInto(ctx context.Context, builder *report.Builder, signed ledger.Checkpoint) error {
	var tree ledger.Tree
	err := e.Each(ctx, func(row EventRow) error {
		if tree.Size() == signed.Size {
			return errCovered
		}
		tree.Add(ledger.LeafHash(row.Leaf))
		var event cab.Event
		if err := json.Unmarshal(row.Leaf, &event, json.RejectUnknownMembers(true)); err != nil {
			return errLedger(fmt.Errorf("event %d cannot be read: %w", row.Seq, err))
		}
		if err := builder.Add(event); err != nil {
			return errLedger(err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCovered) {
		return err
	}
	if tree.Size() != signed.Size || tree.Root() != signed.Root {
		return errLedger(fmt.Errorf("the %d events there do not make the root that is signed for %d", tree.Size(), signed.Size))
	}
	return nil
}

// errLedger: an auditor has to know why there is no report.
func errLedger(err error) error {
	return &cab.Error{
		Kind: cab.Conflict, Code: "LEDGER_DOES_NOT_HOLD", Err: err,
		Message: "no report can be made of a ledger that does not hold: " + err.Error() + "; check it with eucora audit verify --whole-database",
	}
}
