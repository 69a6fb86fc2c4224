//! `--format trace`: Chrome trace events, for Perfetto and `chrome://tracing`.
//!
//! ```text
//! run     ██queued██▒▒▒▒▒▒▒▒ the run ▒▒▒▒▒▒▒▒▒▒▒▒▒
//! slot 1            ▒▒ build ▒▒ ───┐  ▒▒ package ▒▒
//!                   █ make 1 █     │  █ make 2   █
//! slot 2              ▒▒ lint ▒▒   └▸ ▒▒ test ▒▒
//! ```
//!
//! Bars on a track are nested or apart, as viewers require: each job gets the first track that is
//! free, and a command that overlaps with another one of its job gets a track as a job does. Times
//! are microseconds since the first time of the run. A command, job or run without an end gets the
//! last time that is known of it, and `"unfinished": true`. Memory grows with the number of
//! commands, by some dozen bytes for each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::bar::Bar;
use super::failure::{marked, message};
use super::printing::{Printing, run_id, write_harmless};
use crate::display::{self, Status};
use crate::join::{JobNode, ShNode};
use crate::model::Run;
use crate::time::Time;

/// The only process of a trace.
const PID: u32 = 1;

/// The track of the run. The slots follow.
const RUN_TRACK: usize = 1;

/// A bar that lies directly on a track: a job with its commands, or a command that overlaps with
/// another one.
struct Top<'a> {
    job: &'a JobNode,
    bar: Bar,
    shs: Vec<(&'a ShNode, Bar)>,
    /// True if the bar is that of its job, and false if it is that of its only command.
    is_job: bool,
}

pub(super) fn write_run(printing: &mut Printing<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut tops: Vec<Top<'_>> = Vec::new();
    for job in &printing.run.jobs {
        tops.extend(tops_of_job(printing, job));
    }
    tops.sort_by_key(|top| top.bar.start);
    let slots = slots(tops.iter().map(|top| top.bar));
    let (first, last) = (tops.first().map(|top| top.bar.start), tops.iter().map(|top| top.bar.end));
    let run = printing.run_bar(first, last.max());
    let origin = printing.run.head.run.queued_at.into_iter().chain(run.map(|bar| bar.start)).min();
    let mut events = Events::begin(printing, origin, out)?;
    events.tracks(printing, slots.iter().max().map_or(0, |slot| slot + 1))?;
    events.run(printing, run)?;
    for (top, slot) in tops.iter().zip(&slots) {
        events.top(printing, top, track(*slot))?;
    }
    events.needs(&tops, &slots)?;
    events.end()
}

const fn track(slot: usize) -> usize {
    RUN_TRACK + 1 + slot
}

/// Returns the bars of a job: that of the job itself, and those of commands that overlap.
fn tops_of_job<'a>(printing: &mut Printing<'_>, job: &'a JobNode) -> Vec<Top<'a>> {
    let shs = printing.sh_bars(job);
    let Some(bar) = Bar::of_job(job, &shs) else { return Vec::new() };
    let (mut own, mut tops, mut free_at) = (Vec::new(), Vec::new(), bar.start);
    for (sh, bar) in shs {
        if bar.start >= free_at {
            free_at = bar.end;
            own.push((sh, bar));
        } else {
            tops.push(Top { job, bar, shs: vec![(sh, bar)], is_job: false });
        }
    }
    tops.insert(0, Top { job, bar, shs: own, is_job: true });
    tops
}

/// Returns the slot of each bar, from 0: the first one that is free. The bars are sorted by their
/// start.
fn slots(bars: impl Iterator<Item = Bar>) -> Vec<usize> {
    let (mut busy, mut free) = (BinaryHeap::new(), BTreeSet::new());
    let slot_of = |bar: Bar| {
        while let Some(Reverse((end, slot))) = busy.peek().copied()
            && end <= bar.start
        {
            busy.pop();
            free.insert(slot);
        }
        let slot = free.pop_first().unwrap_or(busy.len());
        busy.push(Reverse((bar.end, slot)));
        slot
    };
    bars.map(slot_of).collect()
}

/// Facts about a bar, by name. Unknown ones are left out.
type Facts = BTreeMap<&'static str, Value>;

/// A trace event. The keys are those of the format.
#[derive(Serialize, Default)]
struct Event<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'static str,
    /// The type: `X` a bar, `i` an instant, `s` and `f` the ends of an arrow, `M` metadata.
    ph: &'static str,
    ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<i64>,
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    /// The scope of an instant: its track.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    /// The bar at which an arrow ends: the one around its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    args: Facts,
}

