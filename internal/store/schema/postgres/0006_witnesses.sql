-- +goose Up
-- What witnesses and time-stamping authorities say of signed checkpoints. Each
-- row is checked by whoever reads it: they are signatures by others.
CREATE TABLE cosignature (
    size BIGINT NOT NULL,
    witness TEXT COLLATE "C" NOT NULL,
    line TEXT COLLATE "C" NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (size, witness)
);
CREATE INDEX cosignature_witness ON cosignature (witness, size);

-- Checkpoints that a quorum had witnessed, as the trust policy was then.
CREATE TABLE witnessed (
    size BIGINT NOT NULL PRIMARY KEY,
    time BIGINT NOT NULL
);

CREATE TABLE checkpoint_timestamp (
    size BIGINT NOT NULL PRIMARY KEY,
    authority TEXT COLLATE "C" NOT NULL,
    token BYTEA NOT NULL,
    time BIGINT NOT NULL
);
CREATE TRIGGER cosignature_no_change BEFORE UPDATE OR DELETE ON cosignature FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cosignature_no_truncate BEFORE TRUNCATE ON cosignature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE cosignature ENABLE ALWAYS TRIGGER cosignature_no_change;
ALTER TABLE cosignature ENABLE ALWAYS TRIGGER cosignature_no_truncate;
CREATE TRIGGER witnessed_no_change BEFORE UPDATE OR DELETE ON witnessed FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER witnessed_no_truncate BEFORE TRUNCATE ON witnessed FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE witnessed ENABLE ALWAYS TRIGGER witnessed_no_change;
ALTER TABLE witnessed ENABLE ALWAYS TRIGGER witnessed_no_truncate;
CREATE TRIGGER checkpoint_timestamp_no_change BEFORE UPDATE OR DELETE ON checkpoint_timestamp FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_timestamp_no_truncate BEFORE TRUNCATE ON checkpoint_timestamp FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoint_timestamp ENABLE ALWAYS TRIGGER checkpoint_timestamp_no_change;
ALTER TABLE checkpoint_timestamp ENABLE ALWAYS TRIGGER checkpoint_timestamp_no_truncate;
