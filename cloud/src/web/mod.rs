//! HTTP without route chains: an area writes a list of [`Route`]s, one [`Table`]
//! dispatches them. warp and http are named only in here.
//!
//! From the table come exact 404 and 405, a permission check before the body is
//! read, the role-matrix test, rate-limit classes and metric names.
//!
//! A handler is `async fn show(request: Request) -> Result<Response>`. A form is
//! read by [`Request::form`], which checks the CSRF token first; there is no other
//! way to the body of a browser's request.

mod error;
mod page;
mod request;
mod response;
mod session;
mod table;

pub use error::{Error, FieldFault, Result};
pub use page::{NavItem, Page};
pub use request::{Peer, Request};
pub use response::Response;
pub use session::{Permission, Session, Sessions};
pub use table::{Access, Method, RateClass, Route, Table, TableError, delete, get, post, put};
