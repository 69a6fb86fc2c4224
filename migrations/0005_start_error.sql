-- Version 5: the reason why a command could not be started; NULL where it was started, or where an
-- earlier version wrote the row. Its exit code is then that of a shell: 126 or 127.
ALTER TABLE sh_calls ADD COLUMN start_error TEXT;
