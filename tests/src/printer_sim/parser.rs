//! ESC/POS read strictly: one command at a time from the front of a buffer. Written
//! from the printer makers' manuals and independent of the gateway's encoder, so that
//! it can judge it. What it does not know is an error with its bytes, never a guess.

/// One command or character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Char(u8),
    LineFeed,
    Initialise,
    Kanji(bool),
    CodePage(u8),
    International(u8),
    Font(u8),
    PrintMode(u8),
    Bold(bool),
    Underline(bool),
    Inverted(bool),
    Size {
        width: u8,
        height: u8,
    },
    Align(u8),
    LineSpacing(Option<u8>),
    FeedLines(u8),
    FeedDots(u8),
    LeftMargin(u16),
    AreaWidth(u16),
    Position(u16),
    Raster {
        mode: u8,
        row_bytes: usize,
        data: Vec<u8>,
    },
    Cut {
        full: bool,
        feed: u8,
    },
    Drawer {
        pin: u8,
        on: u8,
        off: u8,
    },
    QrModule(u8),
    QrStore(Vec<u8>),
    QrPrint,
    BarcodeHeight(u8),
    BarcodeModule(u8),
    BarcodeText(u8),
    Barcode {
        kind: u8,
        data: Vec<u8>,
    },
    AutoStatus(u8),
    AskInOrder(u8),
    AskName(u8),
    Tag([u8; 4]),
    /// Known, and without effect on what this printer shows.
    Ignored,
    Unknown(String),
}

/// What stands at the front of the buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole command and how many bytes it took.
    Op(Op, usize),
    /// The command goes on in bytes that are not here yet.
    Incomplete,
}

/// Longest payload accepted of one command; longer is an error.
const PAYLOAD_BYTES_MAX: usize = 512 * 1024;

/// Reads one command from the front of a buffer that is not empty.
#[must_use]
pub fn parse(buffer: &[u8]) -> Parsed {
    let mut cursor = Cursor { buffer, used: 0 };
    match command(&mut cursor) {
        Some(op) => Parsed::Op(op, cursor.used),
        None => Parsed::Incomplete,
    }
}

struct Cursor<'a> {
    buffer: &'a [u8],
    used: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.buffer.get(self.used).copied()?;
        self.used += 1;
        Some(byte)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let bytes = self.buffer.get(self.used..self.used + count)?.to_vec();
        self.used += count;
        Some(bytes)
    }

    fn until_nul(&mut self) -> Option<Vec<u8>> {
        let length = self.buffer.get(self.used..)?.iter().position(|byte| *byte == 0)?;
        let bytes = self.take(length)?;
        self.used += 1;
        Some(bytes)
    }

    fn unknown(&self, what: &str) -> Op {
        let bytes = self.buffer.get(..self.used).unwrap_or_default();
        let hex: Vec<String> = bytes.iter().take(16).map(|byte| format!("{byte:02X}")).collect();
        Op::Unknown(format!("{what}: {}", hex.join(" ")))
    }
}

fn command(cursor: &mut Cursor<'_>) -> Option<Op> {
    let op = match cursor.byte()? {
        0x0a => Op::LineFeed,
        // NUL pads, CR is nothing without LF, CAN outside page mode is nothing.
        0x00 | 0x0d | 0x18 => Op::Ignored,
        0x1b => return esc(cursor),
        0x1c => match cursor.byte()? {
            0x2e => Op::Kanji(false),
            0x26 => Op::Kanji(true),
            _ => cursor.unknown("unknown FS command"),
        },
        0x1d => return gs(cursor),
        byte if byte >= 0x20 && byte != 0x7f => Op::Char(byte),
        _ => cursor.unknown("unknown control character"),
    };
    Some(op)
}

