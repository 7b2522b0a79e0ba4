//! The answer to a gateway's question whether its key is known. It begins no session,
//! writes nothing and disturbs none that is open: a person who looks for a fault asks it
//! beside the running daemon.

use fournil_protocol::close;
use fournil_protocol::frame::{Inquiry, Kind, Standing};
use fournil_protocol::hello::{Hello, inquiry_nonce};

use super::end::End;
use super::gate::{Asked, Caller};
use super::hub::Hub;
use super::wire::{Socket, Wire};

/// Answers, and gives the end of the connection. What is no judgement of the key (too many
/// tries, no database) ends it as it would end a Hello.
pub(super) async fn answer<S: Socket>(
    hub: &Hub,
    wire: &mut Wire<S>,
    caller: &Caller,
    nonce: &[u8],
    inquiry: Inquiry,
) -> Result<End, End> {
    let Inquiry { version, gateway_id, signature, server_name } = inquiry;
    let claim = Hello { version, gateway_id, signature, server_name, ..Hello::default() };
    let asked = Asked {
        caller,
        versions: hub.versions(),
        public_name: hub.public_name(),
        nonce: &inquiry_nonce(nonce),
        hello: &claim,
        now: hub.now(),
    };
    let (code, reason) = match hub.work(hub.gate().identify_anew(hub.db(), &asked)).await {
        Ok(_) => (0, String::new()),
        Err(end) if !close::is_slow_lane(end.code) => return Err(end),
        Err(end) => (end.code, end.reason),
    };
    let server_name = hub.public_name().to_owned();
    wire.send(Kind::Standing(Standing { code: code.into(), reason, server_name })).await?;
    Ok(End::gone("an inquiry was answered"))
}
