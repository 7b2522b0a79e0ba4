//! Reading a whole table: through the clock's buffer in chunks, directly, or in the
//! old style of firmware that knows no buffer.
//!
//! A table begins with its own length, and that is what counts: the length announced
//! by the buffer may be larger than the stream. Chunks are asked one after another;
//! records may straddle their borders, so nothing is decoded here. Lengths are
//! checked before memory is taken. A long log is not gathered: it is read part by part
//! ([`Passage`]), as often as one likes while the buffer holds it.

use tokio::time::{Duration, timeout};

use super::{ClientError, Session, Step, TRIES};
use crate::clock::wire::{Frame, buffer_request, chunk_request, code, u32_at};

/// What the vendor's own software asks for at once over TCP.
pub(in crate::clock) const CHUNK_BYTES_MAX: u32 = 0xffc0;
/// And over UDP.
const CHUNK_DATAGRAMS_MAX: u32 = 16_384;
/// More than any log; and most that is gathered of what comes without a buffer.
const TABLE_BYTES_MAX: usize = 32 << 20;
/// A log in the clock's buffer that is longer is read part by part.
const GATHERED_BYTES_MAX: u32 = 2 << 20;
/// In front of each table.
const LENGTH_BYTES: usize = 4;
/// How long the closing acknowledgement may lag behind complete data.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::clock) enum Table {
    Users,
    Log,
    /// What was done to the clock.
    Operations,
}

/// A table without the length in front of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBytes {
    pub records: Vec<u8>,
    /// What was odd about the transfer though the table is whole.
    pub warnings: Vec<String>,
}

/// The next smaller chunk to try after a failed reading; `None` when there is none.
pub(in crate::clock) fn smaller_chunk(chunk_bytes: u32) -> Option<u32> {
    match chunk_bytes {
        16_385.. => Some(16_384),
        4_097..=16_384 => Some(4_096),
        _ => None,
    }
}

/// What came of asking for a table.
enum Prepared {
    /// All of it, its length in front.
    Direct(Vec<u8>),
    Buffered(Buffered),
}

/// A log, or where it lies.
#[derive(Debug)]
pub(in crate::clock) enum StoredLog {
    Gathered(LogBytes),
    /// In the clock's buffer; free it when it was read.
    Buffered(Buffered),
}

/// A table in the clock's buffer.
#[derive(Debug, Clone, Copy)]
pub(in crate::clock) struct Buffered {
    step: Step,
    announced: usize,
    chunk_bytes: u32,
}

/// One passage through a buffer, from its beginning.
#[derive(Debug)]
pub(in crate::clock) struct Passage {
    buffered: Buffered,
    /// Bytes that came, the table's own length in front included.
    at: usize,
    length: Vec<u8>,
}

impl Buffered {
    pub(in crate::clock) fn passage(self) -> Passage {
        Passage { buffered: self, at: 0, length: Vec::with_capacity(LENGTH_BYTES) }
    }
}

impl Passage {
    /// Bytes of records, as the table itself says; `None` before its first part came.
    pub(in crate::clock) fn total(&self) -> Option<usize> {
        u32_at(&self.length, 0).and_then(|total| usize::try_from(total).ok())
    }

    fn is_over(&self) -> bool {
        let is_whole = self.total().is_some_and(|total| self.at >= LENGTH_BYTES + total);
        is_whole || self.at >= self.buffered.announced
    }

    /// The records in a part that has just come.
    fn take(&mut self, mut part: Vec<u8>) -> Vec<u8> {
        self.at += part.len();
        let missing = (LENGTH_BYTES - self.length.len()).min(part.len());
        self.length.extend(part.drain(..missing));
        let end = self.total().map_or(0, |total| LENGTH_BYTES + total);
        part.truncate(part.len().saturating_sub(self.at.saturating_sub(end)));
        part
    }
}

impl Table {
    fn step(self) -> Step {
        match self {
            Table::Users => Step::Users,
            Table::Log => Step::Log,
            Table::Operations => Step::Operations,
        }
    }