fn esc(cursor: &mut Cursor<'_>) -> Option<Op> {
    let op = match cursor.byte()? {
        0x40 => Op::Initialise,
        0x74 => Op::CodePage(cursor.byte()?),
        0x52 => Op::International(cursor.byte()?),
        0x4d => match cursor.byte()? {
            n @ 0..=2 => Op::Font(n),
            n @ 0x30..=0x32 => Op::Font(n - 0x30),
            _ => cursor.unknown("font out of range"),
        },
        0x21 => Op::PrintMode(cursor.byte()?),
        0x45 | 0x47 => Op::Bold(cursor.byte()? & 1 == 1),
        0x2d => match cursor.byte()? {
            n @ (0..=2 | 0x30..=0x32) => Op::Underline(n & 3 != 0),
            _ => cursor.unknown("underline out of range"),
        },
        0x61 => match cursor.byte()? {
            n @ (0..=2 | 0x30..=0x32) => Op::Align(n & 3),
            _ => cursor.unknown("alignment out of range"),
        },
        0x32 => Op::LineSpacing(None),
        0x33 => Op::LineSpacing(Some(cursor.byte()?)),
        0x64 => Op::FeedLines(cursor.byte()?),
        0x4a => Op::FeedDots(cursor.byte()?),
        0x24 => Op::Position(cursor.word()?),
        0x70 => drawer(cursor)?,
        // Character spacing, upside down, panel buttons, paper sensors, rotation.
        0x20 | 0x7b | 0x56 => {
            cursor.byte()?;
            Op::Ignored
        }
        0x63 => match cursor.byte()? {
            0x33..=0x35 => {
                cursor.byte()?;
                Op::Ignored
            }
            _ => cursor.unknown("unknown ESC c command"),
        },
        0x3d => match cursor.byte()? {
            1 => Op::Ignored,
            _ => cursor.unknown("printer deselected"),
        },
        _ => cursor.unknown("unknown ESC command"),
    };
    Some(op)
}

fn drawer(cursor: &mut Cursor<'_>) -> Option<Op> {
    let pin = match cursor.byte()? {
        0 | 0x30 => 2,
        1 | 0x31 => 5,
        _ => return Some(cursor.unknown("drawer connector out of range")),
    };
    Some(Op::Drawer { pin, on: cursor.byte()?, off: cursor.byte()? })
}

fn gs(cursor: &mut Cursor<'_>) -> Option<Op> {
    let op = match cursor.byte()? {
        0x21 => {
            let n = cursor.byte()?;
            if n & 0x88 != 0 {
                cursor.unknown("size out of range")
            } else {
                Op::Size { width: (n >> 4) + 1, height: (n & 7) + 1 }
            }
        }
        0x42 => Op::Inverted(cursor.byte()? & 1 == 1),
        // Smoothing; the font of the text at a barcode.
        0x62 | 0x66 => {
            cursor.byte()?;
            Op::Ignored
        }
        0x4c => Op::LeftMargin(cursor.word()?),
        0x57 => Op::AreaWidth(cursor.word()?),
        0x50 => {
            cursor.word()?;
            Op::Ignored
        }
        0x56 => cut(cursor)?,
        0x61 => Op::AutoStatus(cursor.byte()?),
        0x72 => match cursor.byte()? {
            n @ (1 | 2 | 0x31 | 0x32) => Op::AskInOrder(n & 3),
            _ => cursor.unknown("GS r out of range"),
        },
        0x49 => Op::AskName(cursor.byte()?),
        0x68 => nonzero(cursor, Op::BarcodeHeight)?,
        0x77 => match cursor.byte()? {
            n @ 2..=6 => Op::BarcodeModule(n),
            _ => cursor.unknown("barcode width out of range"),
        },
        0x48 => match cursor.byte()? {
            n @ (0..=3 | 0x30..=0x33) => Op::BarcodeText(n & 3),
            _ => cursor.unknown("barcode text position out of range"),
        },
        0x6b => barcode(cursor)?,
        0x76 => raster(cursor)?,
        0x28 => parameters(cursor)?,
        _ => cursor.unknown("unknown GS command"),
    };
    Some(op)
}

fn nonzero(cursor: &mut Cursor<'_>, op: fn(u8) -> Op) -> Option<Op> {
    Some(match cursor.byte()? {
        0 => cursor.unknown("value out of range"),
        n => op(n),
    })
}

fn cut(cursor: &mut Cursor<'_>) -> Option<Op> {
    Some(match cursor.byte()? {
        0 | 0x30 => Op::Cut { full: true, feed: 0 },
        1 | 0x31 => Op::Cut { full: false, feed: 0 },
        0x41 => Op::Cut { full: true, feed: cursor.byte()? },
        0x42 => Op::Cut { full: false, feed: cursor.byte()? },
        _ => cursor.unknown("unknown cut"),
    })
}

