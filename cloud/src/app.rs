//! What every handler may reach: ground only, made once at start.

use std::sync::Arc;

use crate::db::Db;
use crate::i18n::Catalogue;
use crate::time::TimeSource;
use crate::web::NavItem;

/// The program's shared ground. Handlers get it as `Arc<App>` inside the request.
#[derive(Debug)]
pub struct App {
    pub db: Db,
    pub time: TimeSource,
    pub texts: Arc<Catalogue>,
    /// The menu, in order; each page shows what its reader may open.
    pub nav: Vec<NavItem>,
    /// The name people and gateways call this server by, such as `erp.example.dz`.
    pub public_name: String,
    /// Where the ERP is reached, such as `https://erp.example.dz`.
    pub public_url: String,
    /// The authority a gateway must be given to believe this server; none when a public one
    /// vouches for it.
    pub authority_pem: Option<String>,
}