    fn request(self) -> Vec<u8> {
        match self {
            Table::Users => buffer_request(code::USERS_READ, 5),
            Table::Log => buffer_request(code::LOG_READ, 0),
            Table::Operations => buffer_request(code::OPERATIONS_READ, 0),
        }
    }

    fn old_request(self) -> (u16, Vec<u8>) {
        match self {
            Table::Users => (code::USERS_READ, vec![5]),
            Table::Log => (code::LOG_READ, Vec::new()),
            Table::Operations => (code::OPERATIONS_READ, Vec::new()),
        }
    }
}

impl Session {
    /// Reads a table whole or fails; a part of a table is never given out.
    pub(in crate::clock) async fn read_table(
        &mut self,
        table: Table,
        chunk_bytes: u32,
    ) -> Result<LogBytes, ClientError> {
        let within = self.timeouts.table;
        let reading = async {
            for _ in 1..TRIES {
                match self.read_stream(table, chunk_bytes).await {
                    // What came without a buffer has to come whole once more.
                    Err(ClientError::Lost { .. }) => {}
                    read => return read,
                }
            }
            self.read_stream(table, chunk_bytes).await
        };
        let Ok(stream) = timeout(within, reading).await else {
            self.is_broken = true;
            return Err(ClientError::NoAnswer { step: table.step(), after_s: within.as_secs() });
        };
        without_length(stream?, table.step())
    }

    async fn read_stream(
        &mut self,
        table: Table,
        chunk_bytes: u32,
    ) -> Result<Vec<u8>, ClientError> {
        match self.prepare(table, chunk_bytes).await? {
            Prepared::Direct(stream) => Ok(stream),
            Prepared::Buffered(buffered) => {
                let stream = self.gather(buffered).await?;
                self.free_buffer().await?;
                Ok(stream)
            }
        }
    }

    /// The log, left in the clock's buffer where it is long.
    pub(in crate::clock) async fn open_log(
        &mut self,
        chunk_bytes: u32,
    ) -> Result<StoredLog, ClientError> {
        let prepared = match self.prepare(Table::Log, chunk_bytes).await {
            Err(ClientError::Lost { .. }) => None,
            prepared => Some(prepared?),
        };
        match prepared {
            Some(Prepared::Buffered(buffered))
                if buffered.announced > GATHERED_BYTES_MAX as usize =>
            {
                Ok(StoredLog::Buffered(buffered))
            }
            Some(Prepared::Direct(stream)) => {
                without_length(stream, Step::Log).map(StoredLog::Gathered)
            }
            // Short: prepared again, which costs one answer.
            Some(Prepared::Buffered(_)) | None => {
                self.read_table(Table::Log, chunk_bytes).await.map(StoredLog::Gathered)
            }
        }
    }

    async fn prepare(&mut self, table: Table, chunk_bytes: u32) -> Result<Prepared, ClientError> {
        let step = table.step();
        self.free_buffer().await?;
        let answer = self.ask(step, code::BUFFER_PREPARE, table.request()).await?;
        let stream = match (answer.command, u32_at(&answer.data, 1)) {
            (code::DATA, _) => self.direct(step, answer.data)?,
            (code::PREPARE_DATA, _) => self.collect(step, &answer, TABLE_BYTES_MAX).await?,
            (code::ACK_OK, Some(bytes)) => {
                let announced = checked(step, bytes, TABLE_BYTES_MAX)?;
                return Ok(Prepared::Buffered(Buffered { step, announced, chunk_bytes }));
            }
            (code::ACK_UNAUTH, _) => {
                return Err(ClientError::KeyRefused { target: self.target.clone() });
            }
            _ => self.read_old_style(table).await?,
        };
        Ok(Prepared::Direct(stream))
    }

    async fn read_old_style(&mut self, table: Table) -> Result<Vec<u8>, ClientError> {
        let (command, data) = table.old_request();
        let answer = self.command(table.step(), command, data).await?;
        match answer.command {
            code::PREPARE_DATA => self.collect(table.step(), &answer, TABLE_BYTES_MAX).await,
            _ => self.direct(table.step(), answer.data),
        }
    }

