//! The effective key bindings: lookup, hints and help.

use super::{Action, BINDINGS, Binding, Context, Key, Keys};

/// A row of the table of bindings with its effective keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// The row of the table.
    pub binding: &'static Binding,
    /// The effective keys; empty if no key triggers the action.
    pub keys: Vec<Keys>,
}

/// The effective key bindings, in the order of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keymap {
    pub(super) bound: Vec<Bound>,
}

/// The meaning of a sequence of pressed keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// A complete binding of this action.
    Action(Action),
    /// The beginning of a longer binding.
    Prefix,
    /// No binding.
    Nothing,
}

/// The situation in the log, which decides the hints.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Situation {
    /// The log is complete, and nothing failed.
    #[default]
    Ended,
    /// The command or the run failed.
    Failed,
    /// The command or the run failed, and nothing is passed to other programs.
    FailedSecure,
    /// The log is still written.
    Live,
}

impl Situation {
    /// Returns the most useful actions of the log, the best ones first.
    const fn actions(self) -> &'static [Action] {
        use Action as A;
        match self {
            Self::Ended => &[A::Search, A::Filter, A::Times, A::NextGap],
            Self::Failed => &[A::NextError, A::Cause, A::Edit, A::CopyCommand],
            Self::FailedSecure => &[A::NextError, A::Cause, A::Search, A::Filter],
            Self::Live => &[A::Follow, A::Search, A::NextError],
        }
    }
}

impl Keymap {
    /// Returns the default key bindings.
    #[must_use]
    pub fn new() -> Self {
        let bound = |binding: &'static Binding| Bound {
            binding,
            keys: binding.keys.iter().filter_map(|names| Keys::parse(names).ok()).collect(),
        };
        Self { bound: BINDINGS.iter().map(bound).collect() }
    }

    /// Returns the meaning of the pressed keys in a context.
    #[must_use]
    pub fn meaning(&self, context: Context, pressed: &[Key]) -> Meaning {
        let meaning = |context: &Context| {
            let mut all = self
                .of(*context)
                .flat_map(|bound| bound.keys.iter().map(|keys| (bound.binding.action, keys)));
            all.find_map(|(action, keys)| match keys.as_slice().strip_prefix(pressed) {
                Some([]) => Some(Meaning::Action(action)),
                Some(_) => Some(Meaning::Prefix),
                None => None,
            })
        };
        context.reach().iter().find_map(meaning).unwrap_or(Meaning::Nothing)
    }

    /// Returns the bindings of one context.
    pub fn of(&self, context: Context) -> impl Iterator<Item = &Bound> {
        self.bound.iter().filter(move |bound| bound.binding.context == context)
    }

    /// Returns the first keys that trigger an action in a context.
    #[must_use]
    pub fn keys_of(&self, context: Context, action: Action) -> Option<&Keys> {
        let all = context.reach().iter().flat_map(|context| self.of(*context));
        all.filter(|bound| bound.binding.action == action).find_map(|bound| bound.keys.first())
    }

    /// Returns the hints of a context: its own bindings (in the log, those for the situation), then
    /// the bindings that apply everywhere. Adjacent hints with the same text are merged.
    #[must_use]
    pub fn hints(&self, context: Context, situation: Situation) -> Vec<Hint> {
        let own: Vec<&Bound> = if context == Context::Log {
            let actions = situation.actions().iter();
            let bound = |action| self.of(context).find(|bound| bound.binding.action == action);
            actions.filter_map(|action| bound(*action)).collect()
        } else {
            self.of(context).collect()
        };
        let everywhere = self.of(Context::Everywhere).filter(|bound| match context {
            Context::Help | Context::Prompt | Context::RunsFilter | Context::Everywhere => false,
            Context::Waiting => matches!(bound.binding.action, Action::Quit | Action::Help),
            _ => true,
        });
        let all = own.into_iter().chain(everywhere);
        let shown: Vec<Hint> = all
            .filter(|bound| !bound.binding.hint.is_empty())
            .filter_map(|bound| {
                let key = bound.keys.iter().find(|keys| keys.single().is_some())?;
                Some(Hint::new(key.clone(), bound.binding.hint, bound.binding))
            })
            .collect();
        Hint::joined(shown)
    }

    /// Returns hints for the keys that complete a sequence.
    #[must_use]
    pub fn hints_after(&self, context: Context, pressed: &[Key]) -> Vec<Hint> {
        let all = context.reach().iter().flat_map(|context| self.of(*context));
        let hints = all.flat_map(|bound| {
            let Binding { action, hint, label, .. } = bound.binding;
            let text = if hint.is_empty() { label } else { hint };
            let meant = bound
                .keys
                .iter()
                .filter(|keys| self.meaning(context, keys.as_slice()) == Meaning::Action(*action));
            meant
                .filter_map(|keys| keys.after(pressed))
                .map(|keys| Hint::new(keys, text, bound.binding))
        });
        Hint::joined(hints.collect())
    }

    /// Returns the help of a context: all bindings that have keys, by task. The tasks that the
    /// context has bindings of its own for come first, and in each task the keys that apply.
    #[must_use]
    pub fn help(&self, context: Context) -> Vec<HelpLine<'_>> {
        let tasks = self.bound.chunk_by(|one, next| one.binding.task == next.binding.task);
        let mut tasks: Vec<&[Bound]> = tasks.collect();
        tasks.sort_by_key(|task| !task.iter().any(|bound| bound.binding.context == context));
        let lines = tasks.into_iter().flat_map(|task| {
            let bound = task.iter().filter(|bound| !bound.keys.is_empty());
            let line = |bound| HelpLine { bound, applies: self.applies(bound, context) };
            let (here, others): (Vec<_>, Vec<_>) = bound.map(line).partition(|line| line.applies);
            here.into_iter().chain(others)
        });
        lines.collect()
    }

    /// Returns true if a binding has keys that trigger it in a context, or in its help.
    fn applies(&self, bound: &Bound, context: Context) -> bool {
        let is_first = |keys: &Keys| {
            let mut all = context.reach().iter().flat_map(|context| self.of(*context));
            all.find(|other| other.keys.iter().any(|other| other.meets(keys))) == Some(bound)
        };
        bound.binding.context == Context::Help || bound.keys.iter().any(is_first)
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new()
    }
}

