//! The process: reads the command line, runs one command, turns its error into one line
//! and an exit status (0 done, 1 failed, 2 wrong use).
//!
//! Two threads: one for everything that waits, one more so that a busy render does not
//! hold the tunnel's heartbeat.

use std::process::ExitCode;

use clap::Parser;
use fournil_gateway::cli::{self, Cli};
use fournil_gateway::i18n::say;

const THREADS: usize = 2;
/// Enough for the deepest call, and half of the default.
const STACK_BYTES: usize = 1024 * 1024;

fn main() -> ExitCode {
    let arguments = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            cli::complain(&anyhow::Error::from(error).context(say("cli-cannot-start", &[])));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(arguments));
    // A name look-up that still hangs must not hold the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
