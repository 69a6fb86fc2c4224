//! A list of runs as far as it was read: the first keys of a list in the bucket, and the runs that
//! they describe. Pure.
//!
//! Pages are added at the end. The first page is read again from time to time, and replaces the
//! keys that it covers. Runs are never left out between two pages: if the new page does not reach
//! the keys that were read before, these are dropped.
//!
//! A run may have several entries, because its final one is created before its earlier ones are
//! deleted. The final entry counts, or else the one that was written last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::key::Entry;
use crate::join::{Recorder, RunHead, run_head};
use crate::model::{JobId, RunId};
use crate::s3::Listed;

/// The time after which the entry of an unfinished run is written again by a program that pushes
/// it. If it is more than twice as old, this program is gone.
const STALE: Duration = Duration::from_mins(25);

/// The runs of a list.
#[derive(Default)]
pub(super) struct List {
    /// The keys without the list, in their order.
    keys: Vec<Key>,
    /// True if the list continues after the last key.
    has_more: bool,
    /// The runs that the keys describe, from the newest to the oldest.
    heads: Vec<RunHead>,
    /// The rest of what is known about each of them.
    places: Vec<Place>,
    by_dir: HashMap<String, usize>,
    by_id: HashMap<RunId, usize>,
    /// The number of keys that are not entries.
    unknown: usize,
}

#[derive(Clone, Debug)]
struct Key {
    key: String,
    /// The time of its last change; `None` if the server states no time.
    changed_at: Option<Instant>,
}

/// The place of a run, and the facts that are not in its row.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory of its objects.
    pub dir: String,
    /// True if the run is complete.
    pub is_final: bool,
    /// The job that failed.
    pub failed_job: Option<JobId>,
    /// The time of the last change of the entry, if it is known.
    changed_at: Option<Instant>,
}

/// A page of a list: keys without the list.
pub(super) struct Page {
    keys: Vec<Key>,
    has_more: bool,
}

impl Page {
    /// Returns the page in an answer that came at the time `now`. `list` is the beginning of all
    /// keys.
    pub fn new(listed: Listed, list: &str, now: Instant) -> Self {
        let keys = listed.objects.into_iter().filter_map(|object| {
            let key = object.key.strip_prefix(list)?.to_owned();
            Some(Key { key, changed_at: object.age.and_then(|age| now.checked_sub(age)) })
        });
        Self { keys: keys.collect(), has_more: listed.has_more }
    }
}

impl List {
    /// Returns the runs.
    pub fn heads(&self) -> &[RunHead] {
        &self.heads
    }

    /// Returns the number of keys that were read.
    pub const fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Returns true if the list continues after the runs that were read.
    pub const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Returns the number of keys that this version cannot read.
    pub const fn unknown(&self) -> usize {
        self.unknown
    }

    /// Returns the last key, after which the list continues.
    pub fn last_key(&self) -> Option<&str> {
        self.keys.last().map(|last| &*last.key)
    }

    /// Returns the place of a run.
    pub fn place(&self, id: &RunId) -> Option<&Place> {
        self.places.get(*self.by_id.get(id)?)
    }

    /// Adds the page after the last key.
    pub fn extend(&mut self, page: Page, now: Instant) {
        self.has_more = page.has_more;
        for key in page.keys {
            self.add(&key, now);
            self.keys.push(key);
        }
    }

    /// Replaces the start of the list by its first page.
    pub fn replace_start(&mut self, page: Page, now: Instant) {
        let end = page.keys.last().filter(|_| page.has_more);
        let covered = end
            .map_or(self.keys.len(), |end| self.keys.partition_point(|known| known.key <= end.key));
        // Without a common key, there may be further ones between the page and the known keys.
        let rest = if covered > 0 { self.keys.split_off(covered) } else { Vec::new() };
        if rest.is_empty() {
            self.has_more = page.has_more;
        }
        let keys: Vec<Key> = page.keys.into_iter().chain(rest).collect();
        *self = Self { has_more: self.has_more, ..Self::default() };
        for key in keys {
            self.add(&key, now);
            self.keys.push(key);
        }
    }

    /// Derives the states of the unfinished runs again, some of which may have been interrupted.
    pub fn settle(&mut self, now: Instant) {
        for (head, place) in self.heads.iter_mut().zip(&self.places) {
            if place.is_gone(now) && !head.interrupted {
                *head = run_head(head.run.clone(), Recorder::Gone);
            }
        }
    }

    /// Adds the run of a key.
    fn add(&mut self, key: &Key, now: Instant) {
        let Some(entry) = Entry::parse(&key.key) else {
            self.unknown = self.unknown.saturating_add(1);
            return;
        };
        let Entry { dir, run, recorder, failed_job, .. } = entry;
        let is_final = !matches!(recorder, Recorder::Alive | Recorder::Waiting);
        let place = Place { dir, is_final, failed_job, changed_at: key.changed_at };
        let recorder = if place.is_gone(now) { Recorder::Gone } else { recorder };
        let head = run_head(run, recorder);
        let Some(at) = self.by_dir.get(&place.dir).copied() else {
            self.by_dir.insert(place.dir.clone(), self.heads.len());
            // Of several runs with one id, the newest is found by it.
            self.by_id.entry(head.run.id.clone()).or_insert(self.heads.len());
            self.heads.push(head);
            self.places.push(place);
            return;
        };
        if let (Some(known), Some(known_head)) = (self.places.get_mut(at), self.heads.get_mut(at))
            && (place.is_final, place.changed_at) > (known.is_final, known.changed_at)
        {
            (*known, *known_head) = (place, head);
        }
    }
}

