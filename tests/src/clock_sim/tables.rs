//! How the simulated clock gives out its tables: at once, through its buffer, or as old firmware
//! does; in frames of its own size.

use fournil_gateway::clock::wire::{Frame, code, u16_at, u32_at};

use super::device::{Device, Visitor, frame};
use super::fault::Fault;

/// Up to here a table comes at once, without the buffer.
const DIRECT_BYTES_MAX: usize = 1024;
/// No frame may reach the 16-bit length that some clients keep.
const PACKET_BYTES_MAX: usize = 0xffc0;

impl Device {
    pub(super) fn sizes(&mut self) -> Vec<u8> {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (mut users, mut records) =
            (count(self.store.users.len()), count(self.store.punches.len()));
        if self.faults.strikes(Fault::CountZero) || !self.model.has_counts {
            (users, records) = (0, 0);
        }
        if self.faults.strikes(Fault::CountLow) {
            records = records.saturating_sub(1);
        }
        let capacity = self.model.capacity;
        let mut fields = [0_u32; 28];
        fields[4] = users;
        fields[6] = users;
        fields[8] = records;
        fields[10] = count(self.store.operations.len());
        fields[12] = 1;
        fields[14..17].copy_from_slice(&[500, 500, capacity]);
        fields[17] = 500_u32.saturating_sub(users);
        fields[18] = 500_u32.saturating_sub(users);
        fields[19] = capacity.saturating_sub(records);
        let bytes = fields.iter().flat_map(|field| field.to_le_bytes());
        bytes.take(self.model.sizes_bytes).collect()
    }

    fn table(&mut self, command: u16) -> Option<Vec<u8>> {
        let records = match command {
            code::USERS_READ => self.store.users_table(self.model.users),
            code::LOG_READ => self.store.log(self.layout),
            code::OPERATIONS_READ => self.store.operations_table(),
            _ => return None,
        };
        self.counters.tables += 1;
        let total = u32::try_from(records.len()).unwrap_or(u32::MAX);
        Some([total.to_le_bytes().to_vec(), records].concat())
    }

    /// Puts a table into the buffer, or sends it at once when it is small.
    pub(super) fn prepare(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        let (session, reply) = (visitor.session, request.reply);
        if !self.model.has_buffer || self.faults.strikes(Fault::NoBuffer) {
            return vec![frame(code::ACK_ERROR, session, reply, Vec::new())];
        }
        let stream = match self.buffer.take() {
            // What a dead reader left behind.
            Some(held) => held,
            None => match self.table(u16_at(&request.data, 1).unwrap_or_default()) {
                Some(table) => table,
                None => return vec![frame(code::ACK_ERROR, session, reply, Vec::new())],
            },
        };
        if stream.len() <= DIRECT_BYTES_MAX || self.faults.strikes(Fault::Direct) {
            return vec![frame(code::DATA, session, reply, stream)];
        }
        let mut announced = u32::try_from(stream.len()).unwrap_or(u32::MAX);
        if self.faults.strikes(Fault::SizeLarger) {
            announced += 1000;
        }
        self.buffer = Some(stream);
        let size = announced.to_le_bytes();
        let data = [&[0][..], &size, &size, &0x0023_efcd_u32.to_le_bytes()].concat();
        vec![frame(code::ACK_OK, session, reply, data)]
    }

    pub(super) fn read_buffer(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        let at = |place| u32_at(&request.data, place).and_then(|part| usize::try_from(part).ok());
        let part =
            self.buffer.as_ref().zip(at(0).zip(at(4))).and_then(|(stream, (start, bytes))| {
                let end = stream.len().min(start.checked_add(bytes)?);
                stream.get(start..end).filter(|part| !part.is_empty()).map(<[u8]>::to_vec)
            });
        match part {
            Some(part) => self.stream(visitor, request.reply, &part),
            None => vec![frame(code::ACK_ERROR, visitor.session, request.reply, Vec::new())],
        }
    }

    /// The old way: the whole table as an answer to the plain command.
    pub(super) fn read_plain(&mut self, visitor: &Visitor, request: &Frame) -> Vec<Frame> {
        match self.table(request.command) {
            Some(table) => self.stream(visitor, request.reply, &table),
            None => vec![frame(code::ACK_ERROR, visitor.session, request.reply, Vec::new())],
        }
    }

    /// PREPARE_DATA, the data in packets, and the acknowledgement behind them. Here the
    /// session field counts the packets.
    fn stream(&mut self, visitor: &Visitor, reply: u16, part: &[u8]) -> Vec<Frame> {
        let bytes = u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        let most = visitor.packet_bytes_max.unwrap_or(usize::MAX);
        let packet_bytes = self.packet_bytes.min(most);
        let packet = u32::try_from(packet_bytes).unwrap_or(u32::MAX).to_le_bytes();
        let mut prepare = [bytes, packet].concat();
        if self.faults.strikes(Fault::ShortPrepare) {
            prepare.truncate(4);
        }
        let mut frames = vec![frame(code::PREPARE_DATA, 0, reply, prepare)];
        let packets = part.chunks(packet_bytes.min(PACKET_BYTES_MAX));
        let numbered = (0..).zip(packets);
        frames.extend(numbered.map(|(at, data)| frame(code::DATA, at, reply, data.to_vec())));
        let last = u16::try_from(frames.len().saturating_sub(2)).unwrap_or(u16::MAX);
        frames.push(frame(code::ACK_OK, last, reply, Vec::new()));
        frames
    }
}
