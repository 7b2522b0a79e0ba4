//! Raw TCP, port 9100: one connection at a time, answers on the same socket, the
//! receive window as flow control.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LinkError, OPEN_TIMEOUT, Step};

/// Small, so that "handed over" runs little ahead of what the printer took.
const SEND_BUFFER_BYTES: usize = 8 * 1024;
const READ_BYTES: usize = 512;
/// How long the printer may take to close its side after ours.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const KEEPALIVE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct TcpLink {
    stream: TcpStream,
}

impl TcpLink {
    pub(super) async fn open(address: &str) -> Result<Self, LinkError> {
        let failed = |source| LinkError::new(format!("cannot connect to {address}"), source);
        let stream = timeout(OPEN_TIMEOUT, TcpStream::connect(address))
            .await
            .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let socket = SockRef::from(&stream);
        socket.set_send_buffer_size(SEND_BUFFER_BYTES).map_err(failed)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&keepalive).map_err(failed)?;
        Ok(Self { stream })
    }

    pub(super) async fn step(&mut self, out: &[u8], wait: Duration) -> Result<Step, LinkError> {
        let interest = if out.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let failed = |source| LinkError::new("the connection broke", source);
        loop {
            let Ok(ready) = timeout(wait, self.stream.ready(interest)).await else {
                return Ok(Step::default());
            };
            let ready = ready.map_err(failed)?;
            if ready.is_readable() {
                let mut bytes = [0; READ_BYTES];
                match self.stream.try_read(&mut bytes) {
                    Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                    Ok(count) => {
                        let received = bytes.iter().take(count).copied().collect();
                        return Ok(Step { written: 0, received });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(failed(error)),
                }
            }
            if ready.is_writable() && !out.is_empty() {
                match self.stream.try_write(out) {
                    Ok(written) => return Ok(Step { written, received: Vec::new() }),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
    }

    /// Bytes the printer's side has not acknowledged, from the system's table of
    /// connections, where the socket stands under its inode. The ioctl for it is out of
    /// reach without unsafe code.
    pub(super) fn unsent(&self) -> Option<u64> {
        let inode = rustix::fs::fstat(&self.stream).ok()?.st_ino.to_string();
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
        let mut texts = tables.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        texts.find_map(|text| queued(&text, &inode))
    }

    /// Half-closes and reads to the end: a reset would throw away what the printer
    /// has not read yet.
    pub(super) async fn close(mut self) {
        let farewell = async {
            self.stream.shutdown().await?;
            let mut bytes = [0; READ_BYTES];
            while self.stream.read(&mut bytes).await? > 0 {}
            Ok::<(), io::Error>(())
        };
        // Whatever happens here changes nothing about what is known of the job.
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
    }
}

/// The send queue of a socket in a table of connections: the fifth column is
/// `send:receive` in hex, the tenth the inode.
fn queued(table: &str, inode: &str) -> Option<u64> {
    let row = table.lines().map(str::split_whitespace);
    let mut row = row.filter(|row| row.clone().nth(9) == Some(inode));
    let (send, _) = row.next()?.nth(4)?.split_once(':')?;
    u64::from_str_radix(send, 16).ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn every_byte_handed_over_is_counted_and_a_stopped_peer_takes_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut link = TcpLink::open(&address).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let block = vec![7; 64 * 1024];
        let mut sent = 0;
        loop {
            let step = link.step(&block, SHORT).await.unwrap();
            if step.written == 0 {
                break;
            }
            sent += step.written;
        }
        drop(link);
        let mut taken = Vec::new();
        peer.read_to_end(&mut taken).await.unwrap();
        assert_eq!(taken.len(), sent);
    }

    #[tokio::test]
    async fn what_the_peer_has_not_acknowledged_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut link = TcpLink::open(&listener.local_addr().unwrap().to_string()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        SockRef::from(&peer).set_recv_buffer_size(2_048).unwrap();
        let block = vec![7; 64 * 1024];
        while link.step(&block, SHORT).await.unwrap().written > 0 {}
        assert!(link.unsent().unwrap() > 0, "a stopped peer has acknowledged all");
        let mut taken = [0; 4_096];
        while link.unsent().unwrap() > 0 {
            assert!(peer.read(&mut taken).await.unwrap() > 0);
        }
    }

    #[tokio::test]
    async fn what_the_peer_says_is_heard_before_its_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut link = TcpLink::open(&listener.local_addr().unwrap().to_string()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(&[0x12]).await.unwrap();
        drop(peer);
        assert_eq!(link.step(&[], SHORT).await.unwrap().received, [0x12]);
        assert!(link.step(&[], SHORT).await.is_err());
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_named() {
        let error = TcpLink::open("127.0.0.1:1").await.unwrap_err();
        assert!(error.told().contains("127.0.0.1:1"), "{}", error.told());
    }
}
