//! What a printer says, told apart: real-time answers, automatic status, tags and
//! blocks arrive mixed and split on one stream.
//!
//! A strict state machine over bytes; pure. The caller tells it of a pause inside an
//! answer ([`Demux::gap`]), because a broken answer must not swallow the next one,
//! and keeps a single one-byte question open at a time, because those answers do not
//! say what they answer.

use super::escpos::{Question, Tag};
use fournil_protocol::words;

/// Longest text a printer may send in one block; longer is noise.
const BLOCK_BYTES_MAX: usize = 128;

/// One whole statement of the printer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To the one open DLE EOT question.
    Realtime(u8),
    /// To GS r, in order.
    InOrder(u8),
    /// Unasked: something changed.
    Auto([u8; 4]),
    /// Everything before this tag is on paper.
    Tag(Tag),
    /// Another block that begins with 37: kind and content.
    Notice(u8, Vec<u8>),
    /// Text that begins with 5F (maker, model, serial).
    Text(Vec<u8>),
    /// XON / XOFF on a serial line.
    Flow { go: bool },
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Auto(Vec<u8>),
    Block(Vec<u8>),
    Text(Vec<u8>),
}

/// The state machine.
#[derive(Debug, Default)]
pub struct Demux {
    state: State,
}

impl Demux {
    /// Takes a byte; gives an answer when it is whole.
    pub fn push(&mut self, byte: u8) -> Option<Answer> {
        match std::mem::take(&mut self.state) {
            State::Idle => self.first(byte),
            State::Auto(bytes) => self.auto(bytes, byte),
            State::Block(bytes) if byte == 0 => block(&bytes),
            State::Text(bytes) if byte == 0 => Some(Answer::Text(bytes)),
            State::Block(bytes) => {
                self.state = longer(bytes, byte).map_or(State::Idle, State::Block);
                None
            }
            State::Text(bytes) => {
                self.state = longer(bytes, byte).map_or(State::Idle, State::Text);
                None
            }
        }
    }

    /// The rest of a begun answer did not come in time: forget its beginning.
    pub fn gap(&mut self) {
        self.state = State::Idle;
    }

    /// Whether an answer is begun and not whole.
    #[must_use]
    pub fn inside(&self) -> bool {
        self.state != State::Idle
    }

    fn first(&mut self, byte: u8) -> Option<Answer> {
        match byte {
            0x11 | 0x13 => return Some(Answer::Flow { go: byte == 0x11 }),
            // Before the masks, which both would meet.
            0x37 => self.state = State::Block(Vec::new()),
            0x5f => self.state = State::Text(Vec::new()),
            _ if byte & 0x93 == 0x12 => return Some(Answer::Realtime(byte)),
            _ if byte & 0x93 == 0x10 => self.state = State::Auto(vec![byte]),
            _ if byte & 0x90 == 0x00 => return Some(Answer::InOrder(byte)),
            _ => {}
        }
        None
    }

    fn auto(&mut self, mut bytes: Vec<u8>, byte: u8) -> Option<Answer> {
        // Bits 4 and 7 are 0 in the second to fourth byte. Flow control may come in
        // between; any other byte that breaks the rule begins something new.
        if matches!(byte, 0x11 | 0x13) {
            self.state = State::Auto(bytes);
            return Some(Answer::Flow { go: byte == 0x11 });
        }
        if byte & 0x90 != 0 {
            return self.first(byte);
        }
        bytes.push(byte);
        if let Ok(whole) = <[u8; 4]>::try_from(bytes.as_slice()) {
            return Some(Answer::Auto(whole));
        }
        self.state = State::Auto(bytes);
        None
    }
}

fn longer(mut bytes: Vec<u8>, byte: u8) -> Option<Vec<u8>> {
    bytes.push(byte);
    (bytes.len() <= BLOCK_BYTES_MAX).then_some(bytes)
}

fn block(bytes: &[u8]) -> Option<Answer> {
    match bytes {
        [0x22, a, b, c, d] => Some(Answer::Tag([*a, *b, *c, *d])),
        [kind, content @ ..] => Some(Answer::Notice(*kind, content.to_vec())),
        [] => None,
    }
}

/// How the printer is, put together from its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    pub offline: bool,
    pub cover_open: bool,
    pub paper_out: bool,
    pub paper_low: bool,
    pub cutter_error: bool,
    pub other_error: bool,
}

impl Condition {
    /// Takes the answer to a DLE EOT question in.
    pub fn realtime(&mut self, question: Question, byte: u8) {
        match question {
            Question::Printer => self.offline = byte & 0x08 != 0,
            Question::OfflineCause => {
                self.cover_open = byte & 0x04 != 0;
                self.paper_out = byte & 0x20 != 0;
            }
            Question::ErrorCause => {
                self.cutter_error = byte & 0x08 != 0;
                self.other_error = byte & 0x60 != 0;
            }
            Question::Paper => {
                self.paper_low = byte & 0x0c != 0;
                self.paper_out |= byte & 0x60 != 0;
            }
        }
    }

