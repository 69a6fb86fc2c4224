-- Version 3: what the tables above cannot say, in a table of our own, and an index for listing runs by time.
-- A row exists from the moment a command is started, so the running command is known, and its number n: the n of sh-<n>.log,
-- which elsewhere has to be guessed from the order of start times. signal, cpu_ms (user and system, with the children waited
-- for) and max_rss_bytes are known once it has ended; lost_bytes is what it wrote and the log lacks because the disk was full,
-- NULL where nothing is missing. started_at_ms leads to its row in sh_events.
CREATE TABLE sh_calls (
  run_id        TEXT NOT NULL,
  job_id        TEXT NOT NULL,
  n             INTEGER NOT NULL CHECK (n >= 1),
  started_at_ms INTEGER NOT NULL,
  cmd           TEXT NOT NULL,
  cwd           TEXT NOT NULL,
  pid           INTEGER,
  signal        INTEGER,
  cpu_ms        INTEGER,
  max_rss_bytes INTEGER,
  lost_bytes    INTEGER,
  PRIMARY KEY (run_id, job_id, n),
  UNIQUE (run_id, job_id, started_at_ms),
  FOREIGN KEY (run_id, job_id) REFERENCES jobs(run_id, job_id) ON DELETE CASCADE
);
CREATE INDEX runs_pushed_at ON runs(pushed_at_ms DESC, id DESC);
