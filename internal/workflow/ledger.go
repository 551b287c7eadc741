package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
)

// Events lists ledger events, newest first (or oldest first from a position,
// for whoever copies the ledger). The filter's id may be any id of a trail:
// deployment, package, request or exception, by UUID or CAB-/EXC- name.
func (s *Service) Events(ctx context.Context, call Call, filter EventFilter) (Page[EventRow], error) {
	return see(ctx, s, call, cab.ReadEvents, func(r *store.Reader) (Page[EventRow], error) {
		if cab.AccessOf(call.Actor.Role, cab.ReadEvents) != cab.All {
			filter.VisibleTo = call.Actor.ID
		}
		return r.Events(filter)
	})
}

// Checkpoint is the newest signed checkpoint; it covers every event that was
// committed before the call. It names no event, so whoever may read any may
// have it.
func (s *Service) Checkpoint(ctx context.Context, call Call) ([]byte, error) {
	if err := permit(call.Actor, cab.ReadEvents); err != nil {
		return nil, err
	}
	return s.store.Checkpoint(ctx)
}
