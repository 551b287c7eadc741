-- +goose Up
-- Which files packages refer to. Their documents say it too; this is for finding
-- files that no package refers to.
CREATE TABLE attachment (
    package_id TEXT COLLATE "C" NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (package_id, sha256)
);
CREATE INDEX attachment_sha256 ON attachment (sha256);
CREATE TRIGGER attachment_no_change BEFORE UPDATE OR DELETE ON attachment FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attachment_no_truncate BEFORE TRUNCATE ON attachment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE attachment ENABLE ALWAYS TRIGGER attachment_no_change;
ALTER TABLE attachment ENABLE ALWAYS TRIGGER attachment_no_truncate;
