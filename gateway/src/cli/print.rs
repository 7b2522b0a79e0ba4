//! Lines for a person or a script. A reader that went away (`… | head`) is no failure.

use std::io::Write as _;

/// One line on stdout.
pub(super) fn line(text: &str) {
    // Nobody is left to be told.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line on stderr.
pub(super) fn error(text: &str) {
    // As above.
    let _ = writeln!(std::io::stderr(), "{text}");
}
