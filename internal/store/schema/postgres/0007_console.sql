-- +goose Up
-- Who may sign in to the console, and who has. None of it is told by the ledger,
-- which says that passwords were set and sessions begun and ended, never with what.
CREATE TABLE password (
    principal_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL,
    set_at BIGINT NOT NULL
);

CREATE TABLE signin_link (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    principal_id TEXT COLLATE "C" NOT NULL,
    secret_sha256 TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL
);
CREATE INDEX signin_link_principal ON signin_link (principal_id);

CREATE TABLE session (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    principal_id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    secret_sha256 TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    user_agent TEXT COLLATE "C" NOT NULL
);
CREATE INDEX session_principal ON session (principal_id, created_at);
CREATE INDEX session_age ON session (created_at);

-- Wrong passwords: of a name from a network, of a name from anywhere (network ''), and
-- from a network under any name (name '').
CREATE TABLE signin_tries (
    name TEXT COLLATE "C" NOT NULL,
    network TEXT COLLATE "C" NOT NULL,
    wrong BIGINT NOT NULL,
    since BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (name, network)
);
CREATE INDEX signin_tries_age ON signin_tries (last_at);
