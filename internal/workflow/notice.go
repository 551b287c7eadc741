package workflow

import (
	"context"

	"github.com/eucora/eucora/internal/cab"
	"github.com/eucora/eucora/internal/store"
	"github.com/go-json-experiment/json"
)

// NoticeRow is a notice in the outbox: what is told, to whom, and how far that is.
type NoticeRow struct {
	cab.Posted // zero where it cannot be read, which Error says
	store.Job
}

// Notices lists what is in the outbox, newest first; only those that are not tried
// any more if dead. What has arrived is not there.
func (s *Service) Notices(ctx context.Context, call Call, dead bool, paging store.Paging) (Page[NoticeRow], error) {
	return see(ctx, s, call, cab.Administer, func(r *store.Reader) (Page[NoticeRow], error) {
		jobs, err := r.Jobs(store.JobFilter{Dead: dead, Not: ClockQueue, Paging: paging})
		page := Page[NoticeRow]{Count: jobs.Count, Capped: jobs.Capped, Next: jobs.Next}
		for _, j := range jobs.Rows {
			page.Rows = append(page.Rows, noticeRow(j))
		}
		return page, err
	})
}

// ResendNotice has a notice that was given up tried again, at once and as often as
// a new one. It is the same message, by its id.
func (s *Service) ResendNotice(ctx context.Context, call Call, id string) (NoticeRow, error) {
	return do(ctx, s, call, cab.Administer, func(tx *store.Tx, c cab.Call) (NoticeRow, error) {
		j, err := tx.ReviveJob(id, c.Now)
		return noticeRow(j), err
	})
}

func noticeRow(j store.Job) NoticeRow {
	row := NoticeRow{Job: j}
	if err := json.Unmarshal(j.Body, &row.Posted); err != nil {
		row.Posted = cab.Posted{}
	}
	return row
}
