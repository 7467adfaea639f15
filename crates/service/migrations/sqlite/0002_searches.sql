-- A row that /readyz writes to find out whether the database accepts writes.
CREATE TABLE write_probe (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    at INTEGER NOT NULL
);

-- Every check writes an event named access_token.used, so these indexes leave such events out.
CREATE INDEX audit_changes_by_time ON audit_events (at) WHERE name <> 'access_token.used';
CREATE INDEX audit_changes_by_name ON audit_events (name, at) WHERE name <> 'access_token.used';
CREATE INDEX audit_changes_by_user ON audit_events (user_id, at) WHERE name <> 'access_token.used';
CREATE INDEX audit_changes_by_email ON audit_events (user_email, at) WHERE name <> 'access_token.used';

-- The orders of lists, with the columns of their conditions, so that SQLite need not read the rows
-- (it does not infer revoked_at from the index). There is none for last_used_at, which
-- every check changes.
DROP INDEX tokens_by_expiry;
CREATE INDEX tokens_by_expiry ON tokens (expires_at, id, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_name ON tokens (folded_name, id, expires_at, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_creation ON tokens (created_at, id, expires_at, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_leak ON tokens (COALESCE(leaked_at, -1), id, expires_at, revoked_at) WHERE revoked_at IS NULL;
CREATE INDEX tokens_leaked ON tokens (leaked_at, id) WHERE leaked_at IS NOT NULL;
