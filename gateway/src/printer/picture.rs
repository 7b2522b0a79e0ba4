//! Dots for the print head, as wide as the paper, one bit each. Pure.
//!
//! Printers act on 10 04, 10 05 and 10 14 (hex) at once, wherever they stand, a picture's data
//! not excepted: they would answer, recover or open the drawer. A finished picture holds none
//! of them; one more dot beside a lone one (18 for 10) is not seen on paper.

use fournil_protocol::document::{self, Align};

use super::symbol;

/// Longest picture of a document: 512 mm at 203 dpi.
const ROWS_MAX: usize = 4_096;
/// Widest.
const WIDTH_DOTS_MAX: u32 = 4_096;

/// A strip of dots from edge to edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    row_bytes: usize,
    bits: Vec<u8>,
}

impl Picture {
    /// An empty strip; a width that is no multiple of eight is padded.
    #[must_use]
    pub fn new(width_dots: u32) -> Self {
        Self { row_bytes: width_dots.div_ceil(8) as usize, bits: Vec::new() }
    }

    /// Bytes of a row.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Rows one after the other, the leftmost dot in the highest bit, 1 for black.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Height in dots.
    #[must_use]
    pub fn rows(&self) -> u32 {
        u32::try_from(self.bits.len() / self.row_bytes.max(1)).unwrap_or(u32::MAX)
    }

    /// Makes the strip at least this long.
    pub fn reach(&mut self, rows: u32) {
        let bytes = rows as usize * self.row_bytes;
        if self.bits.len() < bytes {
            self.bits.resize(bytes, 0);
        }
    }

    /// Blackens a dot; beside the strip nothing happens.
    pub fn ink(&mut self, x: i32, y: i32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x / 8 >= self.row_bytes {
            return;
        }
        if let Some(byte) = self.bits.get_mut(y * self.row_bytes + x / 8) {
            *byte |= 0x80 >> (x % 8);
        }
    }

    fn fill(&mut self, x: u32, y: u32, width: u32, height: u32) {
        let signed = |dots: u32| i32::try_from(dots).unwrap_or(i32::MAX);
        for row in y..y + height {
            for column in x..x + width {
                self.ink(signed(column), signed(row));
            }
        }
    }

    /// Puts another strip below.
    pub fn append(&mut self, below: &Self) {
        self.bits.extend_from_slice(&below.bits);
    }

    /// The strip without a command in it.
    #[must_use]
    pub fn finished(mut self) -> Self {
        for place in 1..self.bits.len() {
            let (before, rest) = self.bits.split_at_mut(place);
            if let (Some(first @ 0x10), Some(0x04 | 0x05 | 0x14)) =
                (before.last_mut(), rest.first())
            {
                *first = 0x18;
            }
        }
        self
    }

    /// A QR code in the middle. Empty when the data is too long.
    #[must_use]
    pub fn qr(data: &[u8], module_dots: u32, width_dots: u32) -> Self {
        let mut picture = Self::new(width_dots);
        let Some(modules) = symbol::qr(data) else { return picture };
        let side = u32::try_from(modules.side).unwrap_or(u32::MAX).saturating_mul(module_dots);
        let left = width_dots.saturating_sub(side) / 2;
        picture.reach(side + 2 * module_dots);
        for (row, line) in (0u32..).zip(modules.dark.chunks(modules.side.max(1))) {
            for (column, _) in (0u32..).zip(line).filter(|(_, dark)| **dark) {
                let (x, y) = (left + column * module_dots, (row + 1) * module_dots);
                picture.fill(x, y, module_dots, module_dots);
            }
        }
        picture.finished()
    }

