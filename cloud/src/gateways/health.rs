//! How a shop's devices fare, and what an operator should know once.

use chrono::{DateTime, Utc};
use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState, Health, Notice, Severity};
use uuid::Uuid;

use super::sql::health::{self as sql, BoxRow, DeviceRow, NoticeRow};
use crate::db::{Act, Db, DbError};

/// The hint that a gateway's own row changed: state, mode, session.
pub(super) const TOPIC: &str = "gateways";
/// The hint for pages: the newest word on devices, or a notice.
pub(super) const HEALTH_TOPIC: &str = "gateway-health";
/// Devices of one shop; what is over is not kept.
const DEVICES_MAX: usize = 32;

/// The newest word on a box and its devices replaces the one before. `clock_offset_ms` is
/// our time minus the box's, as it had measured it.
pub async fn record_health(
    act: &mut Act,
    gateway_id: Uuid,
    health: &Health,
    clock_offset_ms: Option<i64>,
) -> Result<(), DbError> {
    let company = act.company();
    let box_row = BoxRow {
        journal_pending: health.journal_pending,
        journal_bytes: health.journal_bytes,
        disk_free_bytes: health.disk_free_bytes,
        uptime_s: health.uptime_s,
        resident_bytes: health.resident_bytes,
        software: &health.software,
        clock_offset_ms,
        server_certificate_until: health
            .server_certificate_until_ms
            .and_then(DateTime::from_timestamp_millis),
    };
    sql::put_box(act.connection(), company, gateway_id, &box_row).await?;
    let devices = health.devices.iter().take(DEVICES_MAX);
    let names: Vec<String> = devices.clone().map(|device| device.device.clone()).collect();
    sql::keep_devices(act.connection(), company, gateway_id, &names).await?;
    for device in devices {
        sql::put_device(act.connection(), company, gateway_id, &device_row(device)).await?;
    }
    act.hint(HEALTH_TOPIC, Some(gateway_id));
    Ok(())
}

/// Something the box says once.
pub async fn record_notice(
    act: &mut Act,
    gateway_id: Uuid,
    notice: &Notice,
) -> Result<(), DbError> {
    let severity = match Severity::try_from(notice.severity).unwrap_or(Severity::Warning) {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Alarm => "alarm",
    };
    let row = NoticeRow {
        origin: "gateway",
        severity,
        code: &notice.code,
        detail: &notice.detail,
        device: &notice.device,
    };
    add(act, gateway_id, &row).await
}

/// Something this side found out about a gateway: always an alarm.
pub(super) async fn add_cloud_notice(
    act: &mut Act,
    gateway_id: Uuid,
    code: &str,
    detail: &str,
) -> Result<(), DbError> {
    let row = NoticeRow { origin: "cloud", severity: "alarm", code, detail, device: "" };
    add(act, gateway_id, &row).await
}

async fn add(act: &mut Act, gateway_id: Uuid, row: &NoticeRow<'_>) -> Result<(), DbError> {
    let company = act.company();
    sql::add_notice(act.connection(), company, gateway_id, row).await?;
    act.hint(HEALTH_TOPIC, Some(gateway_id));
    Ok(())
}

/// A node says until when what it serves is good; `kind` is `server`, `authority` or
/// `gateways`.
pub async fn tell_served(
    db: &Db,
    node: &str,
    kind: &'static str,
    until: DateTime<Utc>,
) -> Result<(), DbError> {
    super::sql::keys::tell_served(db.pool(), node, kind, until).await
}

fn device_row(device: &DeviceHealth) -> DeviceRow<'_> {
    let kind = match DeviceKind::try_from(device.kind).unwrap_or(DeviceKind::Unknown) {
        DeviceKind::Unknown => "unknown",
        DeviceKind::Clock => "clock",
        DeviceKind::Printer => "printer",
    };
    let state = match DeviceState::try_from(device.state).unwrap_or(DeviceState::Unknown) {
        DeviceState::Unknown => "unknown",
        DeviceState::Ok => "ok",
        DeviceState::Warning => "warning",
        DeviceState::Down => "down",
    };
    DeviceRow {
        device: &device.device,
        kind,
        state,
        code: &device.code,
        detail: &device.detail,
        serial: &device.serial,
        drift_ms: device.drift_ms,
        records: device.records,
        records_capacity: device.records_capacity,
    }
}
