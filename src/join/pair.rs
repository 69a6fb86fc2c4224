//! Matches logs and commands.
//!
//! If the store contains a command's number (rundown's own store does, in `sh_calls`), the pairing
//! is exact. A number that comes from the order of events is checked against the log's first
//! timestamp.
//!
//! Otherwise the n-th row of a job belongs to `sh-<n>.log`. The rows are counted in the order in
//! which they were written (the order of execution), or in the order of their start times (quire's
//! own rule). The two orders differ if the clock was set back during the job; the logs' first
//! timestamps decide between them. If a timestamp contradicts the chosen order, rows and logs are
//! paired by time. Between two such pairs, the rows and logs without a match are paired by their
//! order if they are equally many. All others remain unpaired.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::{LogRef, Pairing, ShNode, ShState};
use crate::model::{Origin, Sh};
use crate::time::Time;

/// A log file of a job, as found on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatedLog {
    /// The number in its name.
    pub n: u32,
    /// The file.
    pub log: LogRef,
    /// The time of its first record, if it was needed and the log has one.
    pub first_at: Option<Time>,
}

/// A row, a log, or both, before the command's state is derived.
#[derive(Debug)]
pub(super) struct Paired {
    n: u32,
    sh: Option<Sh>,
    log: Option<LogRef>,
    first_at: Option<Time>,
    pairing: Pairing,
}

impl Paired {
    fn both(sh: Sh, found: DatedLog, pairing: Pairing) -> Self {
        Self { n: found.n, sh: Some(sh), log: Some(found.log), first_at: found.first_at, pairing }
    }

    fn row_only(n: u32, sh: Sh) -> Self {
        Self { n, sh: Some(sh), log: None, first_at: None, pairing: Pairing::RowOnly }
    }

    fn file_only(found: DatedLog) -> Self {
        Self {
            n: found.n,
            sh: None,
            log: Some(found.log),
            first_at: found.first_at,
            pairing: Pairing::FileOnly,
        }
    }

    pub(super) fn node(self, is_over: bool) -> ShNode {
        let state = match &self.sh {
            Some(sh) if sh.is_abandoned || sh.is_lost() => ShState::Interrupted,
            Some(Sh { exit_code: Some(0), .. }) => ShState::Passed,
            Some(Sh { exit_code: Some(_), .. }) => ShState::Failed,
            None | Some(Sh { finished_at: Some(_), .. }) => ShState::Unknown,
            Some(Sh { origin: Origin::GivenUp, .. }) => ShState::Interrupted,
            Some(_) if is_over => ShState::Interrupted,
            Some(_) => ShState::Running,
        };
        ShNode {
            n: self.n,
            sh: self.sh,
            log: self.log,
            first_at: self.first_at,
            pairing: self.pairing,
            state,
        }
    }
}

/// Pairs a job's rows, in the order in which they were written, with its logs. The result contains
/// each row and each log exactly once, and is sorted by number.
pub(super) fn pair(shs: Vec<Sh>, mut logs: Vec<DatedLog>) -> Vec<Paired> {
    logs.sort_by_key(|found| found.n);
    let mut paired = if shs.iter().any(|sh| sh.n.is_some()) {
        pair_by_number(shs, logs)
    } else {
        let shs = in_confirmed_order(shs, &logs);
        if follows_the_order(&shs, &logs) {
            pair_by_order(shs, logs)
        } else {
            pair_by_time(Vec::new(), shs, logs)
        }
    };
    paired.sort_by_key(|paired| (paired.n, paired.log.is_none()));
    paired
}

fn pair_by_number(shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let mut logs: BTreeMap<u32, DatedLog> =
        logs.into_iter().map(|found| (found.n, found)).collect();
    let (numbered, rest): (Vec<Sh>, Vec<Sh>) = shs.into_iter().partition(|sh| sh.n.is_some());
    let mut paired = Vec::new();
    for (n, sh) in numbered.into_iter().filter_map(|sh| Some((sh.n?, sh))) {
        paired.push(match logs.remove(&n) {
            Some(found) => {
                let pairing =
                    if sh.origin == Origin::Call { Pairing::Exact } else { checked(&sh, &found) };
                Paired::both(sh, found, pairing)
            }
            None => Paired::row_only(n, sh),
        });
    }
    let (rows, given_up): (Vec<Sh>, Vec<Sh>) =
        rest.into_iter().partition(|sh| sh.origin == Origin::Row);
    let mut paired = pair_by_time(paired, rows, logs.into_values().collect());
    add_alone(&mut paired, given_up);
    paired
}

