//! The keys: one table of context, task, keys, action, label and hint. The help, the hints and
//! docs/keys.md are generated from it.
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
pub use map::{Bound, HelpLine, Hint, Keymap, Meaning, Situation};
pub use remap::{Fault, Rebinding};

/// The context of a binding. A pane's own bindings take precedence over those of
/// [`Context::Everywhere`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Context {
    /// Every pane.
    Everywhere,
    /// The list of runs.
    Runs,
    /// The list of runs while it is filtered; keys without a binding are text input.
    RunsFilter,
    /// The tree of jobs and commands.
    Tree,
    /// The log.
    Log,
    /// The help, while it is open.
    Help,
    /// A line being typed; keys without a binding are text input.
    Prompt,
    /// The screen while there is nothing to show; it has no bindings of its own.
    Waiting,
}

impl Context {
    /// The contexts with bindings of their own, in the order of a configuration.
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

    /// Returns true if keys without a binding are text input.
    #[must_use]
    pub const fn types(self) -> bool {
        matches!(self, Self::Prompt | Self::RunsFilter)
    }

    /// Returns the contexts in which a key is looked up, in this order. Keys without a binding in
    /// the tree apply to the log beside it.
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

    /// Returns its name for users.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Runs => "Runs",
            Self::RunsFilter => "Run finder",
            Self::Tree => "Jobs",
            Self::Log => "Log",
            Self::Prompt => "Prompt",
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
    /// The heading under which the help lists it. Bindings of a task are adjacent in the table.
    pub task: &'static str,
    /// The names of the keys; a sequence has blanks: `z a`. Hints show the first single key.
    pub keys: &'static [&'static str],
    /// The action of the keys.
    pub action: Action,
    /// The description in the help.
    pub label: &'static str,
    /// The description in hints, one to three words; empty if the binding is not worth the space.
    /// Adjacent bindings with the same description share a hint.
    pub hint: &'static str,
}

const fn bind(
    context: Context,
    task: &'static str,
    keys: &'static [&'static str],
    action: Action,
    label: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { context, task, keys, action, label, hint }
}

