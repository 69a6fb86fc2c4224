//! The keys: one table of context, keys, action and label, from which the help and the hint bar are made too.
//!
//! Invariant (tested): every key name can be read, no context binds a key twice, every action has a binding and a label. An
//! action has a name of its own ([`Action::name`]) by which a configuration can give it other keys.

use std::collections::HashMap;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

/// A key with its modifiers, in one spelling: a letter's case carries its shift.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(KeyCode, KeyModifiers);

impl Key {
    fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        match code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                Self(KeyCode::Char(c.to_ascii_lowercase()), modifiers - KeyModifiers::SHIFT)
            }
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                Self(KeyCode::Char(c.to_ascii_uppercase()), modifiers - KeyModifiers::SHIFT)
            }
            KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => Self(KeyCode::BackTab, KeyModifiers::NONE),
            KeyCode::Char(_) => Self(code, modifiers),
            _ => Self(code, modifiers - KeyModifiers::SHIFT),
        }
    }

    /// The key of a terminal event; `None` for the release of one.
    #[must_use]
    pub fn from_event(event: &KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }

    /// Reads a name as the table writes it: `G`, `?`, `Ctrl-d`, `PageDown`, `Shift-Tab`; `None` when it is no key.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut chars = name.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return Some(Self::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        let combination = crokey::parse(name).ok()?;
        match combination.codes {
            crokey::OneToThree::One(code) => Some(Self::new(code, combination.modifiers)),
            _ => None,
        }
    }
}

impl Key {
    /// What it does to a line that is being typed.
    #[must_use]
    pub fn input_request(self) -> Option<InputRequest> {
        to_input_request(&Event::Key(KeyEvent::new(self.0, self.1)))
    }
}

/// Where a key has its meaning. A pane's own bindings come before those of [`Context::Everywhere`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Context {
    /// In every pane.
    Everywhere,
    /// In the list of runs.
    Runs,
    /// While the list of runs is filtered; every key that is not bound types.
    RunsFilter,
    /// In the tree of jobs and commands.
    Tree,
    /// In the log.
    Log,
    /// While the help is open.
    Help,
    /// While a line is being typed; every key that is not bound types.
    Prompt,
    /// While there is nothing to show yet; without bindings of its own.
    Waiting,
}

impl Context {
    /// Those with bindings of their own, in the order of the help.
    pub const ALL: [Self; 7] =
        [Self::Everywhere, Self::Log, Self::Tree, Self::Runs, Self::RunsFilter, Self::Prompt, Self::Help];

    /// The heading in the help.
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

/// Declares the actions with the names that a configuration gives them.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal),* $(,)?) => {
        /// What a key can do.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Action { $($(#[$doc])* $action),* }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// Its name in a configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }
        }
    };
}

