//! What a clock asks: method, path and query to a typed [`Ask`].
//!
//! Paths come in any capitals and may end in `.aspx`; parameter names come in any capitals.

/// A serial number that may be: anything else is nobody's clock.
const SERIAL_BYTES: std::ops::RangeInclusive<usize> = 6..=32;
/// Longest value of a parameter that is looked at.
const VALUE_BYTES_MAX: usize = 256;

/// A request of a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Letters and digits only.
    pub serial: String,
    pub wanted: Wanted,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It begins: it is given its options.
    Hello {
        /// The key agreed with it, where its menu has one.
        key: Option<String>,
    },
    /// It tells what it is, `name=value` by commas.
    Properties,
    /// Punches, and its own mark of how far they go.
    Punches { mark: Option<String> },
    /// Operations and users, and its own mark of how far they go.
    Operations { mark: Option<String> },
    /// What is heard and not kept: photographs, templates, error logs.
    Dropped,
    /// A table that is not read here, such as those of door controllers. It may hold punches,
    /// so it must not be answered with OK.
    Unspoken { table: String },
    /// It asks for commands; `info` is what it says of itself meanwhile.
    Commands { info: Option<String> },
    /// What became of commands.
    Results,
    /// It is there.
    Ping,
    /// A newer clock introduces itself.
    Registry,
    /// A newer clock asks for its configuration.
    Configuration,
    /// A newer clock asks for the time.
    Time,
    /// Answers to a query, of a newer clock.
    Answers { table: String },
    /// It wants to encrypt, which is not spoken here.
    Exchange,
}

/// Why a request is none of a clock's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("no serial number of 6 to 32 letters and digits")]
    Serial,
    #[error("no such address")]
    Path,
    #[error("another method is needed")]
    Method,
}

impl Ask {
    /// Reads a request line's parts; `path` and `query` still percent-encoded.
    pub fn read(method: &str, path: &str, query: &str) -> Result<Self, AskError> {
        let path = path.to_ascii_lowercase();
        let rest = path.strip_prefix("/iclock/").ok_or(AskError::Path)?;
        let rest = rest.trim_end_matches('/');
        let name = rest.strip_suffix(".aspx").unwrap_or(rest);
        let is_post = match method {
            "GET" | "HEAD" => false,
            "POST" => true,
            _ => return Err(AskError::Method),
        };
        let query = Query(query);
        let wanted = wanted(is_post, name, &query)?;
        let serial = query.get("sn").filter(|serial| is_serial(serial)).ok_or(AskError::Serial)?;
        Ok(Self { serial, wanted })
    }
}

/// Whether a text may be a clock's serial number.
#[must_use]
pub fn is_serial(text: &str) -> bool {
    SERIAL_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn wanted(is_post: bool, name: &str, query: &Query<'_>) -> Result<Wanted, AskError> {
    let wanted = match (name, is_post) {
        ("cdata", false) => Wanted::Hello { key: query.get("pushcommkey") },
        ("cdata", true) => table(query),
        ("fdata", true) => Wanted::Dropped,
        ("getrequest", _) => Wanted::Commands { info: query.get("info") },
        ("devicecmd", true) => Wanted::Results,
        ("ping", _) => Wanted::Ping,
        ("registry", true) => Wanted::Registry,
        ("push", _) => Wanted::Configuration,
        ("rtdata", _) => Wanted::Time,
        ("querydata", true) => {
            Wanted::Answers { table: query.get("tablename").unwrap_or_default() }
        }
        ("exchange", _) => Wanted::Exchange,
        ("fdata" | "devicecmd" | "registry" | "querydata", false) => return Err(AskError::Method),
        _ => return Err(AskError::Path),
    };
    Ok(wanted)
}

fn table(query: &Query<'_>) -> Wanted {
    let mark = || query.get("stamp").or_else(|| query.get("opstamp"));
    let table = query.get("table").unwrap_or_default();
    match table.to_ascii_lowercase().as_str() {
        "attlog" => Wanted::Punches { mark: mark() },
        "operlog" => Wanted::Operations { mark: mark() },
        "options" => Wanted::Properties,
        "attphoto" | "biodata" | "errorlog" | "idcard" => Wanted::Dropped,
        _ => Wanted::Unspoken { table },
    }
}

/// Parameters of a query, by name in any capitals; the first of a name counts.
struct Query<'q>(&'q str);

impl Query<'_> {
    fn get(&self, wanted: &str) -> Option<String> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        let value = value.get(..VALUE_BYTES_MAX.min(value.len()))?;
        percent_decoded(value).filter(|value| !value.is_empty())
    }
}

/// Decodes `%41` and `+`; `None` when cut short or no text.
fn percent_decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
