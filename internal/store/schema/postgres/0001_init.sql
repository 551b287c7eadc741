-- +goose Up
-- Times are UTC microseconds, 0 for none; scores are hundredths of a point.

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is immutable: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd

-- Accounts. Never deleted.
CREATE TABLE principal (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    role TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE TRIGGER principal_no_change BEFORE DELETE ON principal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER principal_no_truncate BEFORE TRUNCATE ON principal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Bearer tokens: only the SHA-256 of the secret is here.
CREATE TABLE token (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    principal_id TEXT COLLATE "C" NOT NULL REFERENCES principal (id),
    label TEXT COLLATE "C" NOT NULL,
    secret_sha256 TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX token_principal ON token (principal_id, created_at);
CREATE TRIGGER token_no_change BEFORE DELETE ON token FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER token_no_truncate BEFORE TRUNCATE ON token FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Published risk models: immutable.
CREATE TABLE risk_model (
    version TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL,
    published_by_id TEXT COLLATE "C" NOT NULL,
    published_by_name TEXT COLLATE "C" NOT NULL,
    published_at BIGINT NOT NULL,
    position BIGINT NOT NULL UNIQUE,
    document BYTEA NOT NULL
);
CREATE TRIGGER risk_model_no_change BEFORE UPDATE OR DELETE ON risk_model FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER risk_model_no_truncate BEFORE TRUNCATE ON risk_model FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Published policies: immutable. The highest position is in force.
CREATE TABLE policy (
    version TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL,
    published_by_id TEXT COLLATE "C" NOT NULL,
    published_by_name TEXT COLLATE "C" NOT NULL,
    published_at BIGINT NOT NULL,
    position BIGINT NOT NULL UNIQUE,
    document BYTEA NOT NULL
);
CREATE TRIGGER policy_no_change BEFORE UPDATE OR DELETE ON policy FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_no_truncate BEFORE TRUNCATE ON policy FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- From here on there are no foreign keys: every row's parent was read in the
-- transaction that writes the row, no row is ever deleted, and audit verify
-- holds every row against the events. They would cost a fifth of the writes.

-- Deployment intents.
CREATE TABLE deployment (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    correlation_id TEXT COLLATE "C" NOT NULL UNIQUE,
    app_name TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    target_ring TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_by_id TEXT COLLATE "C" NOT NULL,
    created_by_name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX deployment_newest ON deployment (created_at, id);
CREATE INDEX deployment_owner ON deployment (created_by_id, created_at, id);
CREATE TRIGGER deployment_no_change BEFORE DELETE ON deployment FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER deployment_no_truncate BEFORE TRUNCATE ON deployment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Evidence packages: immutable. The document's bytes are the truth; the highest position of a deployment is its latest.
CREATE TABLE evidence_package (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    deployment_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    created_by_id TEXT COLLATE "C" NOT NULL,
    created_by_name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    risk_score BIGINT NOT NULL,
    risk_model_version TEXT COLLATE "C" NOT NULL,
    is_complete BOOLEAN NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    document BYTEA NOT NULL,
    UNIQUE (deployment_id, position)
);
-- Documents are a few KiB: kept in the row, as they are, which writes twice as
-- fast as compressing them and putting them elsewhere.
ALTER TABLE evidence_package ALTER COLUMN document SET STORAGE EXTERNAL;
ALTER TABLE evidence_package SET (toast_tuple_target = 8160);
CREATE INDEX evidence_newest ON evidence_package (created_at, id);
CREATE INDEX evidence_owner ON evidence_package (created_by_id, created_at, id);
CREATE TRIGGER evidence_package_no_change BEFORE UPDATE OR DELETE ON evidence_package FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_package_no_truncate BEFORE TRUNCATE ON evidence_package FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Requests: a package is submitted at most once.
CREATE TABLE cab_request (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    correlation_id TEXT COLLATE "C" NOT NULL,
    deployment_id TEXT COLLATE "C" NOT NULL,
    package_id TEXT COLLATE "C" NOT NULL UNIQUE,
    package_owner TEXT COLLATE "C" NOT NULL,
    intent_owner TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    risk_score BIGINT NOT NULL,
    risk_model_version TEXT COLLATE "C" NOT NULL,
    policy_version TEXT COLLATE "C" NOT NULL,
    gate TEXT COLLATE "C" NOT NULL,
    quorum BIGINT NOT NULL,
    approval_days BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    urgency TEXT COLLATE "C" NOT NULL,
    notes TEXT COLLATE "C" NOT NULL,
    submitted_by_id TEXT COLLATE "C" NOT NULL,
    submitted_by_name TEXT COLLATE "C" NOT NULL,
    submitted_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    reviewers TEXT COLLATE "C" NOT NULL,
    exception_id TEXT COLLATE "C" NOT NULL,
    valid_until BIGINT NOT NULL,
    end_reason TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX request_status ON cab_request (status, submitted_at, id, risk_score);
CREATE INDEX request_submitter ON cab_request (submitted_by_id, submitted_at, id);
CREATE INDEX request_deployment ON cab_request (deployment_id, submitted_at, id);
CREATE TRIGGER cab_request_no_change BEFORE DELETE ON cab_request FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cab_request_no_truncate BEFORE TRUNCATE ON cab_request FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Votes: immutable, one per member and request.
CREATE TABLE vote (
    request_id TEXT COLLATE "C" NOT NULL,
    voter_id TEXT COLLATE "C" NOT NULL,
    voter_name TEXT COLLATE "C" NOT NULL,
    approve BOOLEAN NOT NULL,
    rationale TEXT COLLATE "C" NOT NULL,
    conditions TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (request_id, voter_id)
);
CREATE TRIGGER vote_no_change BEFORE UPDATE OR DELETE ON vote FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER vote_no_truncate BEFORE TRUNCATE ON vote FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Decisions: immutable, one per request.
CREATE TABLE decision (
    request_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    decision TEXT COLLATE "C" NOT NULL,
    rationale TEXT COLLATE "C" NOT NULL,
    decider_id TEXT COLLATE "C" NOT NULL,
    decider_name TEXT COLLATE "C" NOT NULL,
    decider_role TEXT COLLATE "C" NOT NULL,
    risk_score BIGINT NOT NULL,
    risk_model_version TEXT COLLATE "C" NOT NULL,
    policy_version TEXT COLLATE "C" NOT NULL,
    content_hash TEXT COLLATE "C" NOT NULL,
    conditions TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL
);
CREATE TRIGGER decision_no_change BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_no_truncate BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Exceptions.
CREATE TABLE cab_exception (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    correlation_id TEXT COLLATE "C" NOT NULL,
    deployment_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    submitter_id TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    risk_justification TEXT COLLATE "C" NOT NULL,
    compensating_controls TEXT COLLATE "C" NOT NULL,
    requested_by_id TEXT COLLATE "C" NOT NULL,
    requested_by_name TEXT COLLATE "C" NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    decided_by_id TEXT COLLATE "C" NOT NULL,
    decided_by_name TEXT COLLATE "C" NOT NULL,
    rationale TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    end_reason TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX exception_newest ON cab_exception (requested_at, id);
CREATE INDEX exception_status ON cab_exception (status, expires_at);
CREATE INDEX exception_requester ON cab_exception (requested_by_id, requested_at, id);
CREATE INDEX exception_request ON cab_exception (request_id, requested_at);
CREATE INDEX exception_deployment ON cab_exception (deployment_id, requested_at, id);
CREATE TRIGGER cab_exception_no_change BEFORE DELETE ON cab_exception FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cab_exception_no_truncate BEFORE TRUNCATE ON cab_exception FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The ledger's events: immutable. leaf is the RFC 8785 form that is hashed; the columns are copies to search by.
CREATE TABLE event (
    seq BIGINT NOT NULL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL,
    time BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    actor_id TEXT COLLATE "C" NOT NULL,
    leaf BYTEA NOT NULL
);
CREATE INDEX event_correlation ON event (correlation_id, seq);
CREATE INDEX event_type ON event (type, seq);
CREATE INDEX event_actor ON event (actor_id, seq);
CREATE INDEX event_time ON event (time, seq);
CREATE TRIGGER event_no_change BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The Merkle tree over the leaves: one row a tile, which grows until it has 256 hashes.
CREATE TABLE ledger_tile (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
);

-- One row: how many leaves the tree has.
CREATE TABLE ledger_state (
    id BIGINT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL
);

-- Signed checkpoints: immutable.
CREATE TABLE checkpoint (
    size BIGINT NOT NULL PRIMARY KEY,
    note TEXT COLLATE "C" NOT NULL,
    time BIGINT NOT NULL
);
CREATE TRIGGER checkpoint_no_change BEFORE UPDATE OR DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Facts about this database: the ledger's public key.
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
CREATE TRIGGER meta_no_change BEFORE UPDATE OR DELETE ON meta FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER meta_no_truncate BEFORE TRUNCATE ON meta FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Answers given under an Idempotency-Key, kept for a day.
CREATE TABLE replay (
    principal_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    status BIGINT NOT NULL,
    body BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal_id, key)
);
CREATE INDEX replay_age ON replay (created_at);

INSERT INTO ledger_state (id, size) VALUES (1, 0);
