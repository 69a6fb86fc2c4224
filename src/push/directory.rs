//! The objects of one run in a bucket, and its entries in the lists.

use std::collections::HashSet;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{self, Error, Result};
use crate::log::{pack, unpack};
use crate::model::Run;
use crate::remote::document::{RemoteDocument, SCHEMA};
use crate::remote::key::{self, Entry, LIVE, RUN, is_data_name};
use crate::s3::{Body, Bucket, Condition, Put, Range};

/// The largest compressed document that is read, in bytes.
const MAX_PACKED_BYTES: u64 = 64 << 20;

/// The number of objects of one page of a list.
const PAGE: usize = 1000;

/// The number of threads that delete objects.
const THREADS: usize = 8;

/// The directory of a run.
pub(super) struct Directory<'a> {
    bucket: &'a Bucket,
    /// The beginning of the keys of its objects.
    dir: String,
    /// The names of its objects when the push began.
    names: HashSet<String>,
}

impl<'a> Directory<'a> {
    /// Lists the directory of a run.
    ///
    /// # Errors
    /// If the id of the run is too long for a key, or if the list cannot be read.
    pub fn open(bucket: &'a Bucket, run: &Run) -> Result<Self> {
        let dir = key::dir(run.repo.as_deref(), &run.id)?;
        let names = names(bucket, &dir)?;
        Ok(Self { bucket, dir, names })
    }

    /// Returns true if the run was complete.
    pub fn is_committed(&self) -> bool {
        self.names.contains(RUN)
    }

    /// Returns true if the directory had objects: then another push has begun or ended before.
    pub fn is_resumed(&self) -> bool {
        !self.names.is_empty()
    }

    /// Returns true if the directory had this object.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Writes an object with data, unless it exists already. Returns true if it was sent.
    pub fn put_data(&self, name: &str, file: &File, bytes: u64) -> Result<bool> {
        if self.names.contains(name) {
            return Ok(false);
        }
        self.check_server()?;
        let key = self.key(name);
        self.bucket.put(&key, Body::File { file, bytes }, Condition::IfAbsent)?;
        Ok(true)
    }

    /// Creates the document of the complete run. Returns false if it existed already.
    pub fn create(&self, document: &RemoteDocument) -> Result<bool> {
        self.check_server()?;
        let packed = packed(document)?;
        let put = self.bucket.put(&self.key(RUN), Body::Bytes(&packed), Condition::IfAbsent)?;
        Ok(put == Put::Written)
    }

    /// Writes the document of the run so far.
    pub fn replace_live(&self, document: &RemoteDocument) -> Result<()> {
        self.check_server()?;
        let packed = packed(document)?;
        self.bucket.put(&self.key(LIVE), Body::Bytes(&packed), Condition::Any).map(drop)
    }

    /// Reads the document of the complete run. Returns `None` if it does not exist.
    ///
    /// # Errors
    /// If the document cannot be read, or is one of a later version.
    pub fn read(&self) -> Result<Option<RemoteDocument>> {
        let Some(packed) = self.get(RUN)? else { return Ok(None) };
        let document = parse(&packed).ok_or_else(|| Error::Remote {
            doing: "read",
            url: format!("{}/{}", self.bucket.url(), self.key(RUN)),
            why: "it is damaged, or was written by a later version of rundown".to_owned(),
        })?;
        Ok(Some(document))
    }

    /// Reads the document of the run so far. Returns `None` if it does not exist, or has a
    /// version that is not known.
    pub fn read_live(&self) -> Result<Option<RemoteDocument>> {
        Ok(self.get(LIVE)?.and_then(|packed| parse(&packed)))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let got = self.bucket.get(&self.key(name), &Range::All, MAX_PACKED_BYTES)?;
        Ok(got.map(|got| got.bytes))
    }

