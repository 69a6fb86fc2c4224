//! The text form of a position: a command, and a position in its log. Pure.
//!
//! ```text
//! 1200, 50%, 12:34:56, +90s, start, end    a position in the log
//! b12345                                   the row at this byte
//! test/2                                   the second command of the job `test`
//! test/2@end                               the same, at the end of its log
//! test/                                    the job `test`
//! run@end                                  the run's own log, at its end
//! ```

use std::fmt::{self, Display, Formatter};

use jiff::tz::TimeZone;

use super::prompt::parse_goto;
use crate::join::Place;
use crate::model::JobId;
use crate::sanitize::{is_harmless, name};
use crate::time::Time;

/// The name of the run's own log, which belongs to no command.
const OWN_LOG: &str = "run";

/// The position at which a log opens. At least one of the two parts is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At {
    /// The command, job or run whose log opens; `None` for the default.
    pub place: Option<Place>,
    /// The position in the log, as [`Where::parse`] reads it; `None` for the default.
    pub position: Option<String>,
}

impl At {
    /// Parses `JOB/N@POSITION`, or either part alone.
    ///
    /// # Errors
    /// If the text has no such form. The error lists valid forms.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if Where::parse(text).is_some() {
            return Ok(Self { place: None, position: Some(text.to_owned()) });
        }
        // A job name may contain any character, also `@` and `/`.
        let (place, position) =
            match text.rsplit_once('@').filter(|(_, position)| Where::parse(position).is_some()) {
                Some((place, position)) => (place, Some(position.to_owned())),
                None => (text, None),
            };
        let place = parse_place(place)
            .ok_or("try end, 1200, 50%, 12:34:56, +90s, or JOB/N@end for another command")?;
        Ok(Self { place: Some(place), position })
    }

    /// Returns the text for a command line; `None` if it contains characters that cannot be typed
    /// or that control a terminal.
    #[must_use]
    pub fn typed(&self) -> Option<String> {
        Some(self.to_string()).filter(|text| text.chars().all(is_harmless))
    }
}

/// Returns the name of a place for a message: `test/2`.
#[must_use]
pub fn name_of(place: &Place) -> String {
    let at = At { place: Some(place.clone()), position: None };
    name(&at.to_string()).into_owned()
}

impl Display for At {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(Place::Sh(job, n)) => write!(out, "{}/{n}", job.as_str())?,
            Some(Place::Job(job)) => write!(out, "{}/", job.as_str())?,
            Some(Place::Run) => out.write_str(OWN_LOG)?,
            None => {}
        }
        let sign = if self.place.is_some() { "@" } else { "" };
        self.position.as_ref().map_or(Ok(()), |position| write!(out, "{sign}{position}"))
    }
}

fn parse_place(text: &str) -> Option<Place> {
    if text == OWN_LOG {
        return Some(Place::Run);
    }
    let (job, n) = text.rsplit_once('/')?;
    let job = JobId(job.to_owned());
    Some(if n.is_empty() { Place::Job(job) } else { Place::Sh(job, n.parse().ok()?) })
}

/// A position in a log that has not been read yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// The first row.
    Start,
    /// The last row; the log is followed.
    End,
    /// The first row that begins at or after this byte. It becomes the first row on screen.
    Byte(u64),
    /// A text for [`parse_goto`], which needs the times of the log.
    Goal,
}

impl Where {
    /// Parses a position; returns `None` if the text is invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => return Some(Self::Start),
            "end" => return Some(Self::End),
            _ => {}
        }
        if let Some(byte) = text.strip_prefix('b').and_then(|byte| byte.parse().ok()) {
            return Some(Self::Byte(byte));
        }
        let epoch = Time::from_millis(0);
        parse_goto(text, Some((epoch, epoch)), &TimeZone::UTC).ok().map(|_| Self::Goal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sh(job: &str, n: u32) -> Place {
        Place::Sh(JobId(job.into()), n)
    }

    #[test]
    fn a_command_and_a_spot_are_told_apart_whatever_the_job_is_called() {
        for (text, place, position) in [
            ("end", None, Some("end")),
            ("1,200", None, Some("1,200")),
            ("b0", None, Some("b0")),
            ("test/2", Some(sh("test", 2)), None),
            ("test/2@b17", Some(sh("test", 2)), Some("b17")),
            ("a b/@end/c/2@12:34:56", Some(sh("a b/@end/c", 2)), Some("12:34:56")),
            ("a@end/3", Some(sh("a@end", 3)), None),
            ("b12/3", Some(sh("b12", 3)), None),
            ("test/@end", Some(Place::Job(JobId("test".into()))), Some("end")),
            ("run@50%", Some(Place::Run), Some("50%")),
        ] {
            assert_eq!(
                At::parse(text),
                Ok(At { place, position: position.map(Into::into) }),
                "{text}"
            );
        }
        for nonsense in ["", "x", "test", "test/x", "test@end", "test/2@x", "101%"] {
            assert!(At::parse(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_not_typed() {
        let typed = |job: &str| At { place: Some(sh(job, 1)), position: None }.typed();
        assert_eq!(typed("build the thing"), Some("build the thing/1".into()));
        for odd in ["a\nb", "\x1b[2J", "\u{202e}"] {
            assert_eq!(typed(odd), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            job in "[a-c/@0-9%:+ ]{0,12}",
            n: u32,
            byte: u64,
            has_position: bool,
        ) {
            let at =
                At { place: Some(sh(&job, n)), position: has_position.then(|| format!("b{byte}")) };
            prop_assert_eq!(At::parse(&at.to_string()), Ok(at));
        }
    }
}
