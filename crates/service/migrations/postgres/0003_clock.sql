-- The expiry of a token never revokes it: `expired_at` only records that its event was written.
ALTER TABLE tokens ADD COLUMN expired_at BIGINT;

-- A token that was marked while a clock was ahead has not ended: its event will be written in time.
UPDATE tokens SET
    expired_at = CASE WHEN expires_at <= EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 THEN revoked_at END,
    revoked_at = NULL,
    revoked_by = NULL
WHERE revoked_by = 'expiry';

CREATE INDEX tokens_without_expiry_event ON tokens (expires_at) WHERE revoked_at IS NULL AND expired_at IS NULL;

-- The latest time at which the clocks of a running service had agreed for long enough.
CREATE TABLE clock (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    trusted_at BIGINT NOT NULL
);