    /// Writes the entries of the run in all lists that lack it, and deletes its other entries.
    /// Returns the deletions that failed.
    pub fn list(&self, entry: &Entry, run: &Run) -> Result<Vec<String>> {
        let keys = entry.keys(run.repo.as_deref(), run.ref_name.as_deref());
        if !self.is_resumed() {
            self.put_entries(&keys)?;
            return Ok(Vec::new());
        }
        let (mut missing, mut others) = (Vec::new(), Vec::new());
        for key in keys {
            let list = key.strip_suffix(&entry.key).unwrap_or_default();
            let found = all_keys(self.bucket, &format!("{list}{}", entry.prefix()))?;
            if !found.contains(&key) {
                missing.push(key.clone());
            }
            others.extend(found.into_iter().filter(|found| *found != key));
        }
        self.put_entries(&missing)?;
        Ok(self.delete_all(&others))
    }

    /// Writes the entries of an active run in all lists, and then deletes its last ones. Deletions
    /// that fail are repeated when the run is complete.
    pub fn list_live(&self, entry: &Entry, last: Option<&Entry>, run: &Run) -> Result<()> {
        if last.is_none() && self.is_resumed() {
            self.list(entry, run)?;
        }
        let keys = |entry: &Entry| entry.keys(run.repo.as_deref(), run.ref_name.as_deref());
        self.put_entries(&keys(entry))?;
        if let Some(last) = last.filter(|last| last.key != entry.key) {
            self.delete_all(&keys(last));
        }
        Ok(())
    }

    fn put_entries(&self, keys: &[String]) -> Result<()> {
        if !keys.is_empty() {
            self.check_server()?;
        }
        keys.iter()
            .try_for_each(|key| self.bucket.put(key, Body::Bytes(b""), Condition::Any).map(drop))
    }

    /// Deletes the document of the run so far, and all data that the complete run does not contain.
    /// Returns the deletions that failed.
    pub fn clean(&self, document: &RemoteDocument) -> Result<Vec<String>> {
        let used: HashSet<&str> =
            document.objects.iter().map(|object| object.name.as_str()).collect();
        let found = names(self.bucket, &self.dir)?;
        // The document first: it must not name objects that are missing.
        let live = found.contains(LIVE).then(|| self.key(LIVE));
        let mut failed = self.delete_all(live.as_slice());
        let data = found.iter().filter(|name| is_data_name(name) && !used.contains(name.as_str()));
        failed.extend(self.delete_all(&data.map(|name| self.key(name)).collect::<Vec<_>>()));
        Ok(failed)
    }

    /// Deletes objects, and returns the messages of the deletions that failed. The credentials may
    /// not allow deletions, so a failure does not end the push.
    fn delete_all(&self, keys: &[String]) -> Vec<String> {
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(why) = self.bucket.delete(key) {
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.push(error::chain(&why));
                    // The others would fail for the same reason.
                    next.store(keys.len(), Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..keys.len().min(THREADS) {
                scope.spawn(work);
            }
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that the server honors conditions, before the first write of the process.
    fn check_server(&self) -> Result<()> {
        if self.bucket.checks_conditions()? {
            return Ok(());
        }
        Err(Error::Remote {
            doing: "push to",
            url: self.bucket.url().to_string(),
            why:
                "the server ignores the condition of a write (If-None-Match), so that two writers \
                  could replace each other's objects\nuse a server that honors it, such as AWS S3, \
                  MinIO, Ceph, R2 or SeaweedFS"
                    .to_owned(),
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.dir)
    }
}

fn packed(document: &RemoteDocument) -> Result<Vec<u8>> {
    pack(document).ok_or_else(|| {
        let id = document.run.run.id.as_str();
        let why = "has more commands than can be pushed: its rows have more than 128 MiB";
        Error::Usage(format!("run {id} {why}"))
    })
}

fn parse(packed: &[u8]) -> Option<RemoteDocument> {
    unpack(packed).filter(|document: &RemoteDocument| document.schema == SCHEMA)
}

/// Returns the names of the objects in a directory.
fn names(bucket: &Bucket, dir: &str) -> Result<HashSet<String>> {
    let keys = all_keys(bucket, dir)?;
    Ok(keys.iter().filter_map(|key| Some(key.strip_prefix(dir)?.to_owned())).collect())
}

/// Returns all keys with a prefix.
fn all_keys(bucket: &Bucket, prefix: &str) -> Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let page = bucket.list(prefix, keys.last().map(String::as_str), PAGE)?;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        if !page.has_more {
            return Ok(keys);
        }
    }
}
