//! Pipeline files: an error contains a line of the file, and every valid file obeys the rules of a
//! pipeline.

use std::collections::HashSet;
use std::path::Path;

use rundown::error::Error;
use rundown::log::path::job_dir;
use rundown::model::{Origin, Sh};
use rundown::record::{PipelineCommand, PipelineJob, parse_pipeline};

/// Reads the input as a pipeline file.
pub fn pipeline(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match parse_pipeline(text, Path::new("p.toml")) {
        Ok(pipeline) => check_jobs(pipeline.jobs()),
        Err(error @ Error::Pipeline { line, .. }) => {
            assert!((1..=super::count_lines(data)).contains(&line));
            assert_eq!(super::line_of(&error.to_string(), "p.toml"), line);
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn check_jobs(jobs: &[PipelineJob]) {
    assert!(!jobs.is_empty());
    let mut done = HashSet::new();
    for job in jobs {
        let dir = job_dir(Path::new("/run"), &job.id).unwrap();
        assert_eq!(dir.parent(), Some(Path::new("/run/jobs")));
        assert!(job.needs.iter().all(|need| done.contains(need)));
        assert!(!job.commands.is_empty());
        job.commands.iter().for_each(check_command);
        job.commands.iter().for_each(|command| check_in_shell(job, command));
        assert!(done.insert(job.id.clone()), "{:?} twice", job.id);
    }
}

fn check_command(command: &PipelineCommand) {
    let argv = command.argv();
    assert!(argv.first().is_some_and(|program| !program.is_empty()));
    assert!(argv.iter().all(|arg| !arg.as_encoded_bytes().contains(&0)));
    assert!(!command.shown().is_empty());
    // A list is stored as JSON and read back from it.
    if let PipelineCommand::Argv(argv) = command {
        let stored = Sh { origin: Origin::Call, cmd: command.stored(), ..Sh::default() };
        let read = stored.argv().unwrap();
        assert!(argv.iter().map(|arg| arg.to_str().unwrap()).eq(read.iter()));
    }
}

/// Checks that a shell receives the command as one argument that it splits into the same list.
fn check_in_shell(job: &PipelineJob, command: &PipelineCommand) {
    let Some(shell) = &job.settings.shell else { return };
    let argv = job.argv(command);
    assert_eq!(argv.len(), shell.len() + 1);
    if let PipelineCommand::Argv(list) = command {
        let words = shlex::split(argv[shell.len()].to_str().unwrap()).unwrap();
        assert!(list.iter().map(|arg| arg.to_str().unwrap()).eq(&words));
    }
}
