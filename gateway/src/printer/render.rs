//! A document laid out as lines of characters for one width of paper. Pure: no
//! bytes of any printer, no I/O.
//!
//! Invariants, held by property tests: no line is wider than the paper, no word is
//! lost, an amount that fits on a line stands on one line whole, and no document
//! makes this code panic. Blocks of a kind this build does not know are skipped.

use fournil_protocol::document::{self, Align, Block, Cell, Document, Kind};

use super::codepage::{self, CodePage, fit};
use super::direction::{is_right_to_left, row_direction, text_direction};
use super::lettering::{Lettering, Piece, Style};
use super::picture::Picture;
use super::profile::Profile;
use super::share::{Share, shares};
use super::symbol;

/// What a copy says at its head.
pub const COPY_MARK: &str = "** DUPLICATA **";
/// A document cannot unroll the paper.
const FEED_LINES_MAX: u32 = 20;
/// Longest text that is drawn, and most bytes of dots on a page: no document makes the daemon
/// large. What is beyond is printed in the printer's own letters.
const DRAWN_TEXT_BYTES_MAX: usize = 8 * 1024;
const DRAWN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A cell whose share is smaller than this is not worth wrapping into.
const WRAP_COLUMNS_MIN: usize = 8;

/// A page, ready to be encoded or drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Characters that can be neither encoded nor drawn, and pictures that are none.
    pub lost: usize,
}

/// One line from edge to edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Text(TextLine),
    Rule {
        double: bool,
    },
    Feed {
        lines: u8,
    },
    Qr {
        data: String,
        module_dots: u8,
    },
    Barcode {
        data: String,
    },
    /// Dots from edge to edge: a picture, or text the printer has no letters for.
    Raster(Picture),
}

/// Characters of one page of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    pub text: String,
    pub page: CodePage,
    pub align: Align,
    pub bold: bool,
    /// Double width and height.
    pub double: bool,
}

/// Lays a document out. A copy carries [`COPY_MARK`] above everything else.
#[must_use]
pub fn render(document: &Document, profile: &Profile, copy: bool) -> Page {
    let pages = profile.code_pages();
    let mut layout =
        Layout { profile, pages, lettering: None, drawn_bytes: 0, page: Page::default() };
    if copy {
        layout.text(COPY_MARK, Style { bold: true, double: true, ..Style::CENTRED });
        layout.page.lines.push(Line::Feed { lines: 1 });
    }
    for block in &document.blocks {
        layout.block(block, &document.language);
    }
    layout.page
}

struct Layout<'a> {
    profile: &'a Profile,
    pages: Vec<CodePage>,
    /// Made when the first line has to be drawn.
    lettering: Option<Lettering>,
    drawn_bytes: usize,
    page: Page,
}

