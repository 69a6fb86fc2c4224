//! The table of bindings with a user's changes: either all changes apply, or every fault is
//! reported.
//!
//! The keys that the user sets for an action replace its default keys. Ctrl-C always keeps its
//! default bindings, so that it always leaves the program or a prompt.

use super::map::{Bound, Keymap};
use super::{Action, Context, Key, Keys};

/// A request to bind keys to an action.
#[derive(Clone, Debug)]
pub struct Rebinding {
    /// The context of the binding; `None` for every context that has the action, except the help
    /// and lines being typed.
    pub context: Option<Context>,
    /// The action.
    pub action: Action,
    /// Its keys; empty to remove all keys.
    pub keys: Vec<Keys>,
    /// The byte offset of the request in the configuration, for error messages.
    pub at: usize,
}

/// The reason why a request is rejected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// [`Rebinding::at`].
    pub at: usize,
    /// The problem, and a remedy.
    pub message: String,
}

impl Fault {
    fn new(at: usize, message: String) -> Self {
        Self { at, message }
    }
}

impl Keymap {
    /// Returns the table with these changes. Changes for one context take precedence over changes
    /// for all contexts.
    ///
    /// # Errors
    /// Every fault in the changes.
    pub fn with(rebindings: &[Rebinding]) -> Result<Self, Vec<Fault>> {
        let mut draft = Draft::new();
        let (narrow, wide): (Vec<&Rebinding>, Vec<&Rebinding>) =
            rebindings.iter().partition(|rebinding| rebinding.context.is_some());
        let mut faults: Vec<Fault> = wide
            .into_iter()
            .chain(narrow)
            .filter_map(|rebinding| draft.rebind(rebinding))
            .collect();
        if faults.is_empty() {
            faults = draft.clashes();
            faults.extend(draft.without_help());
        }
        faults.sort_by_key(|fault| fault.at);
        // Keys that are a prefix of several bindings conflict with each of them; report only one
        // conflict.
        faults.dedup_by_key(|fault| fault.at);
        if faults.is_empty() { Ok(draft.keymap) } else { Err(faults) }
    }
}

/// The table while it is being changed.
struct Draft {
    keymap: Keymap,
    /// The offset of the last request for each row of the table.
    set_at: Vec<Option<usize>>,
}

impl Draft {
    fn new() -> Self {
        let keymap = Keymap::new();
        let set_at = vec![None; keymap.bound.len()];
        Self { keymap, set_at }
    }

    fn rebind(&mut self, rebinding: &Rebinding) -> Option<Fault> {
        let is_wished = |context: Context| match rebinding.context {
            Some(wished) => context == wished,
            None => !context.types() && context != Context::Help,
        };
        let has_ctrl_c = rebinding.keys.iter().any(|keys| keys.as_slice().contains(&Key::CTRL_C));
        let mut is_known = false;
        for (bound, set_at) in self.keymap.bound.iter_mut().zip(&mut self.set_at) {
            let context = bound.binding.context;
            if bound.binding.action != rebinding.action || !is_wished(context) {
                continue;
            }
            if let Some(keys) = rebinding.keys.iter().find(|keys| context.types() && is_typed(keys))
            {
                return Some(Fault::new(
                    rebinding.at,
                    format!("`{keys}` types text in [keys.{}]; bind another key", context.name()),
                ));
            }
            if has_ctrl_c && !bound.keys.contains(&Keys::from(vec![Key::CTRL_C])) {
                let why = format!(
                    "`Ctrl-c` always quits; bind another key to `{}`",
                    rebinding.action.name()
                );
                return Some(Fault::new(rebinding.at, why));
            }
            (bound.keys, *set_at) = (with_ctrl_c(bound, rebinding), Some(rebinding.at));
            is_known = true;
        }
        (!is_known).then(|| Fault::new(rebinding.at, not_there(rebinding)))
    }

    /// Returns the conflicts in which at least one binding was set by the user.
    fn clashes(&self) -> Vec<Fault> {
        let rows: Vec<(&Bound, Option<usize>)> =
            self.keymap.bound.iter().zip(self.set_at.iter().copied()).collect();
        let mut faults = Vec::new();
        for (index, (one, one_said)) in rows.iter().enumerate() {
            for (other, other_said) in rows.iter().skip(index) {
                let Some(at) = (*one_said).max(*other_said) else { continue };
                // The row that the fault is reported for comes first.
                let (new, old) = if *one_said == Some(at) { (one, other) } else { (other, one) };
                faults.extend(clash(new, old).map(|message| Fault::new(at, message)));
            }
        }
        faults
    }

