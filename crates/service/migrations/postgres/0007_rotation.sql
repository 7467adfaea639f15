-- The token that replaces a rotated one, which is revoked when it reaches its shortened expiry.
ALTER TABLE tokens ADD COLUMN replaced_by BYTEA;
