//! The last lines of the log, kept in memory for a diagnostic. Bounded in bytes; the
//! oldest go first. What must outlive the daemon is in systemd's journal.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// All kept lines together.
const BYTES_MAX: usize = 256 * 1024;
/// One line; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 2 * 1024;

/// The lines. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RecentLog(Arc<Mutex<VecDeque<u8>>>);

impl Default for RecentLog {
    /// All the room at once, in one piece: a text of its own for each line, kept for days
    /// between others that are gone in a moment, left holes that made the daemon grow.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(VecDeque::with_capacity(BYTES_MAX))))
    }
}

impl RecentLog {
    /// The kept lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = kept.make_contiguous().split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).map(|l| String::from_utf8_lossy(l).into()).collect()
    }

    fn push(&self, written: &[u8]) {
        let line = written.get(..LINE_BYTES_MAX).unwrap_or(written).trim_ascii_end();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() + line.len() + 1 > BYTES_MAX {
            let Some(end) = kept.iter().position(|byte| *byte == b'\n') else { break };
            kept.drain(..=end);
        }
        kept.extend(line);
        kept.push_back(b'\n');
    }
}

impl<'l> MakeWriter<'l> for RecentLog {
    type Writer = &'l RecentLog;

    fn make_writer(&'l self) -> Self::Writer {
        self
    }
}

/// The log writes each line at once.
impl io::Write for &RecentLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_none_is_too_long() {
        let log = RecentLog::default();
        for number in 0..1_000 {
            log.push(format!("{number} {}\n", "é".repeat(2_000)).as_bytes());
        }
        let lines = log.lines();
        assert!(lines.last().unwrap().starts_with("999 "), "{:?}", lines.last());
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX + 2));
        let bytes: usize = lines.iter().map(String::len).sum();
        assert!((BYTES_MAX - LINE_BYTES_MAX..=BYTES_MAX).contains(&bytes), "{bytes}");
    }

    #[test]
    fn what_the_log_says_is_kept_line_by_line() {
        let log = RecentLog::default();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::info!(tunnel.wait_s = 3, "no tunnel");
            tracing::warn!("paper out");
        });
        let lines = log.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].contains("no tunnel") && lines[0].contains("tunnel.wait_s=3"),
            "{lines:?}"
        );
    }
}
