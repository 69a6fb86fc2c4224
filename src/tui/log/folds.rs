//! Folding sections and groups, and moving from command to command.

use std::sync::Arc;

use super::Log;
use crate::document::{Document, Fold, Folds, Goal, RowAddress};
use crate::join::Place;
use crate::log::Row;
use crate::tui::msg::{AppEvent, Events};

const NOTHING_TO_FOLD: &str = "nothing to fold here";

impl Log {
    /// Opens and folds the sections of a document as the user chose. A filter opens all of them.
    /// While the log is followed, the last section of `before` stays open until another command
    /// starts.
    pub(super) fn choose_open(&self, document: &mut Document, before: Option<&Document>) {
        if !document.has_headings {
            return;
        }
        let is_filtered = self.options.row_filter.filter.is_some();
        let last = before.filter(|_| self.follow).and_then(|before| before.sections.last());
        let last = last.filter(|section| section.is_open).map(|section| &section.place);
        let stays = document.last_command().is_some_and(|newest| last == Some(newest));
        document.open_if(|section| {
            let chosen = self.folds.opened.get(&section.place).copied();
            let stays = stays && last == Some(&section.place);
            is_filtered || chosen.unwrap_or(stays || section.opens_by_default())
        });
    }

    /// Opens and folds the sections again after a change of the user's choice.
    pub(super) fn refold(&mut self) {
        if let Some(before) = self.document.take() {
            let mut document = before.clone();
            self.choose_open(&mut document, Some(&before));
            self.document = Some(document);
        }
    }

    /// Notes that a section was opened to show the row found in it.
    pub(super) fn open_found(&mut self, place: Place) {
        self.folds.opened.insert(place, true);
        self.refold();
    }

    /// Returns the folded groups of a document.
    pub(super) fn folds_of(&self, document: &Document) -> Folds {
        let chosen = self.folds.groups.iter().filter_map(|((place, heading), folded)| {
            Some((document.address_of(place, *heading)?, *folded))
        });
        Folds { all: self.folds.all_groups, chosen: Arc::new(chosen.collect()) }
    }

    /// Notes the groups that were folded or opened by a request.
    pub(in crate::tui) fn note_folds(&mut self, changes: &[(u64, bool)]) {
        for (address, is_folded) in changes {
            if let Some(place) = self.place_at(*address) {
                self.folds.groups.insert(place, *is_folded);
            }
        }
    }

    /// Folds or opens the innermost group around the current row, or else its section.
    pub(in crate::tui) fn fold(&mut self, how: Fold) -> Events {
        let Some(row) = self.current_row() else { return Events::none() };
        if self.heading(row).is_some() {
            return self.fold_section(how);
        }
        let here = row.offset;
        self.leave();
        self.seek(Goal::Fold(here, how), NOTHING_TO_FOLD)
    }

    /// Folds or opens the section of the current row.
    pub(in crate::tui) fn fold_section(&mut self, how: Fold) -> Events {
        let here = self.current_row().map(|row| row.offset);
        let document = self.document.as_ref().filter(|document| document.has_headings);
        let found = here.zip(document).and_then(|(here, document)| {
            Some((document.heading_of(document.row(here).section()), document.section(here)?))
        });
        let Some((heading, section)) = found else { return AppEvent::status(NOTHING_TO_FOLD) };
        let is_open = !how.of(!section.is_open);
        self.folds.opened.insert(section.place.clone(), is_open);
        self.leave();
        self.at = Some(heading);
        self.refold();
        self.seek(Goal::Place(heading), "")
    }

    /// Folds or opens everything.
    pub(in crate::tui) fn fold_all(&mut self, is_open: bool) -> Events {
        let here = self.current_row().map(|row| row.offset);
        let Some(document) = self.document.clone() else {
            return AppEvent::status(NOTHING_TO_FOLD);
        };
        self.folds.all_groups = Some(!is_open);
        self.folds.groups.clear();
        if document.has_headings {
            let places = document.sections.iter().map(|section| (section.place.clone(), is_open));
            self.folds.opened.extend(places);
        }
        self.leave();
        self.refold();
        let section = here.map(|here| document.row(here).section());
        match section.filter(|_| !is_open && document.has_headings) {
            Some(section) => self.seek(Goal::Place(document.heading_of(section)), ""),
            None => self.reload_rows(),
        }
    }

    /// Folds or opens the section or group of which the current row is the heading. Does nothing on
    /// other rows.
    pub(in crate::tui) fn enter(&mut self) -> Events {
        let is_heading = |row: &Row| self.heading(row).is_some() || self.group(row).is_some();
        if self.current_row().is_some_and(is_heading) {
            self.fold(Fold::Toggle)
        } else {
            Events::none()
        }
    }

    /// Goes to the heading of the next or previous command. If only failed commands count, also
    /// opens the section.
    pub(in crate::tui) fn jump(&mut self, by: isize, is_for_failed: bool) -> Events {
        let Some(document) = self.document.clone() else { return Events::none() };
        let Some(here) = self.current_row().map(|row| document.row(row.offset)) else {
            return Events::none();
        };
        let is_wanted = |at: &usize| {
            document.sections.get(*at).is_some_and(|section| !is_for_failed || section.is_failed())
        };
        let found = if by > 0 {
            (here.section() + 1..document.sections.len()).find(is_wanted)
        } else {
            // From a row of a command, the heading of that command comes first.
            let end = if matches!(here, RowAddress::Row(..)) {
                here.section() + 1
            } else {
                here.section()
            };
            (0..end).rev().find(is_wanted)
        };
        let Some(at) = found else {
            let what = if is_for_failed { "no failed command" } else { "no command" };
            return AppEvent::status(format!("{what} {}", if by > 0 { "below" } else { "above" }));
        };
        if let Some(section) = document.sections.get(at).filter(|_| is_for_failed) {
            self.folds.opened.insert(section.place.clone(), true);
            self.refold();
        }
        self.leave();
        self.seek(Goal::Place(document.heading_of(at)), "")
    }
}
