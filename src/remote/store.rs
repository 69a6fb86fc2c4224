//! An open store in object storage: the lists of its runs as far as they were read, and the runs
//! that were opened last.
//!
//! # Requests
//!
//! The caller may ask as often as it likes. This module bounds the rate: a list is read again after
//! [`LIST_PAUSE`], the document of a live run after [`POLL_PAUSE`], and nothing is requested within
//! [`RETRY_PAUSE`] after a failure. A complete run never changes, and is requested once.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::key::{self, ALL, LIVE, RUN};
use super::list::{List, Page, Place};
use super::run::{OpenRun, Version};
use crate::error::{Error, Result};
use crate::join::{RunHead, RunParts};
use crate::log::{BlockCache, Blocks};
use crate::model::{JobId, RunId};
use crate::s3::{Bucket, Changed, Range};

/// The shortest time between two reads of the first page of a list.
const LIST_PAUSE: Duration = Duration::from_secs(1);

/// The shortest time between two requests for the document of a live run.
const POLL_PAUSE: Duration = Duration::from_millis(1200);

/// The shortest time between two requests for the complete document of a run whose program is gone.
const LATE_PAUSE: Duration = Duration::from_secs(30);

/// The time after a failure in which it is returned again without a request.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The number of keys that are requested beyond the ones that are needed: a run that ends has two
/// for a moment.
const SPARE_KEYS: usize = 32;

/// The largest page of a list.
pub(crate) const PAGE_KEYS: usize = 1000;

/// The number of keys of a list that are read at most.
const MAX_KEYS: usize = 100_000;

/// The number of runs that are kept, and of their commands and logs. One run is always kept.
const KEPT_RUNS: usize = 8;
const KEPT_ROWS: usize = 200_000;

/// The largest compressed document that is read, in bytes.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// An open store.
pub(crate) struct RemoteStore {
    bucket: Arc<Bucket>,
    /// The bytes that were read last of the objects of all runs.
    blocks: Arc<Blocks>,
    /// The lists by the beginning of their keys, and the time of the last read of their start.
    lists: RefCell<HashMap<String, (List, Instant)>>,
    /// The runs that were opened, from the least to the most recently used.
    runs: RefCell<Vec<OpenRun>>,
    /// The directory of the run that was requested last.
    open: RefCell<Option<String>>,
    /// The last failure.
    failed: RefCell<Option<Failed>>,
    /// True if a list has more runs than are read.
    is_cut: Cell<bool>,
}

/// A failure: its time, the object or list that was read, and the content of the error.
#[derive(Clone)]
struct Failed {
    at: Instant,
    what: String,
    doing: &'static str,
    url: String,
    why: String,
    /// True if the server refused the request.
    is_refused: bool,
}

/// The runs of a list that were read so far, from the newest to the oldest.
pub(crate) struct Heads<'a> {
    pub runs: Ref<'a, [RunHead]>,
    /// The number of keys that were read.
    pub keys: usize,
    /// True if there are no further runs, or none that are read.
    pub is_all: bool,
}

impl RemoteStore {
    /// Opens the store of a bucket. What is read of logs is kept in `cache`. Sends no request.
    pub fn new(bucket: Arc<Bucket>, cache: Option<Arc<BlockCache>>) -> Self {
        let blocks = Arc::new(Blocks::with(cache));
        let (lists, runs, open, failed, is_cut) = Default::default();
        Self { bucket, blocks, lists, runs, open, failed, is_cut }
    }

    /// Returns the beginning of the keys of the shortest list that contains all runs of a
    /// repository and a ref. Names that end with `…` were cut, so their lists are unknown.
    pub fn list_of(repo: Option<&str>, ref_name: Option<&str>) -> String {
        let is_whole = |name: &&str| !name.ends_with('…');
        let of_ref = ref_name.filter(is_whole).map(key::list_of_ref);
        let of_repo = || repo.filter(is_whole).map(|repo| key::list_of_repo(Some(repo)));
        of_ref.or_else(of_repo).unwrap_or_else(|| ALL.to_owned())
    }