actions! {
    /// A row down.
    Down = "down",
    /// A row up.
    Up = "up",
    /// Half a page down.
    HalfDown = "half-down",
    /// Half a page up.
    HalfUp = "half-up",
    /// A page down.
    PageDown = "page-down",
    /// A page up.
    PageUp = "page-up",
    /// To the first row.
    Top = "top",
    /// To the last row.
    Bottom = "bottom",
    /// The log moves right: what stands further left comes into view.
    ScrollLeft = "scroll-left",
    /// The log moves left: what stands further right comes into view.
    ScrollRight = "scroll-right",
    /// Fold a job, or go from a command to its job.
    Fold = "fold",
    /// Unfold a job.
    Unfold = "unfold",
    /// Fold or unfold a job.
    ToggleFold = "toggle-fold",
    /// The next pane.
    NextPane = "next-pane",
    /// The pane before.
    PreviousPane = "previous-pane",
    /// Open what is selected.
    Open = "open",
    /// One step back; never leaves the program.
    Back = "back",
    /// Fold or open the part of the output where one stands.
    ToggleHere = "fold-toggle",
    /// Open it.
    OpenHere = "fold-open",
    /// Fold it.
    CloseHere = "fold-close",
    /// Open all parts.
    OpenAll = "open-all",
    /// Fold all parts.
    CloseAll = "fold-all",
    /// The next command, whatever its job.
    NextCommand = "next-command",
    /// The command before.
    PreviousCommand = "previous-command",
    /// The next failed command.
    NextFailed = "next-failed",
    /// The failed command before.
    PreviousFailed = "previous-failed",
    /// Follow what runs.
    Follow = "follow",
    /// Search the log.
    Search = "search",
    /// The next row that matches.
    NextMatch = "next-match",
    /// The row before that matches.
    PreviousMatch = "previous-match",
    /// Show matching rows only.
    Filter = "filter",
    /// More rows around those that the filter lets through.
    MoreContext = "more-context",
    /// Fewer rows around them.
    LessContext = "less-context",
    /// Rows of both streams.
    BothStreams = "both-streams",
    /// Rows of standard output only.
    OnlyStdout = "only-stdout",
    /// Rows of standard error only.
    OnlyStderr = "only-stderr",
    /// The next row that tells of an error.
    NextError = "next-error",
    /// The row before that tells of an error.
    PreviousError = "previous-error",
    /// The next row that came late.
    NextGap = "next-gap",
    /// The row before that came late.
    PreviousGap = "previous-gap",
    /// Go to a row, a time or a share.
    Goto = "goto",
    /// Set a mark.
    Mark = "mark",
    /// Go to a mark.
    GoToMark = "go-to-mark",
    /// The time in front of each row: the next kind.
    Times = "times",
    /// The number in front of each row, or not.
    Numbers = "numbers",
    /// Long rows go on in the next line, or not.
    Wrap = "wrap",
    /// All that was overwritten is shown, or its last state.
    Progress = "progress",
    /// What was typed counts.
    Accept = "accept",
    /// Text or regular expression.
    Literal = "literal",
    /// The pattern of before.
    Older = "older",
    /// The pattern after.
    Newer = "newer",
    /// One pane on the whole screen, or all of them again.
    Zoom = "zoom",
    /// Copy a row.
    CopyRow = "copy-row",
    /// Copy all rows.
    CopyRows = "copy-rows",
    /// Copy the command.
    CopyCommand = "copy-command",
    /// The log in the editor.
    Edit = "edit",
    /// The log in the pager.
    Page = "page",
    /// The list of runs, ready to be filtered.
    Runs = "runs",
    /// Filter the list of runs.
    FindRuns = "find-runs",
    /// The next older run.
    OlderRun = "older-run",
    /// The next newer run.
    NewerRun = "newer-run",
    /// The next older run that failed.
    OlderFailedRun = "older-failed-run",
    /// The next newer run that failed.
    NewerFailedRun = "newer-failed-run",
    /// The slowest command, then the next slowest.
    NextSlowest = "next-slowest",
    /// The one before, from the slowest down.
    PreviousSlowest = "previous-slowest",
    /// The help.
    Help = "help",
    /// All that is known of the command, or a line of it.
    Header = "header",
    /// Draw everything anew.
    Redraw = "redraw",
    /// Switch the mouse on or off.
    Mouse = "mouse",
    /// Stop, as a job of the shell.
    Suspend = "suspend",
    /// Leave.
    Quit = "quit",
}

/// A row of the table.
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// The keys, by name; the hint bar shows the first.
    pub keys: &'static [&'static str],
    /// What they do.
    pub action: Action,
    /// What they do, in the words of the help.
    pub label: &'static str,
    /// What they do, in a word for the hint bar; empty where they are not worth its space. Neighbours may share one.
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

