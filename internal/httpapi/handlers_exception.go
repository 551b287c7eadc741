package httpapi

import (
	"fmt"

	"github.com/eucora/eucora/api"
	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/workflow"
)

func (s *Server) askException(q *request) (any, error) {
	in, err := decode[api.RequestException](q)
	if err != nil {
		return nil, err
	}
	ask := workflow.ExceptionAsk{
		DeploymentID: lower(in.DeploymentID), Reason: in.Reason, Justification: in.Justification, Controls: in.Controls,
	}
	if in.ExpiryDays != nil {
		ask.Days = *in.ExpiryDays
	}
	return change(q, s.wireException, func(call workflow.Call) (cab.Exception, error) {
		return s.Service.RequestException(q.Context(), call, ask)
	})
}

func (s *Server) listExceptions(q *request) (any, error) {
	f := workflow.ExceptionFilter{
		Status: oneOf(q, "status", cab.ExceptionStatuses()), Active: q.boolean("active"), DeploymentID: q.uuid("deployment_intent_id"),
	}
	f.Limit, f.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.Exceptions(q.Context(), q.call, f)
	return wireList(page, s.wireException), err
}

func (s *Server) exceptionQueue(q *request) (any, error) {
	var f workflow.ExceptionFilter
	f.Limit, f.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.ExceptionQueue(q.Context(), q.call, f)
	return wireList(page, s.wireException), err
}

func (s *Server) myExceptions(q *request) (any, error) {
	var f workflow.ExceptionFilter
	f.Limit, f.Cursor = q.paging(maxPage)
	if err := q.faulty(); err != nil {
		return nil, err
	}
	page, err := s.Service.MyExceptions(q.Context(), q.call, f)
	return wireList(page, s.wireException), err
}

func (s *Server) getException(q *request) (any, error) {
	id, err := q.id("EXC-")
	if err != nil {
		return nil, err
	}
	e, err := s.Service.Exception(q.Context(), q.call, id)
	return show(s.wireException, e, err)
}

// onException runs an act on the exception of the path.
func (s *Server) onException(q *request, act func(call workflow.Call, id string) (cab.Exception, error)) (any, error) {
	id, err := q.id("EXC-")
	if err != nil {
		return nil, err
	}
	return change(q, s.wireException, func(call workflow.Call) (cab.Exception, error) { return act(call, id) })
}

func (s *Server) approveException(q *request) (any, error) {
	in, err := decode[api.Rationale](q)
	if err != nil {
		return nil, err
	}
	return s.onException(q, func(call workflow.Call, id string) (cab.Exception, error) {
		return s.Service.ApproveException(q.Context(), call, id, in.Rationale)
	})
}

func (s *Server) rejectException(q *request) (any, error) {
	in, err := decode[api.Rationale](q)
	if err != nil {
		return nil, err
	}
	return s.onException(q, func(call workflow.Call, id string) (cab.Exception, error) {
		return s.Service.RejectException(q.Context(), call, id, in.Rationale)
	})
}

func (s *Server) revokeException(q *request) (any, error) {
	in, err := decode[api.Reason](q)
	if err != nil {
		return nil, err
	}
	return s.onException(q, func(call workflow.Call, id string) (cab.Exception, error) {
		return s.Service.RevokeException(q.Context(), call, id, in.Reason)
	})
}

func (s *Server) cleanup(q *request) (any, error) {
	if err := q.empty(); err != nil {
		return nil, err
	}
	wire := func(n int) api.Cleanup {
		return api.Cleanup{Count: n, Message: fmt.Sprintf("%d expired exceptions were written down", n)}
	}
	return change(q, wire, func(call workflow.Call) (int, error) { return s.Service.ExpireExceptions(q.Context(), call) })
}
