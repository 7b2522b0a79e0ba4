//! The only place that prints: results on stdout, faults on stderr.

#[expect(clippy::print_stdout, reason = "a command's result belongs on stdout")]
pub(super) fn line(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command's fault belongs on stderr, in one line")]
pub(super) fn fault(text: &str) {
    eprintln!("fournil-cloud : {text}");
}

/// A result as JSON, for scripts.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(value)?);
    Ok(())
}
