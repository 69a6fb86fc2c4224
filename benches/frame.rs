//! One frame of 200x60 with a coloured log, and with one of progress: what a key or a new row costs at most every 16 ms. And what it
//! costs to tell which rows were overwritten, and to take the text of rows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use rundown::catalog::RunList;
use rundown::cri::Stream;
use rundown::file::FilePath;
use rundown::join::{Findings, JobNode, LogRef, Pairing, Place, RunHead, RunNode, ShNode, ShState};
use rundown::log::{Row, Window};
use rundown::model::{Job, JobId, Outcome, Phase, Run, RunId};
use rundown::sanitise::{Progress, overwritten, plain};
use rundown::time::Time;
use rundown::tui::model::Model;
use rundown::tui::msg::Msg;
use rundown::tui::theme::Theme;
use rundown::tui::update::update;
use rundown::tui::view::view;

const SIZE: Rect = Rect::new(0, 0, 200, 60);

fn row(n: u64) -> Row {
    let text = format!(
        "\x1b[2m12:00:{:02}\x1b[0m \x1b[1;32mINFO\x1b[0m request \x1b[38;5;{}m{n:08x}\x1b[0m served in \x1b[38;2;200;120;20m{n} ms\x1b[0m {}",
        n % 60,
        n % 256,
        "and a rather long tail of words ".repeat(4)
    );
    Row {
        offset: n * 200,
        at: Some(Time::from_millis(0)),
        last_at: Some(Time::from_millis(0)),
        stream: Some(if n.is_multiple_of(3) { Stream::Stderr } else { Stream::Stdout }),
        text: text.into_bytes(),
        cut_bytes: 0,
        complete: true,
        malformed: None,
    }
}

/// A run of 20 jobs of 10 commands, and a log of 60 coloured rows on screen.
fn model() -> Model {
    let id = RunId("01a2078a-83c0-7cf2-8c6a-691100000001".into());
    let run = Run {
        id: id.clone(),
        repo: Some("example".into()),
        ref_name: Some("refs/heads/main".into()),
        sha: Some("deadbeef".into()),
        state: Some("failed".into()),
        reason: None,
        queued_at: None,
        started_at: Some(Time::from_millis(0)),
        finished_at: Some(Time::from_millis(83_000)),
        in_database: true,
    };
    let head = RunHead { run, phase: Phase::Finished, outcome: Some(Outcome::Failed), interrupted: false };
    let log = |n| LogRef { path: FilePath::named(format!("sh-{n}.log")), bytes: 1000 };
    let sh = |n| ShNode {
        n,
        sh: None,
        log: Some(log(n)),
        first_at: None,
        pairing: Pairing::FileOnly,
        state: ShState::Failed,
    };
    let job = |n: u32| JobNode {
        job: Job::without_row(JobId(format!("job {n}"))),
        phase: Phase::Finished,
        outcome: Some(Outcome::Passed),
        interrupted: false,
        shs: (1..=10).map(sh).collect(),
    };
    let node = RunNode {
        head: head.clone(),
        dir: None,
        jobs: (1..=20).map(job).collect(),
        log: None,
        events: None,
        findings: Findings::default(),
    };
    let mut model = Model::new(SIZE, Theme::new(true, false), TimeZone::UTC);
    model.wanted = Some(id.clone());
    let _ = update(&mut model, Msg::Runs(RunList { heads: vec![head; 50], has_more: true }));
    let _ = update(&mut model, Msg::Run(id, Some(Box::new(node))));
    model.tree.at = Some(Place::Sh(JobId("job 1".into()), 1));
    model.log.window = Window { rows: (0..240).map(row).collect(), at_start: true, at_end: true, file_bytes: 48_000 };
    model
}

/// 16 KiB of a bar that was drawn over and over.
fn progress() -> Vec<u8> {
    let bar = |n: usize| format!("\r\x1b[K\x1b[36m{n:3}%\x1b[0m [{:<60}] {n}/100 crates", "█".repeat(n * 60 / 100));
    (0..100).map(bar).collect::<String>().into_bytes()
}

fn frame(criterion: &mut Criterion) {
    let mut model = model();
    let Ok(mut terminal) = Terminal::new(TestBackend::new(SIZE.width, SIZE.height));
    criterion.bench_function("frame_200x60", |bencher| {
        bencher.iter(|| terminal.draw(|frame| view(black_box(&model), frame)).is_ok());
    });
    model.log.window.rows.iter_mut().for_each(|row| row.text = progress());
    criterion.bench_function("frame_200x60_progress", |bencher| {
        bencher.iter(|| terminal.draw(|frame| view(black_box(&model), frame)).is_ok());
    });
}

/// Figures for 1000 rows.
fn rows(criterion: &mut Criterion) {
    let coloured: Vec<_> = (0..1000).map(|n| row(n).text).collect();
    let clean: Vec<_> = coloured.iter().map(|text| plain(text, Progress::Last).into_owned().into_bytes()).collect();
    let redrawn: Vec<_> = (0..1000)
        .map(|n| {
            if n % 20 == 0 { format!("\x1b[20A\x1b[2Kstep {n}") } else { format!("\x1b[2K => step {n}") }.into_bytes()
        })
        .collect();
    for (name, rows) in [("clean", &clean), ("coloured", &coloured), ("redrawn", &redrawn)] {
        criterion.bench_function(&format!("overwritten_1000_rows_{name}"), |bencher| {
            bencher.iter(|| overwritten(black_box(rows).iter().map(Vec::as_slice)));
        });
        criterion.bench_function(&format!("plain_1000_rows_{name}"), |bencher| {
            bencher.iter(|| black_box(rows).iter().map(|row| plain(row, Progress::Last).len()).sum::<usize>());
        });
    }
}

criterion_group!(benches, frame, rows);
criterion_main!(benches);
