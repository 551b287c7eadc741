-- +goose Up
-- How far a deployment has come in each ring, and the checks that were reported of
-- it: JSON, '' for none.
ALTER TABLE deployment ADD COLUMN rings TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN checks TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Permits to begin a rollout. Never deleted; what they are for never changes.
CREATE TABLE start_permit (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    correlation_id TEXT COLLATE "C" NOT NULL,
    deployment_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    package_id TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    artifact_sha256 TEXT COLLATE "C" NOT NULL,
    ring TEXT COLLATE "C" NOT NULL,
    devices BIGINT NOT NULL,
    note_read BOOLEAN NOT NULL,
    ahead_of_cab BOOLEAN NOT NULL,
    decision_sha256 TEXT COLLATE "C" NOT NULL,
    policy_version TEXT COLLATE "C" NOT NULL,
    policy_sha256 TEXT COLLATE "C" NOT NULL,
    issued_to_id TEXT COLLATE "C" NOT NULL,
    issued_to_name TEXT COLLATE "C" NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    ended_at BIGINT NOT NULL,
    end_reason TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE TRIGGER start_permit_no_change BEFORE DELETE ON start_permit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER start_permit_no_truncate BEFORE TRUNCATE ON start_permit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER start_permit_ended BEFORE UPDATE ON start_permit FOR EACH ROW WHEN (OLD.state <> 'issued') EXECUTE FUNCTION refuse_change();
