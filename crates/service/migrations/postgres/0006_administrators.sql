-- Finds the enabled administrators, of whom the last one cannot be disabled.
CREATE INDEX users_by_state ON users (disabled_at, permissions);
