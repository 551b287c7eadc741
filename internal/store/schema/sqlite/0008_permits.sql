-- +goose Up
-- How far a deployment has come in each ring, and the checks that were reported of
-- it: JSON, '' for none.
ALTER TABLE deployment ADD COLUMN rings TEXT NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN checks TEXT NOT NULL DEFAULT '';

-- Permits to begin a rollout. Never deleted; what they are for never changes.
CREATE TABLE start_permit (
    id TEXT NOT NULL PRIMARY KEY,
    correlation_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    package_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    artifact_sha256 TEXT NOT NULL,
    ring TEXT NOT NULL,
    devices INTEGER NOT NULL,
    note_read INTEGER NOT NULL,
    ahead_of_cab INTEGER NOT NULL,
    decision_sha256 TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    policy_sha256 TEXT NOT NULL,
    issued_to_id TEXT NOT NULL,
    issued_to_name TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    end_reason TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER start_permit_no_delete BEFORE DELETE ON start_permit
BEGIN SELECT RAISE(ABORT, 'start_permit is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER start_permit_ended BEFORE UPDATE ON start_permit WHEN OLD.state <> 'issued'
BEGIN SELECT RAISE(ABORT, 'start_permit has ended: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER start_permit_no_replace BEFORE INSERT ON start_permit
WHEN EXISTS (SELECT 1 FROM start_permit WHERE id = NEW.id OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'start_permit is never replaced'); END;
-- +goose StatementEnd
