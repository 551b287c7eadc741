-- +goose Up
-- The versions of an application.
CREATE INDEX deployment_app ON deployment (app_name, created_at, id);