/// Returns the pairing of a row and its log: [`Pairing::Time`] if their times match, else
/// [`Pairing::Position`].
fn checked(sh: &Sh, found: &DatedLog) -> Pairing {
    if times_match(sh, found) == Some(true) { Pairing::Time } else { Pairing::Position }
}

/// Adds rows without a log, with the lowest free numbers.
fn add_alone(paired: &mut Vec<Paired>, shs: Vec<Sh>) {
    let taken: HashSet<u32> = paired.iter().map(|paired| paired.n).collect();
    let free = (1..).filter(|n| !taken.contains(n));
    paired.extend(shs.into_iter().zip(free).map(|(sh, n)| Paired::row_only(n, sh)));
}

/// Returns true if a log's first timestamp and the row's start differ by at most a millisecond;
/// `None` if one of them is unknown.
fn times_match(sh: &Sh, found: &DatedLog) -> Option<bool> {
    let (log, row) = (found.first_at?.floor_millis(), sh.started_at?.floor_millis());
    Some(log.abs_diff(row) <= 1)
}

/// Returns the rows in the order in which they were written or in the order of their start times.
/// Chooses the order in which more rows start in the same millisecond as the first record of their
/// log, and the order of writing if the counts are equal.
fn in_confirmed_order(shs: Vec<Sh>, logs: &[DatedLog]) -> Vec<Sh> {
    let mut by_start = shs.clone();
    by_start.sort_by_key(|sh| sh.started_at);
    let is_exact = |sh: &Sh, found: &DatedLog| {
        found.first_at.map(Time::floor_millis) == sh.started_at.map(Time::floor_millis)
    };
    let confirmed = |shs: &[Sh]| {
        let dated = logs.iter().filter(|found| found.first_at.is_some());
        dated.filter(|found| row_at(shs, found.n).is_some_and(|sh| is_exact(sh, found))).count()
    };
    if confirmed(&by_start) > confirmed(&shs) { by_start } else { shs }
}

/// Returns true if no log's time contradicts the order: the i-th row belongs to `sh-<i>.log`.
fn follows_the_order(shs: &[Sh], logs: &[DatedLog]) -> bool {
    logs.iter()
        .all(|found| row_at(shs, found.n).and_then(|sh| times_match(sh, found)) != Some(false))
}

fn row_at(shs: &[Sh], n: u32) -> Option<&Sh> {
    shs.get(usize::try_from(n).ok()?.checked_sub(1)?)
}

/// Pairs the i-th row with `sh-<i>.log`. Then pairs the remaining rows and logs that began in the
/// same millisecond, in case a number was skipped.
fn pair_by_order(shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let mut logs: BTreeMap<u32, DatedLog> =
        logs.into_iter().map(|found| (found.n, found)).collect();
    let mut paired = Vec::new();
    let mut alone = Vec::new();
    for (n, sh) in (1..).zip(shs) {
        match logs.remove(&n) {
            Some(found) => {
                let pairing = checked(&sh, &found);
                paired.push(Paired::both(sh, found, pairing));
            }
            None => alone.push((n, sh)),
        }
    }
    let (dated, undated): (Vec<_>, Vec<_>) =
        logs.into_values().partition(|found| found.first_at.is_some());
    let first_ms = |found: &DatedLog| found.first_at.map_or(0, Time::floor_millis);
    let mut starting: BTreeMap<(i64, u32), DatedLog> =
        dated.into_iter().map(|found| ((first_ms(&found), found.n), found)).collect();
    for (n, sh) in alone {
        let at = sh.started_at.map(Time::floor_millis);
        let key =
            at.and_then(|at| starting.range((at, 0)..=(at, u32::MAX)).next().map(|(key, _)| *key));
        match key.and_then(|key| starting.remove(&key)) {
            Some(found) => paired.push(Paired::both(sh, found, Pairing::Time)),
            None => paired.push(Paired::row_only(n, sh)),
        }
    }
    paired.extend(undated.into_iter().chain(starting.into_values()).map(Paired::file_only));
    paired
}

/// Pairs rows and logs by time, because their order is unknown or contradicts their times. Each log
/// with a time is paired with the row that started at that time. Between two such pairs, the other
/// logs are paired with the other rows in order if there are as many rows as logs (see
/// [`fill_gaps`]). The rest remain unpaired. Adds all of them to `paired`, and returns it.
fn pair_by_time(mut paired: Vec<Paired>, shs: Vec<Sh>, logs: Vec<DatedLog>) -> Vec<Paired> {
    let row_of = fill_gaps(rows_by_time(&shs, &logs), &shs, &logs);
    let mut shs: Vec<Option<Sh>> = shs.into_iter().map(Some).collect();
    for (found, row) in logs.into_iter().zip(row_of) {
        match row.and_then(|row| shs.get_mut(row)).and_then(Option::take) {
            Some(sh) => {
                let pairing = checked(&sh, &found);
                paired.push(Paired::both(sh, found, pairing));
            }
            None => paired.push(Paired::file_only(found)),
        }
    }
    add_alone(&mut paired, shs.into_iter().flatten().collect());
    paired
}

