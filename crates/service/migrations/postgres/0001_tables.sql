-- Identifiers are 16 bytes, times are microseconds since 1970 in UTC, scopes and metadata are JSON.
CREATE TABLE organization (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id BYTEA PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    permissions BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE tokens (
    id BYTEA PRIMARY KEY,
    digest BYTEA NOT NULL,
    owner BYTEA NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    folded_name TEXT COLLATE "C" NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    modified_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    leak_id BYTEA,
    leaked_at BIGINT,
    leak_source TEXT,
    leak_url TEXT
);
CREATE INDEX tokens_by_owner ON tokens (owner);
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE revoked_at IS NULL;

CREATE TABLE audit_events (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    user_id BYTEA,
    user_email TEXT,
    auth_method TEXT NOT NULL,
    asset_type TEXT NOT NULL,
    asset_id BYTEA,
    method TEXT,
    path TEXT,
    host TEXT,
    status BIGINT,
    user_agent TEXT,
    ip TEXT,
    metadata TEXT
);
CREATE INDEX audit_events_by_time ON audit_events (at, sequence);
CREATE INDEX audit_events_by_asset ON audit_events (asset_id, at);
