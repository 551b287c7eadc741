-- +goose Up
-- Rows that change keep their identity.
CREATE TRIGGER principal_keeps_its_identity BEFORE UPDATE OF id, username ON principal FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER token_keeps_its_identity BEFORE UPDATE OF id, principal_id ON token FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER deployment_keeps_its_identity BEFORE UPDATE OF id, correlation_id ON deployment FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cab_request_keeps_its_identity BEFORE UPDATE OF id, name ON cab_request FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cab_exception_keeps_its_identity BEFORE UPDATE OF id, name ON cab_exception FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- An event has a place in the ledger, and the first place is 0.
ALTER TABLE event ADD CONSTRAINT event_no_place_before_the_first CHECK (seq >= 0);

-- The tree grows, and never shrinks.
CREATE TRIGGER ledger_tile_no_delete BEFORE DELETE ON ledger_tile FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_tile_no_truncate BEFORE TRUNCATE ON ledger_tile FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_state_no_delete BEFORE DELETE ON ledger_state FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_state_no_truncate BEFORE TRUNCATE ON ledger_state FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The triggers hold in sessions of replication too.
-- +goose StatementBegin
DO $$
DECLARE t RECORD;
BEGIN
    FOR t IN SELECT tgname, tgrelid::regclass AS of_table FROM pg_trigger
        WHERE NOT tgisinternal AND tgfoid = 'refuse_change'::regproc LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.of_table, t.tgname);
    END LOOP;
END $$;
-- +goose StatementEnd
