//! The journal: as the running daemon tells it, else read from end to end without
//! changing a byte.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::finding::Finding;
use crate::app::status::Status;
use crate::config::Config;
use crate::journal::{self, FolderReport, JournalError};
use crate::tunnel::identity::Identity;

const CHECK: &str = "journal";
/// Reads some hundred MiB at most.
const READ_TIMEOUT: Duration = Duration::from_secs(12);
/// Parts of the room for unacknowledged events, of five, from which somebody must look.
const FULL_FIFTHS: u64 = 4;

pub(super) async fn examine(
    config: &Config,
    held: Option<&Status>,
    identity: Option<&Identity>,
    deadline: Instant,
) -> Finding {
    if let Some(status) = held {
        return of_daemon(status, config.journal.unacked_bytes_max);
    }
    let folder = config.journal_dir();
    if !folder.exists() {
        return Finding::new(CHECK, "new");
    }
    let owner = std::fs::read_to_string(folder.join("owner")).ok();
    let until = deadline.min(Instant::now() + READ_TIMEOUT);
    let reading = tokio::task::spawn_blocking(move || journal::inspect(&folder));
    match timeout_at(until, reading).await {
        Ok(Ok(read)) => {
            let is_foreign = owner.zip(identity).is_some_and(|(owner, identity)| {
                owner.trim() != identity.enrolled.gateway_id.to_string()
            });
            of_folder(read, is_foreign, config)
        }
        Ok(Err(error)) => Finding::new(CHECK, "unreadable").with("why", error),
        Err(_) => Finding::new(CHECK, "silent"),
    }
}

fn of_daemon(status: &Status, room: u64) -> Finding {
    if let Some(error) = &status.journal_error {
        return Finding::new(CHECK, "not-answering").with("why", error);
    }
    let number = |key: &str| status.journal.get(key).and_then(Value::as_u64).unwrap_or(0);
    let has_reserve = status.journal.get("has_reserve").and_then(Value::as_bool).unwrap_or(true);
    let standing = Standing {
        waiting: number("unacked_events"),
        bytes: number("unacked_bytes"),
        set_aside: number("segments_bad"),
        has_reserve,
        room,
    };
    standing.told()
}

fn of_folder(
    read: Result<FolderReport, JournalError>,
    is_foreign: bool,
    config: &Config,
) -> Finding {
    let report = match read {
        Ok(report) => report,
        Err(error) => return Finding::new(CHECK, "unreadable").with("why", error),
    };
    if !report.damages.is_empty() {
        return Finding::new(CHECK, "damaged")
            .with("damage", report.damages.join("; "))
            .with("folder", config.journal_dir().display());
    }
    if is_foreign {
        return Finding::new(CHECK, "of-another").with("folder", config.journal_dir().display());
    }
    let standing = Standing {
        waiting: report.stat.unacked_events,
        bytes: report.stat.unacked_bytes,
        set_aside: report.stat.segments_bad as u64,
        // Made at the first start; a folder without segments has none yet.
        has_reserve: report.stat.has_reserve || report.stat.segments == 0,
        room: config.journal.unacked_bytes_max,
    };
    standing.told()
}

struct Standing {
    waiting: u64,
    bytes: u64,
    set_aside: u64,
    has_reserve: bool,
    room: u64,
}

impl Standing {
    fn told(&self) -> Finding {
        let code = match self {
            _ if self.bytes >= self.room => "full",
            _ if self.bytes.saturating_mul(5) >= self.room.saturating_mul(FULL_FIFTHS) => {
                "nearly-full"
            }
            _ if !self.has_reserve => "reserve-used",
            _ if self.set_aside > 0 => "set-aside",
            _ => "whole",
        };
        Finding::new(CHECK, code)
            .with("waiting", self.waiting)
            .with("used", self.bytes / 1024)
            .with("room", self.room / 1024)
            .with("segments", self.set_aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_is_told() {
        let mut standing =
            Standing { waiting: 3, bytes: 10, set_aside: 0, has_reserve: true, room: 100 };
        assert_eq!(standing.told().code, "whole");
        standing.set_aside = 1;
        assert_eq!(standing.told().code, "set-aside");
        standing.has_reserve = false;
        assert_eq!(standing.told().code, "reserve-used");
        standing.bytes = 80;
        assert_eq!(standing.told().code, "nearly-full");
        standing.bytes = 100;
        assert_eq!(standing.told().code, "full");
    }
}