    /// A table in one frame. Where frames may be lost, it may be one of many whose announcement
    /// was: then its own length is another.
    fn direct(&self, step: Step, stream: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let rest = stream.len().saturating_sub(4);
        let is_exact = u32_at(&stream, 0).is_some_and(|total| usize::try_from(total) == Ok(rest));
        let is_sure = !self.link.is_lossy || stream.is_empty() || is_exact;
        if is_sure { Ok(stream) } else { Err(ClientError::Lost { step }) }
    }

    /// The whole of a buffered table, its length in front.
    async fn gather(&mut self, buffered: Buffered) -> Result<Vec<u8>, ClientError> {
        let mut passage = buffered.passage();
        let mut records = Vec::new();
        while let Some(part) = self.next_part(&mut passage).await? {
            records.extend_from_slice(&part);
        }
        Ok([passage.length, records].concat())
    }

    /// The next records of a passage, cut anywhere; `None` at its end. Fails where the clock
    /// gives less than the table says.
    pub(in crate::clock) async fn next_part(
        &mut self,
        passage: &mut Passage,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let Buffered { step, announced, .. } = passage.buffered;
        let most = if self.link.is_lossy { CHUNK_DATAGRAMS_MAX } else { CHUNK_BYTES_MAX };
        while !passage.is_over() {
            let asked = passage.buffered.chunk_bytes.clamp(1, most);
            let left = u32::try_from(announced - passage.at).unwrap_or(u32::MAX);
            let start = u32::try_from(passage.at).unwrap_or(u32::MAX);
            let chunk = self.read_chunk(step, start, asked.min(left)).await?;
            if !chunk.is_empty() {
                return Ok(Some(passage.take(chunk)));
            }
            match smaller_chunk(asked) {
                Some(smaller) => passage.buffered.chunk_bytes = smaller,
                None => break,
            }
        }
        let came = passage.at.saturating_sub(LENGTH_BYTES);
        match passage.total() {
            Some(total) if came < total => {
                Err(senseless(step, format!("{came} of {total} bytes arrived")))
            }
            _ => Ok(None),
        }
    }

    /// A part of the buffer, empty where the clock does not give it. Where frames may be lost
    /// it is asked for again, under a new number, so that two answers cannot mix.
    async fn read_chunk(
        &mut self,
        step: Step,
        start: u32,
        wanted: u32,
    ) -> Result<Vec<u8>, ClientError> {
        let mut tries = if self.link.is_lossy { TRIES } else { 1 };
        loop {
            tries -= 1;
            match self.read_chunk_once(step, start, wanted).await {
                Err(ClientError::Lost { .. }) if tries > 0 => {}
                Err(ClientError::NoAnswer { .. }) if tries > 0 => self.is_broken = false,
                read => return read,
            }
        }
    }

    async fn read_chunk_once(
        &mut self,
        step: Step,
        start: u32,
        wanted: u32,
    ) -> Result<Vec<u8>, ClientError> {
        let request = chunk_request(start, wanted);
        let answer = self.ask(step, code::BUFFER_READ, request).await?;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let chunk = match answer.command {
            // One of many frames whose announcement was lost.
            code::DATA if self.link.is_lossy && answer.data.len() != wanted => {
                return Err(ClientError::Lost { step });
            }
            code::DATA => answer.data,
            code::PREPARE_DATA => self.collect(step, &answer, wanted).await?,
            code::ACK_OK if self.link.is_lossy => return Err(ClientError::Lost { step }),
            // The clock has forgotten this session: that is no end of a table.
            code::ACK_UNAUTH => {
                self.is_broken = true;
                return Err(ClientError::KeyRefused { target: self.target.clone() });
            }
            _ => Vec::new(),
        };
        if chunk.len() > wanted {
            return Err(senseless(step, format!("{} bytes for {wanted}", chunk.len())));
        }
        Ok(chunk)
    }

