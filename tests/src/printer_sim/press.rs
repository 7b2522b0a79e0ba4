//! What stands on the paper: commands executed onto a picture and a text.
//!
//! It shares the canvas (glyphs, modules, bars) with the gateway's preview and nothing
//! else: character tables come from other crates than the gateway's own.

use encoding_rs::{ISO_8859_15, WINDOWS_1252};
use fournil_gateway::printer::canvas::{Canvas, Glyph, LINE_DOTS};
use fournil_gateway::printer::symbol;
use oem_cp::code_table::{DECODING_TABLE_CP437, DECODING_TABLE_CP850, DECODING_TABLE_CP858};

use super::parser::Op;

const CELL_WIDTH: u32 = 12;
const CELL_HEIGHT: u32 = 24;
/// From the print head to the knife.
const CUTTER_DOTS: u32 = 60;

/// A piece of paper after the cut.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub text: String,
    pub png: Vec<u8>,
    pub errors: Vec<String>,
}

/// The print head with everything it was told.
#[derive(Debug)]
pub struct Press {
    width: u32,
    gbk_at_start: bool,
    canvas: Canvas,
    y: u32,
    text: String,
    errors: Vec<String>,
    line: Vec<(char, Glyph)>,
    look: Glyph,
    align: u8,
    kanji: bool,
    code_page: u8,
    spacing: u32,
    qr_module: u32,
    qr_data: Vec<u8>,
    bar_height: u32,
    bar_module: u32,
    bar_text: u8,
}

impl Press {
    /// A printer just switched on. `gbk_at_start`: as cheap clones do, it takes accents
    /// for halves of Chinese signs until told otherwise.
    #[must_use]
    pub fn new(width: u32, gbk_at_start: bool) -> Self {
        Self {
            width,
            gbk_at_start,
            canvas: Canvas::new(width),
            y: 0,
            text: String::new(),
            errors: Vec::new(),
            line: Vec::new(),
            look: Glyph::default(),
            align: 0,
            kanji: gbk_at_start,
            code_page: 0,
            spacing: LINE_DOTS,
            qr_module: 3,
            qr_data: Vec::new(),
            bar_height: 162,
            bar_module: 3,
            bar_text: 0,
        }
    }

