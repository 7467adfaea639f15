-- Sessions of the web pages. Only digests of cookies, links and forms are stored.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    -- The token that the session was started with: the session has its scopes and ends with it.
    token_id BLOB REFERENCES tokens (id),
    method TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    ended_at INTEGER
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_open ON sessions (used_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_token ON sessions (token_id) WHERE token_id IS NOT NULL;

CREATE TABLE sign_in_links (
    digest BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL,
    used_at INTEGER
);

-- Forms that were sent, so that sending one again changes nothing.
CREATE TABLE sent_forms (
    digest BLOB PRIMARY KEY,
    sent_at INTEGER NOT NULL,
    token_id BLOB
);
CREATE INDEX sent_forms_by_time ON sent_forms (sent_at);

-- People at an OpenID Connect provider.
CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
);

ALTER TABLE tokens ADD COLUMN leak_acknowledged_at INTEGER;
ALTER TABLE tokens ADD COLUMN leak_acknowledged_by TEXT;

-- The live tokens of an owner that expire soon, which every page shows.
CREATE INDEX tokens_of_owner_by_expiry ON tokens (owner, expires_at) WHERE revoked_at IS NULL;
