//! Text as dots, for what the printer has no letters for: Arabic, joined and from right to
//! left, and any sign its tables lack. Shaped and laid out by cosmic-text, outlines filled by
//! ab_glyph, with the one font that is part of the binary. Pure.
//!
//! Each cell of a row is a text of its own, so that an amount never changes places with the
//! word beside it. Lines are as high as the printer's own.

use std::sync::Arc;

use ab_glyph::{Font as _, FontRef, GlyphId, PxScale, point};
use cosmic_text::{
    Align as Side, Attrs, Buffer, Family, FontSystem, LayoutGlyph, Metrics, Shaping, Wrap, fontdb,
};
use fournil_protocol::document::Align;
use unicode_normalization::UnicodeNormalization;

use super::canvas::LINE_DOTS;
use super::codepage::visible;
use super::picture::Picture;
use super::profile::CELL_WIDTH_DOTS;
use super::share::{Share, shares};

const FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.subset.ttf");
const FAMILY: &str = "DejaVu Sans";
/// Below 22 the dots of Arabic letters run together at 203 dpi.
const SIZE_DOTS: f32 = 24.0;
const DOUBLE_SIZE_DOTS: f32 = 46.0;
const DOUBLE_LINE_DOTS: u32 = 56;
/// How much of a dot must be covered to be burnt.
const COVER_MIN: f32 = 0.43;
/// A cell narrower than this is not worth wrapping into.
const WRAP_DOTS_MIN: u32 = 8 * CELL_WIDTH_DOTS;

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub align: Align,
    pub bold: bool,
    /// Double width and height.
    pub double: bool,
    pub right_to_left: bool,
}

impl Style {
    pub(super) const CENTRED: Self =
        Self { align: Align::Centre, bold: false, double: false, right_to_left: false };

    fn line_dots(self) -> u32 {
        if self.double { DOUBLE_LINE_DOTS } else { LINE_DOTS }
    }

    /// The side a text stands at, whatever its letters are.
    fn side(self) -> Side {
        match (self.align, self.right_to_left) {
            (Align::Centre, _) => Side::Center,
            (Align::Start, false) | (Align::End, true) => Side::Left,
            (Align::End, false) | (Align::Start, true) => Side::Right,
        }
    }
}

/// A cell of a row.
pub(super) struct Piece<'a> {
    pub text: &'a str,
    pub align: Align,
    /// Share of the width; 0 takes just what the text needs.
    pub weight: u32,
}

/// The font as the layout and as the pen know it. Made for a page and let go with it, and
/// with all that shaping remembers.
pub(super) struct Lettering {
    fonts: FontSystem,
    /// `None` cannot be: the font is part of the binary.
    outlines: Option<FontRef<'static>>,
}

impl Default for Lettering {
    fn default() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(FONT)));
        let fonts = FontSystem::new_with_locale_and_db("fr".to_owned(), fonts);
        Self { fonts, outlines: FontRef::try_from_slice(FONT).ok() }
    }
}

impl Lettering {
    /// A paragraph, wrapped to the paper, and how many of its characters the font lacks.
    pub(super) fn paragraph(&mut self, text: &str, width: u32, style: Style) -> (Picture, usize) {
        let mut picture = Picture::new(width);
        let laid = self.lay(text, Some(width), style);
        let lost = self.draw(&laid, &mut picture, (0, 0), style);
        (picture.finished(), lost)
    }

    /// Cells side by side, the first where the row starts; below each other where the paper is
    /// too narrow for that.
    pub(super) fn row(&mut self, cells: &[Piece], width: u32, style: Style) -> (Picture, usize) {
        let gap = if style.double { 2 * CELL_WIDTH_DOTS } else { CELL_WIDTH_DOTS } as usize;
        let wanted: Vec<Share> = cells
            .iter()
            .map(|cell| {
                let length = self.length(cell.text, style) as usize;
                Share::of(length, WRAP_DOTS_MIN as usize, cell.weight, cell.align)
            })
            .collect();
        let gaps = gap * cells.len().saturating_sub(1);
        let needed = wanted.iter().map(|share| share.needs).sum::<usize>() + gaps;
        if needed > width as usize {
            return self.stacked(cells, width, style);
        }
        let widths = shares(&wanted, width as usize - gaps);
        let mut laid = Vec::with_capacity(cells.len());
        let mut passed = 0;
        for (cell, cell_width) in cells.iter().zip(&widths) {
            let cell_style = Style { align: cell.align, ..style };
            let cell_dots = u32::try_from(*cell_width).unwrap_or(width);
            let start = u32::try_from(passed).unwrap_or(width);
            let left =
                if style.right_to_left { width.saturating_sub(start + cell_dots) } else { start };
            passed += cell_width + gap;
            laid.push((self.lay(cell.text, Some(cell_dots), cell_style), left, cell_style));
        }
        let height = laid.iter().map(|(buffer, ..)| lines(buffer)).max().unwrap_or_default();
        let mut picture = Picture::new(width);
        picture.reach(height * style.line_dots());
        let mut lost = 0;
        for (buffer, left, cell_style) in &laid {
            // The amount closes the last line of the name it belongs to.
            let above = if cell_style.align == Align::End { height - lines(buffer) } else { 0 };
            let corner = (*left, above * style.line_dots());
            lost += self.draw(buffer, &mut picture, corner, *cell_style);
        }
        (picture.finished(), lost)
    }

