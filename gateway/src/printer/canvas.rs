//! Paper as a grey picture: characters in cells, bars, modules, dots. Shared by the
//! preview and by the simulated printer of the tests, which knows paper only.
//!
//! One pixel is one dot of the print head. The picture grows downwards as paper does.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use super::profile::{CELL_HEIGHT_DOTS, CELL_WIDTH_DOTS};
use super::symbol;

/// From one line to the next, as printers set it by default.
pub const LINE_DOTS: u32 = 30;
/// White at each side of the printable width, in dots.
const MARGIN_DOTS: u32 = 24;
const WHITE: u8 = 0xff;
const FONT: &[u8] = include_bytes!("../../assets/fonts/DejaVuSansMono.subset.ttf");

/// How a character looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyph {
    pub bold: bool,
    pub underline: bool,
    pub inverted: bool,
    /// Times the normal size, 1 to 8.
    pub width: u32,
    pub height: u32,
}

impl Default for Glyph {
    fn default() -> Self {
        Self { bold: false, underline: false, inverted: false, width: 1, height: 1 }
    }
}

/// A strip of paper.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: u32,
    /// Rows of `width` grey values.
    dots: Vec<u8>,
}

impl Canvas {
    /// An empty strip.
    #[must_use]
    pub fn new(width_dots: u32) -> Self {
        Self { width: width_dots, dots: Vec::new() }
    }

    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Length of the strip.
    #[must_use]
    pub fn height(&self) -> u32 {
        u32::try_from(self.dots.len()).unwrap_or(u32::MAX) / self.width.max(1)
    }

    /// Makes the strip at least this long.
    pub fn reach(&mut self, y: u32) {
        let needed = y as usize * self.width as usize;
        if self.dots.len() < needed {
            self.dots.resize(needed, WHITE);
        }
    }

