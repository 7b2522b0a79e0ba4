//! A line to a simulated printer in this process, for a simulation in virtual time.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use super::{LinkError, Step};

const READ_BYTES: usize = 512;

/// Gives a new line, or `None` while the printer cannot be reached.
type Reach = dyn Fn() -> Option<DuplexStream> + Send + Sync;

/// Where the printer is plugged in. Cheap to clone.
#[derive(Clone)]
pub struct Plug(Arc<Reach>);

impl Plug {
    pub fn new(reach: impl Fn() -> Option<DuplexStream> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reach))
    }
}

impl fmt::Debug for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plug")
    }
}

impl PartialEq for Plug {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Plug {}

#[derive(Debug)]
pub struct MemoryLink {
    stream: DuplexStream,
}

impl MemoryLink {
    pub(super) fn open(plug: &Plug) -> Result<Self, LinkError> {
        let refused = || LinkError::new("cannot connect", io::ErrorKind::ConnectionRefused.into());
        (plug.0)().map(|stream| Self { stream }).ok_or_else(refused)
    }

    pub(super) async fn step(&mut self, out: &[u8], wait: Duration) -> Result<Step, LinkError> {
        let failed = |source| LinkError::new("the connection broke", source);
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let mut bytes = [0; READ_BYTES];
        let done = timeout(wait, async {
            // Cancel safe: both have done nothing until they are ready.
            tokio::select! {
                biased;
                read = reader.read(&mut bytes) => read.map(|count| (count, 0)),
                written = writer.write(out), if !out.is_empty() => written.map(|count| (0, count)),
            }
        });
        match done.await {
            Err(_) => Ok(Step::default()),
            Ok(Ok((0, 0))) => Err(failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok((count, written))) => {
                Ok(Step { written, received: bytes.iter().take(count).copied().collect() })
            }
            Ok(Err(error)) => Err(failed(error)),
        }
    }
}
