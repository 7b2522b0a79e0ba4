//! HTTP without route chains: an area writes a list of [`Route`]s, one [`Table`]
//! dispatches them. warp and http are named only in here.
//!
//! From the table come exact 404 and 405, a permission check before the body is
//! read, the role-matrix test, rate-limit classes and metric names.
//!
//! A handler is `async fn show(request: Request) -> Result<Response>`. A form is
//! read by [`Request::form`], which checks the CSRF token first; there is no other
//! way to the body of a browser's request.

pub(crate) mod assets;
mod body;
mod clients;
mod cookies;
mod dispatch;
mod error;
mod failure;
mod headers;
mod listen;
mod metrics;
mod page;
mod peer;
mod pem;
mod rate;
mod request;
mod response;
mod seat;
mod server;
mod session;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;
pub mod upgrade;

pub use clients::{ClientAuthority, ClientCertificate, ClientVerifier, Fresh, Issued};
pub use cookies::{NoRandomness, SESSION_SECONDS, SESSION_SECONDS_MAX, random_token};
pub use dispatch::Readiness;
pub use error::{Error, Faults, FieldFault, Result};
pub use listen::Listener;
pub use metrics::Metrics;
pub use page::{NavItem, Page};
pub use peer::{Network, NetworkError, Proxies, caller};
pub use pem::TlsError;
pub use rate::{Allowance, RateLimits};
pub use request::{Peer, Request};
pub use response::Response;
pub use server::{Server, ServerLimits, ServerParts};
pub use session::{Known, Looked, Permission, Session, Sessions};
pub use table::{
    Access, BODY_BYTES_MAX, Method, RateClass, Route, Table, TableError, delete, get, post, put,
};
pub use tls::{Certificate, CertificateSource, local_names};