    /// Takes an automatic status in.
    pub fn auto(&mut self, status: [u8; 4]) {
        let [printer, error, paper, _] = status;
        *self = Self {
            offline: printer & 0x08 != 0,
            cover_open: printer & 0x20 != 0,
            cutter_error: error & 0x08 != 0,
            other_error: error & 0x60 != 0,
            paper_low: paper & 0x03 != 0,
            paper_out: paper & 0x0c != 0,
        };
    }

    /// Takes the port's own word (USB's GET_PORT_STATUS) for all that is known. Many printers
    /// always say 18: that they are well.
    #[must_use]
    pub fn of_port(status: u8) -> Self {
        let paper_out = status & 0x20 != 0;
        Self {
            paper_out,
            offline: status & 0x10 == 0,
            other_error: status & 0x08 == 0 && !paper_out,
            ..Self::default()
        }
    }

    /// Whether a job may begin, or goes on by itself.
    #[must_use]
    pub fn ready(&self) -> bool {
        !(self.offline
            || self.cover_open
            || self.paper_out
            || self.cutter_error
            || self.other_error)
    }

    /// The word for it, the gravest first.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            _ if self.cover_open => words::COVER_OPEN,
            _ if self.paper_out => words::PAPER_OUT,
            _ if self.cutter_error => words::CUTTER_ERROR,
            _ if self.other_error => words::PRINTER_ERROR,
            _ if self.offline => words::OFFLINE,
            _ if self.paper_low => words::PAPER_LOW,
            _ => words::OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_port_tells_paper_from_error() {
        let code = |status| Condition::of_port(status).code();
        assert_eq!((code(0x18), code(0x38), code(0x20)), ("ok", "paper-out", "paper-out"));
        assert_eq!((code(0x08), code(0x10)), ("offline", "printer-error"));
    }

    fn all(bytes: &[u8]) -> Vec<Answer> {
        let mut demux = Demux::default();
        bytes.iter().filter_map(|byte| demux.push(*byte)).collect()
    }

    #[test]
    fn mixed_answers_are_told_apart() {
        let bytes = b"\x16\x14\x00\x00\x0f\x37\x220042\x00\x12\x5fTM-m30\x00\x00\x37\x25\x00\x13";
        assert_eq!(
            all(bytes),
            [
                Answer::Realtime(0x16),
                Answer::Auto([0x14, 0, 0, 0x0f]),
                Answer::Tag(*b"0042"),
                Answer::Realtime(0x12),
                Answer::Text(b"TM-m30".to_vec()),
                Answer::InOrder(0),
                Answer::Notice(0x25, Vec::new()),
                Answer::Flow { go: false },
            ]
        );
    }

    #[test]
    fn a_broken_answer_does_not_swallow_the_next() {
        let mut demux = Demux::default();
        assert_eq!(demux.push(0x14), None);
        demux.gap();
        assert_eq!(demux.push(0x12), Some(Answer::Realtime(0x12)));
        // The status breaks off and a real-time answer follows at once.
        assert_eq!(all(b"\x14\x00\x16"), [Answer::Realtime(0x16)]);
    }

    #[test]
    fn conditions_carry_their_word() {
        let mut condition = Condition::default();
        condition.realtime(Question::Printer, 0x1a);
        assert_eq!((condition.ready(), condition.code()), (false, "offline"));
        condition.realtime(Question::OfflineCause, 0x32);
        assert_eq!(condition.code(), "paper-out");
        condition.realtime(Question::OfflineCause, 0x16);
        assert_eq!(condition.code(), "cover-open");
        condition.auto([0x14, 0, 0x03, 0x0f]);
        assert_eq!((condition.ready(), condition.code()), (true, "paper-low"));
        condition.auto([0x1c, 0x08, 0x0f, 0x0f]);
        assert_eq!((condition.ready(), condition.code()), (false, "paper-out"));
    }

    fn any_answer() -> impl Strategy<Value = (Vec<u8>, Answer)> {
        let plain = |mask: u8| (any::<u8>()).prop_map(move |byte| byte & mask);
        prop_oneof![
            plain(0x6c).prop_map(|b| (vec![b | 0x12], Answer::Realtime(b | 0x12))),
            plain(0x0f).prop_map(|b| (vec![b], Answer::InOrder(b))),
            (plain(0x6c), prop::array::uniform3(plain(0x6f))).prop_map(|(first, [a, b, c])| {
                let bytes = [first | 0x10, a, b, c];
                (bytes.to_vec(), Answer::Auto(bytes))
            }),
            prop::array::uniform4(0x20..0x7fu8)
                .prop_map(|tag| { ([&[0x37, 0x22][..], &tag, &[0]].concat(), Answer::Tag(tag),) }),
            prop::collection::vec(1..=255u8, 0..40)
                .prop_map(|text| ([&[0x5f][..], &text, &[0]].concat(), Answer::Text(text))),
        ]
    }

    proptest! {
        #[test]
        fn any_sequence_of_answers_is_read_back(answers in prop::collection::vec(any_answer(), 0..20)) {
            let bytes: Vec<u8> = answers.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let expected: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
            prop_assert_eq!(all(&bytes), expected);
        }

        #[test]
        fn noise_never_jams_it(noise in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut demux = Demux::default();
            for byte in noise {
                let _ = demux.push(byte);
            }
            demux.gap();
            prop_assert_eq!(demux.push(0x12), Some(Answer::Realtime(0x12)));
        }
    }
}