    /// The bars of a CODE128 symbol in the middle.
    #[must_use]
    pub fn code128(data: &str, width_dots: u32) -> Self {
        let bars = symbol::code128_bars(&symbol::code128_values(data));
        let module_dots = u32::from(symbol::BARCODE_MODULE_DOTS);
        let width = u32::try_from(bars.len()).unwrap_or(u32::MAX).saturating_mul(module_dots);
        let left = width_dots.saturating_sub(width) / 2;
        let mut picture = Self::new(width_dots);
        let height = u32::from(symbol::BARCODE_HEIGHT_DOTS);
        picture.reach(height);
        for (place, _) in (0u32..).zip(&bars).filter(|(_, dark)| **dark) {
            picture.fill(left + place * module_dots, 0, module_dots, height);
        }
        picture.finished()
    }

    /// A document's picture on this paper, smaller where it is too wide. `None` when its size
    /// and its bytes do not agree, or it is larger than a receipt can carry.
    #[must_use]
    pub fn placed(picture: &document::Picture, width_dots: u32) -> Option<Self> {
        let source_bytes = picture.width_dots.div_ceil(8) as usize;
        let is_whole = source_bytes > 0 && picture.rows.len().is_multiple_of(source_bytes);
        let source_rows = picture.rows.len().checked_div(source_bytes)?;
        if !is_whole || picture.width_dots > WIDTH_DOTS_MAX || source_rows > ROWS_MAX {
            return None;
        }
        let source_width = picture.width_dots as usize;
        let width = source_width.min(width_dots as usize);
        // Rounded up: a picture of one row stays one.
        let rows = (source_rows * width).div_ceil(source_width);
        let room = width_dots as usize - width;
        let left = match Align::try_from(picture.align).unwrap_or(Align::Start) {
            Align::Start => 0,
            Align::Centre => room / 2,
            Align::End => room,
        };
        let is_black = |x: usize, y: usize| {
            let byte = picture.rows.get(y * source_bytes + x / 8).copied().unwrap_or_default();
            byte & (0x80 >> (x % 8)) != 0
        };
        let mut drawn = Self::new(width_dots);
        drawn.reach(u32::try_from(rows).unwrap_or(u32::MAX));
        for y in 0..rows {
            let tall = y * source_width / width..((y + 1) * source_width / width).min(source_rows);
            for x in 0..width {
                let wide = x * source_width / width..(x + 1) * source_width / width;
                let area = tall.len() * wide.len();
                let black = tall.clone().flat_map(|y| wide.clone().map(move |x| (x, y)));
                let black = black.filter(|(x, y)| is_black(*x, *y)).count();
                if black * 2 >= area && black > 0 {
                    let signed = |dots: usize| i32::try_from(dots).unwrap_or(i32::MAX);
                    drawn.ink(signed(left + x), signed(y));
                }
            }
        }
        Some(drawn.finished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width_dots: u32, rows: Vec<u8>) -> document::Picture {
        document::Picture { width_dots, rows, align: Align::End as i32 }
    }

    #[test]
    fn a_picture_stands_where_it_was_asked_for_and_shrinks_to_the_paper() {
        let placed = Picture::placed(&picture(8, vec![0x81, 0xff]), 24).unwrap();
        assert_eq!(placed.bits(), [0, 0, 0x81, 0, 0, 0xff]);
        let half = Picture::placed(&picture(16, vec![0xff, 0x00, 0xff, 0x00]), 8).unwrap();
        assert_eq!(half.bits(), [0xf0]);
    }

    #[test]
    fn a_size_that_does_not_agree_with_the_bytes_is_refused() {
        for (width, bytes) in [(0, 1), (9, 3), (5_000, 625), (8, ROWS_MAX + 1)] {
            assert_eq!(Picture::placed(&picture(width, vec![1; bytes]), 384), None);
        }
    }

    #[test]
    fn a_command_in_the_dots_is_taken_out_by_one_dot() {
        let placed = Picture::placed(&picture(16, vec![0x10, 0x14, 0x00, 0x10, 0x04, 0x10]), 16);
        assert_eq!(placed.unwrap().bits(), [0x18, 0x14, 0x00, 0x18, 0x04, 0x10]);
    }
}