    fn stacked(&mut self, cells: &[Piece], width: u32, style: Style) -> (Picture, usize) {
        let mut stack = Picture::new(width);
        let mut lost = 0;
        for cell in cells.iter().filter(|cell| !cell.text.is_empty()) {
            let style = Style { align: cell.align, ..style };
            let (picture, cell_lost) = self.paragraph(cell.text, width, style);
            stack.append(&picture);
            lost += cell_lost;
        }
        (stack.finished(), lost)
    }

    /// Width of a text on one line, in dots.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "dots of a receipt; a conversion of f32 saturates"
    )]
    fn length(&mut self, text: &str, style: Style) -> u32 {
        let laid = self.lay(text, None, style);
        let longest = laid.layout_runs().map(|run| run.line_w).fold(0.0, f32::max);
        longest.ceil() as u32 + 1 + u32::from(style.bold)
    }

    #[expect(clippy::cast_precision_loss, reason = "dots of a receipt")]
    fn lay(&mut self, text: &str, width: Option<u32>, style: Style) -> Buffer {
        let size = if style.double { DOUBLE_SIZE_DOTS } else { SIZE_DOTS };
        let metrics = Metrics::new(size, style.line_dots() as f32);
        let mut buffer = Buffer::new(&mut self.fonts, metrics);
        buffer.set_wrap(Wrap::WordOrGlyph);
        buffer.set_size(width.map(|width| width as f32), None);
        let attributes = Attrs::new().family(Family::Name(FAMILY));
        // A mark that draws nothing says which way the paragraph runs.
        let mark = if style.right_to_left { '\u{200f}' } else { '\u{200e}' };
        let shown = |character: char| match character {
            control if control.is_control() => ' ',
            other => other,
        };
        let text: String = std::iter::once(mark).chain(text.nfc().map(shown)).collect();
        let side = width.map(|_| style.side());
        buffer.set_text(&text, &attributes, Shaping::Advanced, side);
        buffer.shape_until_scroll(&mut self.fonts, false);
        buffer
    }

    /// Burns a text; gives how many characters the font lacks.
    fn draw(
        &self,
        laid: &Buffer,
        picture: &mut Picture,
        (left, top): (u32, u32),
        style: Style,
    ) -> usize {
        picture.reach(top + lines(laid) * style.line_dots());
        let mut lost = 0;
        for run in laid.layout_runs() {
            for glyph in run.glyphs {
                let character = run.text.get(glyph.start..).and_then(|text| text.chars().next());
                let is_seen = character.is_some_and(|character| visible(character).is_some());
                lost += usize::from(glyph.glyph_id == 0 && is_seen);
                self.burn(glyph, picture, (left, top, run.line_y), style);
            }
        }
        lost
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "dots of a receipt, far from any limit of f32 and i32"
    )]
    fn burn(
        &self,
        glyph: &LayoutGlyph,
        picture: &mut Picture,
        (left, top, baseline): (u32, u32, f32),
        style: Style,
    ) {
        let Some(font) = &self.outlines else { return };
        // The pen's size is from ascent to descent, the layout's is the em.
        let em = font.units_per_em().unwrap_or(font.height_unscaled());
        let scale = PxScale::from(glyph.font_size * font.height_unscaled() / em);
        let x = left as f32 + glyph.x + glyph.font_size * glyph.x_offset;
        let y = top as f32 + (baseline + glyph.y - glyph.font_size * glyph.y_offset).round();
        let placed = GlyphId(glyph.glyph_id).with_scale_and_position(scale, point(x, y));
        let Some(outline) = font.outline_glyph(placed) else { return };
        let bounds = outline.px_bounds();
        let (first_column, first_row) = (bounds.min.x as i32, bounds.min.y as i32);
        // Printers make bold so: the same dots once more beside them.
        let smear = match (style.bold, style.double) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        outline.draw(|column, row, cover| {
            if cover >= COVER_MIN {
                for beside in 0..=smear {
                    picture.ink(first_column + column as i32 + beside, first_row + row as i32);
                }
            }
        });
    }
}

fn lines(laid: &Buffer) -> u32 {
    u32::try_from(laid.layout_runs().count()).unwrap_or(u32::MAX)
}
