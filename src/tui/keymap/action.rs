//! The actions that keys can trigger, with their names in a configuration.

/// Declares the actions with their names in a configuration.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal),* $(,)?) => {
        /// An action that a key can trigger.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Action { $($(#[$doc])* $action),* }

        impl Action {
            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// Returns the name of the action in a configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }
        }
    };
}

actions! {
    /// Move a row down.
    Down = "down",
    /// Move a row up.
    Up = "up",
    /// Move half a page down.
    HalfDown = "half-down",
    /// Move half a page up.
    HalfUp = "half-up",
    /// Move a page down.
    PageDown = "page-down",
    /// Move a page up.
    PageUp = "page-up",
    /// Go to the first row.
    Top = "top",
    /// Go to the last row.
    Bottom = "bottom",
    /// Scroll the log a line down; the cursor stays on screen.
    ScrollDown = "scroll-down",
    /// Scroll the log a line up; the cursor stays on screen.
    ScrollUp = "scroll-up",
    /// Scroll left, to see columns further left.
    ScrollLeft = "scroll-left",
    /// Scroll right, to see columns further right.
    ScrollRight = "scroll-right",
    /// Fold a job, or go from a command to its job.
    Fold = "fold",
    /// Unfold a job, or go to its first command.
    Unfold = "unfold",
    /// Fold or unfold a job.
    ToggleFold = "toggle-fold",
    /// Go to the next pane.
    NextPane = "next-pane",
    /// Go to the previous pane.
    PreviousPane = "previous-pane",
    /// Open the selection.
    Open = "open",
    /// Go back one step; never leaves the program.
    Back = "back",
    /// Fold or open the group or section of the current row.
    ToggleHere = "fold-toggle",
    /// Open the group or section of the current row.
    OpenHere = "fold-open",
    /// Fold the group or section of the current row.
    CloseHere = "fold-close",
    /// Open everything that is folded.
    OpenAll = "open-all",
    /// Fold everything.
    CloseAll = "fold-all",
    /// Show or hide the likely cause.
    Cause = "cause",
    /// Go to the next command, also of another job.
    NextCommand = "next-command",
    /// Go to the previous command.
    PreviousCommand = "previous-command",
    /// Go to the next failed command.
    NextFailed = "next-failed",
    /// Go to the previous failed command.
    PreviousFailed = "previous-failed",
    /// Follow the running command.
    Follow = "follow",
    /// Search the log.
    Search = "search",
    /// Go to the next matching row.
    NextMatch = "next-match",
    /// Go to the previous matching row.
    PreviousMatch = "previous-match",
    /// Show only matching rows.
    Filter = "filter",
    /// Show more rows around those that the filter passes.
    MoreContext = "more-context",
    /// Show fewer rows around those that the filter passes.
    LessContext = "less-context",
    /// Show the rows of both streams.
    BothStreams = "both-streams",
    /// Show the rows of standard output only.
    OnlyStdout = "only-stdout",
    /// Show the rows of standard error only.
    OnlyStderr = "only-stderr",
    /// Go to the next error row.
    NextError = "next-error",
    /// Go to the previous error row.
    PreviousError = "previous-error",
    /// Go to the longest gap, or the next shorter one.
    NextGap = "next-gap",
    /// Go to the next longer gap.
    PreviousGap = "previous-gap",
    /// Go to a row, a time or a percentage.
    Goto = "goto",
    /// Set a mark.
    Mark = "mark",
    /// Go to a mark.
    GoToMark = "go-to-mark",
    /// Switch to the next kind of time in front of each row.
    Times = "times",
    /// Show or hide the number in front of each row.
    Numbers = "numbers",
    /// Wrap or cut long rows.
    Wrap = "wrap",
    /// Show all overwritten text, or only the last state of each row.
    Progress = "progress",
    /// Accept the typed line.
    Accept = "accept",
    /// Switch between literal text and regular expression.
    Literal = "literal",
    /// Recall the previous pattern.
    Older = "older",
    /// Recall the next pattern.
    Newer = "newer",
    /// Show one pane on the whole screen, or all panes again.
    Zoom = "zoom",
    /// Copy a row.
    CopyRow = "copy-row",
    /// Copy all rows.
    CopyRows = "copy-rows",
    /// Copy the command.
    CopyCommand = "copy-command",
    /// Copy the command, after a change to its directory.
    CopyInDirectory = "copy-in-directory",
    /// Open a copy of the log in the editor.
    Edit = "edit",
    /// Show the log in the pager.
    Page = "page",
    /// Go to the list of runs and filter it.
    Runs = "runs",
    /// Filter the list of runs.
    FindRuns = "find-runs",
    /// Open the next older run.
    OlderRun = "older-run",
    /// Open the next newer run.
    NewerRun = "newer-run",
    /// Open the next older run of the same ref that failed.
    OlderFailedRun = "older-failed-run",
    /// Open the next newer run of the same ref that failed.
    NewerFailedRun = "newer-failed-run",
    /// Open the next older run that failed, of any ref.
    OlderFailedAnyRef = "older-failed-any-ref",
    /// Open the next newer run that failed, of any ref.
    NewerFailedAnyRef = "newer-failed-any-ref",
    /// Go to the slowest command, then to the next slowest.
    NextSlowest = "next-slowest",
    /// Go back in the order of the slowest commands.
    PreviousSlowest = "previous-slowest",
    /// Show the help.
    Help = "help",
    /// Show or hide the full header.
    Header = "header",
    /// Switch to each new run, or no longer.
    Watch = "watch",
    /// Redraw the screen.
    Redraw = "redraw",
    /// Capture or release the mouse.
    Mouse = "mouse",
    /// Suspend the program, as a job of the shell.
    Suspend = "suspend",
    /// Leave the program.
    Quit = "quit",
}
