-- Users as the API shows them. Addresses are compared without case; of addresses that differ only
-- in case, which older versions allowed, one keeps the folded form and the others their own.
ALTER TABLE users ADD COLUMN title TEXT;
ALTER TABLE users ADD COLUMN service_account INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN modified_at INTEGER;
ALTER TABLE users ADD COLUMN folded_email TEXT;
UPDATE users SET folded_email = CASE
    WHEN EXISTS (SELECT 1 FROM users AS other WHERE LOWER(other.email) = LOWER(users.email) AND other.email > users.email) THEN email
    ELSE LOWER(email)
END;
CREATE UNIQUE INDEX users_by_folded_email ON users (folded_email);

-- Administrators have every permission, also user_access_read and service_account_write.
UPDATE users SET permissions = permissions | 96 WHERE permissions & 31 = 31;