/// A hint: keys and a short text for their effect, such as `}/{ failed`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The keys, one sequence for each action.
    pub keys: Vec<Keys>,
    /// The text.
    pub text: &'static str,
    /// True for the hint about the help, which comes last and is never left out.
    pub is_help: bool,
}

impl Hint {
    fn new(keys: Keys, text: &'static str, binding: &Binding) -> Self {
        Self { keys: vec![keys], text, is_help: binding.action == Action::Help }
    }

    /// Merges adjacent hints with the same text.
    fn joined(hints: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for hint in hints {
            match joined.last_mut().filter(|last| last.text == hint.text) {
                Some(last) => last.keys.extend(hint.keys),
                None => joined.push(hint),
            }
        }
        joined
    }
}

/// A line of the help: keys and the description of their action.
pub struct HelpLine<'k> {
    /// The binding.
    pub bound: &'k Bound,
    /// True if its keys have an effect in the context of the help.
    pub applies: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(context: Context, names: &str) -> Meaning {
        Keymap::new().meaning(context, Keys::parse(names).unwrap().as_slice())
    }

    #[test]
    fn a_pane_s_own_binding_comes_before_the_general_one() {
        use Meaning::{Action as Does, Nothing};
        assert_eq!(meaning(Context::Tree, "Space"), Does(Action::ToggleFold));
        assert_eq!(meaning(Context::Log, "Space"), Does(Action::PageDown));
        assert_eq!(meaning(Context::Runs, "Space"), Nothing);
        assert_eq!(meaning(Context::Help, "q"), Does(Action::Help));
        assert_eq!(meaning(Context::Help, "Ctrl-c"), Does(Action::Quit));
        assert_eq!(
            meaning(Context::Tree, "e"),
            Does(Action::NextError),
            "what the tree does not know is for the log"
        );
        assert_eq!(meaning(Context::RunsFilter, "q"), Nothing, "typed");
    }

    #[test]
    fn hints_match_the_situation_in_the_log() {
        let keys = |context, situation| {
            let hints = Keymap::new().hints(context, situation);
            hints.iter().map(|hint| hint.keys[0].to_string()).take(4).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(Context::Log, Situation::Failed), "e C v c");
        assert_eq!(keys(Context::Log, Situation::FailedSecure), "e C / &");
        assert_eq!(keys(Context::Log, Situation::Live), "f / e }");
        assert_eq!(keys(Context::Log, Situation::Ended), "/ & t s");
        assert_eq!(keys(Context::Tree, Situation::Failed), keys(Context::Tree, Situation::Live));
    }

    #[test]
    fn keys_one_after_the_other_mean_something_at_their_end() {
        assert_eq!(meaning(Context::Log, "z"), Meaning::Prefix);
        assert_eq!(meaning(Context::Log, "z z"), Meaning::Action(Action::Zoom));
        assert_eq!(meaning(Context::Log, "z j"), Meaning::Nothing);
        let after = Keymap::new().hints_after(Context::Log, &[Key::parse("z").unwrap()]);
        assert!(
            after
                .iter()
                .any(|hint| hint.text == "zoom" && hint.keys == [Keys::parse("z").unwrap()]),
            "{after:?}"
        );
    }
}
