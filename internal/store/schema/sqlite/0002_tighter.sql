-- +goose Up
-- Rows that change keep their identity: UPDATE OR REPLACE would otherwise delete
-- another row on the way, past the triggers that refuse it.
-- +goose StatementBegin
CREATE TRIGGER principal_keeps_its_identity BEFORE UPDATE ON principal
WHEN NEW.id <> OLD.id OR NEW.username <> OLD.username OR NEW.rowid <> OLD.rowid
BEGIN SELECT RAISE(ABORT, 'principal keeps its identity'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER token_keeps_its_identity BEFORE UPDATE ON token
WHEN NEW.id <> OLD.id OR NEW.principal_id <> OLD.principal_id OR NEW.rowid <> OLD.rowid
BEGIN SELECT RAISE(ABORT, 'token keeps its identity'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deployment_keeps_its_identity BEFORE UPDATE ON deployment
WHEN NEW.id <> OLD.id OR NEW.correlation_id <> OLD.correlation_id OR NEW.rowid <> OLD.rowid
BEGIN SELECT RAISE(ABORT, 'deployment keeps its identity'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER cab_request_keeps_its_identity BEFORE UPDATE ON cab_request
WHEN NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.rowid <> OLD.rowid
BEGIN SELECT RAISE(ABORT, 'cab_request keeps its identity'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER cab_exception_keeps_its_identity BEFORE UPDATE ON cab_exception
WHEN NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.rowid <> OLD.rowid
BEGIN SELECT RAISE(ABORT, 'cab_exception keeps its identity'); END;
-- +goose StatementEnd

-- An event has a place in the ledger, and the first place is 0.
-- +goose StatementBegin
CREATE TRIGGER event_no_place_before_the_first BEFORE INSERT ON event WHEN NEW.seq < 0
BEGIN SELECT RAISE(ABORT, 'event is immutable: there is no place before the first'); END;
-- +goose StatementEnd

-- The tree grows, and never shrinks.
-- +goose StatementBegin
CREATE TRIGGER ledger_tile_no_delete BEFORE DELETE ON ledger_tile
BEGIN SELECT RAISE(ABORT, 'ledger_tile is never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_state_no_delete BEFORE DELETE ON ledger_state
BEGIN SELECT RAISE(ABORT, 'ledger_state is never deleted'); END;
-- +goose StatementEnd
