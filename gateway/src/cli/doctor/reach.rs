//! Names to addresses and addresses to connections, with the cause of a failure told
//! apart: what to do depends on it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::select_ok;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why a name has no address.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// The resolver says that there is no such name.
    NotFound,
    /// The resolver gives no verdict.
    Failing(String),
    Silent,
    /// The name exists and has no address.
    NoAddress,
}

/// Asks the system's resolver.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    within: Duration,
) -> Result<Vec<SocketAddr>, Unresolved> {
    let found = timeout(within, lookup_host((host, port))).await;
    let found = found.map_err(|_| Unresolved::Silent)?.map_err(|error| unresolved(&error))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() { Err(Unresolved::NoAddress) } else { Ok(addresses) }
}

/// The standard library keeps the resolver's code in words only (glibc's and musl's).
fn unresolved(error: &io::Error) -> Unresolved {
    let said = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["No address associated", "no usable address"]) {
        Unresolved::NoAddress
    } else if says(&["not known", "does not resolve"]) {
        Unresolved::NotFound
    } else {
        let why = said.rsplit(": ").next().unwrap_or_default().to_owned();
        Unresolved::Failing(why)
    }
}

/// Why no connection came about.
#[derive(Debug)]
pub(super) enum Unreached {
    Refused,
    Silent,
    /// No way there.
    Unreachable,
    Failed(String),
}

/// The first address that answers; all are tried side by side. The error is that of the
/// one which took longest to fail, and names it.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    within: Duration,
) -> Result<TcpStream, (Option<SocketAddr>, Unreached)> {
    let first = addresses.first().copied();
    let tries = addresses.iter().map(|address| {
        Box::pin(
            async move { TcpStream::connect(*address).await.map_err(|error| (*address, error)) },
        )
    });
    let tries: Vec<_> = tries.collect();
    if tries.is_empty() {
        return Err((None, Unreached::Unreachable));
    }
    match timeout(within, select_ok(tries)).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err((address, error))) => Err((Some(address), unreached(&error))),
        Err(_) => Err((first, Unreached::Silent)),
    }
}

fn unreached(error: &io::Error) -> Unreached {
    match error.kind() {
        ErrorKind::ConnectionRefused => Unreached::Refused,
        ErrorKind::TimedOut => Unreached::Silent,
        ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => Unreached::Unreachable,
        _ => Unreached::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_resolver_says_is_told_apart() {
        let told = |words: &str| {
            unresolved(&io::Error::other(format!("failed to lookup address information: {words}")))
        };
        assert!(matches!(told("Name or service not known"), Unresolved::NotFound));
        assert!(matches!(told("Name does not resolve"), Unresolved::NotFound));
        assert!(matches!(told("No address associated with hostname"), Unresolved::NoAddress));
        let Unresolved::Failing(why) = told("Temporary failure in name resolution") else {
            panic!("a failing resolver was taken for something else")
        };
        assert_eq!(why, "Temporary failure in name resolution");
    }
}
