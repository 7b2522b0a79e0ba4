//! The border to the device: bytes out with an honest count, bytes in as they come.
//!
//! One operation, [`Link::step`]: hand over what the device takes now, or take what it
//! says, or wait. Every count is of bytes that the operating system has accepted; what
//! an error leaves open is told in [`LinkError::uncertain_bytes`].

#[cfg(feature = "testing")]
pub mod memory;
mod serial;
mod tcp;
pub mod usb;

use std::io;
use std::time::Duration;

use super::config::Target;

/// How long a device may take to be there.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// What one step did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes handed over, from the front.
    pub written: usize,
    /// Bytes the device sent.
    pub received: Vec<u8>,
}

/// The link is gone.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct LinkError {
    pub doing: String,
    /// Bytes of the failed step that may or may not have been handed over.
    pub uncertain_bytes: usize,
    #[source]
    pub source: io::Error,
}

impl LinkError {
    fn new(doing: impl Into<String>, source: io::Error) -> Self {
        Self { doing: doing.into(), uncertain_bytes: 0, source }
    }

    /// The whole chain on one line.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{self}: {}", self.source)
    }
}

/// An open way to a printer.
#[derive(Debug)]
pub enum Link {
    Tcp(tcp::TcpLink),
    Serial(serial::SerialLink),
    Usb(usb::UsbLink),
    #[cfg(feature = "testing")]
    Memory(memory::MemoryLink),
}

impl Link {
    /// Opens the device; nothing is sent to it.
    pub async fn open(target: &Target) -> Result<Self, LinkError> {
        match target {
            Target::Tcp(address) => tcp::TcpLink::open(address).await.map(Self::Tcp),
            Target::Serial { path, baud, flow } => {
                serial::SerialLink::open(path, *baud, *flow).await.map(Self::Serial)
            }
            Target::Usb(address) => usb::UsbLink::open(address).await.map(Self::Usb),
            #[cfg(feature = "testing")]
            Target::Memory(plug) => memory::MemoryLink::open(plug).map(Self::Memory),
        }
    }

    /// Hands over bytes from the front of `out` or receives some, whichever can be
    /// done first; gives an empty step when neither could within `wait`. With an
    /// empty `out` it only receives.
    ///
    /// Not cancel safe on a serial or USB line (a chunk may be on its way); await it.
    pub async fn step(&mut self, out: &[u8], wait: Duration) -> Result<Step, LinkError> {
        match self {
            Self::Tcp(link) => link.step(out, wait).await,
            Self::Serial(link) => link.step(out, wait).await,
            Self::Usb(link) => link.step(out, wait).await,
            #[cfg(feature = "testing")]
            Self::Memory(link) => link.step(out, wait).await,
        }
    }

    /// Bytes with a thread that has not said yet whether they went.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match self {
            Self::Tcp(_) => 0,
            Self::Serial(link) => link.in_flight(),
            Self::Usb(link) => link.in_flight(),
            #[cfg(feature = "testing")]
            Self::Memory(_) => 0,
        }
    }

    /// Bytes that were handed over and lie in this machine: not acknowledged by the peer
    /// (TCP), not on the wire (serial, USB). `None` when the system does not say.
    #[must_use]
    pub fn unsent(&self) -> Option<u64> {
        match self {
            Self::Tcp(link) => link.unsent(),
            Self::Serial(link) => link.unsent(),
            Self::Usb(link) => Some(link.unsent()),
            // What was written is with the printer's own socket.
            #[cfg(feature = "testing")]
            Self::Memory(_) => Some(0),
        }
    }

    /// What the port itself says of the printer, past a pipe that takes nothing: bit 3 no
    /// error, bit 4 selected, bit 5 out of paper. `None` where there is no such way.
    pub async fn port_status(&self) -> Option<u8> {
        match self {
            Self::Usb(link) => link.port_status().await,
            _ => None,
        }
    }

    /// Lets go of the device without losing what was handed over.
    pub async fn close(self) {
        match self {
            Self::Tcp(link) => link.close().await,
            Self::Serial(link) => drop(link),
            Self::Usb(link) => link.close().await,
            #[cfg(feature = "testing")]
            Self::Memory(link) => drop(link),
        }
    }

    /// A serial or USB line stays open between jobs (opening it resets some printers); a
    /// network printer serves one connection, so it is given back.
    #[must_use]
    pub fn stays_open_when_idle(&self) -> bool {
        matches!(self, Self::Serial(_) | Self::Usb(_))
    }
}
