//! The cable as USB: a printer-class device for the kernel's `vhci_hcd`, over USB/IP on a socket
//! pair whose other end is given to the kernel through sysfs (which takes root and that module:
//! the rig in `tests/usb` has both).
//!
//! A transfer that the printer has no room for stays pending, as a device that answers NAK; a
//! stalled pipe refuses every transfer until the host clears it; a cable that is pulled takes
//! what was on its way with it.
//!
//! Source: the kernel's Documentation/usb/usbip_protocol.rst and the USB printer class, 1.1.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::state::{Shared, Switches};

const HEAD_BYTES: usize = 48;
const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const ANSWER_SUBMIT: u32 = 3;
const ANSWER_UNLINK: u32 = 4;
const STALL: i32 = -32;
const UNLINKED: i32 = -104;
/// Transfers in work at a time; the kernel has fewer.
const REQUESTS_MAX: usize = 64;
const TRANSFER_BYTES_MAX: usize = 1 << 20;
const HIGH_SPEED: u32 = 3;
const DEVICE_ID: &str = "MFG:FOURNIL;MDL:SIM80;CMD:ESC/POS;CLS:PRINTER;SN:SIM0001;";
const DEVICE: [u8; 18] = [18, 1, 0, 2, 0, 0, 0, 64, 0x09, 0x12, 0x02, 0, 0, 1, 1, 2, 3, 1];
/// One interface of the printer class, two ways; bulk out on 01, in on 82.
const CONFIGURATION: [u8; 32] = [
    9, 2, 32, 0, 1, 1, 0, 0xc0, 50, 9, 4, 0, 0, 2, 7, 1, 2, 0, 7, 5, 0x01, 2, 0, 2, 0, 7, 5, 0x82,
    2, 0, 2, 0,
];
const VHCI: &str = "/sys/devices/platform/vhci_hcd.0";

/// Plugs the printer in, again after each time its cable was pulled or its power was off.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut watch = shared.watch();
    loop {
        let is_there = {
            let inner = shared.lock();
            inner.switches.power && inner.switches.usb_plugged
        };
        if is_there {
            match plug_in().await {
                Ok(socket) => device(&shared, socket, &stop).await,
                Err(error) => {
                    tracing::error!(%error, "the printer cannot be plugged into {VHCI}");
                    return;
                }
            }
            // The line broke by itself: as a cable that was pulled.
            shared.switch(|switches| switches.usb_plugged = false);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = watch.changed() => if changed.is_err() { return },
        }
    }
}

/// Gives the kernel one end of a socket pair as a device on a free port.
async fn plug_in() -> io::Result<UnixStream> {
    let (mine, theirs) = std::os::unix::net::UnixStream::pair()?;
    mine.set_nonblocking(true)?;
    let status = tokio::fs::read_to_string(format!("{VHCI}/status")).await?;
    let free = status.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let (hub, port, state) = (columns.next()?, columns.next()?, columns.next()?);
        (hub == "hs" && state.parse() == Ok(4)).then(|| port.parse::<u32>().ok()).flatten()
    });
    let port = free.ok_or_else(|| io::Error::other("no free port"))?;
    let line = format!("{port} {} {} {HIGH_SPEED}", theirs.as_raw_fd(), 0x0001_0002);
    tokio::fs::write(format!("{VHCI}/attach"), line).await?;
    UnixStream::from_std(mine)
}

#[derive(Debug)]
enum Request {
    Control { seq: u32, setup: [u8; 8], length: usize },
    In { seq: u32, length: usize },
    Out { seq: u32, data: Vec<u8> },
    Unlink { seq: u32, victim: u32 },
}

fn word(head: &[u8], place: usize) -> u32 {
    let bytes = head.get(place..place + 4).and_then(|bytes| bytes.try_into().ok());
    u32::from_be_bytes(bytes.unwrap_or_default())
}

async fn read_requests(mut socket: OwnedReadHalf, told: mpsc::Sender<Request>) {
    loop {
        let mut head = [0; HEAD_BYTES];
        if socket.read_exact(&mut head).await.is_err() {
            return;
        }
        let (command, seq, is_in, endpoint) =
            (word(&head, 0), word(&head, 4), word(&head, 12) == 1, word(&head, 16));
        let length = word(&head, 24) as usize;
        let mut data = Vec::new();
        if command == SUBMIT && !is_in {
            if length > TRANSFER_BYTES_MAX {
                return;
            }
            data.resize(length, 0);
            if socket.read_exact(&mut data).await.is_err() {
                return;
            }
        }
        let request = match (command, endpoint, is_in) {
            (UNLINK, ..) => Request::Unlink { seq, victim: word(&head, 20) },
            (_, 0, _) => {
                let setup = head.get(40..).and_then(|setup| setup.try_into().ok());
                Request::Control { seq, setup: setup.unwrap_or_default(), length }
            }
            (_, _, true) => Request::In { seq, length },
            (_, _, false) => Request::Out { seq, data },
        };
        if told.send(request).await.is_err() {
            return;
        }
    }
}

