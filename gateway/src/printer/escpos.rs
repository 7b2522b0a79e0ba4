//! ESC/POS bytes: the only file of the product that knows them. Pure.
//!
//! A page becomes segments (header, body, totals, cut). Where the printer answers
//! tags, each segment ends with one, so that the last tag that came back tells how
//! far the paper got. A tag is made from command and attempt, so that it can be
//! recognised after a restart without having been stored.
//!
//! Sources: Epson's ESC/POS reference; ESC d, GS v 0, GS ( k and GS ( H as described there.

use fournil_protocol::document::Align;
use uuid::Uuid;

use super::codepage::CodePage;
use super::picture::Picture;
use super::profile::Profile;
use super::render::{Line, Page, TextLine};
use super::symbol;

/// Four printable characters that the printer returns.
pub type Tag = [u8; 4];

/// Printable characters a tag may be made of.
const TAG_SIGNS: u32 = 0x7f - 0x20;
/// The drawer's solenoid: 100 ms on, 500 ms off (t1 and t2 count 2 ms). A pause of
/// at least four times the pulse is what drawer makers ask for.
const DRAWER_ON: u8 = 0x32;
const DRAWER_OFF: u8 = 0xfa;
/// Longest payload of one command: a band of a picture. Small, because some printers have
/// little memory for it, and because a printer left inside one swallows what comes next.
const BAND_BYTES_MAX: usize = 4_096;
/// Covers the longest command that can be left open.
const RESYNC_BYTES: usize = BAND_BYTES_MAX;

/// Leaves Kanji mode, in which clones start and which eats accents; undone by ESC @.
const INITIALISE: &[u8] = &[0x1b, 0x40, 0x1c, 0x2e];
/// Feed to the cutter and cut, leaving one point.
const CUT: &[u8] = &[0x1d, 0x56, 0x42, 0x00];
/// Automatic status back: drawer, online, errors, paper.
const AUTO_STATUS_ON: &[u8] = &[0x1d, 0x61, 0x0f];

/// Bytes that belong together and the tag behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub bytes: Vec<u8>,
    pub tag: Option<Tag>,
}

/// Which of the four real-time questions to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    Printer = 1,
    OfflineCause = 2,
    ErrorCause = 3,
    Paper = 4,
}

pub const QUESTIONS: [Question; 4] =
    [Question::Printer, Question::OfflineCause, Question::ErrorCause, Question::Paper];

/// DLE EOT: answered at once, even when the printer cannot print.
#[must_use]
pub fn ask(question: Question) -> [u8; 3] {
    [0x10, 0x04, question as u8]
}

/// GS r 1: answered when everything before it has been processed.
#[must_use]
pub fn ask_in_order() -> [u8; 3] {
    [0x1d, 0x72, 0x01]
}

/// GS I 67 (model) and its like; the answer is a block of text.
#[must_use]
pub fn ask_name(which: u8) -> [u8; 3] {
    [0x1d, 0x49, which]
}

/// GS ( H, function 48: return the tag once the data before it is on paper.
#[must_use]
pub fn ask_tag(tag: Tag) -> [u8; 11] {
    let [a, b, c, d] = tag;
    [0x1d, 0x28, 0x48, 0x06, 0x00, 0x30, 0x30, a, b, c, d]
}

/// The tag behind a segment of an attempt. Two attempts share one with a chance of
/// one in 857,375; the place in the job is the fourth sign.
#[must_use]
pub fn tag(command: Uuid, attempt: u32, segment: usize) -> Tag {
    let mut seed = crc32c::crc32c(command.as_bytes());
    seed = crc32c::crc32c_append(seed, &attempt.to_be_bytes());
    let sign = |value: u32| 0x20 + u8::try_from(value % TAG_SIGNS).unwrap_or_default();
    let place = u32::try_from(segment).unwrap_or(u32::MAX);
    [sign(seed), sign(seed / TAG_SIGNS), sign(seed / TAG_SIGNS / TAG_SIGNS), sign(place)]
}

/// A pulse to the drawer on a pin, in order.
#[must_use]
pub fn drawer(pin: DrawerPin) -> [u8; 5] {
    [0x1b, 0x70, pin as u8, DRAWER_ON, DRAWER_OFF]
}

