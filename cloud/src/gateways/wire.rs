//! The socket of a session, frame by frame: bounds and timeouts on everything that goes
//! through it, and nothing about what is said.

use std::collections::VecDeque;
use std::time::Duration;

use fournil_protocol::close;
use fournil_protocol::frame::{Events, Frame, Goodbye, Inquiry, Kind};
use fournil_protocol::hello::Hello;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use prost::Message as _;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::end::End;

/// How long the far side may take for one frame.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a far side under suspicion may take to show that it is there. Shorter than
/// the gateway's patience for its Welcome.
const PROOF_OF_LIFE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session needs of its socket.
pub trait Socket:
    Stream<Item = Result<Message, SocketError>> + Sink<Message, Error = SocketError> + Unpin + Send
{
}

impl<S> Socket for S where
    S: Stream<Item = Result<Message, SocketError>>
        + Sink<Message, Error = SocketError>
        + Unpin
        + Send
{
}

/// What a gateway may begin with.
pub(super) enum Opening {
    Hello(Hello),
    Inquiry(Inquiry),
}

/// The socket, frame by frame.
pub(super) struct Wire<S> {
    socket: S,
    /// Read ahead while looking for more events; handled before the socket.
    backlog: VecDeque<Message>,
}

impl<S: Socket> Wire<S> {
    pub(super) const fn new(socket: S) -> Self {
        Self { socket, backlog: VecDeque::new() }
    }

    pub(super) async fn send(&mut self, kind: Kind) -> Result<(), End> {
        let bytes = Frame::from(kind)
            .encode_bytes()
            .map_err(|error| End::of(close::MALFORMED, &error.to_string()))?;
        match timeout(SEND_TIMEOUT, self.socket.send(Message::binary(bytes))).await {
            Ok(sent) => sent.map_err(End::gone),
            Err(_) => Err(End::of(close::SLOW_CONSUMER, "the gateway does not read")),
        }
    }

    /// The next message. Cancel safe: nothing is taken before it is returned.
    pub(super) async fn next(&mut self) -> Result<Message, End> {
        if let Some(message) = self.backlog.pop_front() {
            return Ok(message);
        }
        match self.socket.next().await {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(End::gone(error)),
            None => Err(End::gone("the connection was closed")),
        }
    }

    /// More events, if they have arrived; another kind of frame waits for its turn.
    pub(super) fn arrived_events(&mut self) -> Result<Option<Events>, End> {
        if !self.backlog.is_empty() {
            return Ok(None);
        }
        match self.socket.next().now_or_never() {
            None => Ok(None),
            Some(None) => Err(End::gone("the connection was closed")),
            Some(Some(Err(error))) => Err(End::gone(error)),
            Some(Some(Ok(message))) => {
                if let Message::Binary(bytes) = &message
                    && let Ok(Frame { kind: Some(Kind::Events(events)) }) =
                        Frame::decode_bytes(bytes)
                {
                    return Ok(Some(events));
                }
                self.backlog.push_back(message);
                Ok(None)
            }
        }
    }

    pub(super) async fn opening(&mut self) -> Result<Opening, End> {
        loop {
            let message = self.next().await?;
            match read_frame(message)?.map(|frame| frame.kind) {
                None => {}
                Some(Some(Kind::Hello(hello))) => return Ok(Opening::Hello(hello)),
                Some(Some(Kind::Inquiry(inquiry))) => return Ok(Opening::Inquiry(inquiry)),
                Some(_) => return Err(End::of(close::MALFORMED, "the first frame must be Hello")),
            }
        }
    }

    /// Returns once the far side has answered a ping with `token` in it, which it cannot
    /// have sent before. Any WebSocket answers by itself. Only before Welcome: nothing
    /// else is due then.
    pub(super) async fn proof_of_life(&mut self, token: &[u8]) -> Result<(), End> {
        let asking = async {
            let ping = Message::Ping(token.to_vec().into());
            self.socket.send(ping).await.map_err(End::gone)?;
            loop {
                match self.next().await? {
                    Message::Pong(answer) if answer == *token => return Ok(()),
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    Message::Binary(_) | Message::Text(_) | Message::Close(_) => {
                        return Err(End::gone("the gateway did not wait for its Welcome"));
                    }
                }
            }
        };
        timeout(PROOF_OF_LIFE_TIMEOUT, asking)
            .await
            .unwrap_or_else(|_| Err(End::gone("the gateway left before its Welcome")))
    }

    /// Says why and closes; a far side that does not take it is left alone.
    pub(super) async fn say_goodbye(&mut self, end: &End) {
        if !end.has_listener {
            let _ = timeout(GOODBYE_TIMEOUT, self.socket.close()).await;
            return;
        }
        let goodbye = Goodbye {
            code: u32::from(end.code),
            reason: end.reason.clone(),
            retry_after_ms: end.retry_after_ms,
        };
        let bytes = Frame::from(Kind::Goodbye(goodbye)).encode_to_vec();
        let close = CloseFrame { code: end.code.into(), reason: end.reason.as_str().into() };
        let saying = async {
            self.socket.send(Message::binary(bytes)).await?;
            self.socket.send(Message::Close(Some(close))).await?;
            self.socket.close().await
        };
        let _ = timeout(GOODBYE_TIMEOUT, saying).await;
    }
}

/// A frame out of a message; `None` for the WebSocket's own.
pub(super) fn read_frame(message: Message) -> Result<Option<Frame>, End> {
    match message {
        Message::Binary(bytes) => Frame::decode_bytes(&bytes)
            .map(Some)
            .map_err(|error| End::of(close::MALFORMED, &error.to_string())),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        Message::Text(_) => Err(End::of(close::MALFORMED, "frames are binary")),
        Message::Close(_) => Err(End::gone("the gateway closed the connection")),
    }
}

#[cfg(test)]
mod tests {
    use fournil_protocol::frame::Ping;
    use tokio::time::Instant;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_does_not_read_is_given_up() {
        let (ours, theirs) = tokio::io::duplex(1024);
        let mut wire = Wire::new(WebSocketStream::from_raw_socket(ours, Role::Server, None).await);
        let mut last_taken = Instant::now();
        let end = loop {
            match wire.send(Kind::Ping(Ping { t0_ms: 1 })).await {
                Ok(()) => last_taken = Instant::now(),
                Err(end) => break end,
            }
        };
        assert_eq!(end.code, close::SLOW_CONSUMER);
        assert_eq!(last_taken.elapsed(), SEND_TIMEOUT);
        drop(theirs);
    }
}
