//! The layout's promises: width, wholeness of amounts, no loss, no panic.

use fournil_protocol::document::{Barcode, Columns, Feed, Qr, Rule, Text};
use proptest::prelude::*;

use super::*;

fn profile(columns: u16) -> Profile {
    Profile { columns, ..Profile::named("generic-80").unwrap() }
}

/// Of a printer that prints no pictures: every letter it has, and `?`.
fn letters_only(columns: u16) -> Profile {
    Profile { raster: false, ..profile(columns) }
}

fn text_of(page: &Page) -> Vec<String> {
    page.lines
        .iter()
        .map(|line| match line {
            Line::Text(text) => text.text.clone(),
            Line::Rule { .. } => "-".to_owned(),
            Line::Feed { lines } => format!("feed {lines}"),
            Line::Qr { data, module_dots } => format!("qr {module_dots} {data}"),
            Line::Barcode { data } => format!("barcode {data}"),
            Line::Raster(picture) => format!("raster {}", picture.rows()),
        })
        .collect()
}

#[test]
fn the_amount_closes_the_last_line_of_a_long_name() {
    let document =
        Document::default().pair("2 x Pain de campagne au levain naturel", "1\u{a0}120,00", false);
    assert_eq!(
        text_of(&render(&document, &profile(32), false)),
        ["2 x Pain de campagne au", "levain naturel          1 120,00"]
    );
}

#[test]
fn cells_share_the_width_by_weight() {
    let cell =
        |text: &str, align: Align, weight| Cell { text: text.into(), align: align as i32, weight };
    let document = Document::default().with(Kind::Columns(Columns {
        cells: vec![
            cell("Qté", Align::Start, 1),
            cell("Article", Align::Start, 3),
            cell("Montant", Align::End, 2),
        ],
        bold: true,
        size: 1,
    }));
    assert_eq!(
        text_of(&render(&document, &profile(32), false)),
        ["Qté   Article            Montant"]
    );
}

#[test]
fn a_row_too_narrow_is_stacked_and_keeps_its_amount_whole() {
    let document = Document::default().with(Kind::Columns(Columns {
        cells: vec![
            Cell { text: "TOTAL À PAYER".into(), align: 0, weight: 1 },
            Cell { text: "123\u{202f}456,00\u{a0}DA".into(), align: Align::End as i32, weight: 0 },
        ],
        bold: true,
        size: 2,
    }));
    assert_eq!(
        text_of(&render(&document, &profile(32), false)),
        ["TOTAL À PAYER", "   123 456,00 DA"]
    );
}

#[test]
fn a_copy_says_so_first() {
    let page = render(&Document::default().text("x", Align::Start), &profile(32), true);
    assert_eq!(text_of(&page)[0], COPY_MARK);
}

#[test]
fn a_symbol_that_does_not_fit_is_printed_as_text() {
    let document = Document::default()
        .with(Kind::Barcode(Barcode { data: "T-2026-000123".into() }))
        .with(Kind::Barcode(Barcode { data: "pâte".into() }))
        .with(Kind::Qr(Qr { data: "https://fournil.example/t/1".into() }));
    let simple = Profile::named("simple-58").unwrap();
    assert_eq!(
        text_of(&render(&document, &simple, false)),
        ["raster 72", "T-2026-000123", "pâte", "raster 186"],
        "a printer that has no symbols gets them drawn"
    );
    assert_eq!(
        text_of(&render(&document, &Profile { raster: false, ..simple }, false)),
        ["T-2026-000123", "pâte", "https://fournil.example/t/1"],
        "and where pictures are not understood either, their text"
    );
    assert_eq!(
        text_of(&render(&document, &profile(32), false))[2],
        "qr 6 https://fournil.example/t/1"
    );
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        "[a-zé ]{0,80}",
        "[0-9]{1,4}\u{a0}[0-9]{3},[0-9]{2}( DA)?",
        Just("الخبز 120".to_owned()),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let cell = (any_text(), -1..4i32, prop_oneof![0..4u32, Just(u32::MAX)])
        .prop_map(|(text, align, weight)| Cell { text, align, weight });
    prop_oneof![
        (any_text(), -1..4i32, any::<bool>(), 0..4u32)
            .prop_map(|(text, align, bold, size)| Kind::Text(Text { text, align, bold, size })),
        (prop::collection::vec(cell, 0..6), any::<bool>(), 0..4u32)
            .prop_map(|(cells, bold, size)| Kind::Columns(Columns { cells, bold, size })),
        any::<bool>().prop_map(|double| Kind::Rule(Rule { double })),
        any::<u32>().prop_map(|lines| Kind::Feed(Feed { lines })),
        any_text().prop_map(|data| Kind::Qr(Qr { data })),
        any_text().prop_map(|data| Kind::Barcode(Barcode { data })),
        (0..40u32, prop::collection::vec(any::<u8>(), 0..40), -1..4i32).prop_map(
            |(width_dots, rows, align)| Kind::Picture(document::Picture {
                width_dots,
                rows,
                align
            })
        ),
    ]
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_paper(
        kinds in prop::collection::vec(prop::option::of(any_kind()), 0..8),
        columns in prop_oneof![Just(32u16), Just(42), Just(48), 0..10u16],
        copy in any::<bool>(),
    ) {
        let document =
            Document { blocks: kinds.into_iter().map(|kind| Block { kind, ..Block::default() }).collect(), ..Document::default() };
        for line in render(&document, &profile(columns), copy).lines {
            if let Line::Text(line) = line {
                let width = if line.double { columns / 2 } else { columns }.max(1);
                prop_assert!(line.text.chars().count() <= usize::from(width), "{line:?}");
            }
        }
    }

    #[test]
    fn no_amount_is_cut(
        name in any_text(),
        amount in "[0-9]{1,3}(\u{a0}[0-9]{3}){0,2},[0-9]{2}",
        double in any::<bool>(),
    ) {
        let mut document = Document::default().pair(name, amount.clone(), false);
        if let Some(Kind::Columns(columns)) = &mut document.blocks[0].kind {
            columns.size = if double { 2 } else { 1 };
        }
        let lines = text_of(&render(&document, &letters_only(32), false));
        let shown = amount.replace('\u{a0}', " ");
        let last = lines.last().cloned().unwrap_or_default();
        prop_assert!(last.ends_with(&shown), "{lines:?} lacks {shown}");
    }

    #[test]
    fn no_letter_of_a_paragraph_is_lost(text in any_text(), size in 0..3u32) {
        let block = Text { text: text.clone(), align: 0, bold: false, size };
        let page = render(&Document::default().with(Kind::Text(block)), &letters_only(32), false);
        let fitted: String =
            text.split('\n').map(|part| fit(part, &letters_only(32).code_pages()).text).collect();
        prop_assert_eq!(letters(&text_of(&page).concat()), letters(&fitted));
    }
}