/// A pulse of 100 ms at once, also while the printer cannot print.
#[must_use]
pub fn drawer_now(pin: DrawerPin) -> [u8; 5] {
    [0x10, 0x14, 0x01, pin as u8, 0x01]
}

/// Connector pin of the drawer's solenoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawerPin {
    Two = 0,
    Five = 1,
}

/// What brings a printer back to text mode after a job was broken off inside a
/// command, and parts the half receipt from the next.
#[must_use]
pub fn resync() -> Vec<u8> {
    let mut bytes = vec![0; RESYNC_BYTES];
    bytes.extend_from_slice(INITIALISE);
    bytes.push(b'\n');
    bytes.extend_from_slice(CUT);
    bytes
}

/// Encodes a page. `tags` gives command and attempt where the printer answers tags.
#[must_use]
pub fn encode(page: &Page, profile: &Profile, tags: Option<(Uuid, u32)>) -> Vec<Segment> {
    let mut encoder = Encoder { profile, bytes: Vec::new(), page: None, look: Look::default() };
    encoder.bytes.extend_from_slice(INITIALISE);
    if profile.answers_status {
        encoder.bytes.extend_from_slice(AUTO_STATUS_ON);
    }
    let rules = |line: &Line| matches!(line, Line::Rule { .. });
    let first = page.lines.iter().position(rules);
    let last = page.lines.iter().rposition(rules);
    let mut parts = Vec::new();
    for (index, line) in page.lines.iter().enumerate() {
        encoder.line(line);
        if Some(index) == first || Some(index) == last {
            parts.push(std::mem::take(&mut encoder.bytes));
        }
    }
    if !encoder.bytes.is_empty() {
        parts.push(std::mem::take(&mut encoder.bytes));
    }
    parts.push(CUT.to_vec());
    let parts = parts.into_iter().enumerate();
    parts.map(|(place, bytes)| segment(bytes, tags.map(|(c, a)| tag(c, a, place)))).collect()
}

fn segment(mut bytes: Vec<u8>, tag: Option<Tag>) -> Segment {
    if let Some(tag) = tag {
        bytes.extend_from_slice(&ask_tag(tag));
    }
    Segment { bytes, tag }
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    align: u8,
    bold: bool,
    double: bool,
}

struct Encoder<'a> {
    profile: &'a Profile,
    bytes: Vec<u8>,
    /// Table and look the printer was last told; only changes are sent.
    page: Option<CodePage>,
    look: Look,
}