    /// Returns the runs of a list: if possible, those of `keys` keys or more.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn heads(&self, list: &str, keys: usize) -> Result<Heads<'_>> {
        self.read_list(list, keys)?;
        let lists = self.lists.borrow();
        let missing = || Error::Internal("no list was read".into());
        let read = lists.get(list).map(|(read, _)| (read.keys(), read.has_more()));
        let (keys, has_more) = read.ok_or_else(missing)?;
        let is_cut = has_more && keys >= MAX_KEYS;
        self.is_cut.set(self.is_cut.get() || is_cut);
        let heads = Ref::filter_map(lists, |lists| Some(lists.get(list)?.0.heads()));
        Ok(Heads { runs: heads.map_err(|_| missing())?, keys, is_all: !has_more || is_cut })
    }

    /// Reads the start of a list if it is due, and further pages as far as they are needed.
    fn read_list(&self, list: &str, keys: usize) -> Result<()> {
        let page = |after: Option<&str>, wanted: usize| {
            let max = wanted.saturating_add(SPARE_KEYS).min(PAGE_KEYS);
            let after = after.map(|key| format!("{list}{key}"));
            let listed = self.request(list, |bucket| bucket.list(list, after.as_deref(), max))?;
            Ok::<_, Error>(Page::new(listed, list, Instant::now()))
        };
        let mut lists = self.lists.borrow_mut();
        let now = Instant::now();
        let known = lists.get(list).map(|(_, at)| at.elapsed());
        if known.is_none_or(|age| age >= LIST_PAUSE) {
            let first = page(None, keys)?;
            let (known, read_at) =
                lists.entry(list.to_owned()).or_insert_with(|| (List::default(), now));
            known.replace_start(first, Instant::now());
            *read_at = Instant::now();
        }
        let Some((known, _)) = lists.get_mut(list) else { return Ok(()) };
        while known.has_more() && known.keys() < keys.min(MAX_KEYS) {
            let next = page(known.last_key(), keys.saturating_sub(known.keys()))?;
            known.extend(next, Instant::now());
        }
        known.settle(Instant::now());
        Ok(())
    }

    /// Returns the parts of a run; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn run(&self, id: &RunId) -> Result<Option<RunParts>> {
        let Some(place) = self.find(id)? else { return Ok(None) };
        self.open.replace(Some(place.dir.clone()));
        let mut runs = self.runs.borrow_mut();
        let known = runs.iter().position(|run| run.dir() == place.dir);
        let mut run = known.map_or_else(
            || {
                let (bucket, blocks) = (Arc::clone(&self.bucket), Arc::clone(&self.blocks));
                OpenRun::new(bucket, blocks, id.clone(), place.dir.clone())
            },
            |at| runs.remove(at),
        );
        let read = self.read_run(&mut run, place.is_final);
        let parts = run.parts();
        runs.push(run);
        let rows = |runs: &[OpenRun]| runs.iter().map(OpenRun::rows).sum::<usize>();
        while runs.len() > KEPT_RUNS || runs.len() > 1 && rows(&runs) > KEPT_ROWS {
            runs.remove(0);
        }
        read.map(|_| parts)
    }

    /// Returns the job that failed in a run of the lists that were read.
    pub fn failed_job(&self, id: &RunId) -> Option<JobId> {
        self.known_place(id)?.failed_job
    }

    /// Looks for a change of the run that was requested last, if it is live. Returns true if it has
    /// changed.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn changed(&self) -> Result<bool> {
        let open = self.open.borrow();
        let mut runs = self.runs.borrow_mut();
        let is_open = |run: &&mut OpenRun| Some(run.dir()) == open.as_deref();
        let Some(run) = runs.iter_mut().rev().find(is_open).filter(|run| !run.is_final()) else {
            return Ok(false);
        };
        let was_gone = run.is_gone();
        Ok(self.read_run(run, false)? || run.is_gone() != was_gone)
    }

    /// Returns messages for the user about what was not read.
    pub fn notices(&self) -> Vec<String> {
        let url = self.bucket.url();
        let cut = self.is_cut.get().then(|| {
            format!("only the newest {MAX_KEYS} runs of {url} are listed; use --repo or --ref")
        });
        let unknown: usize = self.lists.borrow().values().map(|(list, _)| list.unknown()).sum();
        let unknown = (unknown > 0).then(|| {
            format!("{unknown} entries of the lists in {url} were not written by this version")
        });
        cut.into_iter().chain(unknown).collect()
    }

    /// Finds the place of a run. Reads the list of all runs if no other list contains it.
    fn find(&self, id: &RunId) -> Result<Option<Place>> {
        let mut keys = PAGE_KEYS;
        loop {
            if let Some(place) = self.known_place(id) {
                return Ok(Some(place));
            }
            let read = self.heads(ALL, keys)?;
            if read.is_all {
                drop(read);
                return Ok(self.known_place(id));
            }
            keys = read.keys.max(keys).saturating_add(PAGE_KEYS);
        }
    }

    fn known_place(&self, id: &RunId) -> Option<Place> {
        let lists = self.lists.borrow();
        let places = || lists.values().filter_map(|(list, _)| list.place(id));
        places().find(|place| place.is_final).or_else(|| places().next()).cloned()
    }

    /// Reads the document of a run if it may have changed. Returns true if it has. `is_final` is
    /// true if a list contains the run as a complete one.
    fn read_run(&self, run: &mut OpenRun, is_final: bool) -> Result<bool> {
        let pause = if run.is_gone() && !is_final { LATE_PAUSE } else { POLL_PAUSE };
        if run.is_final() || run.age().is_some_and(|age| age < pause) {
            return Ok(false);
        }
        if (is_final || run.is_gone()) && self.read_final(run)? {
            return Ok(true);
        }
        let (key, etag) = (format!("{}{LIVE}", run.dir()), run.etag().map(ToOwned::to_owned));
        let changed = self.request(&key, |bucket| {
            match bucket.get_if_changed(&key, etag.as_deref(), MAX_DOCUMENT_BYTES)? {
                None => return Ok(None),
                Some(Changed::No) => run.confirm(),
                Some(Changed::To(got)) => {
                    let now = Instant::now();
                    let changed_at = now.checked_sub(got.age.unwrap_or_default()).unwrap_or(now);
                    run.take_in(&got.bytes, Version::Live { etag: got.etag, changed_at })?;
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        })?;
        match changed {
            Some(changed) => Ok(changed),
            // It is deleted when the run is complete.
            None if !is_final && self.read_final(run)? => Ok(true),
            None => Ok(run.remove()),
        }
    }

    /// Reads the document of a run that is complete. Returns false if it does not exist.
    fn read_final(&self, run: &mut OpenRun) -> Result<bool> {
        let key = format!("{}{RUN}", run.dir());
        self.request(&key, |bucket| {
            let got = bucket.get(&key, &Range::All, MAX_DOCUMENT_BYTES)?;
            got.map(|got| run.take_in(&got.bytes, Version::Final)).transpose()
        })
        .map(|read| read.is_some())
    }

    /// Reads `what`, unless the last read has just failed, and was of the same.
    fn request<T>(&self, what: &str, read: impl FnOnce(&Bucket) -> Result<T>) -> Result<T> {
        let is_recent = |failed: &Failed| failed.what == what && failed.at.elapsed() < RETRY_PAUSE;
        let failed = self.failed.borrow().clone().filter(is_recent);
        if let Some(Failed { doing, url, why, is_refused, .. }) = failed {
            return Err(if is_refused {
                Error::Refused { doing, url, why }
            } else {
                Error::Remote { doing, url, why }
            });
        }
        let result = read(&self.bucket);
        if let Err(
            error @ (Error::Remote { doing, url, why } | Error::Refused { doing, url, why }),
        ) = &result
        {
            let is_refused = matches!(error, Error::Refused { .. });
            let (at, what, url, why) = (Instant::now(), what.to_owned(), url.clone(), why.clone());
            self.failed.replace(Some(Failed { at, what, doing, url, why, is_refused }));
        }
        result
    }
}
