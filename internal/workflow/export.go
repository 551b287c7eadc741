package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// exportRun is how many events are in memory at a time: leaves are some hundred
// bytes, and at most a quarter of a megabyte.
const exportRun = 500

// Export is a walk through the events of a filter, oldest first.
type Export struct {
	s      *Service
	call   Call
	filter EventFilter
	last   int64 // the place where the ledger ended when the walk began
	run    []EventRow
}

// ExportEvents begins a walk through the events that the actor may see, as far
// as the ledger goes now. The first ones are read at once: whoever may not, is
// told before anything is sent.
func (s *Service) ExportEvents(ctx context.Context, call Call, filter EventFilter) (*Export, error) {
	filter.Limit = exportRun
	e := &Export{s: s, call: call, filter: filter}
	var err error
	e.run, err = see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) ([]EventRow, error) {
		if cab.AccessOf(call.Actor.Role, cab.ReadEvents) != cab.All {
			e.filter.VisibleTo = call.Actor.ID
		}
		if e.last, err = r.LastEvent(); err != nil {
			return nil, err
		}
		return r.EventRun(e.filter, -1, e.last)
	})
	return e, err
}

// Each hands over every event. Each run is read in a transaction of its own, so
// that a slow reader holds nothing up; that the caller still has access is
// settled again in each.
func (e *Export) Each(ctx context.Context, yield func(EventRow) error) error {
	for {
		for _, row := range e.run {
			if err := yield(row); err != nil {
				return err
			}
		}
		if len(e.run) < exportRun {
			return nil
		}
		after := e.run[len(e.run)-1].Seq
		var err error
		e.run, err = see(ctx, e.s, e.call, cab.ReadEvents, func(r *store.Reader) ([]EventRow, error) {
			return r.EventRun(e.filter, after, e.last)
		})
		if err != nil {
			return err
		}
	}
}