impl Encoder<'_> {
    fn line(&mut self, line: &Line) {
        match line {
            Line::Text(text) => self.text(text),
            Line::Rule { double } => self.rule(*double),
            Line::Feed { lines: 0 } => {}
            Line::Feed { lines } => self.bytes.extend_from_slice(&[0x1b, 0x64, *lines]),
            Line::Qr { data, module_dots } => self.qr(data, *module_dots),
            Line::Barcode { data } => self.barcode(data),
            Line::Raster(picture) => self.raster(picture),
        }
    }

    /// GS v 0 in bands, which print without a gap. Wherever the bands begin, no data holds a
    /// command that printers act on at once: [`Picture`] has seen to that.
    fn raster(&mut self, picture: &Picture) {
        self.look(Look::default());
        let row_bytes = picture.row_bytes().max(1);
        let rows = (BAND_BYTES_MAX / row_bytes).clamp(1, usize::from(u8::MAX));
        for band in picture.bits().chunks(rows * row_bytes) {
            let [width_low, width_high, ..] = row_bytes.to_le_bytes();
            let [height_low, height_high, ..] = (band.len() / row_bytes).to_le_bytes();
            let size = [width_low, width_high, height_low, height_high];
            self.bytes.extend_from_slice(&[0x1d, 0x76, 0x30, 0x00]);
            self.bytes.extend_from_slice(&size);
            self.bytes.extend_from_slice(band);
        }
    }

    fn text(&mut self, line: &TextLine) {
        let align = match line.align {
            Align::Start => 0,
            Align::Centre => 1,
            Align::End => 2,
        };
        self.look(Look { align, bold: line.bold, double: line.double });
        self.characters(&line.text, line.page);
        self.bytes.push(b'\n');
    }

    fn characters(&mut self, text: &str, page: CodePage) {
        // ASCII is the same on every table, so it asks for none.
        if !text.is_ascii() && self.page != Some(page) {
            self.bytes.extend_from_slice(&[0x1b, 0x74, self.profile.page_number(page)]);
            self.page = Some(page);
        }
        self.bytes.extend(text.chars().map(|c| page.byte(c).unwrap_or(b'?')));
    }

    /// A drawn line where a table has one (the cells touch), else hyphens.
    fn rule(&mut self, double: bool) {
        let (drawn, plain) = if double { ('═', '=') } else { ('─', '-') };
        let pages = self.profile.code_pages();
        let page = pages.iter().copied().find(|page| page.byte(drawn).is_some());
        let sign = if page.is_some() { drawn } else { plain };
        self.look(Look::default());
        let line: String = std::iter::repeat_n(sign, usize::from(self.profile.columns)).collect();
        self.characters(&line, page.unwrap_or(CodePage::Cp437));
        self.bytes.push(b'\n');
    }

    fn look(&mut self, look: Look) {
        if look.align != self.look.align {
            self.bytes.extend_from_slice(&[0x1b, 0x61, look.align]);
        }
        if look.bold != self.look.bold {
            self.bytes.extend_from_slice(&[0x1b, 0x45, u8::from(look.bold)]);
        }
        if look.double != self.look.double {
            self.bytes.extend_from_slice(&[0x1d, 0x21, if look.double { 0x11 } else { 0x00 }]);
        }
        self.look = look;
    }

    fn qr(&mut self, data: &str, module_dots: u8) {
        self.look(Look { align: 1, ..Look::default() });
        let [low, high, ..] = (data.len() + 3).to_le_bytes();
        let model_2 = [0x1d, 0x28, 0x6b, 0x04, 0x00, 0x31, 0x41, 0x32, 0x00];
        let module = [0x1d, 0x28, 0x6b, 0x03, 0x00, 0x31, 0x43, module_dots];
        let level_m = [0x1d, 0x28, 0x6b, 0x03, 0x00, 0x31, 0x45, 0x31];
        let store = [0x1d, 0x28, 0x6b, low, high, 0x31, 0x50, 0x30];
        let print = [0x1d, 0x28, 0x6b, 0x03, 0x00, 0x31, 0x51, 0x30];
        for part in [&model_2[..], &module, &level_m, &store, data.as_bytes(), &print] {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(b'\n');
    }

    fn barcode(&mut self, data: &str) {
        self.look(Look { align: 1, ..Look::default() });
        let signs = code128(data);
        let length = u8::try_from(signs.len()).unwrap_or(u8::MAX);
        self.bytes.extend_from_slice(&[0x1d, 0x68, symbol::BARCODE_HEIGHT_DOTS]);
        self.bytes.extend_from_slice(&[0x1d, 0x77, symbol::BARCODE_MODULE_DOTS]);
        // The text below the bars, in font A.
        self.bytes.extend_from_slice(&[0x1d, 0x48, 0x02, 0x1d, 0x66, 0x00]);
        self.bytes.extend_from_slice(&[0x1d, 0x6b, 0x49, length]);
        self.bytes.extend_from_slice(&signs);
        self.bytes.push(b'\n');
    }
}

/// Code set C (two digits a sign) where it fits, else B; a brace is written twice.
fn code128(data: &str) -> Vec<u8> {
    if symbol::digits_in_pairs(data) {
        let (pairs, _) = data.as_bytes().as_chunks::<2>();
        let values = pairs.iter().map(|[tens, ones]| (tens - b'0') * 10 + (ones - b'0'));
        return b"{C".iter().copied().chain(values).collect();
    }
    b"{B".iter().copied().chain(data.replace('{', "{{").bytes()).collect()
}

#[cfg(test)]
mod tests {
    use fournil_protocol::document::{Barcode, Document, Feed, Kind, Picture, Qr};

    use super::super::render::render;
    use super::*;

    fn bytes(document: &Document, profile: &str) -> Vec<u8> {
        let profile = Profile::named(profile).unwrap();
        let segments = encode(&render(document, &profile, false), &profile, None);
        segments.into_iter().flat_map(|segment| segment.bytes).collect()
    }

