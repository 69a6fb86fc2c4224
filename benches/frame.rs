//! The cost of drawing a frame of 200x60 with logs of several kinds. A key or a new row causes a
//! frame, at most every 16 ms. Also the cost of finding overwritten rows and of extracting the text
//! of rows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use rundown::catalog::RunList;
use rundown::cri::Stream;
use rundown::join::{Findings, JobNode, LogRef, Pairing, Place, RunHead, RunNode, ShNode, ShState};
use rundown::log::{LogPath, Row, Window};
use rundown::model::{Job, JobId, Outcome, Phase, Run, RunId};
use rundown::sanitize::{Progress, overwritten, plain};
use rundown::time::Time;
use rundown::tui::model::Model;
use rundown::tui::msg::Msg;
use rundown::tui::theme::Theme;
use rundown::tui::update::update;
use rundown::tui::view::view;

const SIZE: Rect = Rect::new(0, 0, 200, 60);

/// Generates the text of a row.
type Text = fn(u64) -> String;

/// Generates colored output, as of most tools.
fn colored(n: u64) -> String {
    format!(
        "\x1b[2m12:00:{:02}\x1b[0m \x1b[1;32mINFO\x1b[0m request \x1b[38;5;{}m{n:08x}\x1b[0m \
         served in \x1b[38;2;200;120;20m{n} ms\x1b[0m {}",
        n % 60,
        n % 256,
        "and a rather long tail of words ".repeat(4)
    )
}

/// Generates a colored row of 20 KB, such as minified code, JSON or a progress bar. A screen shows
/// a hundredth of it.
fn long(n: u64) -> String {
    colored(n).repeat(87)
}

/// Generates characters of two columns, of several code points, and with combining marks.
fn wide(n: u64) -> String {
    format!("\x1b[33m{n}\x1b[0m {}", "試験は成功した 🎉 👩‍👩‍👧 e\u{301}a\u{308} ".repeat(8))
}

fn row(n: u64, text: Text) -> Row {
    Row {
        offset: n * 200,
        at: Some(Time::from_millis(0)),
        last_at: Some(Time::from_millis(0)),
        stream: Some(if n.is_multiple_of(3) { Stream::Stderr } else { Stream::Stdout }),
        text: text(n).into_bytes(),
        overwritten_bytes: 0,
        cut_bytes: 0,
        complete: true,
        malformed: None,
        pieces: Vec::new(),
    }
}

/// Creates the model of a run of 20 jobs with 10 commands each. The rows of its log fill the screen
/// four times.
fn model(text: Text) -> Model {
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
        details: rundown::model::RunDetails::default(),
    };
    let head = RunHead {
        run,
        phase: Phase::Finished,
        outcome: Some(Outcome::Failed),
        interrupted: false,
        waiting: false,
    };
    let log = |n| LogRef { path: LogPath::named(format!("sh-{n}.log")), bytes: 1000 };
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
        waiting: false,
        shs: (1..=10).map(sh).collect(),
    };
    let node = RunNode {
        head: head.clone(),
        dir: None,
        jobs: (1..=20).map(job).collect(),
        log: None,
        events: None,
        changed_at: None,
        findings: Findings::default(),
    };
    let mut model = Model::new(SIZE, Theme::new(true, false), TimeZone::UTC);
    model.wanted = Some(id.clone());
    let _ = update(&mut model, Msg::Runs(RunList { heads: vec![head; 50], has_more: true }));
    let _ = update(&mut model, Msg::Run(id, Some(Box::new(node))));
    model.tree.at = Some(Place::Sh(JobId("job 1".into()), 1));
    let rows = (0..240).map(|n| row(n, text)).collect();
    model.log.window = Window { rows, at_start: true, at_end: true, file_bytes: 48_000 };
    // The middle of the log, so that the rows above are searched for colors that are still in
    // effect.
    model.log.top = 120;
    model
}

/// Generates 16 KiB of a progress bar that is overwritten repeatedly.
fn progress(_: u64) -> String {
    let bar = |n: usize| {
        format!("\r\x1b[K\x1b[36m{n:3}%\x1b[0m [{:<60}] {n}/100 crates", "█".repeat(n * 60 / 100))
    };
    (0..100).map(bar).collect()
}

fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame_200x60");
    let logs: [(&str, Text); 4] = [
        ("colored rows", colored),
        ("rows of 20 KB", long),
        ("wide characters", wide),
        ("progress", progress),
    ];
    for (name, text) in logs {
        let model = model(text);
        let Ok(mut terminal) = Terminal::new(TestBackend::new(SIZE.width, SIZE.height));
        group.bench_function(name, |bencher| {
            bencher.iter(|| terminal.draw(|frame| view(black_box(&model), frame)).is_ok());
        });
    }
    group.finish();
}

/// Measures [`overwritten`] and [`plain`] on 1000 rows at a time.
fn rows(criterion: &mut Criterion) {
    let colored: Vec<_> = (0..1000).map(|n| colored(n).into_bytes()).collect();
    let clean: Vec<_> =
        colored.iter().map(|text| plain(text, Progress::Last).into_owned().into_bytes()).collect();
    let redrawn: Vec<_> = (0..1000)
        .map(|n| {
            if n % 20 == 0 {
                format!("\x1b[20A\x1b[2Kstep {n}")
            } else {
                format!("\x1b[2K => step {n}")
            }
            .into_bytes()
        })
        .collect();
    for (name, rows) in [("clean", &clean), ("colored", &colored), ("redrawn", &redrawn)] {
        criterion.bench_function(&format!("overwritten_1000_rows_{name}"), |bencher| {
            bencher.iter(|| overwritten(black_box(rows).iter().map(Vec::as_slice)));
        });
        criterion.bench_function(&format!("plain_1000_rows_{name}"), |bencher| {
            bencher.iter(|| {
                black_box(rows).iter().map(|row| plain(row, Progress::Last).len()).sum::<usize>()
            });
        });
    }
}

criterion_group!(benches, frame, rows);
criterion_main!(benches);