    /// Whether something is on the paper since the last cut.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && self.errors.is_empty()
    }

    /// Executes a command; gives how many dots the paper moved.
    pub fn execute(&mut self, op: &Op) -> u32 {
        let before = self.y;
        match op {
            Op::Char(byte) => self.character(*byte),
            Op::LineFeed => self.line_feed(),
            Op::Initialise => self.initialise(),
            Op::Kanji(on) => self.kanji = *on,
            Op::CodePage(number) => self.set_code_page(*number),
            Op::PrintMode(mode) => self.print_mode(*mode),
            Op::Bold(on) => self.look.bold = *on,
            Op::Underline(on) => self.look.underline = *on,
            Op::Inverted(on) => self.look.inverted = *on,
            Op::Size { width, height } => {
                (self.look.width, self.look.height) = (u32::from(*width), u32::from(*height));
            }
            Op::Align(_) if !self.line.is_empty() => self.fault("alignment inside a line"),
            Op::Align(align) => self.align = *align,
            Op::LineSpacing(dots) => self.spacing = dots.map_or(LINE_DOTS, u32::from),
            Op::FeedLines(lines) => self.feed_lines(u32::from(*lines)),
            Op::FeedDots(dots) => {
                self.flush(0);
                self.y += u32::from(*dots);
            }
            Op::Raster { mode, row_bytes, data } => self.raster(*mode, *row_bytes, data),
            Op::QrModule(dots) => self.qr_module = u32::from(*dots),
            Op::QrStore(data) => self.qr_data.clone_from(data),
            Op::QrPrint => self.qr(),
            Op::BarcodeHeight(dots) => self.bar_height = u32::from(*dots),
            Op::BarcodeModule(dots) => self.bar_module = u32::from(*dots),
            Op::BarcodeText(place) => self.bar_text = *place,
            Op::Barcode { kind, data } => self.barcode(*kind, data),
            Op::Unknown(what) => self.fault(what),
            // The defaults, and what the mechanism executes.
            Op::International(0)
            | Op::Font(0)
            | Op::LeftMargin(0)
            | Op::Ignored
            | Op::Cut { .. }
            | Op::Drawer { .. }
            | Op::AutoStatus(_)
            | Op::AskInOrder(_)
            | Op::AskName(_)
            | Op::Tag(_) => {}
            Op::International(_)
            | Op::Font(_)
            | Op::LeftMargin(_)
            | Op::AreaWidth(_)
            | Op::Position(_) => self.fault(&format!("not simulated: {op:?}")),
        }
        self.y - before
    }

    /// Cuts: gives what was printed and starts afresh.
    pub fn cut(&mut self, feed: u32) -> Result<Sheet, png::EncodingError> {
        if !self.line.is_empty() {
            self.fault("cut inside a line");
            self.line_feed();
        }
        let knife = self.y + CUTTER_DOTS + feed;
        self.canvas.reach(knife);
        self.canvas.cut_mark(knife);
        let canvas = std::mem::replace(&mut self.canvas, Canvas::new(self.width));
        self.y = 0;
        Ok(Sheet {
            text: std::mem::take(&mut self.text),
            png: canvas.to_png()?,
            errors: std::mem::take(&mut self.errors),
        })
    }

    /// Records an error and shows it on the paper, where nobody can miss it.
    pub fn fault(&mut self, what: &str) {
        self.errors.push(what.to_owned());
        self.flush(0);
        let shown: String =
            format!("!! {what}").chars().take((self.width / CELL_WIDTH) as usize).collect();
        let look = Glyph { inverted: true, ..Glyph::default() };
        for (place, sign) in (0u32..).zip(shown.chars()) {
            self.canvas.character(place * CELL_WIDTH, self.y, sign, look);
        }
        self.y += LINE_DOTS;
    }

    fn initialise(&mut self) {
        self.line.clear();
        let fresh = Self::new(self.width, self.gbk_at_start);
        (self.look, self.align, self.kanji) = (fresh.look, fresh.align, fresh.kanji);
        (self.code_page, self.spacing) = (fresh.code_page, fresh.spacing);
        (self.bar_height, self.bar_module) = (fresh.bar_height, fresh.bar_module);
        self.bar_text = fresh.bar_text;
    }

    fn set_code_page(&mut self, number: u8) {
        if matches!(number, 0 | 2 | 16 | 19 | 40) {
            self.code_page = number;
        } else {
            self.fault(&format!("this printer has no character table {number}"));
        }
    }

    fn print_mode(&mut self, mode: u8) {
        self.look = Glyph {
            bold: mode & 0x08 != 0,
            height: if mode & 0x10 != 0 { 2 } else { 1 },
            width: if mode & 0x20 != 0 { 2 } else { 1 },
            underline: mode & 0x80 != 0,
            ..self.look
        };
        if mode & 0x01 != 0 {
            self.fault("not simulated: font B");
        }
    }

    fn decode(&self, byte: u8) -> Option<char> {
        if byte < 0x80 {
            return Some(char::from(byte));
        }
        if self.kanji {
            return Some('某');
        }
        let single = [byte];
        let text = match self.code_page {
            0 => oem_cp::decode_string_complete_table(&single[..], &DECODING_TABLE_CP437),
            2 => oem_cp::decode_string_complete_table(&single[..], &DECODING_TABLE_CP850),
            19 => oem_cp::decode_string_complete_table(&single[..], &DECODING_TABLE_CP858),
            16 => WINDOWS_1252.decode_without_bom_handling(&single).0.into_owned(),
            _ => ISO_8859_15.decode_without_bom_handling(&single).0.into_owned(),
        };
        text.chars().next().filter(|sign| !sign.is_control())
    }

    fn character(&mut self, byte: u8) {
        let Some(sign) = self.decode(byte) else {
            self.fault(&format!("no character {byte:02X} in table {}", self.code_page));
            return;
        };
        if self.line_width() + CELL_WIDTH * self.look.width > self.width {
            self.line_feed();
        }
        self.line.push((sign, self.look));
    }

    fn line_width(&self) -> u32 {
        self.line.iter().map(|(_, look)| CELL_WIDTH * look.width).sum()
    }

    fn offset(&self, width: u32) -> u32 {
        let room = self.width.saturating_sub(width);
        match self.align {
            1 => room / 2,
            2 => room,
            _ => 0,
        }
    }

    fn line_feed(&mut self) {
        self.flush(self.spacing);
    }

    /// Prints what stands in the line buffer and moves on by its height or `least`.
    fn flush(&mut self, least: u32) {
        if self.line.is_empty() {
            if least > 0 {
                self.text.push('\n');
            }
            self.y += least;
            return;
        }
        let line = std::mem::take(&mut self.line);
        let width: u32 = line.iter().map(|(_, look)| CELL_WIDTH * look.width).sum();
        let height = line.iter().map(|(_, look)| CELL_HEIGHT * look.height).max().unwrap_or(0);
        let mut x = self.offset(width);
        self.text.extend(std::iter::repeat_n(' ', (x / CELL_WIDTH) as usize));
        for (sign, look) in line {
            // Characters of different height stand on one base line.
            let top = self.y + height - CELL_HEIGHT * look.height;
            self.canvas.character(x, top, sign, look);
            self.text.push(sign);
            x += CELL_WIDTH * look.width;
        }
        self.text.push('\n');
        self.y += height.max(least);
    }

    fn feed_lines(&mut self, lines: u32) {
        if self.line.is_empty() {
            self.y += self.spacing * lines;
            self.text.extend(std::iter::repeat_n('\n', lines as usize));
        } else {
            self.line_feed();
            self.y += self.spacing * lines.saturating_sub(1);
        }
    }

    fn raster(&mut self, mode: u8, row_bytes: usize, data: &[u8]) {
        self.flush(0);
        let scale = (1 + u32::from(mode & 1), 1 + u32::from(mode >> 1));
        let rows = u32::try_from(data.len() / row_bytes.max(1)).unwrap_or(u32::MAX);
        let width = u32::try_from(row_bytes * 8).unwrap_or(u32::MAX) * scale.0;
        if width > self.width.next_multiple_of(8) {
            self.fault(&format!("image of {width} dots on paper of {}", self.width));
        }
        self.canvas.raster(self.offset(width), self.y, row_bytes, data, scale);
        self.text.push_str("[image]\n");
        self.y += rows * scale.1;
    }

    fn qr(&mut self) {
        let data = self.qr_data.clone();
        let drawn = self.canvas.qr(self.y, &data, self.qr_module, self.align == 1);
        match drawn {
            Some(height) if height <= self.width && !data.is_empty() => self.y += height,
            _ => self.fault("QR code without data or wider than the paper"),
        }
        self.text += &["[QR ", &String::from_utf8_lossy(&data), "]\n"].concat();
    }

    fn barcode(&mut self, kind: u8, data: &[u8]) {
        self.flush(0);
        let shown = shown_text(kind, data);
        self.text += &["[barcode ", &shown, "]\n"].concat();
        if kind == 0x49 {
            let Some(values) = code128_values(data) else {
                self.fault("CODE128 data out of form");
                return;
            };
            let bars = symbol::code128_bars(&values);
            if bars.len() * self.bar_module as usize > self.width as usize {
                self.fault("barcode wider than the paper");
                return;
            }
            let centre = self.align == 1;
            self.canvas.bars(self.y, &bars, self.bar_module, self.bar_height, centre);
        } else {
            // Other symbologies are checked for form and shown as a box.
            let left = self.offset(self.width / 2);
            self.canvas.fill(left, self.y, self.width / 2, self.bar_height);
        }
        self.y += self.bar_height;
        if self.bar_text & 2 != 0 {
            let width = u32::try_from(shown.chars().count()).unwrap_or(0) * CELL_WIDTH;
            let left = self.offset(width);
            for (place, sign) in (0u32..).zip(shown.chars()) {
                self.canvas.character(left + place * CELL_WIDTH, self.y, sign, Glyph::default());
            }
            self.y += CELL_HEIGHT;
        }
    }
}

