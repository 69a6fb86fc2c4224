//! Keys and key sequences: their names, and the different events that terminals send for the same
//! key.

use std::fmt;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

/// A key with its modifiers, normalized: Shift is part of the case of a letter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(KeyCode, KeyModifiers);

impl Key {
    /// Ctrl-C, which always leaves the program or a prompt, whatever the configuration.
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

    /// Returns the key of a terminal event; `None` for a key release.
    #[must_use]
    pub fn from_event(event: &KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }

    /// Parses the name of a key: `G`, `?`, `Ctrl-d`, `PageDown`, `Shift-Tab`. Returns `None` if it
    /// is not a key.
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

    /// Returns the edit that the key makes in a line being typed; `None` if it makes no edit.
    #[must_use]
    pub fn input_request(self) -> Option<InputRequest> {
        to_input_request(&Event::Key(KeyEvent::new(self.0, self.1)))
    }

    /// Returns true if the key inserts a character into a line being typed.
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

/// A sequence of at least one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Parses key names with blanks between them: `z a`.
    ///
    /// # Errors
    /// The name that is not a key; empty if there are no names.
    pub fn parse(names: &str) -> Result<Self, String> {
        let keys: Vec<Key> = names
            .split_whitespace()
            .map(|name| Key::parse(name).ok_or(name))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(String::new()) } else { Ok(Self(keys)) }
    }

    /// Returns the keys in the order in which they are pressed.
    #[must_use]
    pub fn as_slice(&self) -> &[Key] {
        &self.0
    }

    /// Returns the key if there is exactly one.
    #[must_use]
    pub fn single(&self) -> Option<Key> {
        if let [key] = *self.0 { Some(key) } else { None }
    }

    /// Returns the keys that complete the sequence after `started`. `None` if the sequence does not
    /// begin with them or is already complete.
    #[must_use]
    pub fn after(&self, started: &[Key]) -> Option<Self> {
        self.0.strip_prefix(started).filter(|rest| !rest.is_empty()).map(|rest| Self(rest.to_vec()))
    }

    /// Returns true if one of the two sequences is a prefix of the other, or both are equal.
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
