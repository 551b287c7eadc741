-- +goose Up
-- Times are UTC microseconds, 0 for none; scores are hundredths of a point.

-- Accounts. Never deleted.
CREATE TABLE principal (
    id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER principal_no_delete BEFORE DELETE ON principal
BEGIN SELECT RAISE(ABORT, 'principal is never deleted'); END;
-- +goose StatementEnd

-- Bearer tokens: only the SHA-256 of the secret is here.
CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    principal_id TEXT NOT NULL REFERENCES principal (id),
    label TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX token_principal ON token (principal_id, created_at);
-- +goose StatementBegin
CREATE TRIGGER token_no_delete BEFORE DELETE ON token
BEGIN SELECT RAISE(ABORT, 'token is never deleted'); END;
-- +goose StatementEnd

-- Published risk models: immutable.
CREATE TABLE risk_model (
    version TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    published_by_id TEXT NOT NULL,
    published_by_name TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    position INTEGER NOT NULL UNIQUE,
    document BLOB NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER risk_model_no_update BEFORE UPDATE ON risk_model
BEGIN SELECT RAISE(ABORT, 'risk_model is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER risk_model_no_delete BEFORE DELETE ON risk_model
BEGIN SELECT RAISE(ABORT, 'risk_model is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER risk_model_no_replace BEFORE INSERT ON risk_model
WHEN EXISTS (SELECT 1 FROM risk_model WHERE version = NEW.version OR position = NEW.position OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'risk_model is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Published policies: immutable. The highest position is in force.
CREATE TABLE policy (
    version TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    published_by_id TEXT NOT NULL,
    published_by_name TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    position INTEGER NOT NULL UNIQUE,
    document BLOB NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER policy_no_update BEFORE UPDATE ON policy
BEGIN SELECT RAISE(ABORT, 'policy is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_no_delete BEFORE DELETE ON policy
BEGIN SELECT RAISE(ABORT, 'policy is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_no_replace BEFORE INSERT ON policy
WHEN EXISTS (SELECT 1 FROM policy WHERE version = NEW.version OR position = NEW.position OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'policy is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- From here on there are no foreign keys: every row's parent was read in the
-- transaction that writes the row, no row is ever deleted, and audit verify
-- holds every row against the events. They would cost a fifth of the writes.

-- Deployment intents.
CREATE TABLE deployment (
    id TEXT NOT NULL PRIMARY KEY,
    correlation_id TEXT NOT NULL UNIQUE,
    app_name TEXT NOT NULL,
    version TEXT NOT NULL,
    target_ring TEXT NOT NULL,
    state TEXT NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX deployment_newest ON deployment (created_at, id);
CREATE INDEX deployment_owner ON deployment (created_by_id, created_at, id);
-- +goose StatementBegin
CREATE TRIGGER deployment_no_delete BEFORE DELETE ON deployment
BEGIN SELECT RAISE(ABORT, 'deployment is never deleted'); END;
-- +goose StatementEnd

-- Evidence packages: immutable. The document's bytes are the truth; the highest position of a deployment is its latest.
CREATE TABLE evidence_package (
    id TEXT NOT NULL PRIMARY KEY,
    deployment_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    risk_score INTEGER NOT NULL,
    risk_model_version TEXT NOT NULL,
    is_complete INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    document BLOB NOT NULL,
    UNIQUE (deployment_id, position)
) STRICT;
CREATE INDEX evidence_newest ON evidence_package (created_at, id);
CREATE INDEX evidence_owner ON evidence_package (created_by_id, created_at, id);
-- +goose StatementBegin
CREATE TRIGGER evidence_package_no_update BEFORE UPDATE ON evidence_package
BEGIN SELECT RAISE(ABORT, 'evidence_package is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_package_no_delete BEFORE DELETE ON evidence_package
BEGIN SELECT RAISE(ABORT, 'evidence_package is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_package_no_replace BEFORE INSERT ON evidence_package
WHEN EXISTS (SELECT 1 FROM evidence_package WHERE id = NEW.id OR (deployment_id = NEW.deployment_id AND position = NEW.position) OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'evidence_package is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Requests: a package is submitted at most once.
CREATE TABLE cab_request (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    correlation_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    package_id TEXT NOT NULL UNIQUE,
    package_owner TEXT NOT NULL,
    intent_owner TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    risk_score INTEGER NOT NULL,
    risk_model_version TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    gate TEXT NOT NULL,
    quorum INTEGER NOT NULL,
    approval_days INTEGER NOT NULL,
    status TEXT NOT NULL,
    urgency TEXT NOT NULL,
    notes TEXT NOT NULL,
    submitted_by_id TEXT NOT NULL,
    submitted_by_name TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    reviewers TEXT NOT NULL,
    exception_id TEXT NOT NULL,
    valid_until INTEGER NOT NULL,
    end_reason TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX request_status ON cab_request (status, submitted_at, id, risk_score);
CREATE INDEX request_submitter ON cab_request (submitted_by_id, submitted_at, id);
CREATE INDEX request_deployment ON cab_request (deployment_id, submitted_at, id);
-- +goose StatementBegin
CREATE TRIGGER cab_request_no_delete BEFORE DELETE ON cab_request
BEGIN SELECT RAISE(ABORT, 'cab_request is never deleted'); END;
-- +goose StatementEnd

-- Votes: immutable, one per member and request.
CREATE TABLE vote (
    request_id TEXT NOT NULL,
    voter_id TEXT NOT NULL,
    voter_name TEXT NOT NULL,
    approve INTEGER NOT NULL,
    rationale TEXT NOT NULL,
    conditions TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (request_id, voter_id)
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER vote_no_update BEFORE UPDATE ON vote
BEGIN SELECT RAISE(ABORT, 'vote is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER vote_no_delete BEFORE DELETE ON vote
BEGIN SELECT RAISE(ABORT, 'vote is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER vote_no_replace BEFORE INSERT ON vote
WHEN EXISTS (SELECT 1 FROM vote WHERE (request_id = NEW.request_id AND voter_id = NEW.voter_id) OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'vote is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Decisions: immutable, one per request.
CREATE TABLE decision (
    request_id TEXT NOT NULL PRIMARY KEY,
    decision TEXT NOT NULL,
    rationale TEXT NOT NULL,
    decider_id TEXT NOT NULL,
    decider_name TEXT NOT NULL,
    decider_role TEXT NOT NULL,
    risk_score INTEGER NOT NULL,
    risk_model_version TEXT NOT NULL,
    policy_version TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    conditions TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    valid_until INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER decision_no_update BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'decision is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'decision is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_no_replace BEFORE INSERT ON decision
WHEN EXISTS (SELECT 1 FROM decision WHERE request_id = NEW.request_id OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'decision is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Exceptions.
CREATE TABLE cab_exception (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    correlation_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    submitter_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    risk_justification TEXT NOT NULL,
    compensating_controls TEXT NOT NULL,
    requested_by_id TEXT NOT NULL,
    requested_by_name TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    decided_by_id TEXT NOT NULL,
    decided_by_name TEXT NOT NULL,
    rationale TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    end_reason TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX exception_newest ON cab_exception (requested_at, id);
CREATE INDEX exception_status ON cab_exception (status, expires_at);
CREATE INDEX exception_requester ON cab_exception (requested_by_id, requested_at, id);
CREATE INDEX exception_request ON cab_exception (request_id, requested_at);
CREATE INDEX exception_deployment ON cab_exception (deployment_id, requested_at, id);
-- +goose StatementBegin
CREATE TRIGGER cab_exception_no_delete BEFORE DELETE ON cab_exception
BEGIN SELECT RAISE(ABORT, 'cab_exception is never deleted'); END;
-- +goose StatementEnd

-- The ledger's events: immutable. leaf is the RFC 8785 form that is hashed; the columns are copies to search by.
CREATE TABLE event (
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    leaf BLOB NOT NULL
) STRICT;
CREATE INDEX event_correlation ON event (correlation_id, seq);
CREATE INDEX event_type ON event (type, seq);
CREATE INDEX event_actor ON event (actor_id, seq);
CREATE INDEX event_time ON event (time, seq);
-- +goose StatementBegin
CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'event is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'event is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_no_replace BEFORE INSERT ON event
WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'event is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- The Merkle tree over the leaves: one row a tile, which grows until it has 256 hashes.
CREATE TABLE ledger_tile (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT;

-- One row: how many leaves the tree has.
CREATE TABLE ledger_state (
    id INTEGER NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL
) STRICT;

-- Signed checkpoints: immutable.
CREATE TABLE checkpoint (
    size INTEGER NOT NULL PRIMARY KEY,
    note TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_no_replace BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'checkpoint is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Facts about this database: the ledger's public key.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER meta_no_update BEFORE UPDATE ON meta
BEGIN SELECT RAISE(ABORT, 'meta is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER meta_no_delete BEFORE DELETE ON meta
BEGIN SELECT RAISE(ABORT, 'meta is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER meta_no_replace BEFORE INSERT ON meta
WHEN EXISTS (SELECT 1 FROM meta WHERE name = NEW.name OR rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'meta is immutable: REPLACE is refused'); END;
-- +goose StatementEnd

-- Answers given under an Idempotency-Key, kept for a day.
CREATE TABLE replay (
    principal_id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal_id, key)
) STRICT;
CREATE INDEX replay_age ON replay (created_at);

INSERT INTO ledger_state (id, size) VALUES (1, 0);
