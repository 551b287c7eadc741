-- +goose Up
-- Who may sign in to the console, and who has. None of it is told by the ledger,
-- which says that passwords were set and sessions begun and ended, never with what.
CREATE TABLE password (
    principal_id TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signin_link (
    id TEXT NOT NULL PRIMARY KEY,
    principal_id TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX signin_link_principal ON signin_link (principal_id);

CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    principal_id TEXT NOT NULL,
    role TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL
) STRICT;
CREATE INDEX session_principal ON session (principal_id, created_at);
CREATE INDEX session_age ON session (created_at);

-- Wrong passwords: of a name from a network, of a name from anywhere (network ''), and
-- from a network under any name (name '').
CREATE TABLE signin_tries (
    name TEXT NOT NULL,
    network TEXT NOT NULL,
    wrong INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (name, network)
) STRICT;
CREATE INDEX signin_tries_age ON signin_tries (last_at);
