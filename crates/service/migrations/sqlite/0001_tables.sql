-- Identifiers are 16 bytes, times are microseconds since 1970 in UTC, scopes and metadata are JSON.
CREATE TABLE organization (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE users (
    id BLOB PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    permissions INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER
);

CREATE TABLE tokens (
    id BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    owner BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    modified_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT,
    leak_id BLOB,
    leaked_at INTEGER,
    leak_source TEXT,
    leak_url TEXT
);
CREATE INDEX tokens_by_owner ON tokens (owner);
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE revoked_at IS NULL;

CREATE TABLE audit_events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    user_id BLOB,
    user_email TEXT,
    auth_method TEXT NOT NULL,
    asset_type TEXT NOT NULL,
    asset_id BLOB,
    method TEXT,
    path TEXT,
    host TEXT,
    status INTEGER,
    user_agent TEXT,
    ip TEXT,
    metadata TEXT
);
CREATE INDEX audit_events_by_time ON audit_events (at, sequence);
CREATE INDEX audit_events_by_asset ON audit_events (asset_id, at);
