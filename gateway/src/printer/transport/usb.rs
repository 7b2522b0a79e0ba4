//! A printer on a USB cable, through libusb, on two threads of its own because its calls block.
//!
//! Not through `/dev/usb/lp0`: the kernel's driver says "written" for bytes that a stall or a
//! close throws away. That driver is detached while the printer is used here and comes back
//! afterwards. The device is never reset and its configuration never set: what a printer still
//! has to say of the job before would be lost.
//!
//! One transfer at a time and a count for each, because the count decides what may be printed
//! again. The threads end when the link is closed or dropped.

use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusb::ffi::constants as libusb;
use rusb::{Context, Device, DeviceHandle, Direction, TransferType, UsbContext};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{LinkError, OPEN_TIMEOUT, Step};
use crate::i18n::say;
use crate::printer::config::UsbAddress;

const CHUNK_BYTES: usize = 4_096;
const READ_BYTES: usize = 512;
/// How long one transfer may wait for a printer that takes or says nothing, before the thread
/// looks whether it is still wanted.
const TRANSFER_TIMEOUT: Duration = Duration::from_millis(500);
const LISTEN_TIMEOUT: Duration = Duration::from_millis(200);
const RECEIVED_MAX: usize = 64;
/// How long an answer waits for the news that its question went out: two threads bring them.
const QUESTION_FIRST: Duration = Duration::from_millis(20);
const CLASS_PRINTER: u8 = 7;
const CLASS_VENDOR: u8 = 0xff;
/// Makers whose printers may present themselves as "vendor class": Epson.
const VENDOR_CLASS_MAKERS: [u16; 1] = [0x04b8];
const PROTOCOL_BIDIRECTIONAL: u8 = 2;

/// GET_PORT_STATUS of the printer class: device to host, class, interface.
const ASK_PORT: (u8, u8) = (0xa1, 1);
const PORT_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct UsbLink {
    handle: Arc<DeviceHandle<Context>>,
    interface: u8,
    chunks: std::sync::mpsc::SyncSender<Vec<u8>>,
    written: mpsc::Receiver<Written>,
    received: mpsc::Receiver<Result<Vec<u8>, rusb::Error>>,
    /// Keeps `received` open where the printer has no way back.
    silence: mpsc::Sender<Result<Vec<u8>, rusb::Error>>,
    /// Bytes of the chunk that is with the writer thread.
    in_flight: usize,
    /// Said by the printer, told at the next step.
    heard: Vec<u8>,
    /// Each holds the device; the last to end gives it back to the kernel's driver.
    threads: Vec<thread::JoinHandle<()>>,
}

/// Bytes the device acknowledged, and what stopped it.
#[derive(Debug)]
struct Written {
    bytes: usize,
    error: Option<rusb::Error>,
}

/// A printer that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub address: UsbAddress,
    /// Maker and model as the device says them; empty where it may not be opened.
    pub name: String,
}

/// The bulk pipes of a printer's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pipes {
    interface: u8,
    alternate: u8,
    protocol: u8,
    out: u8,
    back: Option<u8>,
}