fn shown_text(kind: u8, data: &[u8]) -> String {
    match (kind, data) {
        (0x49, [b'{', b'C', pairs @ ..]) => pairs
            .iter()
            .flat_map(|pair| [b'0' + pair / 10 % 10, b'0' + pair % 10])
            .map(char::from)
            .collect(),
        (0x49, [b'{', _, rest @ ..]) => String::from_utf8_lossy(rest).replace("{{", "{"),
        _ => String::from_utf8_lossy(data).into_owned(),
    }
}

/// Sign values of CODE128 data that stays in the code set it begins with.
fn code128_values(data: &[u8]) -> Option<Vec<u8>> {
    let [b'{', set, rest @ ..] = data else { return None };
    let mut values = vec![match set {
        b'A' => 103,
        b'B' => 104,
        _ => 105,
    }];
    let mut bytes = rest.iter().copied();
    while let Some(byte) = bytes.next() {
        values.push(match (set, byte) {
            (b'C', pair) if pair < 100 => pair,
            (b'A' | b'B', b'{') => (bytes.next()? == b'{').then_some(b'{' - b' ')?,
            (b'A' | b'B', 0x20..=0x7e) => byte - b' ',
            _ => return None,
        });
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::super::parser::{Parsed, parse};
    use super::*;

    fn sheet(bytes: &[u8], gbk: bool) -> Sheet {
        let mut press = Press::new(384, gbk);
        let mut rest = bytes;
        while !rest.is_empty() {
            let Parsed::Op(op, used) = parse(rest) else { panic!("incomplete") };
            press.execute(&op);
            rest = &rest[used..];
        }
        press.cut(0).unwrap()
    }

    #[test]
    fn a_clone_in_chinese_mode_eats_accents_until_it_is_told() {
        assert_eq!(sheet(b"\x1b@\x1bt\x10caf\xe9\n", true).text, "caf某\n");
        assert_eq!(sheet(b"\x1b@\x1c.\x1bt\x10caf\xe9\n", true).text, "café\n");
    }

    #[test]
    fn alignment_inside_a_line_and_a_cut_inside_a_line_are_errors() {
        assert_eq!(sheet(b"abc\x1ba\x01\n", false).errors, ["alignment inside a line"]);
        assert_eq!(sheet(b"abc", false).errors, ["cut inside a line"]);
    }

    #[test]
    fn a_long_line_goes_on_in_the_next() {
        assert_eq!(sheet(&[[b'x'; 40].as_slice(), b"\n"].concat(), false).text.lines().count(), 2);
    }
}
