//! What may be asked of a clock, and what it answers. The list is closed: nothing here empties
//! a log, opens a door, or runs a program on the clock, though the dialect could.

use super::body::lines;
use crate::clock::ClockTime;

/// Results in one body beyond which the rest is not looked at.
const RESULTS_MAX: usize = 200;

/// A command to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Its punches of a range, in its own time.
    ReadPunches { from: ClockTime, to: ClockTime },
    /// All its users.
    ReadUsers,
    /// What it is.
    Information,
}

impl Command {
    /// Its line. `id`: up to 16 letters and digits.
    #[must_use]
    pub fn line(self, id: &str) -> String {
        let what = match self {
            Self::ReadPunches { from, to } => {
                let time = |time: ClockTime| time.to_string().replace('T', " ");
                format!("DATA QUERY ATTLOG StartTime={}\tEndTime={}", time(from), time(to))
            }
            Self::ReadUsers => "DATA QUERY USERINFO".to_owned(),
            Self::Information => "INFO".to_owned(),
        };
        format!("C:{id}:{what}\n")
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    pub id: String,
    /// 0 and more is good; below it is a refusal.
    pub code: i64,
}

impl CommandResult {
    /// Reads results: one a line, or all in one line.
    #[must_use]
    pub fn read_all(body: &[u8]) -> Vec<Self> {
        let mut results: Vec<Self> = Vec::new();
        let mut id: Option<String> = None;
        for pair in lines(body).flat_map(|line| line.split(|byte| *byte == b'&')) {
            let pair = String::from_utf8_lossy(pair);
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("id") {
                id = is_id(value).then(|| value.to_owned());
            } else if name.eq_ignore_ascii_case("return")
                && let (Some(id), Ok(code)) = (id.take(), value.parse())
                && results.len() < RESULTS_MAX
            {
                results.push(Self { id, code });
            }
        }
        results
    }
}

fn is_id(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
