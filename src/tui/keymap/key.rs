//! A key, and several one after the other: how they are named, and that a terminal may spell one in
//! several ways.

use std::fmt;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

/// A key with its modifiers, in one spelling: a letter's case carries its shift.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(KeyCode, KeyModifiers);

impl Key {
    /// Leaves the program, whatever a configuration says.
    pub const CTRL_C: Self = Self(KeyCode::Char('c'), KeyModifiers::CONTROL);

    fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        match code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                Self(KeyCode::Char(c.to_ascii_lowercase()), modifiers - KeyModifiers::SHIFT)
            }
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                Self(KeyCode::Char(c.to_ascii_uppercase()), modifiers - KeyModifiers::SHIFT)
            }
            KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => {
                Self(KeyCode::BackTab, KeyModifiers::NONE)
            }
            KeyCode::Char(_) => Self(code, modifiers),
            _ => Self(code, modifiers - KeyModifiers::SHIFT),
        }
    }

    /// The key of a terminal event; `None` for the release of one.
    #[must_use]
    pub fn from_event(event: &KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }

    /// Reads a name as the table writes it: `G`, `?`, `Ctrl-d`, `PageDown`, `Shift-Tab`; `None`
    /// when it is no key.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut chars = name.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return (!c.is_whitespace() && !c.is_control())
                .then(|| Self::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        let combination = crokey::parse(name).ok()?;
        match combination.codes {
            crokey::OneToThree::One(code) => Some(Self::new(code, combination.modifiers)),
            _ => None,
        }
    }

    /// What it does to a line that is being typed.
    #[must_use]
    pub fn input_request(self) -> Option<InputRequest> {
        to_input_request(&Event::Key(KeyEvent::new(self.0, self.1)))
    }

    /// Whether it puts a character into a line that is being typed.
    #[must_use]
    pub fn types(self) -> bool {
        matches!(self.input_request(), Some(InputRequest::InsertChar(_)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::Char(c) if self.1.is_empty() && c != ' ' => write!(f, "{c}"),
            code => crokey::KeyCombination::new(code, self.1).fmt(f),
        }
    }
}

/// Keys that are pressed one after the other; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads names with blanks between: `z a`.
    ///
    /// # Errors
    /// The name that is no key; empty when there is none at all.
    pub fn parse(names: &str) -> Result<Self, String> {
        let keys: Vec<Key> = names
            .split_whitespace()
            .map(|name| Key::parse(name).ok_or(name))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(String::new()) } else { Ok(Self(keys)) }
    }

    /// In the order in which they are pressed.
    #[must_use]
    pub fn as_slice(&self) -> &[Key] {
        &self.0
    }

    /// Its key, when it is one only.
    #[must_use]
    pub fn single(&self) -> Option<Key> {
        if let [key] = *self.0 { Some(key) } else { None }
    }

    /// What is still to be pressed after these; `None` when it does not begin so, or nothing is.
    #[must_use]
    pub fn after(&self, begun: &[Key]) -> Option<Self> {
        self.0.strip_prefix(begun).filter(|rest| !rest.is_empty()).map(|rest| Self(rest.to_vec()))
    }

    /// Whether one of the two begins as the other does, or is it.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl From<Vec<Key>> for Keys {
    fn from(keys: Vec<Key>) -> Self {
        Self(keys)
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            key.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_may_spell_a_key_in_several_ways() {
        let event = |code, modifiers| Key::from_event(&KeyEvent::new(code, modifiers));
        let (none, shift, control) =
            (KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::CONTROL);
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
    fn a_key_has_one_name_however_it_was_spelled() {
        for (spelled, name) in [
            ("ctrl-D", "Ctrl-d"),
            ("shift-g", "G"),
            ("pagedown", "PageDown"),
            ("space", "Space"),
            ("esc", "Esc"),
            ("enter", "Enter"),
            ("f1", "F1"),
            ("alt-x", "Alt-x"),
            ("shift-tab", "Shift-Tab"),
            ("-", "-"),
            ("ctrl-space", "Ctrl-Space"),
            ("home", "Home"),
            ("backspace", "Backspace"),
            ("ö", "ö"),
        ] {
            let key = Key::parse(spelled).unwrap_or_else(|| panic!("{spelled}"));
            assert_eq!(key.to_string(), name);
            assert_eq!(Key::parse(name), Some(key), "{name}");
        }
        for no_key in ["no such key", "", " ", "\t", "Ctrl-", "Hyper-x", "a-b"] {
            assert_eq!(Key::parse(no_key), None, "{no_key:?}");
        }
    }

    #[test]
    fn keys_one_after_the_other_have_a_beginning_and_a_rest() {
        let keys = |names| Keys::parse(names).unwrap();
        assert_eq!(keys(" z  a ").to_string(), "z a");
        assert_eq!(keys("z a").after(keys("z").as_slice()), Some(keys("a")));
        assert_eq!(keys("z a").after(keys("z a").as_slice()), None);
        assert_eq!(keys("z a").after(keys("a").as_slice()), None);
        assert!(
            keys("z").meets(&keys("z a"))
                && keys("z a").meets(&keys("z"))
                && keys("z").meets(&keys("z"))
        );
        assert!(!keys("z a").meets(&keys("z b")));
        assert_eq!(Keys::parse("z nope").unwrap_err(), "nope");
        assert_eq!(Keys::parse("  ").unwrap_err(), "");
    }
}
