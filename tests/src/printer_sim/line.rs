//! The cable: TCP (one host at a time, as real printers have it) or a pseudo-terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::state::Shared;

const READ_BYTES: usize = 512;

/// Serves hosts one after the other; the next one waits in the listen queue.
pub(super) async fn tcp(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::error!(%error, "the printer cannot accept a connection");
                    return;
                }
            },
        };
        // Answers of one byte must not wait for company.
        let _ = stream.set_nodelay(true);
        serve(&shared, stream, &stop).await;
    }
}

/// Serves a pseudo-terminal for ever.
pub(super) async fn pty(shared: Arc<Shared>, pty: Pty, stop: CancellationToken) {
    let Pty { master, link, slave: _slave } = pty;
    serve(&shared, master, &stop).await;
    let _ = std::fs::remove_file(link);
}

/// Serves one host over anything; the one before must have ended.
pub(super) async fn host<S: AsyncRead + AsyncWrite>(
    shared: Arc<Shared>,
    stream: S,
    turn: Arc<tokio::sync::Mutex<()>>,
    stop: CancellationToken,
) {
    let _turn = turn.lock().await;
    serve(&shared, stream, &stop).await;
}

async fn serve<S: AsyncRead + AsyncWrite>(shared: &Shared, stream: S, stop: &CancellationToken) {
    let Some((epoch, mut answers)) = shared.connect() else { return };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut watch = shared.watch();
    let mut bytes = [0; READ_BYTES];
    loop {
        if shared.lock().power_epoch != epoch {
            break;
        }
        let room = shared.room().min(READ_BYTES);
        let space = bytes.get_mut(..room).unwrap_or_default();
        // Cancel safe: reads, channel receives and watches lose nothing when dropped.
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(answer) = answers.recv() => if writer.write_all(&answer).await.is_err() {
                break;
            },
            read = reader.read(space), if room > 0 => match read {
                Ok(count) if count > 0 => {
                    let taken: Vec<u8> = bytes.iter().take(count).copied().collect();
                    if !shared.receive(epoch, &taken) {
                        break;
                    }
                }
                _ => break,
            },
            changed = watch.changed() => if changed.is_err() {
                break;
            },
        }
    }
    shared.disconnect();
}

/// A pseudo-terminal and the link that names it.
pub(super) struct Pty {
    master: Master,
    link: PathBuf,
    /// Kept open, so that the line survives a host that closes it.
    slave: OwnedFd,
}

/// Makes a pseudo-terminal in raw mode and links its name to `link`.
pub(super) fn open_pty(link: &Path) -> io::Result<Pty> {
    let master =
        rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(
        name.as_c_str(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let mut modes = rustix::termios::tcgetattr(&slave)?;
    modes.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &modes)?;
    let flags = rustix::fs::fcntl_getfl(&master)?;
    rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
    if link.is_symlink() {
        std::fs::remove_file(link)?;
    }
    std::os::unix::fs::symlink(name.to_string_lossy().as_ref(), link)?;
    #[expect(
        deprecated,
        reason = "sound for OwnedFd, which keeps its descriptor; its successor is unsafe"
    )]
    let master = Master(AsyncFd::new(master)?);
    Ok(Pty { master, link: link.to_owned(), slave })
}

/// The printer's end of a pseudo-terminal.
struct Master(AsyncFd<OwnedFd>);

impl AsyncRead for Master {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let space = buffer.initialize_unfilled();
            let read = guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref().as_fd(), &mut *space)?));
            if let Ok(result) = read {
                buffer.advance(result?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Master {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(result) =
                guard.try_io(|fd| Ok(rustix::io::write(fd.get_ref().as_fd(), bytes)?))
            {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
