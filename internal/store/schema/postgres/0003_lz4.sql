-- +goose Up
-- Documents are compressed by LZ4 where the server has it: the older method costs
-- ten times as much processor time for every document written and read.
-- +goose StatementBegin
DO $$
BEGIN
    ALTER TABLE evidence_package ALTER COLUMN document SET COMPRESSION lz4;
    ALTER TABLE event ALTER COLUMN leaf SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
    NULL; -- a server that was built without it keeps to the older one
END $$;
-- +goose StatementEnd
