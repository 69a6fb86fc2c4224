//! `rundown demo`: records a small pipeline of real commands into a temporary store while the user
//! watches.
//!
//! The recorder is a separate process, because no process both reads and writes a store (see
//! `store::access`).

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::catalog::{Catalog, RunFilter};
use crate::error::{Error, Result};
use crate::record;

/// The interval at which the new store is checked.
const POLL: Duration = Duration::from_millis(10);

/// A pipeline that is being recorded. Dropping it stops the recorder and removes the store.
pub struct Demo {
    dir: TempDir,
    recorder: Child,
}

impl Demo {
    /// Starts the recorder.
    ///
    /// # Errors
    /// If the temporary store cannot be created, or if the recorder cannot be started.
    pub fn start() -> Result<Self> {
        let dir = TempDir::with_prefix("rundown-demo-")
            .map_err(Error::io("create a store in", std::env::temp_dir()))?;
        let pipeline = dir.path().join("demo.toml");
        fs::write(&pipeline, record::DEMO).map_err(Error::io("write", &pipeline))?;
        let log = dir.path().join("recorder.txt");
        let stderr = File::create(&log).map_err(Error::io("create", &log))?;
        let program =
            std::env::current_exe().map_err(Error::io("locate the executable of", "rundown"))?;
        let recorder = Command::new(&program)
            // It is never pushed, whatever the configuration contains.
            .args(["exec", "--quiet", "--must-record", "--push", "", "--repo", "demo", "--root"])
            .arg(dir.path().join("store"))
            .arg(&pipeline)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(Error::io("start", program))?;
        Ok(Self { dir, recorder })
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Waits until the store contains the demo run, and returns a catalog of the store.
    ///
    /// # Errors
    /// If the recorder exited without creating a run; the error contains the recorder's output.
    pub fn catalog(&mut self) -> Result<Catalog> {
        let catalog = Catalog::of_store(&self.store(), None);
        loop {
            let ended = self.recorder.try_wait().map_err(Error::io("wait for", "the recorder"))?;
            match catalog.runs(&RunFilter::default(), 1) {
                Ok(runs) if !runs.heads.is_empty() => return Ok(catalog),
                Ok(_) | Err(_) if ended.is_none() => std::thread::sleep(POLL),
                Ok(_) | Err(_) => {
                    let log = fs::read_to_string(self.dir.path().join("recorder.txt"))
                        .unwrap_or_default();
                    return Err(Error::Internal(format!(
                        "the demo recorder created no run: {}",
                        log.trim()
                    )));
                }
            }
        }
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// If the recorder cannot be waited for.
    pub fn wait(&mut self) -> Result<()> {
        self.recorder.wait().map(drop).map_err(Error::io("wait for", "the recorder"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Ok(None) = self.recorder.try_wait() {
            let _ = kill_process(Pid::from_child(&self.recorder), Signal::TERM);
            let _ = self.recorder.wait();
        }
    }
}
