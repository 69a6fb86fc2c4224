//! The keys: one table of context, keys, action and label. The help, the hints and docs/keys.md
//! are generated from it.
//!
//! Invariants (tested): every key name parses; no context binds a key twice, or a prefix of another
//! binding; every action has a binding and a label. A configuration rebinds an action by its name
//! ([`Action::name`]); the [`Keymap`] contains the effective bindings.

mod action;
mod key;
mod map;
mod remap;

pub use action::Action;
pub use key::{Key, Keys};
pub use map::{Bound, HelpLine, Hint, Keymap, Meaning};
pub use remap::{Fault, Wish};

/// The context of a binding. A pane's own bindings take precedence over those of
/// [`Context::Everywhere`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Context {
    /// Every pane.
    Everywhere,
    /// The list of runs.
    Runs,
    /// The list of runs while it is filtered; keys without a binding are typed.
    RunsFilter,
    /// The tree of jobs and commands.
    Tree,
    /// The log.
    Log,
    /// The help, while it is open.
    Help,
    /// A line being typed; keys without a binding are typed.
    Prompt,
    /// The screen while there is nothing to show; it has no bindings of its own.
    Waiting,
}

impl Context {
    /// The contexts with bindings of their own, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::Everywhere,
        Self::Log,
        Self::Tree,
        Self::Runs,
        Self::RunsFilter,
        Self::Prompt,
        Self::Help,
    ];

    /// Returns its name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Runs => "runs",
            Self::RunsFilter => "runs-filter",
            Self::Tree => "tree",
            Self::Log => "log",
            Self::Prompt => "prompt",
            Self::Help => "help",
            Self::Waiting => "waiting",
        }
    }

    /// Returns true if keys without a binding are typed.
    #[must_use]
    pub const fn types(self) -> bool {
        matches!(self, Self::Prompt | Self::RunsFilter)
    }

    /// Returns the contexts in which a key is looked up, in this order. Keys without a meaning in
    /// the tree are meant for the log beside it.
    #[must_use]
    pub const fn reach(self) -> &'static [Self] {
        match self {
            Self::Prompt => &[Self::Prompt],
            Self::RunsFilter => &[Self::RunsFilter],
            Self::Tree => &[Self::Tree, Self::Everywhere, Self::Log],
            Self::Log => &[Self::Log, Self::Everywhere],
            Self::Runs => &[Self::Runs, Self::Everywhere],
            Self::Help => &[Self::Help, Self::Everywhere],
            Self::Everywhere | Self::Waiting => &[Self::Everywhere],
        }
    }

    /// Returns its heading in the help.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Runs => "Runs",
            Self::RunsFilter => "Runs, while typing",
            Self::Tree => "Jobs and commands",
            Self::Log => "Log",
            Self::Prompt => "While typing",
            Self::Help => "Help",
            Self::Waiting => "Waiting",
        }
    }
}

/// A row of the table.
#[derive(PartialEq, Eq, Debug)]
pub struct Binding {
    /// The context in which it applies.
    pub context: Context,
    /// The keys by name; a sequence has blanks between its keys: `z a`. Hints show the first.
    pub keys: &'static [&'static str],
    /// The action of the keys.
    pub action: Action,
    /// The description in the help.
    pub label: &'static str,
    /// The description in hints, one or two words; empty if the binding is not worth the space.
    /// Adjacent bindings may share one.
    pub hint: &'static str,
}

const fn bind(
    context: Context,
    keys: &'static [&'static str],
    action: Action,
    label: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { context, keys, action, label, hint }
}