impl Layout<'_> {
    fn block(&mut self, block: &Block, language: &str) {
        let language = if block.language.is_empty() { language } else { &block.language };
        match &block.kind {
            Some(Kind::Text(text)) => {
                for paragraph in text.text.split('\n') {
                    let style = Style {
                        align: align(text.align),
                        bold: text.bold,
                        double: text.size > 1,
                        right_to_left: text_direction(block, language, paragraph),
                    };
                    self.text(paragraph, style);
                }
            }
            Some(Kind::Columns(columns)) => {
                let style = Style {
                    align: Align::Start,
                    bold: columns.bold,
                    double: columns.size > 1,
                    right_to_left: row_direction(block, language),
                };
                self.columns(&columns.cells, style);
            }
            Some(Kind::Rule(rule)) => self.page.lines.push(Line::Rule { double: rule.double }),
            Some(Kind::Feed(feed)) => {
                let lines = u8::try_from(feed.lines.min(FEED_LINES_MAX)).unwrap_or(u8::MAX);
                self.page.lines.push(Line::Feed { lines });
            }
            Some(Kind::Qr(qr)) => self.qr(&qr.data),
            Some(Kind::Barcode(barcode)) => self.barcode(&barcode.data),
            Some(Kind::Picture(picture)) => self.picture(picture),
            None => {}
        }
    }

    fn width(&self, double: bool) -> usize {
        let columns = usize::from(self.profile.columns);
        (if double { columns / 2 } else { columns }).max(1)
    }

    /// Whether a text that fits no better than this is to be drawn.
    fn draws(&self, text: &str, fitted: &codepage::Fitted, style: Style) -> bool {
        let is_strange = fitted.lost > 0 || fitted.replaced > 0;
        self.profile.raster
            && text.len() <= DRAWN_TEXT_BYTES_MAX
            && self.drawn_bytes <= DRAWN_BYTES_MAX
            && (style.right_to_left || is_strange || text.chars().any(is_right_to_left))
    }

    fn text(&mut self, text: &str, style: Style) {
        let text = bound(text);
        let fitted = fit(&text, &self.pages);
        if self.draws(&text, &fitted, style) {
            let width = self.profile.width_dots();
            let (picture, lost) = self.lettering().paragraph(&text, width, style);
            return self.raster(picture, lost);
        }
        self.page.lost += fitted.lost;
        for line in wrap(&fitted.text, self.width(style.double)) {
            self.line(&line, fitted.page, style);
        }
    }

    fn columns(&mut self, cells: &[Cell], style: Style) {
        let joined: String = cells.iter().map(|cell| cell.text.as_str()).collect();
        let whole = fit(&joined, &self.pages);
        if self.draws(&joined, &whole, style) {
            let texts: Vec<String> = cells.iter().map(|cell| bound(&cell.text)).collect();
            let pieces: Vec<Piece> = cells
                .iter()
                .zip(&texts)
                .map(|(cell, text)| Piece { text, align: align(cell.align), weight: cell.weight })
                .collect();
            let width = self.profile.width_dots();
            let (picture, lost) = self.lettering().row(&pieces, width, style);
            return self.raster(picture, lost);
        }
        let page = whole.page;
        let only: &[CodePage] = if self.pages.is_empty() { &[] } else { &[page] };
        let mut fitted = Vec::with_capacity(cells.len());
        for cell in cells {
            let text = fit(&bound(&cell.text), only);
            self.page.lost += text.lost;
            fitted.push(Fitted { text: text.text, align: align(cell.align), weight: cell.weight });
        }
        for line in rows(&fitted, self.width(style.double)) {
            self.line(&line, page, style);
        }
    }

    fn line(&mut self, text: &str, page: CodePage, style: Style) {
        let text = text.replace('\u{a0}', " ");
        let text = if style.align == Align::Start { text.trim_end() } else { text.trim() };
        self.page.lines.push(Line::Text(TextLine {
            text: text.to_owned(),
            page,
            align: style.align,
            bold: style.bold,
            double: style.double,
        }));
    }

    fn lettering(&mut self) -> &mut Lettering {
        self.lettering.get_or_insert_with(Lettering::default)
    }

    fn raster(&mut self, picture: Picture, lost: usize) {
        self.page.lost += lost;
        self.drawn_bytes += picture.bits().len();
        if picture.rows() > 0 {
            self.page.lines.push(Line::Raster(picture));
        }
    }

    /// Drawn here where the printer cannot, and where the data holds control characters: it
    /// goes to the printer as it is, and a printer acts on some of them wherever they stand
    /// (a pulse to the drawer, power off). What cannot be a symbol is printed as its text.
    fn qr(&mut self, data: &str) {
        let width = self.profile.width_dots();
        let is_plain = !data.chars().any(char::is_control);
        match symbol::qr_module_dots(data, width) {
            Some(module_dots) if self.profile.native_qr && is_plain => {
                self.page.lines.push(Line::Qr { data: data.to_owned(), module_dots });
            }
            Some(module_dots) if self.profile.raster => {
                let drawn = Picture::qr(data.as_bytes(), u32::from(module_dots), width);
                self.raster(drawn, 0);
            }
            _ => self.text(data, Style::CENTRED),
        }
    }

    fn barcode(&mut self, data: &str) {
        let width = self.profile.width_dots();
        if !symbol::code128_fits(data, width) {
            return self.text(data, Style::CENTRED);
        }
        if self.profile.native_barcode {
            return self.page.lines.push(Line::Barcode { data: data.to_owned() });
        }
        if self.profile.raster {
            self.raster(Picture::code128(data, width), 0);
        }
        self.text(data, Style::CENTRED);
    }

    fn picture(&mut self, picture: &document::Picture) {
        let width = self.profile.width_dots();
        let prints = self.profile.raster && self.drawn_bytes <= DRAWN_BYTES_MAX;
        let drawn = prints.then(|| Picture::placed(picture, width)).flatten();
        match drawn {
            Some(drawn) => self.raster(drawn, 0),
            None => self.page.lost += 1,
        }
    }
}

