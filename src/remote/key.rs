//! The keys of a run: its directory, and its entries in the lists.
//!
//! ```text
//! v1/list/all/8236553599999!<run>!failed!!!12!3456!example!refs_2fheads_2fmain!<sha>!!test!!
//! ```
//!
//! An entry begins with the time of the run, subtracted from the largest one, so that the newest
//! run comes first in the order of keys. Its fields are separated by `!`. In a field, each byte that
//! is not an ASCII letter, a digit, `.` or `-` is `_` with two hexadecimal digits. A field that is
//! too long is cut, and ends with `__`. No key contains a character that servers, proxies or shells
//! treat in different ways, and entries of one list have no `/`, so that they have the same order at
//! every server.

use ring::digest::{SHA256, digest};

use crate::error::{Error, Result};
use crate::join::Recorder;
use crate::model::{JobId, Run, RunId};
use crate::time::Time;

/// The list of all runs.
pub(crate) const ALL: &str = "v1/list/all/";

/// The document of a run that is complete.
pub(crate) const RUN: &str = "run.json.zst";

/// The document of a run that is being pushed.
pub(crate) const LIVE: &str = "live.json.zst";

/// The beginning of the names of the other objects of a run.
pub(crate) const DATA: &str = "data-";

/// The time from which the time of a run is subtracted, in milliseconds since 1970: the year 2286.
const LAST_MS: i64 = 9_999_999_999_999;

/// The longest fields, in bytes.
const MAX_ID: usize = 128;
const MAX_NAME: usize = 96;
const MAX_WORD: usize = 32;
const MAX_TEXT: usize = 48;

/// The parts of a key that stand for an unknown repository and for an empty name.
const NO_REPO: &str = "_";
const EMPTY: &str = "_00";

/// The end of a field that was cut.
const CUT: &str = "__";

/// The longest prefix of the address of a store, in bytes: so that a key has at most 1,024.
pub(crate) const MAX_PREFIX: usize = 150;

/// A run in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The key of its entry, without the list.
    pub key: String,
    /// The directory of its objects.
    pub dir: String,
    /// Its row, as far as a list shows it.
    pub run: Run,
    /// The state of its recorder.
    pub recorder: Recorder,
    /// The job that failed.
    pub failed_job: Option<JobId>,
}

impl Entry {
    /// Creates the entry of a run.
    ///
    /// # Errors
    /// If the id of the run is empty or too long for a key.
    pub fn new(run: &Run, recorder: Recorder, failed_job: Option<&JobId>) -> Result<Self> {
        let at_ms = run.listed_at().map_or(0, Time::floor_millis).clamp(0, LAST_MS);
        let text = |text: &Option<String>, max| {
            text.as_deref().map(|text| field(text, max)).unwrap_or_default()
        };
        let after = |at: Option<Time>| {
            at.map(|at| at.floor_millis().saturating_sub(at_ms).to_string()).unwrap_or_default()
        };
        let details = &run.details;
        let job = failed_job.map(|job| field(job.as_str(), MAX_TEXT)).unwrap_or_default();
        let fields = [
            format!("{:013}", LAST_MS.saturating_sub(at_ms)),
            id_part(&run.id)?,
            text(&run.state, MAX_WORD),
            text(&run.reason, MAX_WORD),
            letter(recorder).to_owned(),
            after(run.started_at),
            after(run.finished_at),
            repo_part(run.repo.as_deref()),
            text(&run.ref_name, MAX_NAME),
            text(&run.sha, MAX_NAME),
            job,
            text(&details.name, MAX_TEXT),
            text(&details.subject, MAX_TEXT),
        ];
        Self::parse(&fields.join("!"))
            .ok_or_else(|| Error::Internal("an entry of a list cannot be read".into()))
    }

