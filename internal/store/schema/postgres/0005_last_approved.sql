-- +goose Up
-- What a request is looked up by to find the newest approved package of an
-- application: copies of what the deployment and the package say, which never
-- change.
ALTER TABLE cab_request ADD COLUMN app_name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE cab_request ADD COLUMN package_created_at BIGINT NOT NULL DEFAULT 0;
UPDATE cab_request SET
    app_name = COALESCE((SELECT d.app_name FROM deployment d WHERE d.id = deployment_id), ''),
    package_created_at = COALESCE((SELECT p.created_at FROM evidence_package p WHERE p.id = package_id), 0);
CREATE INDEX request_approved ON cab_request (app_name, package_created_at, package_id, package_owner, intent_owner)
    WHERE status IN ('auto_approved', 'approved', 'conditional');