/// French sets a space before high punctuation that must not break the line.
fn bound(text: &str) -> String {
    let mut bound = text.replace("« ", "«\u{a0}");
    for sign in ['!', '?', ':', ';', '»', '%'] {
        bound = bound.replace(&format!(" {sign}"), &format!("\u{a0}{sign}"));
    }
    bound
}

struct Fitted {
    text: String,
    align: Align,
    weight: u32,
}

impl Fitted {
    fn len(&self) -> usize {
        self.text.chars().count()
    }

    fn share(&self) -> Share {
        Share::of(self.len(), WRAP_COLUMNS_MIN, self.weight, self.align)
    }
}

fn align(value: i32) -> Align {
    Align::try_from(value).unwrap_or(Align::Start)
}

/// Lines of one row of cells.
fn rows(cells: &[Fitted], width: usize) -> Vec<String> {
    let gaps = cells.len().saturating_sub(1);
    let needed: usize = cells.iter().map(|cell| cell.share().needs).sum::<usize>() + gaps;
    if needed > width {
        return cells.iter().flat_map(|cell| stacked(cell, width)).collect();
    }
    let wanted: Vec<Share> = cells.iter().map(Fitted::share).collect();
    let widths = shares(&wanted, width - gaps);
    let columns: Vec<Vec<String>> =
        cells.iter().zip(&widths).map(|(cell, width)| wrap(&cell.text, *width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = Vec::with_capacity(height);
    for row in 0..height {
        let mut line = String::new();
        for (index, ((cell, column), width)) in cells.iter().zip(&columns).zip(&widths).enumerate()
        {
            // The amount closes the last line of the name it belongs to.
            let place = if cell.align == Align::End {
                (row + column.len()).checked_sub(height)
            } else {
                Some(row)
            };
            let text = place.and_then(|place| column.get(place)).map_or("", String::as_str);
            if index > 0 {
                line.push(' ');
            }
            line.push_str(&padded(text, *width, cell.align));
        }
        lines.push(line);
    }
    lines
}

/// A cell on lines of its own, when the row is too narrow for all of them.
fn stacked(cell: &Fitted, width: usize) -> Vec<String> {
    if cell.text.is_empty() {
        return Vec::new();
    }
    let lines =
        if cell.align == Align::End { chunks(&cell.text, width) } else { wrap(&cell.text, width) };
    lines.iter().map(|line| padded(line, width, cell.align)).collect()
}

fn padded(text: &str, width: usize, align: Align) -> String {
    match align {
        Align::Start => format!("{text:<width$}"),
        Align::Centre => format!("{text:^width$}"),
        Align::End => format!("{text:>width$}"),
    }
}

fn chunks(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width.max(1)).map(|chunk| chunk.iter().collect()).collect()
}

/// Breaks a paragraph at spaces; a word longer than the line is cut into pieces.
/// Spaces at the head are kept (they indent), at a break they go.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = text.chars().take_while(|c| *c == ' ').count().min(width / 2);
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let mut columns = indent;
    let mut empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !empty && columns + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            (columns, empty) = (0, true);
        }
        if !empty {
            line.push(' ');
            columns += 1;
        }
        if columns + length > width {
            // At the head of a line: the indent gives way, and if the word is longer
            // than a whole line it is cut.
            line.clear();
            let mut pieces = chunks(word, width);
            line = pieces.pop().unwrap_or_default();
            columns = line.chars().count();
            lines.append(&mut pieces);
        } else {
            line.push_str(word);
            columns += length;
        }
        empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