/// A writer of events.
struct Events<'o, W> {
    origin: Option<Time>,
    is_begun: bool,
    out: &'o mut W,
}

impl<'o, W: Write> Events<'o, W> {
    /// Begins the document. `otherData` has what the times of the events do not contain.
    fn begin(printing: &Printing<'_>, origin: Option<Time>, out: &'o mut W) -> io::Result<Self> {
        let run = &printing.run.head.run;
        let other = facts([
            ("run", run_id(run).map(Into::into)),
            ("started_at", origin.and_then(Time::rfc3339_millis).map(Into::into)),
        ]);
        write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":")?;
        write_harmless(&serde_json::to_string(&other)?, out)?;
        write!(out, ",\"traceEvents\":[")?;
        Ok(Self { origin, is_begun: false, out })
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n]}\n")
    }

    fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.out.write_all(if self.is_begun { b",\n" } else { b"\n" })?;
        self.is_begun = true;
        write_harmless(&serde_json::to_string(event)?, self.out)
    }

    /// Returns the time of an event in microseconds.
    fn ts(&self, at: Time) -> i64 {
        at.floor_micros().saturating_sub(self.origin.unwrap_or(at).floor_micros())
    }

    /// Writes the names and the order of the tracks.
    fn tracks(&mut self, printing: &Printing<'_>, slots: usize) -> io::Result<()> {
        self.metadata("process_name", 0, "name", title(&printing.run.head.run).into())?;
        self.metadata("thread_name", RUN_TRACK, "name", "run".into())?;
        self.metadata("thread_sort_index", RUN_TRACK, "sort_index", RUN_TRACK.into())?;
        for slot in 0..slots {
            let tid = track(slot);
            self.metadata("thread_name", tid, "name", format!("slot {}", slot + 1).into())?;
            self.metadata("thread_sort_index", tid, "sort_index", tid.into())?;
        }
        Ok(())
    }

    fn metadata(
        &mut self,
        name: &str,
        tid: usize,
        key: &'static str,
        value: Value,
    ) -> io::Result<()> {
        let args = facts([(key, Some(value))]);
        self.write(&Event { name, ph: "M", pid: PID, tid, args, ..Event::default() })
    }

    /// Writes the time of the run in the queue, and the run.
    fn run(&mut self, printing: &Printing<'_>, bar: Option<Bar>) -> io::Result<()> {
        let Some(bar) = bar else { return Ok(()) };
        let head = &printing.run.head;
        if let Some(queued_at) = head.run.queued_at.filter(|at| *at < bar.start) {
            let waiting = Bar { start: queued_at, end: bar.start, is_open: false };
            self.bar("queue", "queued", RUN_TRACK, waiting, Facts::new())?;
        }
        let args = facts([
            ("outcome", Some(Status::of_run(head).word().into())),
            ("reason", display::reason(head).map(Into::into)),
            ("url", head.run.details.url.as_deref().map(Into::into)),
        ]);
        self.bar("run", &title(&head.run), RUN_TRACK, bar, args)
    }

    /// Writes a job with its commands, or a command that overlaps with another one.
    fn top(&mut self, printing: &mut Printing<'_>, top: &Top<'_>, tid: usize) -> io::Result<()> {
        let job = top.job.job.id.as_str();
        if top.is_job {
            let args = facts([
                ("outcome", Some(Status::of_job(top.job).word().into())),
                ("allow_failure", top.job.job.allow_failure.then_some(true.into())),
                (
                    "needs",
                    Some(&top.job.job.needs)
                        .filter(|ids| !ids.is_empty())
                        .map(|ids| ids.clone().into()),
                ),
            ]);
            self.bar("job", job, tid, top.bar, args)?;
        }
        for (sh, bar) in &top.shs {
            self.command(printing, job, sh, *bar, tid)?;
        }
        Ok(())
    }

    fn command(
        &mut self,
        printing: &mut Printing<'_>,
        job: &str,
        node: &ShNode,
        bar: Bar,
        tid: usize,
    ) -> io::Result<()> {
        let sh = node.sh.as_ref();
        let name = display::command_of(node);
        let args = facts([
            ("job", Some(job.into())),
            ("n", Some(node.n.into())),
            ("outcome", Some(Status::of_sh(node).word().into())),
            ("exit", sh.and_then(display::exit_explained).map(Into::into)),
            ("attempt", sh.and_then(|sh| sh.attempt).map(Into::into)),
            ("cpu_ms", sh.and_then(|sh| sh.cpu_ms).map(Into::into)),
            ("max_rss_bytes", sh.and_then(|sh| sh.max_rss_bytes).map(Into::into)),
        ]);
        self.bar("command", &name, tid, bar, args)?;
        self.cause(printing, node, bar, tid)
    }

    /// Writes the likely cause of a failure at the time of its row.
    fn cause(
        &mut self,
        printing: &mut Printing<'_>,
        node: &ShNode,
        bar: Bar,
        tid: usize,
    ) -> io::Result<()> {
        if !matches!(Status::of_sh(node), Status::Failed | Status::Interrupted) {
            return Ok(());
        }
        let causes = printing.causes(node, 0);
        let Some(at) = causes.first().and_then(|cause| marked(cause)?.at) else { return Ok(()) };
        let name = message(causes.first(), node.sh.as_ref());
        let ts = self.ts(at.clamp(bar.start, bar.end));
        let event =
            Event { name: &name, cat: "cause", ph: "i", ts, pid: PID, tid, ..Event::default() };
        self.write(&Event { s: Some("t"), ..event })
    }

    fn bar(
        &mut self,
        cat: &'static str,
        name: &str,
        tid: usize,
        bar: Bar,
        mut args: Facts,
    ) -> io::Result<()> {
        if bar.is_open {
            args.insert("unfinished", true.into());
        }
        let ts = self.ts(bar.start);
        let dur = Some(self.ts(bar.end).saturating_sub(ts));
        self.write(&Event { name, cat, ph: "X", ts, dur, pid: PID, tid, args, ..Event::default() })
    }

    /// Writes an arrow from each job to each job that needs it.
    fn needs(&mut self, tops: &[Top<'_>], slots: &[usize]) -> io::Result<()> {
        let jobs = || tops.iter().zip(slots).filter(|(top, _)| top.is_job);
        let places: HashMap<&str, (Bar, usize)> =
            jobs().map(|(top, slot)| (top.job.job.id.as_str(), (top.bar, track(*slot)))).collect();
        let mut id = 0;
        for (top, slot) in jobs() {
            let to = self.ts(top.bar.start);
            for need in &top.job.job.needs {
                let Some((bar, tid)) = places.get(need.as_str()) else { continue };
                // An arrow begins within a bar, and so before its end.
                let last = self.ts(bar.end).saturating_sub(1);
                let from = last.min(to).max(self.ts(bar.start));
                if from <= to {
                    id += 1;
                    self.arrow("s", id, from, *tid)?;
                    self.arrow("f", id, to, track(*slot))?;
                }
            }
        }
        Ok(())
    }

    fn arrow(&mut self, ph: &'static str, id: usize, ts: i64, tid: usize) -> io::Result<()> {
        let bp = (ph == "f").then_some("e");
        let (name, id) = ("needs", Some(id));
        self.write(&Event { name, cat: "needs", ph, ts, pid: PID, tid, id, bp, ..Event::default() })
    }
}