/// Finds for each log the index of the row that started in the millisecond of its first timestamp,
/// or else in the one before or after; `None` if there is no such row. Each row is used once.
fn rows_by_time(shs: &[Sh], logs: &[DatedLog]) -> Vec<Option<usize>> {
    let mut starting: HashMap<i64, VecDeque<usize>> = HashMap::new();
    for (row, sh) in shs.iter().enumerate() {
        if let Some(at) = sh.started_at {
            starting.entry(at.floor_millis()).or_default().push_back(row);
        }
    }
    let mut row_of = vec![None; logs.len()];
    for distance in [0, -1, 1] {
        for (row, found) in row_of.iter_mut().zip(logs).filter(|(row, _)| row.is_none()) {
            let near = found.first_at.map(|at| at.floor_millis().saturating_add(distance));
            *row = near.and_then(|ms| starting.get_mut(&ms)).and_then(VecDeque::pop_front);
        }
    }
    row_of
}

/// The maximum time, in milliseconds, between the start of a row and the first record of a log that
/// [`fill_gaps`] pairs. Quire's later versions read the clock separately for the two times, and a
/// slow machine may pause in between.
const NEAR_MS: u64 = 1000;

/// Pairs the rows and logs between two pairs, in order. Does so only if there are as many rows as
/// logs, and if the times of each new pair are at most [`NEAR_MS`] apart.
fn fill_gaps(mut row_of: Vec<Option<usize>>, shs: &[Sh], logs: &[DatedLog]) -> Vec<Option<usize>> {
    let taken: HashSet<usize> = row_of.iter().copied().flatten().collect();
    let free: Vec<usize> = (0..shs.len()).filter(|row| !taken.contains(row)).collect();
    let free_from = |row: usize| free.partition_point(|free| *free < row);
    let is_near = |row: usize, place: usize| {
        let times = shs
            .get(row)
            .and_then(|sh| sh.started_at)
            .zip(logs.get(place).and_then(|found| found.first_at));
        times.is_none_or(|(start, first)| start.millis_since(first).unsigned_abs() <= NEAR_MS)
    };
    let mut gap: Vec<usize> = Vec::new();
    let mut first_row = 0;
    for place in 0..=logs.len() {
        let row = row_of.get(place).copied().flatten();
        if row.is_none() && place < logs.len() {
            gap.push(place);
            continue;
        }
        let between =
            free.get(free_from(first_row)..free_from(row.unwrap_or(shs.len()))).unwrap_or_default();
        if between.len() == gap.len()
            && between.iter().zip(&gap).all(|(row, place)| is_near(*row, *place))
        {
            for (place, row) in gap.iter().zip(between) {
                row_of[*place] = Some(*row);
            }
        }
        gap.clear();
        first_row = row.map_or(first_row, |row| row + 1);
    }
    row_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::LogPath;

    fn sh(n: Option<u32>, started_ms: i64) -> Sh {
        Sh {
            origin: if n.is_some() { Origin::Call } else { Origin::Row },
            n,
            cmd: format!("at {started_ms}"),
            started_at: Some(Time::from_millis(started_ms)),
            finished_at: Some(Time::from_millis(started_ms + 1)),
            exit_code: Some(0),
            ..Sh::default()
        }
    }

    fn log(n: u32, first_ms: Option<i64>) -> DatedLog {
        let log = LogRef { path: LogPath::named(format!("sh-{n}.log")), bytes: 10 };
        DatedLog { n, log, first_at: first_ms.map(Time::from_millis) }
    }

    /// Formats pairs as `n:start-of-row:log pairing`, with a dash for a missing part.
    fn described(paired: &[Paired]) -> Vec<String> {
        paired
            .iter()
            .map(|p| {
                let row = p.sh.as_ref().map_or("-", |sh| sh.cmd.trim_start_matches("at "));
                let log = p.log.as_ref().map_or("-".into(), |log| log.path.display().to_string());
                let pairing = serde_json::to_value(p.pairing).unwrap();
                format!("{}:{row}:{log} {}", p.n, pairing.as_str().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_stored_number_takes_precedence_over_times() {
        let paired = pair(
            vec![sh(Some(2), 10), sh(Some(1), 20), sh(Some(4), 30)],
            vec![log(1, Some(99)), log(2, None), log(3, None)],
        );
        assert_eq!(
            described(&paired),
            [
                "1:20:sh-1.log exact",
                "2:10:sh-2.log exact",
                "3:-:sh-3.log file-only",
                "4:30:- row-only"
            ]
        );
    }

    #[test]
    fn rows_without_a_number_get_the_logs_that_started_at_the_same_time() {
        let paired = pair(
            vec![sh(Some(1), 10), sh(None, 20), sh(None, 30)],
            vec![log(1, None), log(2, Some(30))],
        );
        assert_eq!(
            described(&paired),
            ["1:10:sh-1.log exact", "2:30:sh-2.log time", "3:20:- row-only"]
        );
    }

    #[test]
    fn rows_that_end_at_a_collision_leave_logs_unpaired() {
        let paired = pair(
            vec![sh(None, 10), sh(None, 20)],
            vec![log(1, Some(10)), log(2, None), log(3, Some(20)), log(10, None)],
        );
        assert_eq!(
            described(&paired),
            [
                "1:10:sh-1.log time",
                "2:20:sh-2.log position",
                "3:-:sh-3.log file-only",
                "10:-:sh-10.log file-only"
            ]
        );
    }

    #[test]
    fn start_times_that_differ_by_a_millisecond_match() {
        let paired =
            pair(vec![sh(None, 10), sh(None, 20)], vec![log(1, Some(11)), log(2, Some(19))]);
        assert_eq!(described(&paired), ["1:10:sh-1.log time", "2:20:sh-2.log time"]);
    }

    #[test]
    fn logs_are_paired_by_time_after_the_clock_was_set_back() {
        // Executed at 100, 200, 50: the rows are sorted as 50, 100, 200.
        let rows = vec![sh(None, 50), sh(None, 100), sh(None, 200)];
        let paired = pair(rows, vec![log(1, Some(100)), log(2, Some(200)), log(3, Some(50))]);
        assert_eq!(
            described(&paired),
            ["1:100:sh-1.log time", "2:200:sh-2.log time", "3:50:sh-3.log time"]
        );
    }

    #[test]
    fn logs_without_times_between_two_paired_logs_get_the_rows_between() {
        let rows = vec![sh(None, 10), sh(None, 20), sh(None, 30), sh(None, 40)];
        // sh-1 has lost its row: everything is shifted by one.
        let logs =
            vec![log(1, Some(5)), log(2, Some(10)), log(3, None), log(4, Some(30)), log(5, None)];
        assert_eq!(
            described(&pair(rows, logs)),
            [
                "1:-:sh-1.log file-only",
                "2:10:sh-2.log time",
                "3:20:sh-3.log position",
                "4:30:sh-4.log time",
                "5:40:sh-5.log position"
            ]
        );
    }

    #[test]
    fn the_write_order_is_kept_if_the_clock_was_set_back() {
        let rows = |starts: &[i64]| starts.iter().map(|&at| sh(None, at)).collect::<Vec<_>>();
        for (starts, times, expected) in [
            // Set back by a millisecond: both orders agree within the tolerance.
            (
                vec![209, 208],
                vec![Some(209), Some(208)],
                vec!["1:209:sh-1.log time", "2:208:sh-2.log time"],
            ),
            // The log times are a millisecond late, so the first one equals the start of the second
            // row.
            (
                vec![791, 792, 684],
                vec![Some(792), Some(793), Some(684)],
                vec!["1:791:sh-1.log time", "2:792:sh-2.log time", "3:684:sh-3.log time"],
            ),
            // Silent commands are paired by their position.
            (
                vec![657, 658, 656, 55],
                vec![Some(657), Some(658), None, Some(55)],
                vec![
                    "1:657:sh-1.log time",
                    "2:658:sh-2.log time",
                    "3:656:sh-3.log position",
                    "4:55:sh-4.log time",
                ],
            ),
            (
                vec![657, 600],
                vec![None, None],
                vec!["1:657:sh-1.log position", "2:600:sh-2.log position"],
            ),
            // The rows were written in another order than the commands ran.
            (
                vec![20, 10],
                vec![Some(10), Some(20)],
                vec!["1:10:sh-1.log time", "2:20:sh-2.log time"],
            ),
        ] {
            let logs = (1..).zip(times).map(|(n, at)| log(n, at)).collect();
            assert_eq!(described(&pair(rows(&starts), logs)), expected, "{starts:?}");
        }
    }

    #[test]
    fn a_number_missing_in_rows_and_logs_shifts_the_following_pairs() {
        let paired =
            pair(vec![sh(None, 10), sh(None, 20)], vec![log(1, Some(10)), log(3, Some(20))]);
        assert_eq!(described(&paired), ["1:10:sh-1.log time", "3:20:sh-3.log time"]);
    }

    #[test]
    fn a_start_recorded_milliseconds_after_the_log_is_paired_by_position() {
        let rows = vec![sh(None, 10), sh(None, 25), sh(None, 40)];
        let paired = pair(rows.clone(), vec![log(1, Some(10)), log(2, Some(20)), log(3, Some(40))]);
        assert_eq!(
            described(&paired),
            ["1:10:sh-1.log time", "2:25:sh-2.log position", "3:40:sh-3.log time"]
        );
        let far = pair(rows, vec![log(1, Some(10)), log(2, Some(2000)), log(3, Some(40))]);
        assert_eq!(
            described(&far),
            [
                "1:10:sh-1.log time",
                "2:-:sh-2.log file-only",
                "3:40:sh-3.log time",
                "4:25:- row-only"
            ]
        );
    }

    #[test]
    fn numbers_from_events_are_checked_and_unnumbered_commands_come_last() {
        let event = |n, ms| Sh { origin: Origin::Event, ..sh(n, ms) };
        let paired = pair(
            vec![event(None, 5), event(Some(1), 10), event(Some(2), 10), event(Some(3), 20)],
            vec![log(1, Some(10)), log(2, None), log(3, Some(17))],
        );
        assert_eq!(
            described(&paired),
            [
                "1:10:sh-1.log time",
                "2:10:sh-2.log position",
                "3:20:sh-3.log position",
                "4:5:- row-only"
            ]
        );
    }

    fn rows() -> impl Strategy<Value = Vec<Sh>> {
        prop::collection::vec((prop::option::of(1_u32..12), 0_i64..40), 0..12).prop_map(
            |mut rows| {
                rows.sort_by_key(|row| row.1);
                let numbered = rows.iter().all(|row| row.0.is_some());
                rows.into_iter().map(|(n, at)| sh(n.filter(|_| numbered), at)).collect()
            },
        )
    }

    fn logs() -> impl Strategy<Value = Vec<DatedLog>> {
        prop::collection::btree_map(1_u32..14, prop::option::of(0_i64..40), 0..12)
            .prop_map(|logs| logs.into_iter().map(|(n, at)| log(n, at)).collect())
    }

    proptest! {
        #[test]
        fn every_row_and_every_log_is_paired_exactly_once(shs in rows(), logs in logs()) {
            let mut expected_rows: Vec<String> = shs.iter().map(|sh| sh.cmd.clone()).collect();
            let expected_logs: Vec<u32> = logs.iter().map(|found| found.n).collect();
            let paired = pair(shs, logs);
            let mut rows: Vec<String> =
                paired.iter().filter_map(|p| p.sh.as_ref().map(|sh| sh.cmd.clone())).collect();
            let found: Vec<u32> = paired.iter().filter(|p| p.log.is_some()).map(|p| p.n).collect();
            expected_rows.sort();
            rows.sort();
            prop_assert_eq!(rows, expected_rows);
            prop_assert_eq!(found, expected_logs);
            prop_assert!(paired.iter().all(|p| p.sh.is_some() || p.log.is_some()));
        }

        #[test]
        fn a_pairing_by_time_never_contradicts_the_times(shs in rows(), logs in logs()) {
            prop_assume!(shs.iter().all(|sh| sh.n.is_none()));
            let times: BTreeMap<u32, Option<Time>> =
                logs.iter().map(|found| (found.n, found.first_at)).collect();
            for p in pair(shs, logs).iter().filter(|p| p.pairing == Pairing::Time) {
                let row = p.sh.as_ref().and_then(|sh| sh.started_at).unwrap().floor_millis();
                prop_assert!(times[&p.n].unwrap().floor_millis().abs_diff(row) <= 1);
            }
        }

        #[test]
        fn an_undisturbed_job_is_paired_in_order(
            starts in prop::collection::btree_set(0_i64..1_000_000, 0..40),
        ) {
            let shs = starts.iter().map(|&at| sh(None, at)).collect();
            let logs =
                (1..).zip(&starts).map(|(n, &at)| log(n, (n % 3 > 0).then_some(at))).collect();
            for (at, p) in starts.iter().zip(pair(shs, logs)) {
                prop_assert_eq!(p.sh.unwrap().cmd, format!("at {at}"));
                prop_assert!(p.log.is_some());
            }
        }
    }
}
