//! A document laid out as lines of characters for one width of paper. Pure: no
//! bytes of any printer, no I/O.
//!
//! Invariants, held by property tests: no line is wider than the paper, no word is
//! lost, an amount that fits on a line stands on one line whole, and no document
//! makes this code panic. Blocks of a kind this build does not know are skipped.

use fournil_protocol::document::{Align, Cell, Document, Kind};

use super::codepage::{CodePage, fit};
use super::profile::Profile;
use super::symbol;

/// What a copy says at its head.
pub const COPY_MARK: &str = "** DUPLICATA **";
/// A document cannot unroll the paper.
const FEED_LINES_MAX: u32 = 20;
/// A cell whose share is smaller than this is not worth wrapping into.
const WRAP_COLUMNS_MIN: usize = 8;

/// A page, ready to be encoded or drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Characters no table of this printer has, printed as `?`.
    pub lost: usize,
}

/// One line from edge to edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Text(TextLine),
    Rule { double: bool },
    Feed { lines: u8 },
    Qr { data: String, module_dots: u8 },
    Barcode { data: String },
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

#[derive(Clone, Copy)]
struct Style {
    align: Align,
    bold: bool,
    double: bool,
}

/// Lays a document out. A copy carries [`COPY_MARK`] above everything else.
#[must_use]
pub fn render(document: &Document, profile: &Profile, copy: bool) -> Page {
    let mut layout = Layout { profile, pages: profile.code_pages(), page: Page::default() };
    if copy {
        layout.text(COPY_MARK, Style { align: Align::Centre, bold: true, double: true });
        layout.page.lines.push(Line::Feed { lines: 1 });
    }
    for kind in document.blocks.iter().filter_map(|block| block.kind.as_ref()) {
        layout.block(kind);
    }
    layout.page
}

struct Layout<'a> {
    profile: &'a Profile,
    pages: Vec<CodePage>,
    page: Page,
}

impl Layout<'_> {
    fn block(&mut self, kind: &Kind) {
        match kind {
            Kind::Text(text) => {
                let style =
                    Style { align: align(text.align), bold: text.bold, double: text.size > 1 };
                self.text(&text.text, style);
            }
            Kind::Columns(columns) => {
                let style =
                    Style { align: Align::Start, bold: columns.bold, double: columns.size > 1 };
                self.columns(&columns.cells, style);
            }
            Kind::Rule(rule) => self.page.lines.push(Line::Rule { double: rule.double }),
            Kind::Feed(feed) => {
                let lines = u8::try_from(feed.lines.min(FEED_LINES_MAX)).unwrap_or(u8::MAX);
                self.page.lines.push(Line::Feed { lines });
            }
            Kind::Qr(qr) => self.qr(&qr.data),
            Kind::Barcode(barcode) => self.barcode(&barcode.data),
        }
    }

    fn width(&self, double: bool) -> usize {
        let columns = usize::from(self.profile.columns);
        (if double { columns / 2 } else { columns }).max(1)
    }

    fn text(&mut self, text: &str, style: Style) {
        for paragraph in text.split('\n') {
            let fitted = fit(&bound(paragraph), &self.pages);
            self.page.lost += fitted.lost;
            for line in wrap(&fitted.text, self.width(style.double)) {
                self.line(&line, fitted.page, style);
            }
        }
    }

    fn columns(&mut self, cells: &[Cell], style: Style) {
        let joined: String = cells.iter().map(|cell| cell.text.as_str()).collect();
        let page = fit(&joined, &self.pages).page;
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

    /// A symbol the printer cannot draw is printed as its text: nothing is lost. So is one
    /// with control characters: its data goes to the printer as it is, and a printer acts on
    /// some of them wherever they stand (a pulse to the drawer, power off).
    fn qr(&mut self, data: &str) {
        let is_plain = !data.chars().any(char::is_control);
        match symbol::qr_module_dots(data, self.profile.width_dots()) {
            Some(module_dots) if self.profile.native_qr && is_plain => {
                self.page.lines.push(Line::Qr { data: data.to_owned(), module_dots });
            }
            _ => self.text(data, Style { align: Align::Centre, bold: false, double: false }),
        }
    }

    fn barcode(&mut self, data: &str) {
        if symbol::code128_fits(data, self.profile.width_dots()) {
            self.page.lines.push(Line::Barcode { data: data.to_owned() });
        } else {
            self.text(data, Style { align: Align::Centre, bold: false, double: false });
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

    /// An amount stands whole; a name may wrap.
    fn needs(&self) -> usize {
        if self.weight == 0 || self.align == Align::End {
            self.len()
        } else {
            self.len().min(WRAP_COLUMNS_MIN)
        }
    }
}

fn align(value: i32) -> Align {
    Align::try_from(value).unwrap_or(Align::Start)
}

/// Lines of one row of cells.
fn rows(cells: &[Fitted], width: usize) -> Vec<String> {
    let gaps = cells.len().saturating_sub(1);
    let needed: usize = cells.iter().map(Fitted::needs).sum::<usize>() + gaps;
    if needed > width {
        return cells.iter().flat_map(|cell| stacked(cell, width)).collect();
    }
    let widths = shares(cells, width - gaps);
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

/// The width of each cell: what it needs, and by weight a share of the rest.
fn shares(cells: &[Fitted], width: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = cells.iter().map(Fitted::needs).collect();
    let weight = |cell: &Fitted| usize::try_from(cell.weight.min(1_000)).unwrap_or(1_000);
    let mut open: Vec<bool> = cells.iter().map(|cell| cell.weight > 0).collect();
    loop {
        let fixed: usize =
            widths.iter().zip(&open).filter(|(_, open)| !**open).map(|(w, _)| w).sum();
        let room = width.saturating_sub(fixed);
        let total: usize =
            cells.iter().zip(&open).filter(|(_, o)| **o).map(|(c, _)| weight(c)).sum();
        if total == 0 {
            break;
        }
        // A cell whose share is less than its need leaves the sharing with its need.
        let short = cells
            .iter()
            .zip(&widths)
            .zip(&mut open)
            .find(|((cell, needs), open)| **open && room * weight(cell) / total < **needs);
        if let Some((_, open)) = short {
            *open = false;
            continue;
        }
        for ((cell, share), _) in cells.iter().zip(&mut widths).zip(&open).filter(|(_, o)| **o) {
            *share = room * weight(cell) / total;
        }
        break;
    }
    let left = width.saturating_sub(widths.iter().sum());
    let takes_rest = cells
        .iter()
        .position(|cell| cell.weight > 0 && cell.align != Align::End)
        .or_else(|| cells.iter().rposition(|cell| cell.align == Align::End));
    if let Some(share) = takes_rest.and_then(|index| widths.get_mut(index)) {
        *share += left;
    }
    widths
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