/// The table.
pub static BINDINGS: &[Binding] = {
    use Action as A;
    use Context::{Everywhere, Help, Log, Prompt, Runs, RunsFilter, Tree};
    &[
        bind(Log, &["Enter"], A::Open, "fold or open what this row heads", ""),
        bind(Log, &["f"], A::Follow, "follow what runs, from its last row", "follow"),
        bind(Log, &["/"], A::Search, "search; n goes on, in the whole log", "search"),
        bind(Log, &["n"], A::NextMatch, "the next row that matches", ""),
        bind(Log, &["N"], A::PreviousMatch, "the matching row before", ""),
        bind(Log, &["&"], A::Filter, "only rows that match; after a !, only the others", "filter"),
        bind(Log, &["+"], A::MoreContext, "more rows around those", ""),
        bind(Log, &["-"], A::LessContext, "fewer rows around those", ""),
        bind(Log, &["e"], A::NextError, "the next row that tells of an error", "error"),
        bind(Log, &["E"], A::PreviousError, "the error row before", ""),
        bind(Log, &["s"], A::NextGap, "the next row that took long to come", ""),
        bind(Log, &["S"], A::PreviousGap, "the slow row before", ""),
        bind(Log, &["1"], A::OnlyStdout, "standard output only", ""),
        bind(Log, &["2"], A::OnlyStderr, "standard error only", ""),
        bind(Log, &["0"], A::BothStreams, "both streams", ""),
        bind(Log, &["t"], A::Times, "times: since the start, since the row before, clock", "times"),
        bind(Log, &["#"], A::Numbers, "row numbers, or none", ""),
        bind(Log, &["w"], A::Wrap, "wrap long rows, or cut them", "wrap"),
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
        bind(Tree, &["Enter"], A::Open, "read the log; of a job, all its commands in one scroll", "open"),
        bind(Tree, &["h", "Left"], A::Fold, "fold the job; from a command, go to its job", "fold"),
        bind(Tree, &["l", "Right"], A::Unfold, "unfold the job; go to its first command", ""),
        bind(Tree, &["Space"], A::ToggleFold, "fold or unfold the job", ""),
        bind(Tree, &["s"], A::NextSlowest, "the slowest command, then the next slowest", "slowest"),
        bind(Tree, &["S"], A::PreviousSlowest, "the one before in that order", ""),
        bind(Tree, &["f"], A::Follow, "follow what runs", ""),
        bind(Runs, &["Enter", "l", "Right"], A::Open, "open the run", "open"),
        bind(Runs, &["Esc"], A::Back, "all runs again; then back to the run", "back"),
        bind(Runs, &["/"], A::FindRuns, "find runs: state, repository, ref, id or commit", "find"),
        bind(Runs, &["}"], A::NextFailed, "the cursor to the failed run below", "failed"),
        bind(Runs, &["{"], A::PreviousFailed, "the cursor to the failed run above", "failed"),
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
        bind(Everywhere, &["j", "Down"], A::Down, "down; in the log, scroll", "move"),
        bind(Everywhere, &["k", "Up"], A::Up, "up", "move"),
        bind(Everywhere, &["Ctrl-d"], A::HalfDown, "half a page down", ""),
        bind(Everywhere, &["Ctrl-u"], A::HalfUp, "half a page up", ""),
        bind(Everywhere, &["PageDown"], A::PageDown, "a page down", ""),
        bind(Everywhere, &["PageUp", "b"], A::PageUp, "a page up", ""),
        bind(Everywhere, &["g", "Home"], A::Top, "to the first row", ""),
        bind(Everywhere, &["G", "End"], A::Bottom, "to the last row; in the log, follow", ""),
        bind(Everywhere, &["]"], A::NextCommand, "the next command", "command"),
        bind(Everywhere, &["["], A::PreviousCommand, "the command before", "command"),
        bind(Everywhere, &["}"], A::NextFailed, "the next failed command", "failed"),
        bind(Everywhere, &["{"], A::PreviousFailed, "the failed command before", "failed"),
        bind(Everywhere, &["Tab"], A::NextPane, "the next pane", "pane"),
        bind(Everywhere, &["Shift-Tab"], A::PreviousPane, "the pane before", ""),
        bind(Everywhere, &["Esc"], A::Back, "a step back; never leaves", ""),
        bind(Everywhere, &["z"], A::Zoom, "this pane on the whole screen, and back", "zoom"),
        bind(Everywhere, &["r"], A::Runs, "find a run: typing filters the list of runs", "runs"),
        bind(Everywhere, &["("], A::OlderRun, "the older run", ""),
        bind(Everywhere, &[")"], A::NewerRun, "the newer run", ""),
        bind(Everywhere, &["<"], A::OlderFailedRun, "the older run that failed", ""),
        bind(Everywhere, &[">"], A::NewerFailedRun, "the newer run that failed", ""),
        bind(Everywhere, &["i"], A::Header, "all that is known of the command, or a line of it", ""),
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

/// The table, ready to be looked up.
pub struct Keymap {
    actions: HashMap<(Context, Key), Action>,
}

impl Keymap {
    /// The default keys.
    #[must_use]
    pub fn new() -> Self {
        let pairs = BINDINGS.iter().flat_map(|binding| {
            let keys = binding.keys.iter().filter_map(|name| Key::parse(name));
            keys.map(|key| ((binding.context, key), binding.action))
        });
        Self { actions: pairs.collect() }
    }

    /// What a key does in a context. What the tree has no meaning for is meant for the log beside it.
    #[must_use]
    pub fn action(&self, context: Context, key: Key) -> Option<Action> {
        let contexts: &[Context] = match context {
            Context::Prompt => &[Context::Prompt],
            Context::RunsFilter => &[Context::RunsFilter],
            Context::Tree => &[Context::Tree, Context::Everywhere, Context::Log],
            context => &[context, Context::Everywhere],
        };
        contexts.iter().find_map(|context| self.actions.get(&(*context, key))).copied()
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new()
    }
}

/// What the hint bar shows in a context: its own bindings first, then those that hold everywhere. Neighbours with the same
/// hint are one.
#[must_use]
pub fn hints(context: Context) -> Vec<&'static [Binding]> {
    let groups = BINDINGS.chunk_by(|a, b| a.context == b.context && a.hint == b.hint);
    let hinted: Vec<_> = groups.filter(|group| group.first().is_some_and(|b| !b.hint.is_empty())).collect();
    let of = |wanted: Context| {
        hinted.iter().copied().filter(move |group| group.first().is_some_and(|b| b.context == wanted))
    };
    let has_use = |group: &&[Binding]| match context {
        Context::Help => false,
        Context::Waiting => group.iter().any(|b| matches!(b.action, Action::Quit | Action::Help)),
        _ => true,
    };
    of(context).chain(of(Context::Everywhere).filter(has_use)).collect()
}

/// A line of the help.
#[derive(Clone, Copy)]
pub enum HelpLine {
    /// Between two contexts.
    Blank,
    /// The name of a context.
    Heading(&'static str),
    /// Keys and what they do.
    Keys(&'static Binding),
}

/// The whole table as lines.
#[must_use]
pub fn help_lines() -> Vec<HelpLine> {
    let section = |context: Context| {
        let bindings = BINDINGS.iter().filter(move |binding| binding.context == context);
        let head = [HelpLine::Blank, HelpLine::Heading(context.title())];
        head.into_iter().chain(bindings.map(HelpLine::Keys))
    };
    Context::ALL.into_iter().flat_map(section).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_key_name_can_be_read() {
        for name in BINDINGS.iter().flat_map(|binding| binding.keys) {
            assert!(Key::parse(name).is_some(), "{name}");
        }
        assert_eq!(Key::parse("no such key"), None);
        assert_eq!(Key::parse(""), None);
    }

    #[test]
    fn no_context_binds_a_key_twice() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            for name in binding.keys {
                assert!(seen.insert((binding.context, Key::parse(name))), "{name} in {:?}", binding.context);
            }
        }
    }

    #[test]
    fn every_action_has_a_binding_a_label_and_a_name_of_its_own() {
        let mut names = HashSet::new();
        for action in Action::ALL {
            assert!(BINDINGS.iter().any(|b| b.action == *action && !b.label.is_empty()), "{action:?}");
            assert!(names.insert(action.name()), "{action:?}");
        }
    }

    #[test]
    fn a_terminal_may_spell_a_key_in_several_ways() {
        let event = |code, modifiers| Key::from_event(&KeyEvent::new(code, modifiers));
        let (none, shift, control) = (KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::CONTROL);
        for (name, code, modifiers) in [
            ("G", KeyCode::Char('G'), none),
            ("G", KeyCode::Char('G'), shift),
            ("G", KeyCode::Char('g'), shift),
            ("?", KeyCode::Char('?'), shift),
            ("Ctrl-d", KeyCode::Char('d'), control),
            ("Ctrl-d", KeyCode::Char('D'), control | shift),
            ("Shift-Tab", KeyCode::BackTab, shift),
            ("Shift-Tab", KeyCode::Tab, shift),
            ("Space", KeyCode::Char(' '), none),
            ("PageDown", KeyCode::PageDown, none),
        ] {
            assert_eq!(event(code, modifiers), Key::parse(name), "{name}");
        }
    }

    #[test]
    fn a_pane_s_own_binding_comes_before_the_general_one() {
        let keymap = Keymap::new();
        let space = Key::parse("Space").unwrap();
        assert_eq!(keymap.action(Context::Tree, space), Some(Action::ToggleFold));
        assert_eq!(keymap.action(Context::Log, space), Some(Action::PageDown));
        assert_eq!(keymap.action(Context::Runs, space), None);
        assert_eq!(keymap.action(Context::Help, Key::parse("q").unwrap()), Some(Action::Back));
        assert_eq!(keymap.action(Context::Help, Key::parse("Ctrl-c").unwrap()), Some(Action::Quit));
    }
}
