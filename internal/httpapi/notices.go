package httpapi

import (
	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/workflow"
)

func (s *Server) listNotices(q *request) (any, error) {
	var paging workflow.Paging
	dead := q.boolean("dead")
	paging.Limit, paging.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.Notices(q.Context(), q.call, dead != nil && *dead, paging)
	return wireList(page, wireNotice), err
}

func (s *Server) resendNotice(q *request) (any, error) {
	if err := q.empty(); err != nil {
		return nil, err
	}
	id, err := q.id("")
	if err != nil {
		return nil, err
	}
	return change(q, wireNotice, func(call workflow.Call) (workflow.NoticeRow, error) {
		return s.Service.ResendNotice(q.Context(), call, id)
	})
}

func wireNotice(n workflow.NoticeRow) api.Notice {
	return api.Notice{
		ID: n.ID, Channel: n.Queue, To: n.To, Type: n.Notice.Type, Name: n.Notice.Name, CreatedAt: n.CreatedAt, NextAt: n.Due,
		Attempts: n.Attempts, IsDead: !n.DeadAt.IsZero(), DeadAt: when(n.DeadAt), Error: n.Error,
	}
}