/// The table of default bindings.
pub static BINDINGS: &[Binding] = {
    use Action as A;
    use Context::{Everywhere, Help, Log, Prompt, Runs, RunsFilter, Tree};
    &[
        bind(Log, &["Enter"], A::Open, "fold or open what this row heads", ""),
        bind(Log, &["f"], A::Follow, "follow what runs, from its last row", "follow"),
        bind(Log, &["/"], A::Search, "search; n goes on, in the whole log", "search"),
        bind(Log, &["n"], A::NextMatch, "the next row that matches", ""),
        bind(Log, &["N"], A::PreviousMatch, "the matching row before", ""),
        bind(Log, &["&"], A::Filter, "only rows that match; after a !, only the others", ""),
        bind(Log, &["+"], A::MoreContext, "more rows around those", ""),
        bind(Log, &["-"], A::LessContext, "fewer rows around those", ""),
        bind(Log, &["e"], A::NextError, "the next row that tells of an error", "error"),
        bind(Log, &["E"], A::PreviousError, "the error row before", ""),
        bind(Log, &["C"], A::Cause, "why the command failed most likely, or no more", ""),
        bind(Log, &["s"], A::NextGap, "the next row that took long to come", ""),
        bind(Log, &["S"], A::PreviousGap, "the slow row before", ""),
        bind(Log, &["1"], A::OnlyStdout, "standard output only", ""),
        bind(Log, &["2"], A::OnlyStderr, "standard error only", ""),
        bind(Log, &["0"], A::BothStreams, "both streams", ""),
        bind(Log, &["t"], A::Times, "times: since the start, since the row before, clock", ""),
        bind(Log, &["#"], A::Numbers, "row numbers, or none", ""),
        bind(Log, &["w"], A::Wrap, "wrap long rows, or cut them", ""),
        bind(Log, &["p"], A::Progress, "all that was overwritten, or its last state", ""),
        bind(Log, &[":"], A::Goto, "go to a row, a time (12:34:56, +90s), a share (50%)", ""),
        bind(Log, &["m"], A::Mark, "mark the row, by a letter", ""),
        bind(Log, &["'"], A::GoToMark, "go to a mark", ""),
        bind(Log, &["Space"], A::PageDown, "a page down", ""),
        bind(Log, &["l", "Right"], A::ScrollRight, "see more of the right of long rows", ""),
        bind(Log, &["h", "Left"], A::ScrollLeft, "see more of their left", ""),
        bind(Log, &["y"], A::CopyRow, "copy the row", ""),
        bind(Log, &["Y"], A::CopyRows, "copy all rows of the log", ""),
        bind(Log, &["c"], A::CopyCommand, "copy the command", ""),
        bind(Log, &["v"], A::Edit, "a copy of the log in $VISUAL or $EDITOR", ""),
        bind(Log, &["|"], A::Page, "the log in $PAGER", ""),
        bind(
            Tree,
            &["Enter"],
            A::Open,
            "read the log; of a job, all its commands in one scroll",
            "open",
        ),
        bind(Tree, &["h", "Left"], A::Fold, "fold the job; from a command, go to its job", "fold"),
        bind(Tree, &["l", "Right"], A::Unfold, "unfold the job; go to its first command", ""),
        bind(Tree, &["Space"], A::ToggleFold, "fold or unfold the job", ""),
        bind(Tree, &["s"], A::NextSlowest, "the slowest command, then the next slowest", "slowest"),
        bind(Tree, &["S"], A::PreviousSlowest, "the one before in that order", ""),
        bind(Tree, &["f"], A::Follow, "follow what runs", ""),
        bind(Runs, &["Enter", "l", "Right"], A::Open, "open the run", "open"),
        bind(Runs, &["Esc"], A::Back, "all runs again; then back to the run", "back"),
        bind(Runs, &["/"], A::FindRuns, "find runs: state, repository, ref, id or commit", "find"),
        bind(Runs, &["}"], A::NextFailed, "the cursor to the failed run below", ""),
        bind(Runs, &["{"], A::PreviousFailed, "the cursor to the failed run above", ""),
        bind(RunsFilter, &["Enter"], A::Open, "open the run", "open"),
        bind(RunsFilter, &["Down", "Ctrl-n"], A::Down, "the run below", "move"),
        bind(RunsFilter, &["Up", "Ctrl-p"], A::Up, "the run above", "move"),
        bind(RunsFilter, &["PageDown"], A::PageDown, "a page down", ""),
        bind(RunsFilter, &["PageUp"], A::PageUp, "a page up", ""),
        bind(RunsFilter, &["Home"], A::Top, "to the first run", ""),
        bind(RunsFilter, &["End"], A::Bottom, "to the last run", ""),
        bind(RunsFilter, &["Tab"], A::NextPane, "the next pane", ""),
        bind(RunsFilter, &["Shift-Tab"], A::PreviousPane, "the pane before", ""),
        bind(RunsFilter, &["Esc"], A::Back, "all runs again; then back to the run", "back"),
        bind(RunsFilter, &["Ctrl-c"], A::Quit, "leave", ""),
        bind(Everywhere, &["j", "Down"], A::Down, "down; in the log, scroll", ""),
        bind(Everywhere, &["k", "Up"], A::Up, "up", ""),
        bind(Everywhere, &["Ctrl-d"], A::HalfDown, "half a page down", ""),
        bind(Everywhere, &["Ctrl-u"], A::HalfUp, "half a page up", ""),
        bind(Everywhere, &["PageDown"], A::PageDown, "a page down", ""),
        bind(Everywhere, &["PageUp", "b"], A::PageUp, "a page up", ""),
        bind(Everywhere, &["g", "Home"], A::Top, "to the first row", ""),
        bind(Everywhere, &["G", "End"], A::Bottom, "to the last row; in the log, follow", ""),
        bind(Everywhere, &["]"], A::NextCommand, "the next command", ""),
        bind(Everywhere, &["["], A::PreviousCommand, "the command before", ""),
        bind(Everywhere, &["}"], A::NextFailed, "the next failed command", "failed"),
        bind(Everywhere, &["{"], A::PreviousFailed, "the failed command before", "failed"),
        bind(Everywhere, &["Tab"], A::NextPane, "the next pane", "pane"),
        bind(Everywhere, &["Shift-Tab"], A::PreviousPane, "the pane before", ""),
        bind(Everywhere, &["Esc"], A::Back, "a step back; never leaves", ""),
        bind(
            Everywhere,
            &["z a"],
            A::ToggleHere,
            "fold or open the group, or the command in a scroll",
            "fold or open",
        ),
        bind(Everywhere, &["z o"], A::OpenHere, "open it", "open"),
        bind(Everywhere, &["z c"], A::CloseHere, "fold it", "fold"),
        bind(Everywhere, &["z R"], A::OpenAll, "open all that is folded", "open all"),
        bind(
            Everywhere,
            &["z M"],
            A::CloseAll,
            "fold all: commands of a scroll, groups in logs",
            "fold all",
        ),
        bind(Everywhere, &["Z", "z z"], A::Zoom, "this pane on the whole screen, and back", "zoom"),
        bind(Everywhere, &["r"], A::Runs, "find a run: typing filters the list of runs", "runs"),
        bind(Everywhere, &["("], A::OlderRun, "the older run", ""),
        bind(Everywhere, &[")"], A::NewerRun, "the newer run", ""),
        bind(Everywhere, &["<"], A::OlderFailedRun, "the older run that failed", ""),
        bind(Everywhere, &[">"], A::NewerFailedRun, "the newer run that failed", ""),
        bind(
            Everywhere,
            &["i"],
            A::Header,
            "all that is known of the command, or a line of it",
            "",
        ),
        bind(Everywhere, &["M"], A::Mouse, "mouse off, for the terminal to select, and on", ""),
        bind(Everywhere, &["Ctrl-l"], A::Redraw, "draw everything anew", ""),
        bind(Everywhere, &["Ctrl-z"], A::Suspend, "stop, as a job of the shell", ""),
        bind(Everywhere, &["q", "Ctrl-c"], A::Quit, "leave", "quit"),
        bind(Everywhere, &["?", "F1"], A::Help, "this help", "help"),
        bind(Prompt, &["Enter"], A::Accept, "take it", "take"),
        bind(Prompt, &["Esc", "Ctrl-c"], A::Back, "leave it", "leave"),
        bind(Prompt, &["Tab"], A::Literal, "the pattern is text, or a regular expression", ""),
        bind(Prompt, &["Up"], A::Older, "the pattern of before", ""),
        bind(Prompt, &["Down"], A::Newer, "the pattern after", ""),
        bind(Help, &["Space"], A::PageDown, "a page down", ""),
        bind(Help, &["q", "?", "Enter"], A::Back, "close the help", "close"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_key_of_the_table_is_named_as_it_is_shown() {
        for name in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert_eq!(Keys::parse(name).map(|keys| keys.to_string()).as_deref(), Ok(*name));
        }
    }

    #[test]
    fn no_context_binds_a_key_twice_nor_the_beginning_of_another() {
        for context in Context::ALL {
            let bindings = BINDINGS.iter().filter(|binding| binding.context == context);
            let names: Vec<&str> = bindings.flat_map(|binding| binding.keys).copied().collect();
            let keys: Vec<Keys> = names.iter().map(|name| Keys::parse(name).unwrap()).collect();
            for (index, one) in keys.iter().enumerate() {
                for other in &keys[index + 1..] {
                    assert!(!one.meets(other), "{one} and {other} in {context:?}");
                }
            }
        }
    }

    #[test]
    fn every_action_has_a_binding_a_label_and_a_name_of_its_own() {
        let mut names = HashSet::new();
        for action in Action::ALL {
            assert!(
                BINDINGS.iter().any(|b| b.action == *action && !b.label.is_empty()),
                "{action:?}"
            );
            assert!(names.insert(action.name()), "{action:?}");
        }
    }

    #[test]
    fn a_context_binds_an_action_once_so_that_its_name_is_enough() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            assert!(
                seen.insert((binding.context, binding.action)),
                "{:?} in {:?}",
                binding.action,
                binding.context
            );
        }
    }

    #[test]
    fn what_holds_everywhere_is_hidden_by_no_pane_unless_it_does_the_same_there() {
        let of =
            |context: Context| BINDINGS.iter().filter(move |binding| binding.context == context);
        for own in [Context::Log, Context::Tree, Context::Runs].into_iter().flat_map(of) {
            for general in of(Context::Everywhere).filter(|general| general.action != own.action) {
                let mut pairs = own
                    .keys
                    .iter()
                    .flat_map(|own| general.keys.iter().map(move |general| (own, general)));
                let meet = |(one, other): (&&str, &&str)| {
                    Keys::parse(one).unwrap().meets(&Keys::parse(other).unwrap())
                };
                assert!(!pairs.any(meet), "{:?} hides {:?}", own.action, general.action);
            }
        }
    }

    #[test]
    fn where_keys_are_typed_no_binding_takes_one_of_them() {
        for binding in BINDINGS.iter().filter(|binding| binding.context.types()) {
            for name in binding.keys {
                assert!(Key::parse(name).is_some_and(|key| !key.types()), "{name}");
            }
        }
    }
}
