-- The kind of a token: 0 for a person's, 1 for a service account's. Lists of personal tokens read
-- it from the indexes of their orders.
ALTER TABLE tokens ADD COLUMN kind BIGINT NOT NULL DEFAULT 0;
DROP INDEX IF EXISTS tokens_by_expiry;
DROP INDEX IF EXISTS tokens_by_name;
DROP INDEX IF EXISTS tokens_by_creation;
DROP INDEX IF EXISTS tokens_by_leak;
DROP INDEX IF EXISTS tokens_leaked;
CREATE INDEX tokens_by_expiry ON tokens (expires_at, id, revoked_at, kind) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_name ON tokens (folded_name, id, expires_at, revoked_at, kind) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_creation ON tokens (created_at, id, expires_at, revoked_at, kind) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_leak ON tokens (COALESCE(leaked_at, -1), id, expires_at, revoked_at, kind) WHERE revoked_at IS NULL;
CREATE INDEX tokens_leaked ON tokens (leaked_at, id, kind) WHERE leaked_at IS NOT NULL;