    fn without_help(&self) -> Option<Fault> {
        let mut rows = self.keymap.bound.iter().zip(&self.set_at);
        let is_lost = |bound: &Bound| {
            bound.binding.action == Action::Help
                && bound.binding.context == Context::Everywhere
                && bound.keys.is_empty()
        };
        let at = rows.find_map(|(bound, set_at)| set_at.filter(|_| is_lost(bound)))?;
        Some(Fault::new(at, "`help` must keep at least one key".into()))
    }
}

/// Returns true if keys cannot be distinguished from typed text. This includes every sequence.
fn is_typed(keys: &Keys) -> bool {
    keys.single().is_none_or(Key::types)
}

/// Returns the keys of a row after a request: the requested ones, and Ctrl-C if the row had it.
fn with_ctrl_c(bound: &Bound, rebinding: &Rebinding) -> Vec<Keys> {
    let ctrl_c = Keys::from(vec![Key::CTRL_C]);
    let stays = bound.keys.contains(&ctrl_c) && !rebinding.keys.contains(&ctrl_c);
    rebinding.keys.iter().cloned().chain(stays.then_some(ctrl_c)).collect()
}

fn not_there(rebinding: &Rebinding) -> String {
    let name = rebinding.action.name();
    let all = Keymap::new();
    let contexts = Context::ALL
        .into_iter()
        .filter(|context| all.of(*context).any(|b| b.binding.action == rebinding.action));
    let tables: Vec<String> =
        contexts.map(|context| format!("[keys.{}]", context.name())).collect();
    let here = rebinding
        .context
        .map_or("[keys]".to_owned(), |context| format!("[keys.{}]", context.name()));
    format!("`{name}` has no effect in {here}; put it into {}", tables.join(" or "))
}

/// Returns the conflict of a changed row with another row, or between its own keys if both are the
/// same row; `None` if there is no conflict.
fn clash(new: &Bound, other: &Bound) -> Option<String> {
    let (first, second) = (new.binding, other.binding);
    let is_same = first == second;
    let meeting = new.keys.iter().enumerate().find_map(|(index, keys)| {
        let others = other.keys.iter().skip(if is_same { index + 1 } else { 0 });
        others.into_iter().find(|other| keys.meets(other)).map(|other| (keys, other))
    });
    let (keys, others) = meeting?;
    let (name, context) = (first.action.name(), first.context.name());
    if is_same {
        return Some(if keys == others {
            format!("`{name}` in [keys.{context}] has the key `{keys}` twice")
        } else {
            format!(
                "`{name}` in [keys.{context}] has the keys `{keys}` and `{others}`, and one \
                 begins with the other"
            )
        });
    }
    let owner = second.action.name();
    let place = match second.context {
        Context::Everywhere => String::new(),
        context => format!(" in [keys.{}]", context.name()),
    };
    let message = if keys == others {
        format!("`{name}`: `{keys}` is already bound to `{owner}`{place}")
    } else {
        format!("`{name}`: `{keys}` conflicts with `{others}`, which is bound to `{owner}`{place}")
    };
    if first.context == second.context {
        return Some(message);
    }
    let is_general = |context: Context| context == Context::Everywhere;
    let (general, own) = match (is_general(first.context), is_general(second.context)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return None,
    };
    let is_hidden =
        own.context.reach().contains(&Context::Everywhere) && general.action != own.action;
    let is_meant = hides(own.keys, general.keys);
    (is_hidden && !is_meant).then_some(message)
}

/// Returns true if two rows of the default table have a key in common.
fn hides(own: &[&str], general: &[&str]) -> bool {
    own.iter().any(|own| general.contains(own))
}

#[cfg(test)]
mod tests {
    use super::super::{BINDINGS, Meaning};
    use super::*;

    fn rebinding(context: Option<Context>, action: Action, names: &[&str]) -> Rebinding {
        let keys = names.iter().map(|names| Keys::parse(names).unwrap()).collect();
        Rebinding { context, action, keys, at: action as usize }
    }

    fn faults(rebindings: &[Rebinding]) -> Vec<String> {
        Keymap::with(rebindings).unwrap_err().into_iter().map(|fault| fault.message).collect()
    }