fn barcode(cursor: &mut Cursor<'_>) -> Option<Op> {
    let kind = cursor.byte()?;
    let data = match kind {
        0..=6 => cursor.until_nul()?,
        0x41..=0x49 => {
            let length = usize::from(cursor.byte()?);
            cursor.take(length)?
        }
        _ => return Some(cursor.unknown("unknown barcode")),
    };
    let malformed = match kind {
        0x49 => !matches!(data.as_slice(), [b'{', b'A'..=b'C', _, ..]),
        2 | 0x43 => !matches!(data.len(), 12 | 13) || !data.iter().all(u8::is_ascii_digit),
        _ => data.is_empty(),
    };
    Some(if malformed {
        cursor.unknown("barcode data out of form")
    } else {
        Op::Barcode { kind, data }
    })
}

fn raster(cursor: &mut Cursor<'_>) -> Option<Op> {
    if cursor.byte()? != 0x30 {
        return Some(cursor.unknown("unknown GS v command"));
    }
    let mode = cursor.byte()?;
    let row_bytes = usize::from(cursor.word()?);
    let size = row_bytes * usize::from(cursor.word()?);
    if !matches!(mode, 0..=3 | 0x30..=0x33) || size == 0 || size > PAYLOAD_BYTES_MAX {
        return Some(cursor.unknown("image out of range"));
    }
    Some(Op::Raster { mode: mode & 3, row_bytes, data: cursor.take(size)? })
}

/// `GS ( x pL pH …`: the length is part of the command, so an unknown function can be
/// skipped whole.
fn parameters(cursor: &mut Cursor<'_>) -> Option<Op> {
    let group = cursor.byte()?;
    let length = usize::from(cursor.word()?);
    let payload = cursor.take(length)?;
    Some(match (group, payload.as_slice()) {
        // Model and error level of a QR code; switching real-time commands off.
        (b'k', [0x31, 0x41, 0x31 | 0x32, 0x00] | [0x31, 0x45, 0x30..=0x33])
        | (b'D', [0x14, ..]) => Op::Ignored,
        (b'k', [0x31, 0x43, module @ 1..=16]) => Op::QrModule(*module),
        (b'k', [0x31, 0x50, 0x30, data @ ..]) if !data.is_empty() => Op::QrStore(data.to_vec()),
        (b'k', [0x31, 0x51, 0x30]) => Op::QrPrint,
        (b'H', [0x30, 0x30, a, b, c, d])
            if [a, b, c, d].iter().all(|sign| (0x20..=0x7e).contains(*sign)) =>
        {
            Op::Tag([*a, *b, *c, *d])
        }
        _ => cursor.unknown("unknown or malformed GS ( command"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_whole_or_not_at_all() {
        let bytes = [0x1d, 0x28, 0x48, 6, 0, 0x30, 0x30, b'a', b'b', b'c', b'd', b'x'];
        for cut in 1..11 {
            assert_eq!(parse(&bytes[..cut]), Parsed::Incomplete, "{cut}");
        }
        assert_eq!(parse(&bytes), Parsed::Op(Op::Tag(*b"abcd"), 11));
        let raster = [0x1d, 0x76, 0x30, 0, 1, 0, 2, 0, 0xaa, 0x55];
        assert_eq!(parse(&raster[..9]), Parsed::Incomplete);
        let Parsed::Op(Op::Raster { data, .. }, 10) = parse(&raster) else { panic!() };
        assert_eq!(data, [0xaa, 0x55]);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_an_error() {
        for bad in [
            &[0x1b, 0x99][..],
            &[0x1d, 0x21, 0x88],
            &[0x1b, 0x61, 7],
            &[0x1d, 0x28, 0x48, 6, 0, 0x30, 0x30, 1, 2, 3, 4],
            &[0x1d, 0x6b, 0x49, 3, b'A', b'B', b'C'],
            &[0x1b, 0x70, 9, 1, 1],
            &[0x07],
        ] {
            assert!(matches!(parse(bad), Parsed::Op(Op::Unknown(_), _)), "{bad:x?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_stand_still() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                if let Parsed::Op(_, used) = parse(&[first, second, 0xff, 0x10, 0x30, 0x00]) {
                    assert!(used > 0);
                }
            }
        }
    }
}
