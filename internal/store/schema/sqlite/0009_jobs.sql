-- +goose Up
-- What is to be done once, later, by whichever replica comes first. A job that is
-- done is gone; one that is claimed is due again when its lease is over; one that
-- failed too often is kept, with dead_at. Nothing that the ledger says depends on it.
CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY,
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    due INTEGER NOT NULL,
    lease_owner TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    dead_at INTEGER NOT NULL,
    error TEXT NOT NULL
) STRICT;
CREATE INDEX job_due ON job (queue, dead_at, due);
CREATE INDEX job_newest ON job (created_at, id);

-- How far the clock has written down what is true of a row: the event is there.
ALTER TABLE cab_request ADD COLUMN clock_ended INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cab_request ADD COLUMN clock_escalated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cab_exception ADD COLUMN clock_warned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX request_ends ON cab_request (valid_until) WHERE clock_ended = 0 AND valid_until > 0;
