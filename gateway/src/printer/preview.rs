//! A rendered page as a picture, without a printer: what `printer render --format png`
//! writes. Draws the same lines that are encoded for a printer.

use fournil_protocol::document::Align;

use super::canvas::{Canvas, Glyph, LINE_DOTS};
use super::codepage::CodePage;
use super::profile::{CELL_HEIGHT_DOTS, CELL_WIDTH_DOTS, Profile};
use super::render::{Line, Page, TextLine};
use super::symbol;

/// From the last line to the knife.
const CUTTER_DOTS: u32 = 60;

/// Draws a page.
#[must_use]
pub fn draw(page: &Page, profile: &Profile) -> Canvas {
    let mut canvas = Canvas::new(profile.width_dots());
    let mut y = 0;
    for line in &page.lines {
        y += match line {
            Line::Text(text) => text_line(&mut canvas, y, text),
            Line::Rule { double } => rule(&mut canvas, y, *double, profile),
            Line::Feed { lines } => u32::from(*lines) * LINE_DOTS,
            Line::Qr { data, module_dots } => {
                let drawn = canvas.qr(y, data.as_bytes(), u32::from(*module_dots), true);
                drawn.unwrap_or_default() + LINE_DOTS
            }
            Line::Barcode { data } => barcode(&mut canvas, y, data),
            Line::Raster(picture) => {
                canvas.raster(0, y, picture.row_bytes(), picture.bits(), (1, 1));
                picture.rows()
            }
        };
    }
    canvas.reach(y + CUTTER_DOTS);
    canvas.cut_mark(y + CUTTER_DOTS);
    canvas
}

fn text_line(canvas: &mut Canvas, y: u32, line: &TextLine) -> u32 {
    let times = if line.double { 2 } else { 1 };
    let look = Glyph { bold: line.bold, width: times, height: times, ..Glyph::default() };
    characters(canvas, y, &line.text, line.align, look);
    LINE_DOTS.max(CELL_HEIGHT_DOTS * times)
}

fn characters(canvas: &mut Canvas, y: u32, text: &str, align: Align, look: Glyph) {
    let cell = CELL_WIDTH_DOTS * look.width;
    let width = u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_mul(cell);
    let room = canvas.width().saturating_sub(width);
    let left = match align {
        Align::Start => 0,
        Align::Centre => room / 2,
        Align::End => room,
    };
    for (place, character) in (0u32..).zip(text.chars()) {
        canvas.character(left + place * cell, y, character, look);
    }
}

fn rule(canvas: &mut Canvas, y: u32, double: bool, profile: &Profile) -> u32 {
    let (drawn, plain) = if double { ('═', '=') } else { ('─', '-') };
    let has = |page: &CodePage| page.byte(drawn).is_some();
    let sign = if profile.code_pages().iter().any(has) { drawn } else { plain };
    let text: String = std::iter::repeat_n(sign, usize::from(profile.columns)).collect();
    characters(canvas, y, &text, Align::Start, Glyph::default());
    LINE_DOTS
}

fn barcode(canvas: &mut Canvas, y: u32, data: &str) -> u32 {
    let bars = symbol::code128_bars(&symbol::code128_values(data));
    let height = u32::from(symbol::BARCODE_HEIGHT_DOTS);
    canvas.bars(y, &bars, u32::from(symbol::BARCODE_MODULE_DOTS), height, true);
    characters(canvas, y + height, data, Align::Centre, Glyph::default());
    height + CELL_HEIGHT_DOTS + LINE_DOTS
}
