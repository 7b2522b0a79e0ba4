//! How a document is written as JSON: a block as one object of its kind, and of direction and
//! language where they are given; words for numbers; base64 for bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Barcode, Block, Columns, Direction, Feed, Kind, Picture, Qr, Rule, Text};

/// Every kind under its name, so that a name nobody knows is an error.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Columns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<Feed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<Qr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<Barcode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<Picture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(skip_serializing_if = "String::is_empty")]
    language: String,
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(kind) = self.kind.clone() else { return serializer.serialize_none() };
        let direction = Direction::try_from(self.direction).ok();
        let mut written = Written {
            direction: direction.filter(|direction| *direction != Direction::Auto),
            language: self.language.clone(),
            ..Written::default()
        };
        match kind {
            Kind::Text(text) => written.text = Some(text),
            Kind::Columns(columns) => written.columns = Some(columns),
            Kind::Rule(rule) => written.rule = Some(rule),
            Kind::Feed(feed) => written.feed = Some(feed),
            Kind::Qr(qr) => written.qr = Some(qr),
            Kind::Barcode(barcode) => written.barcode = Some(barcode),
            Kind::Picture(picture) => written.picture = Some(picture),
        }
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(written) = Option::<Written>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        let kinds = [
            written.text.map(Kind::Text),
            written.columns.map(Kind::Columns),
            written.rule.map(Kind::Rule),
            written.feed.map(Kind::Feed),
            written.qr.map(Kind::Qr),
            written.barcode.map(Kind::Barcode),
            written.picture.map(Kind::Picture),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(serde::de::Error::custom(
                "a block is one of text, columns, rule, feed, qr, barcode, picture",
            ));
        };
        let direction = written.direction.unwrap_or(Direction::Auto) as i32;
        Ok(Self { kind: Some(kind), direction, language: written.language })
    }
}

/// Bytes as base64.
pub(super) mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

/// Alignment as a word.
pub(super) mod align_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::document::Align;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match Align::try_from(*value).unwrap_or(Align::Start) {
            Align::Start => "start",
            Align::Centre => "centre",
            Align::End => "end",
        })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "start" => Ok(Align::Start as i32),
            "centre" => Ok(Align::Centre as i32),
            "end" => Ok(Align::End as i32),
            other => Err(D::Error::custom(format!(
                "unknown alignment '{other}': write start, centre or end"
            ))),
        }
    }
}