/// Serves the host until the cable is pulled or the power goes.
async fn device(shared: &Shared, socket: UnixStream, stop: &CancellationToken) {
    let Some((epoch, mut answers)) = shared.connect() else { return };
    let (reader, writer) = socket.into_split();
    let (told, mut requests) = mpsc::channel(REQUESTS_MAX);
    let reading = tokio::spawn(read_requests(reader, told));
    let mut pipes = Pipes {
        shared,
        epoch,
        writer,
        said: Vec::new(),
        ins: VecDeque::new(),
        outs: VecDeque::new(),
    };
    let mut watch = shared.watch();
    loop {
        let is_there = {
            let inner = shared.lock();
            inner.power_epoch == epoch && inner.switches.usb_plugged
        };
        if !is_there || pipes.pump().await.is_err() {
            break;
        }
        // Cancel safe: channel receives and watches lose nothing when dropped.
        let went_on = tokio::select! {
            () = stop.cancelled() => break,
            Some(answer) = answers.recv() => {
                pipes.said.extend(answer);
                Ok(())
            }
            request = requests.recv() => match request {
                Some(request) => pipes.take(request).await,
                None => break,
            },
            changed = watch.changed() => if changed.is_err() { break } else { Ok(()) },
        };
        if went_on.is_err() {
            break;
        }
    }
    reading.abort();
    shared.disconnect();
}

struct Pipes<'a> {
    shared: &'a Shared,
    epoch: u64,
    writer: OwnedWriteHalf,
    /// What the printer has to say and the host has not fetched.
    said: Vec<u8>,
    ins: VecDeque<(u32, usize)>,
    outs: VecDeque<(u32, Vec<u8>)>,
}

impl Pipes<'_> {
    async fn take(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Control { seq, setup, length } => self.control(seq, setup, length).await,
            Request::In { seq, length } => {
                self.ins.push_back((seq, length));
                Ok(())
            }
            Request::Out { seq, .. } if self.shared.lock().switches.usb_stall => {
                self.answer(seq, STALL, 0, &[]).await
            }
            Request::Out { seq, data } => {
                self.outs.push_back((seq, data));
                Ok(())
            }
            Request::Unlink { seq, victim } => {
                let before = self.ins.len() + self.outs.len();
                self.ins.retain(|(seq, _)| *seq != victim);
                self.outs.retain(|(seq, _)| *seq != victim);
                let hit = self.ins.len() + self.outs.len() < before;
                let status = if hit { UNLINKED } else { 0 };
                self.write(ANSWER_UNLINK, seq, status, 0, &[]).await
            }
        }
    }

    /// Moves what can be moved.
    async fn pump(&mut self) -> io::Result<()> {
        // A transfer is taken whole or not at all: one that the host gives up has no count.
        while self.shared.room() > 0 {
            let Some((seq, data)) = self.outs.pop_front() else { break };
            if !self.shared.receive(self.epoch, &data) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.answer(seq, 0, data.len(), &[]).await?;
        }
        while !self.said.is_empty() {
            let Some((seq, length)) = self.ins.pop_front() else { break };
            let data: Vec<u8> = self.said.drain(..self.said.len().min(length)).collect();
            self.answer(seq, 0, data.len(), &data).await?;
        }
        Ok(())
    }

    async fn control(&mut self, seq: u32, setup: [u8; 8], length: usize) -> io::Result<()> {
        let [kind, request, value_low, value_high, ..] = setup;
        let told = match (kind, request) {
            (0x80, 6) => descriptor(value_high, value_low),
            (0x80..=0x82, 0) => Some(vec![0, 0]),
            (0x00, 5 | 9) | (0x01, 11) => Some(Vec::new()),
            // CLEAR_FEATURE of an endpoint: its halt.
            (0x02, 1) => {
                self.shared.switch(|switches| switches.usb_stall = false);
                Some(Vec::new())
            }
            (0xa1, 0) => {
                let length = u16::try_from(DEVICE_ID.len() + 2).unwrap_or(u16::MAX);
                Some([&length.to_be_bytes()[..], DEVICE_ID.as_bytes()].concat())
            }
            (0xa1, 1) => Some(vec![port_status(&self.shared.lock().switches)]),
            _ => None,
        };
        match told {
            Some(mut data) if kind & 0x80 != 0 => {
                data.truncate(length);
                self.answer(seq, 0, data.len(), &data).await
            }
            Some(_) => self.answer(seq, 0, length, &[]).await,
            None => self.answer(seq, STALL, 0, &[]).await,
        }
    }

    async fn answer(&mut self, seq: u32, status: i32, count: usize, data: &[u8]) -> io::Result<()> {
        self.write(ANSWER_SUBMIT, seq, status, count, data).await
    }

    async fn write(
        &mut self,
        command: u32,
        seq: u32,
        status: i32,
        count: usize,
        data: &[u8],
    ) -> io::Result<()> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let words = [command, seq, 0, 0, 0, status.cast_unsigned(), count, 0, u32::MAX, 0, 0, 0];
        let mut frame: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        frame.extend_from_slice(data);
        self.writer.write_all(&frame).await
    }
}

fn descriptor(kind: u8, index: u8) -> Option<Vec<u8>> {
    let text = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u8::try_from(units.len() + 2).unwrap_or(u8::MAX);
        [&[length, 3][..], &units].concat()
    };
    match (kind, index) {
        (1, _) => Some(DEVICE.to_vec()),
        (2, _) => Some(CONFIGURATION.to_vec()),
        (3, 0) => Some(vec![4, 3, 9, 4]),
        (3, 1) => Some(text("FOURNIL")),
        (3, 2) => Some(text("SIM80")),
        (3, 3) => Some(text("SIM0001")),
        (6, _) => Some(vec![10, 6, 0, 2, 0, 0, 0, 64, 1, 0]),
        _ => None,
    }
}

/// GET_PORT_STATUS: no error (08), selected (10), paper empty (20).
fn port_status(switches: &Switches) -> u8 {
    let bit = |on: bool, mask: u8| if on { mask } else { 0 };
    bit(switches.online() || !switches.paper, 0x08)
        | bit(switches.online(), 0x10)
        | bit(!switches.paper, 0x20)
}