    /// Parses the key of an entry, without the list. Ignores fields that a later version added.
    /// Returns `None` for any other key.
    pub fn parse(key: &str) -> Option<Self> {
        let mut fields = key.split('!');
        let inverted = fields.next().filter(|digits| digits.len() == 13)?;
        let at_ms = LAST_MS.checked_sub(inverted.parse().ok()?)?;
        let id = fields.next().filter(|id| is_part(id))?;
        let mut text = || Some(unescape(fields.next()?).filter(|text| !text.is_empty()));
        let (state, reason) = (text()?, text()?);
        let recorder = recorder(&text()?.unwrap_or_default());
        let mut time = || {
            let Some(ms) = text()? else { return Some(None) };
            Some(Some(Time::from_millis(at_ms.saturating_add(ms.parse().ok()?))))
        };
        let (started_at, finished_at) = (time()?, time()?);
        let repo = fields.next().filter(|repo| is_part(repo))?;
        let mut text = || Some(unescape(fields.next()?).filter(|text| !text.is_empty()));
        let (ref_name, sha, job) = (text()?, text()?, text()?);
        let (name, subject) = (text()?, text()?);
        let mut run = Run::without_row(RunId(unescape(id)?), repo_of(repo)?);
        run.queued_at = Some(Time::from_millis(at_ms));
        (run.state, run.reason, run.ref_name, run.sha) = (state, reason, ref_name, sha);
        (run.started_at, run.finished_at, run.in_database) = (started_at, finished_at, true);
        (run.details.name, run.details.subject) = (name, subject);
        let dir = format!("v1/runs/{repo}/{id}/");
        Some(Self { key: key.to_owned(), dir, run, recorder, failed_job: job.map(JobId) })
    }

    /// Returns the beginning of the keys of all entries of the run, without the list.
    pub fn prefix(&self) -> &str {
        let end = self.key.match_indices('!').nth(1).map_or(0, |(at, mark)| at + mark.len());
        self.key.get(..end).unwrap_or_default()
    }

    /// Returns the keys of the entry in all lists.
    pub fn keys(&self, repo: Option<&str>, ref_name: Option<&str>) -> Vec<String> {
        let of_ref = ref_name.map(list_of_ref);
        let lists = [Some(ALL.to_owned()), Some(list_of_repo(repo)), of_ref];
        lists.into_iter().flatten().map(|list| format!("{list}{}", self.key)).collect()
    }
}

/// Returns the beginning of the keys of a repository's runs.
pub(crate) fn list_of_repo(repo: Option<&str>) -> String {
    format!("v1/list/repo/{}/", repo_part(repo))
}

/// Returns the beginning of the keys of a ref's runs. A branch and a tag of the same name share a
/// list.
pub(crate) fn list_of_ref(ref_name: &str) -> String {
    let short = ["refs/heads/", "refs/tags/"].iter().find_map(|kind| ref_name.strip_prefix(kind));
    format!("v1/list/ref/{}/", hashed(short.unwrap_or(ref_name), MAX_NAME))
}

/// Returns the directory of a run.
///
/// # Errors
/// If the id of the run is empty or too long for a key.
pub(crate) fn dir(repo: Option<&str>, id: &RunId) -> Result<String> {
    Ok(format!("v1/runs/{}/{}/", repo_part(repo), id_part(id)?))
}

/// Returns the name of an object with this content.
pub(crate) fn data_name(sha256: &[u8]) -> String {
    format!("{DATA}{}", hex(sha256.get(..16).unwrap_or(sha256)))
}

