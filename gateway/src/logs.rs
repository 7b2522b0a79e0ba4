//! The last lines of the log, kept in memory for a diagnostic. Bounded in bytes; the
//! oldest go first. What must outlive the daemon is in systemd's journal.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// All kept lines together.
const BYTES_MAX: usize = 512 * 1024;
/// One line; the rest of a longer one is left out.
const LINE_BYTES_MAX: usize = 2 * 1024;

/// The lines. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RecentLog(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl RecentLog {
    /// The kept lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines.iter().cloned().collect()
    }

    fn push(&self, written: &[u8]) {
        let kept = written.get(..LINE_BYTES_MAX).unwrap_or(written);
        let line = String::from_utf8_lossy(kept).trim_end().to_owned();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.bytes += line.len();
        lines.lines.push_back(line);
        while lines.bytes > BYTES_MAX {
            let Some(oldest) = lines.lines.pop_front() else { break };
            lines.bytes -= oldest.len();
        }
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
