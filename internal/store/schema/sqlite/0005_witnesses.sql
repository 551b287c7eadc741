-- +goose Up
-- What witnesses and time-stamping authorities say of signed checkpoints. Each
-- row is checked by whoever reads it: they are signatures by others.
CREATE TABLE cosignature (
    size INTEGER NOT NULL,
    witness TEXT NOT NULL,
    line TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;
CREATE INDEX cosignature_witness ON cosignature (witness, size);

-- Checkpoints that a quorum had witnessed, as the trust policy was then.
CREATE TABLE witnessed (
    size INTEGER NOT NULL PRIMARY KEY,
    time INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoint_timestamp (
    size INTEGER NOT NULL PRIMARY KEY,
    authority TEXT NOT NULL,
    token BLOB NOT NULL,
    time INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER cosignature_no_update BEFORE UPDATE ON cosignature
BEGIN SELECT RAISE(ABORT, 'cosignature is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER cosignature_no_delete BEFORE DELETE ON cosignature
BEGIN SELECT RAISE(ABORT, 'cosignature is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER cosignature_no_replace BEFORE INSERT ON cosignature
WHEN EXISTS (SELECT 1 FROM cosignature WHERE size = NEW.size AND witness = NEW.witness)
BEGIN SELECT RAISE(ABORT, 'cosignature is immutable: REPLACE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER witnessed_no_update BEFORE UPDATE ON witnessed
BEGIN SELECT RAISE(ABORT, 'witnessed is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER witnessed_no_delete BEFORE DELETE ON witnessed
BEGIN SELECT RAISE(ABORT, 'witnessed is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER witnessed_no_replace BEFORE INSERT ON witnessed
WHEN EXISTS (SELECT 1 FROM witnessed WHERE size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'witnessed is immutable: REPLACE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_timestamp_no_update BEFORE UPDATE ON checkpoint_timestamp
BEGIN SELECT RAISE(ABORT, 'checkpoint_timestamp is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_timestamp_no_delete BEFORE DELETE ON checkpoint_timestamp
BEGIN SELECT RAISE(ABORT, 'checkpoint_timestamp is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_timestamp_no_replace BEFORE INSERT ON checkpoint_timestamp
WHEN EXISTS (SELECT 1 FROM checkpoint_timestamp WHERE size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'checkpoint_timestamp is immutable: REPLACE is refused'); END;
-- +goose StatementEnd