/// Returns true for the names of objects that [`data_name`] returns.
pub(crate) fn is_data_name(name: &str) -> bool {
    let digits = name.strip_prefix(DATA).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn id_part(id: &RunId) -> Result<String> {
    let part = escape(id.as_str());
    if part.is_empty() || part.len() > MAX_ID {
        let why = format!("the id of a run must have 1 to {MAX_ID} characters in object storage");
        return Err(Error::Usage(why));
    }
    Ok(part)
}

/// Returns true if a field can be a part of a directory.
fn is_part(field: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !field.is_empty() && !field.starts_with('.') && field.bytes().all(is_plain)
}

/// Returns the repository as a part of a key, which is never empty.
fn repo_part(repo: Option<&str>) -> String {
    repo.map_or_else(|| NO_REPO.to_owned(), |repo| hashed(repo, MAX_NAME))
}

/// Returns the repository in a part of a key. A name that was cut ends with `…`.
#[expect(clippy::option_option, reason = "a part that cannot be decoded, or no repository")]
fn repo_of(part: &str) -> Option<Option<String>> {
    match part {
        NO_REPO => return Some(None),
        EMPTY => return Some(Some(String::new())),
        _ => {}
    }
    let whole = part.split_once(CUT).map_or(part, |(start, _)| start);
    let cut = if whole.len() < part.len() { "…" } else { "" };
    Some(Some(format!("{}{cut}", unescape(whole)?)))
}

/// Returns a text as a part of a key: another one for each text. If it is cut, its hash follows.
fn hashed(text: &str, max: usize) -> String {
    let part = field(text, max);
    match part.strip_suffix(CUT) {
        _ if text.is_empty() => EMPTY.to_owned(),
        Some(_) => format!("{part}{}", hex(&digest(&SHA256, text.as_bytes()).as_ref()[..8])),
        None => part,
    }
}

/// Returns a text as a field of at most `max` bytes and the mark of a cut.
fn field(text: &str, max: usize) -> String {
    let part = escape(text);
    if part.len() <= max {
        return part;
    }
    // Whole characters only, so that the field can be decoded.
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        let Some(start) = text.get(..next).map(escape).filter(|start| start.len() <= max) else {
            break;
        };
        end = start.len();
    }
    format!("{}{CUT}", part.get(..end).unwrap_or_default())
}

fn escape(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        // A part of a key must not be `.` or `..`.
        let is_plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' && at > 0;
        if is_plain {
            part.push(char::from(byte));
        } else {
            part.push('_');
            part.push_str(&hex(&[byte]));
        }
    }
    part
}

/// Decodes a field; `None` if it is not one. A field that was cut ends with `…`.
fn unescape(field: &str) -> Option<String> {
    let (whole, cut) = match field.strip_suffix(CUT) {
        Some(whole) => (whole, "…"),
        None => (field, ""),
    };
    let mut bytes = Vec::with_capacity(whole.len());
    let mut parts = whole.split('_');
    bytes.extend(parts.next()?.bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend(part.get(2..)?.bytes());
    }
    bytes.extend(cut.bytes());
    String::from_utf8(bytes).ok()
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or_default()
}

const fn letter(recorder: Recorder) -> &'static str {
    match recorder {
        Recorder::Alive => "a",
        Recorder::Gone => "g",
        Recorder::Waiting => "w",
        Recorder::Copied => "c",
        Recorder::Unknown => "",
    }
}

