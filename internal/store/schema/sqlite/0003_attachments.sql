-- +goose Up
-- Which files packages refer to. Their documents say it too; this is for finding
-- files that no package refers to.
CREATE TABLE attachment (
    package_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (package_id, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_sha256 ON attachment (sha256);
-- +goose StatementBegin
CREATE TRIGGER attachment_no_update BEFORE UPDATE ON attachment
BEGIN SELECT RAISE(ABORT, 'attachment is immutable: UPDATE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attachment_no_delete BEFORE DELETE ON attachment
BEGIN SELECT RAISE(ABORT, 'attachment is immutable: DELETE is refused'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attachment_no_replace BEFORE INSERT ON attachment
WHEN EXISTS (SELECT 1 FROM attachment WHERE package_id = NEW.package_id AND sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'attachment is immutable: REPLACE is refused'); END;
-- +goose StatementEnd