    /// Takes the data frames after a PREPARE_DATA, to the acknowledgement behind them.
    async fn collect(
        &mut self,
        step: Step,
        prepare: &Frame,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let announced = u32_at(&prepare.data, 0).unwrap_or_default();
        let announced = checked(step, announced, bytes_max)?;
        if self.link.is_lossy {
            return self.collect_datagrams(step, announced).await;
        }
        let mut stream = Vec::with_capacity(announced);
        loop {
            let is_complete = stream.len() == announced;
            let frame = match timeout(CLOSING_TIMEOUT, self.answer(step)).await {
                Ok(frame) => frame?,
                // `answer` is cancel safe here: it holds nothing between two frames.
                Err(_) if is_complete => return Ok(stream),
                Err(_) => self.answer(step).await?,
            };
            match frame.command {
                code::DATA if stream.len() + frame.data.len() <= announced => {
                    stream.extend_from_slice(&frame.data);
                }
                code::DATA => return Err(senseless(step, "more data than announced".to_owned())),
                code::ACK_OK => return Ok(stream),
                answer => return Err(ClientError::Refused { step, answer }),
            }
        }
    }
}

impl Session {
    /// The same where frames may be lost: all of it, once and in order, or
    /// [`ClientError::Lost`].
    async fn collect_datagrams(
        &mut self,
        step: Step,
        announced: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let mut parts: Vec<(u16, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        // The acknowledgement that comes late belongs to no later request.
        while bytes < announced {
            match self.answer(step).await {
                Ok(frame) if frame.command == code::DATA => {
                    bytes += frame.data.len();
                    parts.push((frame.session, frame.data));
                }
                Ok(frame) if frame.command == code::ACK_OK => break,
                Ok(frame) => return Err(ClientError::Refused { step, answer: frame.command }),
                Err(ClientError::NoAnswer { .. }) => {
                    self.is_broken = false;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if bytes != announced || !is_in_order(parts.iter().map(|(place, _)| *place)) {
            return Err(ClientError::Lost { step });
        }
        Ok(parts.into_iter().flat_map(|(_, data)| data).collect())
    }
}

/// Whether places that count up do so one by one. Firmware that puts the same number into each
/// frame does not say, and is believed.
fn is_in_order(places: impl Iterator<Item = u16>) -> bool {
    let places: Vec<u16> = places.collect();
    let is_same = places.windows(2).all(|pair| pair.first() == pair.last());
    let follows = |pair: &[u16]| match *pair {
        [before, after] => before.checked_add(1) == Some(after),
        _ => true,
    };
    is_same || places.windows(2).all(follows)
}

fn checked(step: Step, announced: u32, bytes_max: usize) -> Result<usize, ClientError> {
    let bytes = usize::try_from(announced).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        return Err(senseless(step, format!("{bytes} bytes announced, {bytes_max} possible")));
    }
    Ok(bytes)
}

fn senseless(step: Step, what: String) -> ClientError {
    ClientError::Senseless { step, what }
}

fn without_length(mut stream: Vec<u8>, step: Step) -> Result<LogBytes, ClientError> {
    if stream.is_empty() {
        return Ok(LogBytes::default());
    }
    let total = u32_at(&stream, 0).and_then(|total| usize::try_from(total).ok());
    let Some(total) = total else {
        return Err(senseless(step, format!("a table of {} bytes", stream.len())));
    };
    stream.drain(..4);
    if stream.len() < total {
        return Err(senseless(step, format!("{} of {total} bytes arrived", stream.len())));
    }
    let mut warnings = Vec::new();
    if stream.len() > total {
        warnings.push(format!("{} bytes too many after the table", stream.len() - total));
        stream.truncate(total);
    }
    Ok(LogBytes { records: stream, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_overtook_each_other_are_seen() {
        assert!(is_in_order([0, 1, 2].into_iter()));
        assert!(is_in_order([7, 7, 7].into_iter()), "it says nothing");
        assert!(is_in_order([5].into_iter()) && is_in_order(std::iter::empty()));
        for wrong in [[0, 2, 1], [0, 0, 1], [1, 0, 2], [0, 1, 3]] {
            assert!(!is_in_order(wrong.into_iter()), "{wrong:?}");
        }
    }
}
