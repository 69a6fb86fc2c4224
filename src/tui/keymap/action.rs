//! What a key can do, by the names that a configuration gives it.

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
    /// Show or hide the likeliest cause.
    Cause = "cause",
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
