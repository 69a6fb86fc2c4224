//! What keys do: the table with the user's changes, looked up, and told in hints and help.

use super::{Action, BINDINGS, Binding, Context, Key, Keys};

/// A row of the table with the keys that hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bound {
    /// The row.
    pub binding: &'static Binding,
    /// Its keys; none when it is out of reach.
    pub keys: Vec<Keys>,
}

/// What keys do, in the order of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keymap {
    pub(super) bound: Vec<Bound>,
}

/// What keys mean that were pressed one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// This.
    Action(Action),
    /// Something once more keys follow.
    Begun,
    /// Nothing.
    Nothing,
}

impl Keymap {
    /// The default keys.
    #[must_use]
    pub fn new() -> Self {
        let bound = |binding: &'static Binding| Bound {
            binding,
            keys: binding.keys.iter().filter_map(|names| Keys::parse(names).ok()).collect(),
        };
        Self { bound: BINDINGS.iter().map(bound).collect() }
    }

    /// What keys mean in a context.
    #[must_use]
    pub fn meaning(&self, context: Context, pressed: &[Key]) -> Meaning {
        let meaning = |context: &Context| {
            let mut all = self
                .of(*context)
                .flat_map(|bound| bound.keys.iter().map(|keys| (bound.binding.action, keys)));
            all.find_map(|(action, keys)| match keys.as_slice().strip_prefix(pressed) {
                Some([]) => Some(Meaning::Action(action)),
                Some(_) => Some(Meaning::Begun),
                None => None,
            })
        };
        context.reach().iter().find_map(meaning).unwrap_or(Meaning::Nothing)
    }

    /// The rows of one context.
    pub fn of(&self, context: Context) -> impl Iterator<Item = &Bound> {
        self.bound.iter().filter(move |bound| bound.binding.context == context)
    }

    /// The first keys that do something in a context.
    #[must_use]
    pub fn keys_of(&self, context: Context, action: Action) -> Option<&Keys> {
        let all = context.reach().iter().flat_map(|context| self.of(*context));
        all.filter(|bound| bound.binding.action == action).find_map(|bound| bound.keys.first())
    }

    /// What is worth telling in a context: its own bindings first, then those that hold everywhere.
    /// Neighbours with the same word are one.
    #[must_use]
    pub fn hints(&self, context: Context) -> Vec<Hint> {
        let everywhere = self.of(Context::Everywhere).filter(|bound| match context {
            Context::Help | Context::Prompt | Context::RunsFilter | Context::Everywhere => false,
            Context::Waiting => matches!(bound.binding.action, Action::Quit | Action::Help),
            _ => true,
        });
        let all = self.of(context).chain(everywhere).filter(|bound| !bound.binding.hint.is_empty());
        let shown: Vec<Hint> = all
            .filter_map(|bound| {
                let key = bound.keys.iter().find(|keys| keys.single().is_some())?;
                Some(Hint::new(key.clone(), bound.binding.hint, bound.binding))
            })
            .collect();
        Hint::joined(shown)
    }

    /// What may follow keys that begin something.
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

    /// All that has keys, as lines; the context that one stands in comes first.
    #[must_use]
    pub fn help_lines(&self, first: Context) -> Vec<HelpLine<'_>> {
        let mut contexts = Context::ALL;
        contexts.sort_by_key(|context| *context != first);
        let section = |context: Context| {
            let bound = self.of(context).filter(|bound| !bound.keys.is_empty());
            let head = [HelpLine::Blank, HelpLine::Heading(context.title())];
            head.into_iter().chain(bound.map(HelpLine::Keys))
        };
        contexts.into_iter().flat_map(section).skip(1).collect()
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new()
    }
}

/// Keys and a word for what they do: `}/{ failed`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The keys, of each action one.
    pub keys: Vec<Keys>,
    /// The word.
    pub text: &'static str,
    /// It is the one for the help, which comes last and is never left out.
    pub is_help: bool,
}

impl Hint {
    fn new(keys: Keys, text: &'static str, binding: &Binding) -> Self {
        Self { keys: vec![keys], text, is_help: binding.action == Action::Help }
    }

    /// Neighbours with the same word become one.
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

/// A line of the help.
#[derive(Clone, Copy)]
pub enum HelpLine<'k> {
    /// Between two contexts.
    Blank,
    /// The name of a context.
    Heading(&'static str),
    /// Keys and what they do.
    Keys(&'k Bound),
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
        assert_eq!(meaning(Context::Help, "q"), Does(Action::Back));
        assert_eq!(meaning(Context::Help, "Ctrl-c"), Does(Action::Quit));
        assert_eq!(
            meaning(Context::Tree, "e"),
            Does(Action::NextError),
            "what the tree does not know is for the log"
        );
        assert_eq!(meaning(Context::RunsFilter, "q"), Nothing, "typed");
    }

    #[test]
    fn keys_one_after_the_other_mean_something_at_their_end() {
        assert_eq!(meaning(Context::Log, "z"), Meaning::Begun);
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