fn dots(picture: &Picture) -> u32 {
    picture.bits().iter().map(|byte| byte.count_ones()).sum()
}

fn drawn(document: &Document) -> Vec<Picture> {
    let page = render(document, &profile(32), false);
    assert_eq!(page.lost, 0);
    let pictures = page.lines.into_iter().filter_map(|line| match line {
        Line::Raster(picture) => Some(picture),
        _ => None,
    });
    pictures.collect()
}

#[test]
fn only_what_the_tables_lack_is_drawn() {
    let document = Document::default()
        .text("Pâte – 3 €, l’œuf…", Align::Start)
        .text("خبز", Align::Start)
        .text("aɣrum", Align::Start);
    let kinds: Vec<bool> = render(&document, &profile(32), false)
        .lines
        .iter()
        .map(|line| matches!(line, Line::Raster(_)))
        .collect();
    assert_eq!(kinds, [false, true, true]);
    let simple = Profile::named("simple-58").unwrap();
    let page = render(&Document::default().text("À é", Align::Start), &simple, false);
    assert!(matches!(page.lines[0], Line::Raster(_)), "an accent is never dropped");
}

#[test]
fn arabic_is_joined_and_starts_at_the_right() {
    let one = drawn(&Document::default().text("بيت", Align::Start));
    // The three letters apart have no dot in common with the word.
    let apart = drawn(&Document::default().text("ب\u{200c}ي\u{200c}ت", Align::Start));
    assert!(dots(&one[0]) < dots(&apart[0]), "letters that stand apart are larger");
    let left_half = |picture: &Picture| {
        let row_bytes = picture.row_bytes();
        let rows = picture.bits().chunks(row_bytes);
        rows.flat_map(|row| &row[..row_bytes / 2]).any(|byte| *byte != 0)
    };
    assert!(!left_half(&one[0]), "Arabic starts at the right");
    let end = drawn(&Document::default().text("بيت", Align::End));
    assert!(left_half(&end[0]), "and ends at the left");
}

#[test]
fn a_row_in_arabic_begins_at_the_right_and_ends_with_its_amount_at_the_left() {
    let row = |language: &str| Document { language: language.to_owned(), ..Document::default() };
    let arabic = drawn(&row("ar").pair("خبز", "120,00", false));
    let french = drawn(&row("fr").pair("خبز", "120,00", false));
    assert_eq!(arabic[0].rows(), 30);
    // The amount is the longer of the two, and it is whole.
    let left_dots = |picture: &Picture| {
        let rows = picture.bits().chunks(picture.row_bytes());
        rows.flat_map(|row| &row[..12]).map(|byte| byte.count_ones()).sum::<u32>()
    };
    let amount = dots(&drawn(&row("ar").text("120,00", Align::End))[0]);
    assert!(left_dots(&arabic[0]).abs_diff(amount) < 10, "the amount at the left");
    assert!(left_dots(&french[0]) < amount, "in French the word");
}

#[test]
fn a_character_nobody_can_draw_is_counted() {
    let page = render(&Document::default().text("漢字", Align::Start), &profile(32), false);
    assert_eq!(page.lost, 2);
    let page = render(&Document::default().text("漢字", Align::Start), &letters_only(32), false);
    assert_eq!((page.lost, text_of(&page)), (2, vec!["??".to_owned()]));
}

#[test]
fn no_document_makes_the_page_large() {
    let word = "خبز ".repeat(2_000);
    let long = Document::default().text(word.clone(), Align::Start);
    let page = render(&long, &profile(48), false);
    assert!(page.lost > 0 && page.lines.iter().all(|line| matches!(line, Line::Text(_))));
    let many = (0..4_000).fold(Document::default(), |all, _| all.text("خ", Align::Start));
    let bytes: usize = render(&many, &profile(48), false)
        .lines
        .iter()
        .map(|line| if let Line::Raster(picture) = line { picture.bits().len() } else { 0 })
        .sum();
    assert!((DRAWN_BYTES_MAX..DRAWN_BYTES_MAX + 100_000).contains(&bytes), "{bytes}");
}
