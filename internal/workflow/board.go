package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/evidence"
	"github.com/eucora/eucora/internal/store"
)

// The store's boards, by the names that verbs use.
type (
	BoardFilter  = store.BoardFilter
	BoardRow     = store.BoardRow
	BoardOrder   = store.BoardOrder
	ExceptionRow = store.ExceptionRow
)

// The orders of a board.
const (
	NewestFirst = store.NewestFirst
	DueFirst    = store.DueFirst
	RiskFirst   = store.RiskFirst
)

// Band is a part of the scores, as the policy in force divides them.
type Band string

// The bands.
const (
	LowRisk    Band = "low"
	MediumRisk Band = "medium"
	HighRisk   Band = "high"
)

// Board is a page of requests with what they are about.
type Board struct {
	Page[BoardRow]
	Thresholds cab.PolicyThresholds // of the policy in force
}

// Board lists the requests that the actor may see, with what they are about. band
// "" is all scores.
func (s *Service) Board(ctx context.Context, call Call, filter BoardFilter, band Band) (Board, error) {
	return see(ctx, s, call, cab.ReadRequest, func(r *store.Reader) (Board, error) {
		published, err := r.ActivePolicy()
		if err != nil {
			return Board{}, err
		}
		rules, err := s.policy(published)
		if err != nil {
			return Board{}, err
		}
		filter.RiskMin, filter.RiskMax = band.scores(rules.Thresholds)
		filter.SubmittedBy, filter.ApprovedOnly = reach(call.Actor, cab.ReadRequest, filter.SubmittedBy)
		page, err := r.Board(filter)
		return Board{page, rules.Thresholds}, err
	})
}

// scores are the lowest and the highest of a band.
func (b Band) scores(t cab.PolicyThresholds) (least, most *evidence.Score) {
	auto, review := evidence.Score(t.Auto*100), evidence.Score(t.Review*100)
	switch b {
	case LowRisk:
		return nil, &auto
	case MediumRisk:
		auto++
		return &auto, &review
	case HighRisk:
		review++
		return &review, nil
	}
	return nil, nil
}

// ExceptionBoard lists the exceptions that the actor may see, with what they are
// about. Of requests that the actor may not see there is neither score nor gate.
func (s *Service) ExceptionBoard(ctx context.Context, call Call, filter ExceptionFilter) (Page[ExceptionRow], error) {
	return see(ctx, s, call, cab.ReadException, func(r *store.Reader) (Page[ExceptionRow], error) {
		var approvedOnly bool
		filter.Now = s.now()
		if filter.RequestedBy, approvedOnly = reach(call.Actor, cab.ReadException, filter.RequestedBy); approvedOnly {
			active := true
			filter.Active = &active // what is not in force is not theirs to see
		}
		page, err := r.ExceptionBoard(filter)
		for i := range page.Rows {
			row := &page.Rows[i]
			held := cab.Holding{Owners: []string{row.Requester.ID, row.SubmitterID}, Approved: row.RequestStatus.Approved()}
			if cab.PermitOn(call.Actor, cab.ReadEvidence, held) != nil {
				row.Score, row.Gate = evidence.Score(0), cab.Gate{} // no gate, no score
			}
		}
		return page, err
	})
}
