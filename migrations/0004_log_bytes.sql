-- Version 4: the length of each command's log in bytes when it was closed, NULL where there was no log or an
-- earlier version wrote the row. A log that is shorter or longer today was changed, or lost its end in a crash.
ALTER TABLE sh_calls ADD COLUMN log_bytes INTEGER;
