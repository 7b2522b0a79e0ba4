//! What a printed page says, never the bytes for a printer: those are made in the
//! shop, where the printer's profile is known. Older gateways skip blocks they do
//! not know. As JSON: `{"blocks":[{"text":{"text":"Bonjour","align":"centre"}}]}`.

mod json;

use prost::Message;
use serde::{Deserialize, Serialize};

/// A page from top to cut.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// BCP 47, such as `fr` or `ar`.
    #[prost(string, tag = "1")]
    pub language: String,
    /// Names the page in lists and on screens, such as `T-2026-000123`.
    #[prost(string, tag = "2")]
    pub title: String,
    #[prost(message, repeated, tag = "3")]
    pub blocks: Vec<Block>,
}

/// One piece of the page. `kind` is `None` when a newer cloud sends a kind this build does
/// not know; in JSON that is `null`, and a kind nobody knows is an error.
#[derive(Clone, PartialEq, Message)]
pub struct Block {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub kind: Option<Kind>,
    /// Which way the block runs.
    #[prost(enumeration = "Direction", tag = "16")]
    pub direction: i32,
    /// Of this block, where it is another than the document's.
    #[prost(string, tag = "17")]
    pub language: String,
}

impl From<Kind> for Block {
    fn from(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

/// Which way a block runs: where its lines start and in which order its cells stand.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    prost::Enumeration,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum Direction {
    /// A paragraph by its first letter; a row of cells by the language.
    Auto = 0,
    LeftToRight = 1,
    RightToLeft = 2,
}

#[derive(Clone, PartialEq, prost::Oneof, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[prost(message, tag = "1")]
    Text(Text),
    #[prost(message, tag = "2")]
    Columns(Columns),
    /// A line across the page.
    #[prost(message, tag = "3")]
    Rule(Rule),
    #[prost(message, tag = "4")]
    Feed(Feed),
    #[prost(message, tag = "5")]
    Qr(Qr),
    #[prost(message, tag = "6")]
    Barcode(Barcode),
    #[prost(message, tag = "7")]
    Picture(Picture),
}

/// A paragraph, wrapped at words to the width of the paper.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Text {
    #[prost(string, tag = "1")]
    pub text: String,
    #[prost(enumeration = "Align", tag = "2")]
    #[serde(with = "json::align_name")]
    pub align: i32,
    #[prost(bool, tag = "3")]
    pub bold: bool,
    /// 0 and 1 normal, 2 double width and height.
    #[prost(uint32, tag = "4")]
    pub size: u32,
}

/// One line of cells that share the paper's width.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Columns {
    #[prost(message, repeated, tag = "1")]
    pub cells: Vec<Cell>,
    #[prost(bool, tag = "2")]
    pub bold: bool,
    /// 0 and 1 normal, 2 double width and height.
    #[prost(uint32, tag = "3")]
    pub size: u32,
}

#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cell {
    #[prost(string, tag = "1")]
    pub text: String,
    #[prost(enumeration = "Align", tag = "2")]
    #[serde(with = "json::align_name")]
    pub align: i32,
    /// Share of the width. 0 takes just what the text needs.
    #[prost(uint32, tag = "3")]
    pub weight: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    #[prost(bool, tag = "1")]
    pub double: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    #[prost(uint32, tag = "1")]
    pub lines: u32,
}

#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Qr {
    #[prost(string, tag = "1")]
    pub data: String,
}

/// CODE128.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Barcode {
    #[prost(string, tag = "1")]
    pub data: String,
}

/// Black and white, one bit a dot of the print head; made smaller where the paper is
/// narrower. A logo of 384 by 160 dots takes 7,680 bytes.
#[derive(Clone, PartialEq, Eq, Message, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Picture {
    #[prost(uint32, tag = "1")]
    pub width_dots: u32,
    /// Rows of `width_dots` bits rounded up to whole bytes, the leftmost dot in the highest
    /// bit, 1 for black. Base64 in JSON.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(with = "json::base64")]
    pub rows: Vec<u8>,
    #[prost(enumeration = "Align", tag = "3")]
    #[serde(with = "json::align_name")]
    pub align: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Align {
    /// Left in French, right in Arabic.
    Start = 0,
    Centre = 1,
    End = 2,
}

impl Document {
    /// Adds a block; for building a page top-down.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        self.block(kind.into())
    }

    /// Adds a block with a language and a direction of its own.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: impl Into<String>, align: Align) -> Self {
        self.with(Kind::Text(Text { text: text.into(), align: align as i32, bold: false, size: 1 }))
    }

    /// Adds a heading: bold, double size, centred.
    #[must_use]
    pub fn heading(self, text: impl Into<String>) -> Self {
        self.with(Kind::Text(Text {
            text: text.into(),
            align: Align::Centre as i32,
            bold: true,
            size: 2,
        }))
    }

    /// Adds a line of a label at the start and a value at the end.
    #[must_use]
    pub fn pair(self, label: impl Into<String>, value: impl Into<String>, bold: bool) -> Self {
        self.with(Kind::Columns(Columns {
            cells: vec![
                Cell { text: label.into(), align: Align::Start as i32, weight: 1 },
                Cell { text: value.into(), align: Align::End as i32, weight: 0 },
            ],
            bold,
            size: 1,
        }))
    }

    /// Adds a line across the page.
    #[must_use]
    pub fn rule(self) -> Self {
        self.with(Kind::Rule(Rule { double: false }))
    }
}