fn recorder(letter: &str) -> Recorder {
    match letter {
        "a" => Recorder::Alive,
        "g" => Recorder::Gone,
        "w" => Recorder::Waiting,
        "c" => Recorder::Copied,
        _ => Recorder::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run() -> Run {
        let mut run = Run::without_row(
            RunId("01a2078a-83c0-7cf2-8c6a-6911d61998d3".into()),
            Some("example.git".into()),
        );
        run.ref_name = Some("refs/heads/main".into());
        run.sha = Some("deadbeef".into());
        run.state = Some("failed".into());
        run.queued_at = Some(Time::from_millis(1_767_323_045_000));
        run.started_at = Some(Time::from_millis(1_767_323_045_012));
        run.finished_at = Some(Time::from_millis(1_767_323_049_000));
        run.in_database = true;
        run
    }

    #[test]
    fn an_entry_has_everything_that_a_list_shows() {
        let mut run = run();
        run.details.name = Some("nightly build!".into());
        let job = JobId("unit tests/1".into());
        let entry = Entry::new(&run, Recorder::Unknown, Some(&job)).unwrap();
        assert_eq!(
            entry.key,
            "8232676954999!01a2078a-83c0-7cf2-8c6a-6911d61998d3!failed!!!12!4000!example.git\
             !refs_2fheads_2fmain!deadbeef!unit_20tests_2f1!nightly_20build_21!"
        );
        assert_eq!(entry.prefix(), "8232676954999!01a2078a-83c0-7cf2-8c6a-6911d61998d3!");
        assert_eq!((&entry.run, entry.failed_job.as_ref()), (&run, Some(&job)));
        assert_eq!(entry.dir, dir(run.repo.as_deref(), &run.id).unwrap());
        assert_eq!(Entry::parse(&format!("{}!new!fields", entry.key)).unwrap().run, run);
    }

    #[test]
    fn newer_runs_come_first() {
        let mut newer = run();
        newer.queued_at = Some(Time::from_millis(1_767_323_045_001));
        let key = |run: &Run| Entry::new(run, Recorder::Alive, None).unwrap().key;
        assert!(key(&newer) < key(&run()));
        newer.queued_at = Some(Time::from_millis(i64::MAX));
        assert!(key(&newer) < key(&run()));
        newer.queued_at = Some(Time::from_millis(-1));
        assert!(key(&newer) > key(&run()));
    }

    #[test]
    fn the_longest_names_have_room() {
        let long = || Some("ä/".repeat(2000));
        let mut run = run();
        run.id = RunId("x".repeat(MAX_ID));
        (run.repo, run.ref_name, run.sha) = (long(), long(), long());
        (run.state, run.reason) = (long(), long());
        (run.details.name, run.details.subject) = (long(), long());
        let job = JobId(long().unwrap());
        let entry = Entry::new(&run, Recorder::Unknown, Some(&job)).unwrap();
        for key in entry.keys(run.repo.as_deref(), run.ref_name.as_deref()) {
            assert!(key.len() + MAX_PREFIX < 1024, "{}", key.len());
        }
        assert!(entry.run.repo.unwrap().ends_with('…'));
        assert_eq!(entry.dir, dir(run.repo.as_deref(), &run.id).unwrap());
        run.id = RunId("x".repeat(MAX_ID + 1));
        assert!(Entry::new(&run, Recorder::Unknown, None).is_err());
        assert!(dir(None, &RunId(String::new())).is_err());
    }

    #[test]
    fn repositories_have_different_directories() {
        let id = RunId("1".into());
        let long = "x".repeat(200);
        let names =
            [None, Some(""), Some("."), Some(".."), Some("_"), Some("a/b"), Some("a"), Some(&long)];
        let dirs: std::collections::HashSet<_> =
            names.iter().map(|name| dir(*name, &id).unwrap()).collect();
        assert_eq!(dirs.len(), names.len());
        assert!(dirs.iter().all(|dir| !dir.contains("/./") && !dir.contains("/../")));
    }

    #[test]
    fn a_branch_is_listed_with_and_without_its_namespace() {
        assert_eq!(list_of_ref("refs/heads/main"), list_of_ref("main"));
        assert_eq!(list_of_ref("refs/tags/v1"), "v1/list/ref/v1/");
        assert_ne!(list_of_ref("refs/notes/main"), list_of_ref("main"));
    }

    proptest! {
        #[test]
        fn any_key_is_parsed_without_panic(key in "[0-9]{13}(![_a-z0-9.\\-é]{0,9}){0,15}") {
            if let Some(entry) = Entry::parse(&key) {
                prop_assert!(!entry.dir.contains("/../"));
            }
        }

        #[test]
        fn texts_are_decoded_as_they_were(text in any::<String>(), max in 0_usize..100) {
            let field = field(&text, max);
            let decoded = unescape(&field).unwrap();
            if let Some(start) = decoded.strip_suffix('…').filter(|_| field.ends_with(CUT)) {
                prop_assert!(text.starts_with(start));
            } else {
                prop_assert_eq!(decoded, text);
            }
            prop_assert!(field.len() <= max + CUT.len());
        }
    }
}