/// Every USB printer of this machine. Blocks; opens what it may to learn its name.
pub fn found() -> Result<Vec<Found>, LinkError> {
    let failed = |error| LinkError::new(say("printer-usb-list", &[]), of_usb(error));
    let devices = Context::new().and_then(|context| context.devices()).map_err(failed)?;
    let mut found = Vec::new();
    for device in devices.iter() {
        let Ok(descriptor) = device.device_descriptor() else { continue };
        if pipes(&device, descriptor.vendor_id()).is_none() {
            continue;
        }
        let handle = device.open().ok();
        let told = |index: Option<u8>| {
            let text = handle.as_ref()?.read_string_descriptor_ascii(index?).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let name =
            [told(descriptor.manufacturer_string_index()), told(descriptor.product_string_index())];
        let address = UsbAddress {
            vendor: descriptor.vendor_id(),
            product: descriptor.product_id(),
            serial: told(descriptor.serial_number_string_index()),
            port: Some(port_of(&device)),
        };
        found.push(Found {
            address,
            name: name.into_iter().flatten().collect::<Vec<_>>().join(" "),
        });
    }
    Ok(found)
}

impl UsbLink {
    pub(super) async fn open(address: &UsbAddress) -> Result<Self, LinkError> {
        let doing = || say("printer-usb-open", &[("address", address)]);
        let wanted = address.clone();
        let opening = tokio::task::spawn_blocking(move || claim(&wanted));
        let (handle, pipes) = timeout(OPEN_TIMEOUT, opening)
            .await
            .map_err(|_| LinkError::new(doing(), io::ErrorKind::TimedOut.into()))?
            .map_err(|error| LinkError::new(doing(), io::Error::other(error)))?
            .map_err(|source| LinkError::new(doing(), source))?;
        let handle = Arc::new(handle);
        let (chunks, chunks_taken) = std::sync::mpsc::sync_channel(1);
        let (written_told, written) = mpsc::channel(1);
        let (received_told, received) = mpsc::channel(RECEIVED_MAX);
        let failed = |source| LinkError::new(doing(), source);
        let writer = handle.clone();
        let mut threads = Vec::new();
        let thread = thread::Builder::new()
            .name("printer-write".to_owned())
            .spawn(move || write_chunks(&writer, pipes.out, &chunks_taken, &written_told))
            .map_err(failed)?;
        threads.push(thread);
        if let Some(back) = pipes.back {
            let (told, handle) = (received_told.clone(), handle.clone());
            let thread = thread::Builder::new()
                .name("printer-read".to_owned())
                .spawn(move || read_pieces(&handle, back, &told))
                .map_err(failed)?;
            threads.push(thread);
        }
        Ok(Self {
            handle,
            interface: pipes.interface,
            chunks,
            written,
            received,
            silence: received_told,
            in_flight: 0,
            heard: Vec::new(),
            threads,
        })
    }

    pub(super) async fn step(&mut self, out: &[u8], wait: Duration) -> Result<Step, LinkError> {
        if self.in_flight == 0 && !out.is_empty() {
            let chunk: Vec<u8> = out.iter().take(CHUNK_BYTES).copied().collect();
            let bytes = chunk.len();
            let gone = |_| self.broken(rusb::Error::NoDevice);
            self.chunks.send(chunk).map_err(gone)?;
            self.in_flight = bytes;
        }
        if !self.heard.is_empty() {
            return Ok(Step { written: 0, received: std::mem::take(&mut self.heard) });
        }
        let writing = self.in_flight > 0;
        // Both branches are channel receives, which are cancel safe. What the printer says is
        // heard first: it may be the proof that came before the cable was pulled.
        let event = timeout(wait, async {
            tokio::select! {
                biased;
                received = self.received.recv() => Event::Received(received),
                written = self.written.recv(), if writing => Event::Written(written),
            }
        })
        .await;
        match event {
            Err(_) => Ok(Step::default()),
            Ok(Event::Written(Some(Written { bytes, error: None }))) => {
                self.in_flight = 0;
                Ok(Step { written: bytes, received: Vec::new() })
            }
            Ok(Event::Received(Some(Ok(received)))) if writing => {
                // An answer must not be heard before its question is known to be out.
                match timeout(QUESTION_FIRST, self.written.recv()).await {
                    Ok(Some(Written { bytes, error: None })) => {
                        self.in_flight = 0;
                        self.heard = received;
                        Ok(Step { written: bytes, received: Vec::new() })
                    }
                    Ok(Some(Written { error: Some(error), .. })) => Err(self.broken(error)),
                    Ok(None) => Err(self.broken(rusb::Error::NoDevice)),
                    Err(_) => Ok(Step { written: 0, received }),
                }
            }
            Ok(Event::Received(Some(Ok(received)))) => Ok(Step { written: 0, received }),
            Ok(
                Event::Written(Some(Written { error: Some(error), .. }))
                | Event::Received(Some(Err(error))),
            ) => Err(self.broken(error)),
            Ok(Event::Written(None) | Event::Received(None)) => {
                Err(self.broken(rusb::Error::NoDevice))
            }
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nothing is kept on the way: a byte counted is in the printer.
    pub(super) fn unsent(&self) -> u64 {
        self.in_flight as u64
    }

    /// The port's own word, by the control pipe: heard also while the printer takes no bytes.
    /// `None` where it gives none.
    pub(super) async fn port_status(&self) -> Option<u8> {
        let (handle, interface) = (self.handle.clone(), u16::from(self.interface));
        let asking = tokio::task::spawn_blocking(move || {
            let mut status = [0];
            let (kind, request) = ASK_PORT;
            let asked = handle.read_control(kind, request, 0, interface, &mut status, PORT_TIMEOUT);
            asked.ok().filter(|count| *count == status.len()).map(|_| status[0])
        });
        asking.await.ok().flatten()
    }

    /// Waits until the device is given back, so that whoever comes next finds it free.
    pub(super) async fn close(self) {
        let Self { handle, chunks, written, received, silence, threads, .. } = self;
        // Without these the threads end, within the time of one transfer.
        drop((handle, chunks, written, received, silence));
        let ending = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = ending.await;
    }

    fn broken(&self, error: rusb::Error) -> LinkError {
        let mut error = LinkError::new(say("printer-usb-broke", &[]), of_usb(error));
        error.uncertain_bytes = self.in_flight;
        error
    }
}

enum Event {
    Written(Option<Written>),
    Received(Option<Result<Vec<u8>, rusb::Error>>),
}

/// Finds the one printer meant and takes its interface from the kernel's driver.
fn claim(wanted: &UsbAddress) -> io::Result<(DeviceHandle<Context>, Pipes)> {
    let devices = Context::new().and_then(|context| context.devices()).map_err(of_usb)?;
    let mut candidates = Vec::new();
    for device in devices.iter() {
        let Ok(descriptor) = device.device_descriptor() else { continue };
        let is_kind =
            (descriptor.vendor_id(), descriptor.product_id()) == (wanted.vendor, wanted.product);
        let is_place = wanted.port.as_ref().is_none_or(|port| *port == port_of(&device));
        if !is_kind || !is_place {
            continue;
        }
        let Some(pipes) = pipes(&device, wanted.vendor) else { continue };
        let handle = device.open().map_err(of_usb)?;
        if let Some(serial) = &wanted.serial {
            let index = descriptor.serial_number_string_index();
            let told = index.and_then(|index| handle.read_string_descriptor_ascii(index).ok());
            if told.as_deref().map(str::trim) != Some(serial) {
                continue;
            }
        }
        candidates.push((handle, pipes));
    }
    let several = candidates.len() > 1;
    let Some((handle, pipes)) = candidates.pop().filter(|_| !several) else {
        let id = if several { "printer-usb-several" } else { "printer-usb-none" };
        return Err(io::Error::new(io::ErrorKind::NotFound, say(id, &[("address", wanted)])));
    };
    // Not supported where there is no such driver to detach.
    let _ = handle.set_auto_detach_kernel_driver(true);
    handle.claim_interface(pipes.interface).map_err(of_usb)?;
    if pipes.alternate != 0 {
        handle.set_alternate_setting(pipes.interface, pipes.alternate).map_err(of_usb)?;
    }
    Ok((handle, pipes))
}

/// The best way into a printer: with a way back where there is one. `None` when the device is
/// no printer.
fn pipes(device: &Device<Context>, vendor: u16) -> Option<Pipes> {
    let config = device.active_config_descriptor().ok()?;
    let mut found = Vec::new();
    for setting in config.interfaces().flat_map(|interface| interface.descriptors()) {
        let is_printer = setting.class_code() == CLASS_PRINTER
            || setting.class_code() == CLASS_VENDOR && VENDOR_CLASS_MAKERS.contains(&vendor);
        if !is_printer {
            continue;
        }
        let bulk = |direction| {
            setting
                .endpoint_descriptors()
                .find(|e| e.transfer_type() == TransferType::Bulk && e.direction() == direction)
                .map(|endpoint| endpoint.address())
        };
        let Some(out) = bulk(Direction::Out) else { continue };
        found.push(Pipes {
            interface: setting.interface_number(),
            alternate: setting.setting_number(),
            protocol: setting.protocol_code(),
            out,
            back: bulk(Direction::In),
        });
    }
    found.into_iter().max_by_key(|pipes| {
        (pipes.protocol == PROTOCOL_BIDIRECTIONAL, pipes.back.is_some(), pipes.alternate == 0)
    })
}

/// Bus and ports from the root, as in `1-2.3`: the same as long as the cable stays where it is.
fn port_of(device: &Device<Context>) -> String {
    let ports: Vec<String> =
        device.port_numbers().unwrap_or_default().iter().map(u8::to_string).collect();
    format!("{}-{}", device.bus_number(), ports.join("."))
}

fn write_chunks(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    chunks: &std::sync::mpsc::Receiver<Vec<u8>>,
    told: &mpsc::Sender<Written>,
) {
    while let Ok(chunk) = chunks.recv() {
        let written = loop {
            let (bytes, error) = bulk_out(handle, endpoint, &chunk);
            match error {
                // It takes nothing now: out of paper, or at work.
                Some(rusb::Error::Timeout) if bytes == 0 && !told.is_closed() => {}
                Some(rusb::Error::Timeout) | None => break Written { bytes, error: None },
                Some(error) => {
                    if error == rusb::Error::Pipe {
                        // It goes on from here; whether the chunk is in it, nobody knows.
                        let _ = handle.clear_halt(endpoint);
                    }
                    break Written { bytes, error: Some(error) };
                }
            }
        };
        let is_broken = written.error.is_some();
        if told.blocking_send(written).is_err() || is_broken {
            return;
        }
    }
}

fn read_pieces(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    told: &mpsc::Sender<Result<Vec<u8>, rusb::Error>>,
) {
    let mut bytes = [0; READ_BYTES];
    let mut has_halted = false;
    while !told.is_closed() {
        let piece = match handle.read_bulk(endpoint, &mut bytes, LISTEN_TIMEOUT) {
            Ok(0) | Err(rusb::Error::Timeout) => continue,
            Ok(count) => Ok(bytes.iter().take(count).copied().collect()),
            Err(rusb::Error::Pipe) if !has_halted => {
                has_halted = true;
                let _ = handle.clear_halt(endpoint);
                continue;
            }
            Err(error) => Err(error),
        };
        let is_broken = piece.is_err();
        if told.blocking_send(piece).is_err() || is_broken {
            return;
        }
    }
}

/// Sends bytes and gives how many the device acknowledged, also when it did not take them all.
/// rusb's own `write_bulk` gives the count or the error, never both.
fn bulk_out(
    handle: &DeviceHandle<Context>,
    endpoint: u8,
    bytes: &[u8],
) -> (usize, Option<rusb::Error>) {
    let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
    let wait_ms = u32::try_from(TRANSFER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    let mut sent: c_int = 0;
    #[expect(unsafe_code, reason = "the count of a transfer that failed is nowhere else")]
    // SAFETY: the handle is open as long as it is borrowed; `bytes` is valid for `length` bytes
    // and libusb only reads from it, because the endpoint is an OUT endpoint (taken from a
    // descriptor whose direction is out); `sent` outlives the call, which is synchronous.
    let code = unsafe {
        rusb::ffi::libusb_bulk_transfer(
            handle.as_raw(),
            endpoint,
            bytes.as_ptr().cast_mut(),
            length,
            &raw mut sent,
            wait_ms,
        )
    };
    let error = match code {
        0 => None,
        libusb::LIBUSB_ERROR_TIMEOUT => Some(rusb::Error::Timeout),
        libusb::LIBUSB_ERROR_PIPE => Some(rusb::Error::Pipe),
        libusb::LIBUSB_ERROR_NO_DEVICE => Some(rusb::Error::NoDevice),
        libusb::LIBUSB_ERROR_OVERFLOW => Some(rusb::Error::Overflow),
        libusb::LIBUSB_ERROR_INTERRUPTED => Some(rusb::Error::Interrupted),
        _ => Some(rusb::Error::Io),
    };
    (usize::try_from(sent).unwrap_or_default(), error)
}

/// What a person can do about an error of libusb.
fn of_usb(error: rusb::Error) -> io::Error {
    let (kind, id) = match error {
        rusb::Error::Access => (io::ErrorKind::PermissionDenied, "printer-usb-access"),
        rusb::Error::Busy => (io::ErrorKind::ResourceBusy, "printer-usb-busy"),
        rusb::Error::NoDevice | rusb::Error::NotFound => {
            (io::ErrorKind::NotConnected, "printer-usb-unplugged")
        }
        rusb::Error::Pipe => (io::ErrorKind::BrokenPipe, "printer-usb-stall"),
        other => return io::Error::other(other),
    };
    io::Error::new(kind, say(id, &[]))
}
