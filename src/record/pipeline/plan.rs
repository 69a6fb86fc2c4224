//! The plan of a pipeline as text: `exec --dry-run`.
//!
//! ```text
//! test (os=linux)
//!   needs: build
//!   env: CI=1 os=linux
//!   timeout: 10m
//!   $ docker exec ci sh -c 'cargo test'
//! ```

use std::collections::HashMap;
use std::fmt::Write;

use jiff::SignedDuration;

use super::settings::word_of_when;
use super::{JobSettings, Pipeline, PipelineJob, When};
use crate::model::JobId;
use crate::record::mask::Masking;
use crate::{display, sanitize};

impl Pipeline {
    /// Returns a text with the jobs in their order: the name, the needs, the settings that differ
    /// from the default, and the commands as they are run. The text is sanitized. Secrets are
    /// replaced by the names of their variables.
    #[must_use]
    pub fn plan(&self, masking: &Masking) -> String {
        let mut sizes: HashMap<&JobId, usize> = HashMap::new();
        for job in &self.jobs {
            *sizes.entry(&job.base).or_default() += 1;
        }
        let bases: HashMap<&JobId, &JobId> =
            self.jobs.iter().map(|job| (&job.id, &job.base)).collect();
        let of_job = |job| plan_of_job(job, &needs_of(job, &bases, &sizes), masking);
        self.jobs.iter().map(of_job).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the needs of a job. All jobs of a matrix are one need, with their name in the file.
fn needs_of<'p>(
    job: &'p PipelineJob,
    bases: &HashMap<&JobId, &'p JobId>,
    sizes: &HashMap<&JobId, usize>,
) -> Vec<&'p str> {
    let base = |need: &JobId| bases.get(need).copied();
    let mut counts: HashMap<&JobId, usize> = HashMap::new();
    for found in job.needs.iter().filter_map(base) {
        *counts.entry(found).or_default() += 1;
    }
    let name = |need: &'p JobId| match base(need) {
        Some(base) if counts.get(base) == sizes.get(base) => base.as_str(),
        _ => need.as_str(),
    };
    let mut names: Vec<_> = job.needs.iter().map(name).collect();
    names.dedup();
    names
}

fn plan_of_job(job: &PipelineJob, needs: &[&str], masking: &Masking) -> String {
    let (secrets, _) = masking.find(&job.settings.env, &job.settings.mask);
    let mut plan = format!("{}\n", sanitize::name(job.id.as_str()));
    let needs = Some(("needs", needs.join(", "))).filter(|(_, needs)| !needs.is_empty());
    for (name, value) in needs.into_iter().chain(settings(&job.settings)) {
        let _ = writeln!(plan, "  {name}: {}", sanitize::name(&secrets.mask_text(&value)));
    }
    for command in &job.commands {
        let argv = job.argv(command);
        let argv: Vec<_> =
            argv.iter().map(|arg| secrets.mask_text(&arg.to_string_lossy())).collect();
        let line = display::typed(argv.iter().map(AsRef::as_ref));
        let lines: Vec<_> = line.lines().map(sanitize::name).collect();
        let _ = writeln!(plan, "  $ {}", lines.join("\n    "));
    }
    plan
}

/// Returns the settings that differ from the default, each with its key and its value.
fn settings(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let JobSettings { env, dir, shell: _, timeout, allow_failure, retry, when, mask, output } =
        settings;
    let variable = |(name, value): (&String, &String)| {
        if mask.contains(name) { format!("{name}=[{name}]") } else { format!("{name}={value}") }
    };
    let env: Vec<String> = env.iter().map(variable).collect();
    let friendly =
        |timeout| SignedDuration::try_from(timeout).map(|timeout| format!("{timeout:#}"));
    let all = [
        ("env", (!env.is_empty()).then(|| display::typed(env.iter().map(String::as_str)))),
        ("dir", dir.as_ref().map(|dir| dir.display().to_string())),
        ("timeout", timeout.and_then(|timeout| friendly(timeout).ok())),
        ("allow_failure", allow_failure.then(|| "true".into())),
        ("retry", (*retry > 0).then(|| retry.to_string())),
        ("when", (*when != When::OnSuccess).then(|| word_of_when(*when).into())),
        ("mask", (!mask.is_empty()).then(|| mask.join(", "))),
        ("output", output.map(|output| output.name().into())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
