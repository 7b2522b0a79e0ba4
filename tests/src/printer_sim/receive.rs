//! Real-time commands, taken out of the byte stream as it arrives: they act out of
//! order, even inside the data of another command.

/// A command that acts when it is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Realtime {
    /// DLE EOT 1 to 4.
    Status(u8),
    /// DLE DC4 1.
    Drawer { pin: u8, on_ms: u32 },
    /// DLE DC4 8: clear the buffers.
    Clear,
    /// DLE ENQ 1 or 2.
    Recover,
}

/// Holds back the beginning of what may become a real-time command.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    held: Vec<u8>,
}

impl Scanner {
    /// Takes a byte; gives the bytes for the buffer and the command to act on.
    pub(super) fn push(&mut self, byte: u8) -> (Vec<u8>, Option<Realtime>) {
        self.held.push(byte);
        let realtime = match self.held.as_slice() {
            [0x10]
            | [0x10, 0x04 | 0x05 | 0x14]
            | [0x10, 0x14, 0x01]
            | [0x10, 0x14, 0x01, 0 | 1] => return (Vec::new(), None),
            [0x10, 0x04, question @ 1..=4] => Realtime::Status(*question),
            [0x10, 0x05, 1 | 2] => Realtime::Recover,
            [0x10, 0x14, 0x01, connector, tenths @ 1..=8] => Realtime::Drawer {
                pin: if *connector == 0 { 2 } else { 5 },
                on_ms: u32::from(*tenths) * 100,
            },
            [0x10, 0x14, 0x08, 0x01, 0x03, 0x14, 0x01, 0x06, 0x02, 0x08] => Realtime::Clear,
            [0x10, 0x14, 0x08, rest @ ..]
                if [0x01, 0x03, 0x14, 0x01, 0x06, 0x02, 0x08].starts_with(rest) =>
            {
                return (Vec::new(), None);
            }
            _ => return (self.give_up(), None),
        };
        self.held.clear();
        (Vec::new(), Some(realtime))
    }

    /// Not a real-time command: all but a new beginning goes to the buffer.
    fn give_up(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        if bytes.len() > 1 && bytes.last() == Some(&0x10) {
            bytes.pop();
            self.held.push(0x10);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bytes: &[u8]) -> (Vec<u8>, Vec<Realtime>) {
        let mut scanner = Scanner::default();
        let mut forwarded = Vec::new();
        let mut acted = Vec::new();
        for byte in bytes {
            let (bytes, realtime) = scanner.push(*byte);
            forwarded.extend(bytes);
            acted.extend(realtime);
        }
        (forwarded, acted)
    }

    #[test]
    fn questions_leave_the_stream_wherever_they_stand() {
        let (forwarded, acted) = run(b"ab\x10\x04\x01cd\x10\x10\x04\x04e\x10\x14\x01\x00\x01");
        assert_eq!(forwarded, b"abcd\x10e");
        let drawer = Realtime::Drawer { pin: 2, on_ms: 100 };
        assert_eq!(acted, [Realtime::Status(1), Realtime::Status(4), drawer]);
    }
}
