//! The store, the filters and the user's time zone, from the arguments, the environment and the
//! system.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::args::{LookArgs, Narrow, OutputArgs, Root, StoreArgs, Zone};
use super::config::Config;
use super::{remote, trust};
use crate::catalog::{Catalog, RunFilter};
use crate::error::{Error, Result};
use crate::store::RunRowFilter;

impl LookArgs {
    /// Returns true if the environment or the configuration enables secure mode, or if the
    /// configuration cannot be read.
    pub(super) fn is_secure(&self) -> bool {
        is_switched_on(SECURE)
            || Config::load(self.config.as_deref()).map_or(true, |config| config.settings.secure)
    }
}

impl Root {
    /// Returns the store to read: `--root`, `$RUNDOWN_ROOT`, the nearest `.rundown/`, or the user's
    /// data directory. Fails if the nearest `.rundown/` is not trusted.
    pub(super) fn root(&self) -> Result<PathBuf> {
        self.root_if(trust::check)
    }

    /// Returns the store to write to, which need not exist. The nearest `.rundown/` must not have
    /// come with a repository.
    pub(super) fn root_to_write(&self) -> Result<PathBuf> {
        let root = self.root_if(trust::check_for_recording)?;
        if remote::is_url(&root) {
            let why = "this command needs a store on this machine\n\
                       try --root DIR to choose one";
            return Err(Error::NotOurs { path: root, why: why.into() });
        }
        if root.is_file() {
            let why = "it is a file, and a store is a directory; a bundle is only read";
            return Err(Error::NotOurs { path: root, why: why.into() });
        }
        Ok(root)
    }

    /// Returns the named root, the nearest `.rundown/`, or the user's data directory. Fails if
    /// `check` rejects the nearest `.rundown/`.
    fn root_if(&self, check: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        if let Some(named) = self.dir.clone().or_else(|| path_variable("RUNDOWN_ROOT")) {
            return Ok(named);
        }
        let cwd = std::env::current_dir().unwrap_or_default();
        if let Some(near) = cwd.ancestors().map(|dir| dir.join(".rundown")).find(|dir| dir.is_dir())
        {
            check(&near)?;
            return Ok(near);
        }
        let data = || path_variable("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
        let home = || std::env::home_dir().map(|home| home.join(".local/share"));
        data().or_else(home).map(|dir| dir.join("rundown")).ok_or_else(|| {
            Error::Usage("no home directory for a store; name a store with --root DIR".into())
        })
    }

    /// Returns true if the user named the store.
    pub(super) fn is_named(&self) -> bool {
        self.dir.is_some() || path_variable("RUNDOWN_ROOT").is_some()
    }
}

impl Zone {
    pub(super) fn time_zone(&self) -> Result<TimeZone> {
        time_zone(self.name.as_deref())
    }
}

impl OutputArgs {
    pub(super) const fn is_color_forced(&self) -> bool {
        matches!(self.color.when, clap::ColorChoice::Always)
    }
}

impl StoreArgs {
    /// Opens the store. With `--db` but without `--root`, the directory of the database is the
    /// root.
    pub(super) fn catalog(&self) -> Result<Catalog> {
        let is_named = self.root.dir.is_some();
        let beside = self.db.as_deref().and_then(Path::parent).filter(|_| !is_named);
        let root = beside.map_or_else(|| self.root.root(), |dir| Ok(Path::new(".").join(dir)))?;
        self.check_db(&root)?;
        if remote::is_url(&root) {
            return remote::catalog(&root, &self.server);
        }
        Ok(Catalog::of_root(&root, self.db.as_deref()))
    }

    /// Fails if a database is combined with a bucket or a bundle, which have none.
    pub(super) fn check_db(&self, root: &Path) -> Result<()> {
        if self.db.is_some() && (remote::is_url(root) || root.is_file()) {
            let what = "--db names the database of a store in a directory";
            return Err(Error::Usage(format!("{what}; {} is not a directory", root.display())));
        }
        Ok(())
    }
}

impl Narrow {
    pub(super) fn filter(&self) -> RunFilter {
        RunFilter { repo: self.repo.clone(), ref_name: self.ref_name.clone() }
    }

    /// Returns the filter for rows of rundown's own database.
    pub(super) fn row_filter(&self) -> RunRowFilter {
        RunRowFilter { id: None, repo: self.repo.clone(), ref_name: self.ref_name.clone() }
    }
}

/// Returns the value of a variable; `None` if it is unset, empty, or not UTF-8.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns a path from the environment; `None` if the variable is unset or empty.
pub(super) fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The environment variable that enables secure mode even if the configuration does not.
pub(super) const SECURE: &str = "RUNDOWN_SECURE";

/// Returns true if a variable is set, is not empty, and is not `0`.
pub(super) fn is_switched_on(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Returns the time zone with this name, or the user's time zone if `name` is `None`.
pub(super) fn time_zone(name: Option<&str>) -> Result<TimeZone> {
    let Some(name) = name else { return Ok(local_time_zone()) };
    TimeZone::get(name).map_err(|_| {
        Error::Usage(format!("unknown time zone `{name}`; use a name such as Europe/Berlin or UTC"))
    })
}

/// Returns the user's time zone. If `TZ` is not set, reads `/etc/localtime`. [`TimeZone::system`]
/// also looks up the name of the zone, which takes longer than listing runs.
fn local_time_zone() -> TimeZone {
    let zone_file =
        std::env::var_os("TZ").is_none().then(|| std::fs::read("/etc/localtime").ok()).flatten();
    zone_file
        .and_then(|bytes| TimeZone::tzif("local", &bytes).ok())
        .unwrap_or_else(TimeZone::system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_time_zone_is_that_of_the_system() {
        let now = jiff::Timestamp::now();
        assert_eq!(local_time_zone().to_offset(now), TimeZone::system().to_offset(now));
    }
}
