//! Why a session ended, in a sentence for the person who reads this machine's log: what
//! it means and, where a person is needed, what to do.

use fournil_protocol::close;

use crate::i18n::say;

/// The sentence of a close code.
pub(crate) fn sentence(code: u16) -> String {
    say(text_id(code), &[])
}

const fn text_id(code: u16) -> &'static str {
    match code {
        close::DRAIN => "tunnel-reason-drain",
        close::SUPERSEDED => "tunnel-reason-superseded",
        close::HEARTBEAT_LOST => "tunnel-reason-heartbeat-lost",
        close::SLOW_CONSUMER => "tunnel-reason-slow-consumer",
        close::RESYNC => "tunnel-reason-resync",
        close::OVERLOAD => "tunnel-reason-overload",
        close::MALFORMED => "tunnel-reason-malformed",
        close::UNAVAILABLE => "tunnel-reason-unavailable",
        close::ROTATE => "tunnel-reason-rotate",
        close::REVOKED => "tunnel-reason-revoked",
        close::UNKNOWN_KEY => "tunnel-reason-unknown-key",
        close::CLONE => "tunnel-reason-clone",
        close::VERSION => "tunnel-reason-version",
        close::SUSPENDED => "tunnel-reason-suspended",
        _ => UNKNOWN,
    }
}

const UNKNOWN: &str = "tunnel-reason-unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_a_sentence() {
        for code in close::ALL {
            assert_ne!(text_id(*code), UNKNOWN, "{code} has no sentence");
        }
        assert_eq!(text_id(4999), UNKNOWN);
        assert_ne!(sentence(close::DRAIN), sentence(4999));
    }
}
