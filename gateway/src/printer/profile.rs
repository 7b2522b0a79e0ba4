//! What a model of printer can do: width, character tables, voice. First guesses by
//! brand, corrected per shop by the configuration.
//!
//! The number of a character table differs between brands for the same table, and a
//! wrong one prints wrong letters without a word; that is why the numbers can be
//! overridden one by one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::codepage::{CodePage, PREFERENCE};

/// Dots of one character of font A.
pub const CELL_WIDTH_DOTS: u32 = 12;
pub const CELL_HEIGHT_DOTS: u32 = 24;

/// Whether the printer returns the tag that stands behind data once it is on paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tags {
    On,
    Off,
    /// Ask the printer once at start.
    Probe,
}

/// A model of printer.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub name: &'static str,
    /// For a person who chooses.
    pub description: &'static str,
    /// Characters of font A on a line.
    pub columns: u16,
    /// Character tables and their numbers, best first.
    pub pages: Vec<(CodePage, u8)>,
    pub tags: Tags,
    /// Answers questions about its state. Without it a page is never more than handed over.
    pub answers_status: bool,
    /// Draws QR codes itself; otherwise they are sent as pictures.
    pub native_qr: bool,
    /// Draws barcodes itself; otherwise they are sent as pictures.
    pub native_barcode: bool,
    /// Prints pictures, and with them any script: GS v 0. Without it a letter it has no
    /// table for is a `?`.
    pub raster: bool,
    /// Opens the drawer at once even when it cannot print.
    pub realtime_drawer: bool,
}

impl Profile {
    /// Finds a profile by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|profile| profile.name == name)
    }

    /// Every profile shipped, in the order shown to people.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let epson = Self {
            name: "epson-80",
            description: "Epson TM-m30, TM-T20, TM-T88 and like, 80 mm, 48 columns",
            columns: 48,
            pages: numbered([16, 19, 40, 2, 0]),
            tags: Tags::On,
            answers_status: true,
            native_qr: true,
            native_barcode: true,
            raster: true,
            realtime_drawer: true,
        };
        let generic = Self {
            name: "generic-80",
            description: "any ESC/POS printer, 80 mm, 48 columns",
            tags: Tags::Off,
            realtime_drawer: false,
            ..epson.clone()
        };
        vec![
            Self {
                name: "generic-58",
                description: "any ESC/POS printer, 58 mm, 32 columns",
                columns: 32,
                ..generic.clone()
            },
            Self {
                name: "generic-80-42",
                description: "any ESC/POS printer, 80 mm at 180 dpi, 42 columns",
                columns: 42,
                ..generic.clone()
            },
            Self {
                name: "mute-80",
                description: "as generic-80 behind a print server without a way back",
                answers_status: false,
                ..generic.clone()
            },
            Self {
                name: "star-80",
                description: "Star in ESC/POS mode, 80 mm, 48 columns",
                pages: vec![(CodePage::Cp1252, 32), (CodePage::Cp858, 4), (CodePage::Cp437, 0)],
                ..generic.clone()
            },
            Self {
                name: "simple-58",
                description: "a printer with table 437 alone, neither QR codes nor barcodes: those are drawn",
                columns: 32,
                pages: vec![(CodePage::Cp437, 0)],
                native_qr: false,
                native_barcode: false,
                ..generic.clone()
            },
            Self {
                name: "epson-58",
                description: "Epson with 58 mm paper, 32 columns",
                columns: 32,
                ..epson.clone()
            },
            generic,
            epson,
        ]
    }

    /// The character tables alone, best first.
    #[must_use]
    pub fn code_pages(&self) -> Vec<CodePage> {
        self.pages.iter().map(|(page, _)| *page).collect()
    }

    /// The printer's number of a table, 0 where it has none.
    #[must_use]
    pub fn page_number(&self, page: CodePage) -> u8 {
        self.pages.iter().find(|(known, _)| *known == page).map_or(0, |(_, number)| *number)
    }

    /// Replaces or adds table numbers measured on the device.
    pub fn renumber(&mut self, numbers: &BTreeMap<CodePage, u8>) {
        if numbers.is_empty() {
            return;
        }
        let known: BTreeMap<CodePage, u8> =
            self.pages.iter().copied().chain(numbers.iter().map(|(k, v)| (*k, *v))).collect();
        self.pages = PREFERENCE.iter().filter_map(|p| known.get(p).map(|n| (*p, *n))).collect();
    }

    /// Width of the paper that can be printed on.
    #[must_use]
    pub fn width_dots(&self) -> u32 {
        u32::from(self.columns) * CELL_WIDTH_DOTS
    }
}

fn numbered(numbers: [u8; 5]) -> Vec<(CodePage, u8)> {
    PREFERENCE.into_iter().zip(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_one_name_each_and_fit_paper() {
        let all = Profile::all();
        for profile in &all {
            assert_eq!(all.iter().filter(|other| other.name == profile.name).count(), 1);
            assert!([32, 42, 48].contains(&profile.columns));
            assert!(!profile.pages.is_empty());
        }
    }

    #[test]
    fn a_measured_number_replaces_the_guess() {
        let mut profile = Profile::named("generic-80").unwrap();
        profile.renumber(&BTreeMap::from([(CodePage::Cp1252, 71)]));
        assert_eq!(profile.page_number(CodePage::Cp1252), 71);
        assert_eq!(profile.page_number(CodePage::Cp858), 19);
    }
}
