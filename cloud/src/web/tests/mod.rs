//! The server as browsers, programs and attackers meet it.

mod dispatch;
mod matrix;
mod sockets;
