//! How a page fares, in the words people are shown. "Printed" always says how that is
//! known: the printer's own word, or only that bytes went out.

use crate::gateways::{State, reason_text};
use crate::i18n::Message;

/// How it is known that a page came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Somebody saw it.
    Person,
    /// E1: all bytes went out to a printer without a voice.
    BytesSent,
    /// E2: all bytes taken and the port reports no fault.
    PortHealthy,
    /// E3: the printer answered a question that stood behind the page, and is well.
    AnsweredAfter,
    /// E4: the printer returned the mark that stood behind the cut.
    TagReturned,
    /// Done, said without any evidence.
    Nothing,
}

/// How a page fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrintState {
    /// The shop has no gateway: no page was asked for.
    NoGateway,
    /// Not in the shop yet.
    OnItsWay,
    /// In the shop, held back; the machine word says what for.
    Waiting(String),
    /// The printer is at it.
    Printing,
    Printed(Proof),
    /// It may or may not have come out: a person must look.
    Unknown,
    /// It did not come out.
    Failed(String),
}

impl PrintState {
    pub(crate) fn of(state: State, reason: &str, evidence: i16) -> Self {
        match state {
            // Stopped in the middle too: what is on paper is not known yet, what is missing is.
            State::Delivered | State::Started if !reason.is_empty() => {
                Self::Waiting(reason.to_owned())
            }
            State::Queued | State::Leased | State::Delivered => Self::OnItsWay,
            State::Started => Self::Printing,
            State::Done if reason == "person-said-done" => Self::Printed(Proof::Person),
            State::Done => Self::Printed(match evidence {
                4 => Proof::TagReturned,
                3 => Proof::AnsweredAfter,
                2 => Proof::PortHealthy,
                1 => Proof::BytesSent,
                _ => Proof::Nothing,
            }),
            State::InDoubt => Self::Unknown,
            State::Failed | State::Unsupported => Self::Failed(reason.to_owned()),
            State::Expired => Self::Failed("expired".to_owned()),
            State::Cancelled => Self::Failed("cancelled".to_owned()),
        }
    }

    /// What to tell people.
    #[must_use]
    pub fn message(&self) -> Message {
        match self {
            Self::NoGateway => Message::new("print-no-gateway"),
            Self::OnItsWay => Message::new("print-on-its-way"),
            Self::Waiting(_) => Message::new("print-waiting"),
            Self::Printing => Message::new("print-printing"),
            Self::Printed(proof) => Message::new(proof.text()),
            Self::Unknown => Message::new("print-unknown"),
            Self::Failed(_) => Message::new("print-failed"),
        }
    }

    /// What it waits for or why it failed, and what to do; none where there is nothing.
    #[must_use]
    pub fn remedy(&self) -> Option<Message> {
        match self {
            Self::Waiting(reason) | Self::Failed(reason) => Some(reason_text(reason)),
            Self::Unknown => Some(Message::new("print-unknown-remedy")),
            Self::NoGateway => Some(Message::new("print-no-gateway-remedy")),
            Self::OnItsWay | Self::Printing | Self::Printed(_) => None,
        }
    }

    /// The class of the badge that shows it.
    #[must_use]
    pub const fn badge(&self) -> &'static str {
        match self {
            Self::NoGateway | Self::OnItsWay | Self::Printing => "badge--idle",
            Self::Waiting(_) => "badge--warn",
            Self::Printed(_) => "badge--ok",
            Self::Unknown => "badge--unknown",
            Self::Failed(_) => "badge--bad",
        }
    }

    /// True when nothing more will happen by itself.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::NoGateway | Self::Printed(_) | Self::Failed(_) | Self::Unknown)
    }
}

impl Proof {
    const fn text(self) -> &'static str {
        match self {
            Self::Person => "print-printed-person",
            Self::BytesSent => "print-printed-bytes",
            Self::PortHealthy => "print-printed-port",
            Self::AnsweredAfter => "print-printed-answered",
            Self::TagReturned => "print-printed-tag",
            Self::Nothing => "print-printed-unproved",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_always_says_how_it_is_known() {
        let texts = crate::i18n::Catalogue::load().expect("texts").in_language("fr");
        let said: Vec<String> = (0..=4)
            .map(|evidence| texts.say(&PrintState::of(State::Done, "", evidence).message()))
            .collect();
        assert!(said.iter().all(|text| text.to_lowercase() != "imprimé"), "{said:?}");
        let mut different = said.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 5, "{said:?}");
    }

    #[test]
    fn a_page_that_waits_says_for_what() {
        let state = PrintState::of(State::Delivered, "paper-out", 0);
        assert_eq!(state, PrintState::Waiting("paper-out".into()));
        assert_eq!(state.remedy().map(|text| text.id), Some("gateways-reason-paper-out"));
        assert_eq!(PrintState::of(State::InDoubt, "", 0), PrintState::Unknown);
        assert_eq!(PrintState::of(State::Expired, "", 0), PrintState::Failed("expired".into()));
    }
}
