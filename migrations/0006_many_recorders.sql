-- Version 6: runs with many recorders, and facts about runs, jobs and commands that only rundown records.
-- A run of this version has a row in run_details. While such a run is unfinished, the recorder of each running
-- command holds a lock (flock) on the command's log. is_open is 1 for a run that was begun by `rundown begin` and
-- is finished by `rundown end`: it has no recorder of its own and no recorder.lock. repeats is the id of the run
-- whose commands the run repeats. traceparent is the W3C trace context that the run was begun in.
CREATE TABLE run_details (
  run_id      TEXT PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE,
  is_open     INTEGER NOT NULL CHECK (is_open IN (0, 1)),
  name        TEXT,
  subject     TEXT,
  author      TEXT,
  event       TEXT,
  url         TEXT,
  attempt     INTEGER,
  ci_job      TEXT,
  runner      TEXT,
  repeats     TEXT,
  traceparent TEXT
);

-- The environment variables that a user chose to record.
CREATE TABLE run_variables (
  run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  name   TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (run_id, name)
);

-- A job that the recorder of its run starts and finishes. A job without a row here belongs to the recorders that
-- add commands to it: the last one that ends finishes it. needs is a JSON array of job ids.
CREATE TABLE job_details (
  run_id        TEXT NOT NULL,
  job_id        TEXT NOT NULL,
  needs         TEXT NOT NULL,
  allow_failure INTEGER NOT NULL CHECK (allow_failure IN (0, 1)),
  PRIMARY KEY (run_id, job_id),
  FOREIGN KEY (run_id, job_id) REFERENCES jobs(run_id, job_id) ON DELETE CASCADE
);

-- shell is the program that ran the command, with the arguments before it, as a JSON array; NULL for sh -c or a
-- program with arguments. output is the way in which the streams were read: apart, merge, pty or exact. attempt counts from 1 where a
-- command was repeated. ended_by is timeout, or lost where no recorder saw the end (exit code -1 in sh_events).
-- cut_bytes is the output that was removed from the middle of the log, at the byte offset cut_at of the log,
-- because of a limit on its size.
ALTER TABLE sh_calls ADD COLUMN shell TEXT;
ALTER TABLE sh_calls ADD COLUMN output TEXT;
ALTER TABLE sh_calls ADD COLUMN attempt INTEGER;
ALTER TABLE sh_calls ADD COLUMN ended_by TEXT;
ALTER TABLE sh_calls ADD COLUMN cut_at INTEGER;
ALTER TABLE sh_calls ADD COLUMN cut_bytes INTEGER;