fn facts<const N: usize>(facts: [(&'static str, Option<Value>); N]) -> Facts {
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns the name of a run.
fn title(run: &Run) -> String {
    let words = [
        display::pipeline(run),
        run.repo.clone(),
        display::revision(run),
        run_id(run).map(|_| run.id.short().to_owned()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bar((start, ms): (i64, i64)) -> Bar {
        let start = Time::from_millis(start);
        Bar { start, end: Time::from_millis(start.floor_millis() + ms), is_open: false }
    }

    proptest! {
        #[test]
        fn bars_in_one_slot_do_not_overlap_and_no_slot_is_wasted(
            times in prop::collection::vec((0_i64..40, 0_i64..12), 0..40),
        ) {
            let mut bars: Vec<Bar> = times.into_iter().map(bar).collect();
            bars.sort_by_key(|bar| bar.start);
            let slots = slots(bars.iter().copied());
            for (at, (later, slot)) in bars.iter().zip(&slots).enumerate() {
                let before = || bars[..at].iter().zip(&slots[..at]);
                prop_assert!(before().all(|(bar, of)| of != slot || bar.end <= later.start));
                let active: BTreeSet<usize> = before()
                    .filter(|(bar, _)| bar.end > later.start)
                    .map(|(_, slot)| *slot)
                    .collect();
                let first_free = (0..=at).find(|slot| !active.contains(slot)).unwrap();
                prop_assert_eq!(*slot, first_free);
            }
        }
    }
}