    #[test]
    fn accents_leave_in_table_1252_by_the_number_of_the_brand() {
        let document = Document::default().text("Pâte à 3 €", Align::Start);
        let tail = b"P\xe2te \xe0 3 \x80\n\x1d\x56\x42\x00";
        let generic = [&b"\x1b@\x1c.\x1da\x0f\x1bt\x10"[..], tail].concat();
        assert_eq!(bytes(&document, "generic-58"), generic);
        let star = [&b"\x1b@\x1c.\x1da\x0f\x1bt\x20"[..], tail].concat();
        assert_eq!(bytes(&document, "star-80"), star);
    }

    /// What printers act on wherever it stands: DLE EOT, DLE ENQ, DLE DC4.
    fn has_command_in_data(bytes: &[u8]) -> bool {
        bytes.windows(2).any(|two| matches!(two, [0x10, 0x04 | 0x05 | 0x14]))
    }

    #[test]
    fn no_data_of_a_symbol_opens_the_drawer() {
        let pulse = "\u{10}\u{14}\u{1}\u{0}\u{1}";
        let qr = Document::default().with(Kind::Qr(Qr { data: pulse.to_owned() }));
        let barcode =
            |data: &str| Document::default().with(Kind::Barcode(Barcode { data: data.to_owned() }));
        for document in
            [qr, barcode(pulse), barcode("1620010001"), barcode("001604"), barcode("1605")]
        {
            let sent = bytes(&document, "epson-80");
            assert!(!has_command_in_data(&sent), "{sent:02x?}");
        }
        assert!(bytes(&barcode("0123456789"), "epson-80").windows(3).any(|w| w == b"{C\x01"));
    }

    proptest::proptest! {
        #[test]
        fn no_document_holds_a_command_that_acts_at_once(
            text in "(\\x10[\\x04\\x05\\x14]|[0-9]{1,8}|1620|1604|\\PC|[\\x00-\\x1f]){0,24}",
            lines in 0..40_u32,
        ) {
            let document = Document::default()
                .text(text.clone(), Align::Start)
                .pair(text.clone(), text.clone(), true)
                .with(Kind::Feed(Feed { lines }))
                .with(Kind::Qr(Qr { data: text.clone() }))
                .with(Kind::Barcode(Barcode { data: text.clone() }))
                .with(Kind::Picture(Picture {
                    width_dots: 64,
                    rows: text.bytes().chain([0; 8]).take(text.len().max(1).div_ceil(8) * 8).collect(),
                    align: 0,
                }));
            for profile in ["epson-80", "simple-58"] {
                let sent = bytes(&document, profile);
                proptest::prop_assert!(!has_command_in_data(&sent), "{sent:02x?}");
            }
        }
    }

    #[test]
    fn the_drawer_gets_its_times() {
        assert_eq!(drawer(DrawerPin::Two), [0x1b, 0x70, 0x00, 0x32, 0xfa]);
        assert_eq!(drawer(DrawerPin::Five), [0x1b, 0x70, 0x01, 0x32, 0xfa]);
    }

    #[test]
    fn each_segment_ends_with_its_tag_and_the_last_stands_behind_the_cut() {
        let document =
            Document::default().heading("Fournil").rule().pair("a", "1,00", false).rule();
        let profile = Profile::named("epson-80").unwrap();
        let command = Uuid::from_u128(7);
        let page = render(&document.text("merci", Align::Centre), &profile, false);
        let segments = encode(&page, &profile, Some((command, 2)));
        assert_eq!(segments.len(), 4);
        for (place, segment) in segments.iter().enumerate() {
            let expected = tag(command, 2, place);
            assert_eq!(segment.tag, Some(expected));
            assert!(segment.bytes.ends_with(&ask_tag(expected)));
            assert!(expected.iter().all(|sign| (0x20..=0x7e).contains(sign)));
        }
        assert!(segments[3].bytes.starts_with(CUT));
        assert_ne!(tag(command, 1, 3), tag(command, 2, 3));
    }

    #[test]
    fn digits_travel_in_pairs_and_braces_twice() {
        assert_eq!(code128("123456"), b"{C\x0c\x22\x38");
        assert_eq!(code128("A{1"), b"{BA{{1");
    }
}