impl Place {
    /// Returns true if the program that pushed the run has stopped before its end.
    fn is_gone(&self, now: Instant) -> bool {
        let age = self.changed_at.map(|at| now.saturating_duration_since(at));
        !self.is_final && age.is_some_and(|age| age > STALE)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Run;
    use crate::time::Time;

    fn entry(n: i64, state: &str, recorder: Recorder) -> String {
        let mut run = Run::without_row(RunId(format!("run-{n}")), Some("example".into()));
        (run.queued_at, run.state) = (Some(Time::from_millis(n)), Some(state.into()));
        run.started_at = run.queued_at;
        Entry::new(&run, recorder, None).unwrap().key
    }

    fn page(keys: &[&str], has_more: bool, age: Option<Duration>, now: Instant) -> Page {
        let changed_at = age.and_then(|age| now.checked_sub(age));
        let key = |key: &&str| Key { key: (*key).to_owned(), changed_at };
        Page { keys: keys.iter().map(key).collect(), has_more }
    }

    fn states(list: &List) -> Vec<&str> {
        list.heads().iter().filter_map(|head| head.run.state.as_deref()).collect()
    }

    #[test]
    fn the_final_entry_of_a_run_counts() {
        let now = Instant::now();
        let keys = [entry(1, "active", Recorder::Alive), entry(1, "failed", Recorder::Unknown)];
        for order in [[0, 1], [1, 0]] {
            let mut list = List::default();
            let keys = order.map(|at| &*keys[at]);
            list.extend(page(&keys, false, None, now), now);
            assert_eq!(states(&list), ["failed"]);
            assert!(list.place(&RunId("run-1".into())).unwrap().is_final);
        }
    }

    #[test]
    fn a_run_whose_entry_is_old_was_interrupted() {
        let now = Instant::now() + STALE * 2;
        let key = entry(1, "active", Recorder::Alive);
        for (age, is_gone) in [(None, false), (Some(STALE), false), (Some(STALE * 2), true)] {
            let mut list = List::default();
            list.extend(page(&[&key], false, age, now), now);
            assert_eq!(list.heads()[0].interrupted, is_gone, "{age:?}");
        }
        let mut list = List::default();
        list.extend(page(&[&key], false, Some(STALE), now), now);
        list.settle(now + Duration::from_secs(1));
        assert!(list.heads()[0].interrupted);
    }

    #[test]
    fn keys_of_a_later_version_are_counted() {
        let (now, mut list) = (Instant::now(), List::default());
        let known = entry(1, "failed", Recorder::Unknown);
        list.extend(page(&["x", &known, "../y!"], true, None, now), now);
        assert_eq!((list.heads().len(), list.unknown(), list.last_key()), (1, 2, Some("../y!")));
    }

    /// A change of the list in the bucket, or a request for a page of this size.
    #[derive(Clone, Debug)]
    enum Step {
        /// A new run begins.
        Add,
        Remove(i64),
        ReadStart(usize),
        ReadOn(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Add),
            (0..60_i64).prop_map(Step::Remove),
            (1..9_usize).prop_map(Step::ReadStart),
            (1..9_usize).prop_map(Step::ReadOn),
        ]
    }

    proptest! {
        #[test]
        fn a_list_has_no_gap_and_its_start_is_that_of_the_bucket(steps in vec(step(), 1..60)) {
            let now = Instant::now();
            let (mut bucket, mut list) = (BTreeSet::new(), List::default());
            let (mut known, mut newest) = (BTreeSet::new(), 0);
            for step in steps {
                match step {
                    Step::Add => {
                        newest += 1;
                        bucket.insert(entry(newest, "failed", Recorder::Unknown));
                    }
                    Step::Remove(n) => _ = bucket.remove(&entry(n, "failed", Recorder::Unknown)),
                    Step::ReadStart(max) => {
                        let all: Vec<&str> = bucket.iter().map(String::as_str).collect();
                        let first = &all[..max.min(all.len())];
                        list.replace_start(page(first, first.len() < all.len(), None, now), now);
                        let read: Vec<&str> = list.keys.iter().map(|key| &*key.key).collect();
                        prop_assert_eq!(&read[..first.len()], first);
                        known.clone_from(&bucket);
                    }
                    Step::ReadOn(max) => {
                        let after = list.last_key().unwrap_or_default().to_owned();
                        let rest: Vec<&str> =
                            bucket.iter().map(String::as_str).filter(|key| **key > *after).collect();
                        let next = &rest[..max.min(rest.len())];
                        list.extend(page(next, next.len() < rest.len(), None, now), now);
                    }
                }
                prop_assert!(list.keys.is_sorted_by(|a, b| a.key < b.key));
                prop_assert_eq!(list.heads().len(), list.keys());
                // A run that was in the bucket at the last read of its start, and still is, is in
                // the list if an older one is.
                let end = list.last_key().unwrap_or_default();
                for key in known.intersection(&bucket).filter(|key| key.as_str() <= end) {
                    prop_assert!(list.keys.iter().any(|read| read.key == *key), "{}", key);
                }
            }
        }
    }
}
