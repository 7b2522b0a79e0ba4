//! Wiring: what becomes of an event from a shop. One line per kind.

use fournil_protocol::event::{Body, Stamp};

use crate::db::{Act, DbError};
use crate::gateways::{self, EventSink, Origin};
use crate::people::{attendance, clocks};
use crate::print;

/// Takes events into the areas they concern.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ingest;

impl EventSink for Ingest {
    fn take<'a>(
        &'a self,
        act: &'a mut Act,
        origin: Origin,
        body: &'a Body,
        recorded: Option<&'a Stamp>,
    ) -> gateways::Taken<'a> {
        Box::pin(take(act, origin, body, recorded))
    }
}

async fn take(
    act: &mut Act,
    origin: Origin,
    body: &Body,
    recorded: Option<&Stamp>,
) -> Result<(), DbError> {
    let gateway_id = origin.gateway_id;
    match body {
        Body::Punch(punch) => {
            attendance::ingest(act, Some(gateway_id), punch, recorded).await.map(drop)
        }
        Body::CommandReport(report) => {
            if let Some(reported) = gateways::record_report(act, gateway_id, report).await? {
                print::record_result(act, &reported);
            }
            Ok(())
        }
        Body::Health(health) => {
            let offset_ms = recorded.and_then(|stamp| stamp.cloud_offset_ms);
            gateways::record_health(act, gateway_id, health, offset_ms).await
        }
        Body::Notice(notice) => gateways::record_notice(act, gateway_id, notice).await,
        Body::ClockState(state) => clocks::ingest_state(act, gateway_id, state).await,
        Body::ClockUsers(table) => clocks::ingest_users(act, gateway_id, table).await,
        Body::ClockOperation(line) => clocks::ingest_operation(act, Some(gateway_id), line).await,
    }
}