/// The table of default bindings, in the order of the help and of docs/keys.md.
pub static BINDINGS: &[Binding] = {
    use Action as A;
    use Context::{Everywhere, Help, Log, Prompt, Runs, RunsFilter, Tree};
    &[
        bind(Everywhere, "Move", &["j", "Down"], A::Down, "move down", ""),
        bind(Everywhere, "Move", &["k", "Up"], A::Up, "move up", ""),
        bind(Everywhere, "Move", &["Ctrl-d"], A::HalfDown, "half page down", ""),
        bind(Everywhere, "Move", &["Ctrl-u"], A::HalfUp, "half page up", ""),
        bind(Everywhere, "Move", &["PageDown"], A::PageDown, "page down", ""),
        bind(Everywhere, "Move", &["PageUp", "b"], A::PageUp, "page up", ""),
        bind(Everywhere, "Move", &["g", "Home"], A::Top, "go to first row", ""),
        bind(Everywhere, "Move", &["G", "End"], A::Bottom, "go to last row", ""),
        bind(Log, "Move", &["Space"], A::PageDown, "page down", ""),
        bind(Log, "Move", &["Ctrl-e"], A::ScrollDown, "scroll down", ""),
        bind(Log, "Move", &["Ctrl-y"], A::ScrollUp, "scroll up", ""),
        bind(Log, "Move", &["l", "Right"], A::ScrollRight, "scroll right", ""),
        bind(Log, "Move", &["h", "Left"], A::ScrollLeft, "scroll left", ""),
        bind(Log, "Find", &["/"], A::Search, "search the log", "search"),
        bind(Log, "Find", &["n"], A::NextMatch, "next match", ""),
        bind(Log, "Find", &["N"], A::PreviousMatch, "previous match", ""),
        bind(Log, "Find", &["&"], A::Filter, "filter rows (! inverts)", "filter"),
        bind(Log, "Find", &["+"], A::MoreContext, "show more context", ""),
        bind(Log, "Find", &["-"], A::LessContext, "show less context", ""),
        bind(Log, "Find", &["e"], A::NextError, "next error", "error"),
        bind(Log, "Find", &["E"], A::PreviousError, "previous error", ""),
        bind(Log, "Find", &["C"], A::Cause, "likely cause, then why", "cause"),
        bind(Log, "Find", &["s"], A::NextGap, "next longest gap", "gap"),
        bind(Log, "Find", &["S"], A::PreviousGap, "previous longest gap", ""),
        bind(Log, "Find", &[":"], A::Goto, "go to row/time/%", ""),
        bind(Log, "Find", &["m"], A::Mark, "set a mark", ""),
        bind(Log, "Find", &["'"], A::GoToMark, "go to mark", ""),
        bind(Everywhere, "Jobs", &["]"], A::NextCommand, "next command", ""),
        bind(Everywhere, "Jobs", &["["], A::PreviousCommand, "previous command", ""),
        bind(Everywhere, "Jobs", &["}"], A::NextFailed, "next failed command", "failed"),
        bind(Everywhere, "Jobs", &["{"], A::PreviousFailed, "previous failed command", "failed"),
        bind(Tree, "Jobs", &["Enter"], A::Open, "open the log", "open"),
        bind(Tree, "Jobs", &["h", "Left"], A::Fold, "fold or go up", "fold"),
        bind(Tree, "Jobs", &["l", "Right"], A::Unfold, "unfold or go down", ""),
        bind(Tree, "Jobs", &["Space"], A::ToggleFold, "fold or unfold", ""),
        bind(Tree, "Jobs", &["s"], A::NextSlowest, "next slowest command", "slowest"),
        bind(Tree, "Jobs", &["S"], A::PreviousSlowest, "previous slowest command", ""),
        bind(Tree, "Jobs", &["f"], A::Follow, "follow the run", ""),
        bind(Log, "Jobs", &["f"], A::Follow, "follow the output", "follow"),
        bind(Log, "Fold", &["Enter"], A::Open, "fold or unfold", ""),
        bind(
            Everywhere,
            "Fold",
            &["z a"],
            A::ToggleHere,
            "fold or unfold section",
            "fold or unfold",
        ),
        bind(Everywhere, "Fold", &["z o"], A::OpenHere, "unfold section", "unfold"),
        bind(Everywhere, "Fold", &["z c"], A::CloseHere, "fold section", "fold"),
        bind(Everywhere, "Fold", &["z R"], A::OpenAll, "unfold all", "unfold all"),
        bind(Everywhere, "Fold", &["z M"], A::CloseAll, "fold all", "fold all"),
        bind(Everywhere, "Panes", &["Tab"], A::NextPane, "next pane", "pane"),
        bind(Everywhere, "Panes", &["Shift-Tab"], A::PreviousPane, "previous pane", ""),
        bind(Everywhere, "Panes", &["Esc"], A::Back, "go back", ""),
        bind(Everywhere, "Panes", &["Z", "z z"], A::Zoom, "zoom the pane", "zoom"),
        bind(Everywhere, "Runs", &["r"], A::Runs, "find a run", "runs"),
        bind(Runs, "Runs", &["Enter", "l", "Right"], A::Open, "open the run", "open"),
        bind(Runs, "Runs", &["Esc"], A::Back, "clear search, go back", "back"),
        bind(Runs, "Runs", &["/"], A::FindRuns, "find runs", "find"),
        bind(Runs, "Runs", &["}"], A::NextFailed, "next failed run", ""),
        bind(Runs, "Runs", &["{"], A::PreviousFailed, "previous failed run", ""),
        bind(Everywhere, "Runs", &["("], A::OlderRun, "open older run", ""),
        bind(Everywhere, "Runs", &[")"], A::NewerRun, "open newer run", ""),
        bind(Everywhere, "Runs", &["<"], A::OlderFailedRun, "older failed, same ref", ""),
        bind(Everywhere, "Runs", &[">"], A::NewerFailedRun, "newer failed, same ref", ""),
        bind(Everywhere, "Runs", &[","], A::OlderFailedAnyRef, "older failed, any ref", ""),
        bind(Everywhere, "Runs", &["."], A::NewerFailedAnyRef, "newer failed, any ref", ""),
        bind(Everywhere, "Runs", &["W"], A::Watch, "toggle watching for runs", ""),
        bind(Log, "Show", &["1"], A::OnlyStdout, "show only stdout", ""),
        bind(Log, "Show", &["2"], A::OnlyStderr, "show only stderr", ""),
        bind(Log, "Show", &["0"], A::BothStreams, "show both streams", ""),
        bind(Log, "Show", &["t"], A::Times, "cycle timestamps", "times"),
        bind(Log, "Show", &["#"], A::Numbers, "toggle row numbers", ""),
        bind(Log, "Show", &["w"], A::Wrap, "toggle line wrap", ""),
        bind(Log, "Show", &["p"], A::Progress, "toggle progress states", ""),
        bind(Everywhere, "Show", &["i"], A::Header, "toggle details", ""),
        bind(Log, "Copy and open", &["y"], A::CopyRow, "copy the row", ""),
        bind(Log, "Copy and open", &["Y"], A::CopyRows, "copy the log", ""),
        bind(Log, "Copy and open", &["c"], A::CopyCommand, "copy the command", "copy command"),
        bind(Log, "Copy and open", &["D"], A::CopyInDirectory, "copy command with cd", ""),
        bind(Log, "Copy and open", &["v"], A::Edit, "open in $EDITOR", "editor"),
        bind(Log, "Copy and open", &["|"], A::Page, "open in $PAGER", ""),
        bind(Everywhere, "Program", &["M"], A::Mouse, "toggle mouse capture", ""),
        bind(Everywhere, "Program", &["Ctrl-l"], A::Redraw, "redraw the screen", ""),
        bind(Everywhere, "Program", &["Ctrl-z"], A::Suspend, "suspend rundown", ""),
        bind(Everywhere, "Program", &["q", "Ctrl-c"], A::Quit, "quit rundown", "quit"),
        bind(Everywhere, "Program", &["?", "F1"], A::Help, "show this help", "help"),
        bind(RunsFilter, "Run finder", &["Enter"], A::Open, "open the run", "open"),
        bind(RunsFilter, "Run finder", &["Down", "Ctrl-n"], A::Down, "move down", "move"),
        bind(RunsFilter, "Run finder", &["Up", "Ctrl-p"], A::Up, "move up", "move"),
        bind(RunsFilter, "Run finder", &["PageDown"], A::PageDown, "page down", ""),
        bind(RunsFilter, "Run finder", &["PageUp"], A::PageUp, "page up", ""),
        bind(RunsFilter, "Run finder", &["Home"], A::Top, "go to first run", ""),
        bind(RunsFilter, "Run finder", &["End"], A::Bottom, "go to last run", ""),
        bind(RunsFilter, "Run finder", &["Tab"], A::NextPane, "next pane", ""),
        bind(RunsFilter, "Run finder", &["Shift-Tab"], A::PreviousPane, "previous pane", ""),
        bind(RunsFilter, "Run finder", &["Esc"], A::Back, "clear search, go back", "back"),
        bind(RunsFilter, "Run finder", &["Ctrl-c"], A::Quit, "quit rundown", ""),
        bind(Prompt, "Prompt", &["Enter"], A::Accept, "accept the input", "accept"),
        bind(Prompt, "Prompt", &["Esc", "Ctrl-c"], A::Back, "cancel the input", "cancel"),
        bind(Prompt, "Prompt", &["Tab"], A::Literal, "toggle regex or text", ""),
        bind(Prompt, "Prompt", &["Up"], A::Older, "previous pattern", ""),
        bind(Prompt, "Prompt", &["Down"], A::Newer, "next pattern", ""),
        bind(Help, "Help", &["Space"], A::PageDown, "page down", ""),
        bind(Help, "Help", &["/"], A::Search, "search the keys", "search"),
        bind(Help, "Help", &["Esc"], A::Back, "clear search, go back", ""),
        bind(Help, "Help", &["q", "?", "Enter"], A::Help, "close the help", "close"),
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
    fn bindings_of_a_task_are_adjacent() {
        let mut seen = HashSet::new();
        for task in BINDINGS.chunk_by(|one, next| one.task == next.task) {
            assert!(seen.insert(task[0].task), "{}", task[0].task);
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