    fn meaning(keymap: &Keymap, context: Context, names: &str) -> Meaning {
        keymap.meaning(context, Keys::parse(names).unwrap().as_slice())
    }

    #[test]
    fn keys_of_a_user_s_take_the_place_of_the_table_s() {
        let keymap = Keymap::with(&[
            rebinding(None, Action::NextError, &["x", "g e"]),
            rebinding(None, Action::Top, &["Home", "g g"]),
            rebinding(None, Action::Follow, &[]),
            rebinding(None, Action::PageDown, &["Ctrl-f", "PageDown"]),
            rebinding(Some(Context::Help), Action::PageDown, &["d"]),
        ]);
        let keymap = keymap.unwrap();
        let log = |names| meaning(&keymap, Context::Log, names);
        assert_eq!(log("x"), Meaning::Action(Action::NextError));
        assert_eq!(log("g"), Meaning::Prefix);
        assert_eq!(log("g e"), Meaning::Action(Action::NextError));
        assert_eq!(log("g g"), Meaning::Action(Action::Top));
        assert_eq!((log("e"), log("f")), (Meaning::Nothing, Meaning::Nothing));
        assert_eq!(meaning(&keymap, Context::Help, "d"), Meaning::Action(Action::PageDown));
        assert_eq!(meaning(&keymap, Context::Runs, "Ctrl-f"), Meaning::Action(Action::PageDown));
    }

    #[test]
    fn the_table_itself_is_without_fault() {
        let all = BINDINGS
            .iter()
            .map(|b| rebinding(Some(b.context), b.action, b.keys))
            .collect::<Vec<_>>();
        assert_eq!(Keymap::with(&all).as_ref(), Ok(&Keymap::new()));
    }

    #[test]
    fn a_clash_names_both_actions() {
        use Context::{Everywhere, Help, Log};
        for (rebindings, message) in [
            (
                vec![rebinding(None, Action::NextError, &["n"])],
                "`next-error`: `n` is already bound to `next-match` in [keys.log]",
            ),
            (
                vec![rebinding(None, Action::NextError, &["n x"])],
                "`next-error`: `n x` conflicts with `n`, which is bound to `next-match` in \
                 [keys.log]",
            ),
            (
                vec![rebinding(Some(Log), Action::Wrap, &["Ctrl-z"])],
                "`wrap`: `Ctrl-z` is already bound to `suspend`",
            ),
            (
                vec![rebinding(Some(Everywhere), Action::Down, &["n"])],
                "`down`: `n` is already bound to `next-match` in [keys.log]",
            ),
            (
                vec![rebinding(None, Action::Wrap, &["w", "w w"])],
                "`wrap` in [keys.log] has the keys `w` and `w w`, and one begins with the other",
            ),
            (
                vec![rebinding(None, Action::Accept, &["F2"])],
                "`accept` has no effect in [keys]; put it into [keys.prompt]",
            ),
            (
                vec![rebinding(Some(Help), Action::Wrap, &["x"])],
                "`wrap` has no effect in [keys.help]; put it into [keys.log]",
            ),
            (
                vec![rebinding(Some(Context::Prompt), Action::Accept, &["x"])],
                "`x` types text in [keys.prompt]; bind another key",
            ),
            (vec![rebinding(None, Action::Help, &[])], "`help` must keep at least one key"),
            (
                vec![rebinding(None, Action::Down, &["Ctrl-c"])],
                "`Ctrl-c` always quits; bind another key to `down`",
            ),
        ] {
            assert_eq!(faults(&rebindings), [message]);
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let rebindings =
            [rebinding(None, Action::Wrap, &["n"]), rebinding(None, Action::Times, &["e"])];
        assert_eq!(faults(&rebindings).len(), 2);
    }

    #[test]
    fn ctrl_c_leaves_whatever_a_user_says() {
        let keymap = Keymap::with(&[
            rebinding(None, Action::Quit, &["x"]),
            rebinding(Some(Context::Prompt), Action::Back, &["Esc"]),
        ]);
        let keymap = keymap.unwrap();
        assert_eq!(meaning(&keymap, Context::Log, "x"), Meaning::Action(Action::Quit));
        assert_eq!(meaning(&keymap, Context::Log, "Ctrl-c"), Meaning::Action(Action::Quit));
        assert_eq!(meaning(&keymap, Context::Prompt, "Ctrl-c"), Meaning::Action(Action::Back));
        assert_eq!(meaning(&keymap, Context::Log, "q"), Meaning::Nothing);
    }
}
