-- The time that clocks are compared with while no time is trusted: the newest event's when the
-- database was opened, or the time of a reset.
CREATE TABLE clock_reference (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    at INTEGER NOT NULL
);
