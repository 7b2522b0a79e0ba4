//! How a shop's devices and the commands to them stand, for areas that have pages of their own
//! about a kind of device.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::State;
use super::reasons::{reason_text, state_badge, state_text};
use super::sql::lists;
use crate::db::{CompanyId, DbError, Scope};
use crate::i18n::{Message, Texts};

/// A device, and the box it hangs on.
#[derive(Debug, Clone)]
pub struct DeviceStand {
    pub gateway_id: Uuid,
    pub gateway: String,
    /// The box's tunnel is open.
    pub is_live: bool,
    pub device: String,
    /// `ok`, `warning`, `down` or `unknown`.
    pub state: String,
    /// Machine word; [`super::reason_text`] says it for people.
    pub code: String,
    pub detail: String,
}

/// Every device of a company.
pub async fn devices(scope: &mut Scope, company: CompanyId) -> Result<Vec<DeviceStand>, DbError> {
    let gateways = lists::gateways(scope.connection(), company, None).await?;
    let devices = lists::devices(scope.connection(), company, None).await?;
    let stand = |line: lists::DeviceLine| {
        let gateway = gateways.iter().find(|gateway| gateway.gateway_id == line.gateway_id)?;
        Some(DeviceStand {
            gateway_id: line.gateway_id,
            gateway: gateway.name.clone(),
            is_live: gateway.is_live && gateway.state == "active",
            device: line.device,
            state: line.state,
            code: line.code,
            detail: line.detail,
        })
    };
    Ok(devices.into_iter().filter_map(stand).collect())
}

/// A command to one device.
#[derive(Debug, Clone)]
pub struct DeviceCommand {
    pub command_id: Uuid,
    pub kind: String,
    pub state: State,
    pub reason: String,
    pub detail: String,
    pub asked_by: String,
    pub asked_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
}

impl DeviceCommand {
    /// What it asks for.
    #[must_use]
    pub fn kind_text(&self, texts: &Texts) -> String {
        texts.get(&format!("gateways-kind-name-{}", self.kind))
    }

    /// Where it stands, and the class of the badge that says so.
    #[must_use]
    pub fn state_text(&self, texts: &Texts) -> (String, &'static str) {
        let has_reason = !self.reason.is_empty();
        (texts.get(state_text(self.state, has_reason)), state_badge(self.state, has_reason))
    }

    /// Why it waits or ended so.
    #[must_use]
    pub fn reason(&self) -> Option<Message> {
        (!self.reason.is_empty()).then(|| reason_text(&self.reason))
    }

    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled_at.is_some()
    }
}

/// The newest commands to a device.
pub async fn commands(
    scope: &mut Scope,
    company: CompanyId,
    gateway_id: Uuid,
    device: &str,
    at_most: i64,
) -> Result<Vec<DeviceCommand>, DbError> {
    let connection = scope.connection();
    lists::commands_of_device(connection, company, gateway_id, device, at_most).await
}