    /// Darkens a dot; outside the paper nothing happens.
    fn ink(&mut self, x: u32, y: u32, darkness: f32) {
        if x >= self.width {
            return;
        }
        self.reach(y + 1);
        let place = y as usize * self.width as usize + x as usize;
        if let Some(dot) = self.dots.get_mut(place) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to a grey value"
            )]
            let grey = (255.0 * (1.0 - darkness)).clamp(0.0, 255.0) as u8;
            *dot = (*dot).min(grey);
        }
    }

    /// A black box.
    pub fn fill(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for row in y..y.saturating_add(height) {
            for column in x..x.saturating_add(width).min(self.width) {
                self.ink(column, row, 1.0);
            }
        }
    }

    /// One character in its cell, whose upper left corner is given.
    pub fn character(&mut self, x: u32, y: u32, character: char, look: Glyph) {
        let (cell_width, cell_height) =
            (CELL_WIDTH_DOTS * look.width, CELL_HEIGHT_DOTS * look.height);
        self.reach(y + cell_height);
        if !self.line_drawing(x, y, character, look) {
            self.outline(x, y, character, look);
        }
        if look.underline {
            self.fill(x, y + cell_height - 2, cell_width, 2);
        }
        if look.inverted {
            self.invert(x, y, cell_width, cell_height);
        }
    }

    /// Line signs reach the edges of the cell, whatever the font does.
    fn line_drawing(&mut self, x: u32, y: u32, character: char, look: Glyph) -> bool {
        let middle = y + CELL_HEIGHT_DOTS * look.height / 2;
        let width = CELL_WIDTH_DOTS * look.width;
        match character {
            '─' => self.fill(x, middle - 1, width, 2),
            '═' => {
                self.fill(x, middle - 4, width, 2);
                self.fill(x, middle + 2, width, 2);
            }
            _ => return false,
        }
        true
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "dots of a receipt, far from any limit of f32; negative ones are clamped to 0"
    )]
    fn outline(&mut self, x: u32, y: u32, character: char, look: Glyph) {
        let Some(font) = font() else { return };
        let height = (CELL_HEIGHT_DOTS * look.height) as f32;
        // The advance of this font is 0.602 em; 0.515 of its height (ascent and descent).
        let natural = font.as_scaled(PxScale::from(height)).h_advance(font.glyph_id('0'));
        let stretch = (CELL_WIDTH_DOTS * look.width) as f32 / natural;
        let scale = PxScale { x: height * stretch, y: height };
        let baseline = y as f32 + font.as_scaled(scale).ascent();
        let glyph =
            font.glyph_id(character).with_scale_and_position(scale, point(x as f32, baseline));
        let Some(outlined) = font.outline_glyph(glyph) else { return };
        let bounds = outlined.px_bounds();
        let (left, top) = (bounds.min.x.max(0.0) as u32, bounds.min.y.max(0.0) as u32);
        outlined.draw(|column, row, cover| {
            // A print head knows no grey: strengthen what it would burn.
            let darkness = (cover * 1.35).min(1.0);
            self.ink(left + column, top + row, darkness);
            if look.bold {
                self.ink(left + column + look.width, top + row, darkness);
            }
        });
    }

    fn invert(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for row in y..y + height {
            for column in x..(x + width).min(self.width) {
                let place = row as usize * self.width as usize + column as usize;
                if let Some(dot) = self.dots.get_mut(place) {
                    *dot = WHITE - *dot;
                }
            }
        }
    }

    /// Rows of bits, eight dots a byte, the left one highest; 1 is black.
    pub fn raster(&mut self, x: u32, y: u32, bytes_per_row: usize, bits: &[u8], scale: (u32, u32)) {
        for (row, bytes) in (0u32..).zip(bits.chunks(bytes_per_row.max(1))) {
            self.reach(y + (row + 1) * scale.1);
            for (place, byte) in (0u32..).zip(bytes) {
                for bit in (0..8u32).filter(|bit| byte & (0x80 >> bit) != 0) {
                    let left = x + (place * 8 + bit) * scale.0;
                    self.fill(left, y + row * scale.1, scale.0, scale.1);
                }
            }
        }
    }

    /// A QR code in the middle; gives its height, or `None` when the data is too long.
    pub fn qr(&mut self, y: u32, data: &[u8], module_dots: u32, centre: bool) -> Option<u32> {
        let modules = symbol::qr(data)?;
        let side = u32::try_from(modules.side).ok()?;
        let left = if centre { self.width.saturating_sub(side * module_dots) / 2 } else { 0 };
        for (row, line) in (0u32..).zip(modules.dark.chunks(modules.side.max(1))) {
            for (column, _) in (0u32..).zip(line).filter(|(_, dark)| **dark) {
                let (x, y) = (left + column * module_dots, y + row * module_dots);
                self.fill(x, y, module_dots, module_dots);
            }
        }
        Some(side * module_dots)
    }

    /// Bars from top to bottom.
    pub fn bars(&mut self, y: u32, bars: &[bool], module_dots: u32, height: u32, centre: bool) {
        let width = u32::try_from(bars.len()).unwrap_or(u32::MAX).saturating_mul(module_dots);
        let left = if centre { self.width.saturating_sub(width) / 2 } else { 0 };
        for (place, _) in (0u32..).zip(bars).filter(|(_, dark)| **dark) {
            self.fill(left + place * module_dots, y, module_dots, height);
        }
    }

    /// A dashed line from edge to edge: where the cutter went.
    pub fn cut_mark(&mut self, y: u32) {
        for x in (0..self.width).step_by(12) {
            self.fill(x, y, 6, 1);
        }
    }

    /// The strip as a PNG file, with a margin around it.
    pub fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let (width, height) = (self.width + 2 * MARGIN_DOTS, self.height() + 2 * MARGIN_DOTS);
        let mut image = vec![WHITE; width as usize * height as usize];
        let rows = image.chunks_mut(width as usize).skip(MARGIN_DOTS as usize);
        for (target, source) in rows.zip(self.dots.chunks(self.width.max(1) as usize)) {
            for (to, from) in target.iter_mut().skip(MARGIN_DOTS as usize).zip(source) {
                *to = *from;
            }
        }
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&image)?;
        writer.finish()?;
        Ok(file)
    }
}

/// The font; it is part of the binary, so it is there or the build is broken.
fn font() -> Option<&'static FontRef<'static>> {
    static LOADED: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    LOADED.get_or_init(|| FontRef::try_from_slice(FONT).ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_stays_in_its_cell_and_bold_is_darker() {
        let ink = |bold| {
            let mut canvas = Canvas::new(36);
            canvas.character(12, 0, 'É', Glyph { bold, ..Glyph::default() });
            assert!(canvas.dots.chunks(36).all(|row| row[..11].iter().all(|dot| *dot == WHITE)));
            canvas.dots.iter().map(|dot| u32::from(WHITE - *dot)).sum::<u32>()
        };
        assert!(ink(false) > 0);
        assert!(ink(true) > ink(false));
    }

    #[test]
    fn nothing_is_drawn_beside_the_paper() {
        let mut canvas = Canvas::new(10);
        canvas.fill(8, 0, 100, 2);
        canvas.character(300, 0, 'x', Glyph::default());
        assert_eq!(canvas.dots.len() % 10, 0);
    }
}
