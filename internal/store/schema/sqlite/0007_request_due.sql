-- +goose Up
-- What waits, by when a decision is due. The condition is, word for word, that of the
-- statement.
CREATE INDEX request_due ON cab_request (status, due_at, id) WHERE status IN ('submitted', 'under_review', 'exception_required');
