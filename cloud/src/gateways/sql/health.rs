//! Statements of health and notices.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// The newest word on one device.
pub(in crate::gateways) struct DeviceRow<'d> {
    pub(in crate::gateways) device: &'d str,
    pub(in crate::gateways) kind: &'static str,
    pub(in crate::gateways) state: &'static str,
    pub(in crate::gateways) code: &'d str,
    pub(in crate::gateways) detail: &'d str,
    pub(in crate::gateways) serial: &'d str,
    pub(in crate::gateways) drift_ms: Option<i64>,
    pub(in crate::gateways) records: u32,
    pub(in crate::gateways) records_capacity: u32,
}

pub(in crate::gateways) async fn put_device(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    row: &DeviceRow<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into device_health
             (company_id, gateway_id, device, kind, state, code, detail, serial, drift_ms,
              records, records_capacity, told_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now())
         on conflict (company_id, gateway_id, device) do update
         set kind = excluded.kind, state = excluded.state, code = excluded.code,
             detail = excluded.detail, serial = excluded.serial, drift_ms = excluded.drift_ms,
             records = excluded.records, records_capacity = excluded.records_capacity,
             told_at = excluded.told_at",
        company.0,
        gateway_id,
        row.device,
        row.kind,
        row.state,
        row.code,
        row.detail,
        row.serial,
        row.drift_ms,
        i64::from(row.records),
        i64::from(row.records_capacity)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets devices the gateway no longer has.
pub(in crate::gateways) async fn keep_devices(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    devices: &[String],
) -> Result<(), DbError> {
    sqlx::query!(
        "delete from device_health
         where company_id = $1 and gateway_id = $2 and device <> all($3)",
        company.0,
        gateway_id,
        devices
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest word on the box itself.
pub(in crate::gateways) struct BoxRow<'b> {
    pub(in crate::gateways) journal_pending: u64,
    pub(in crate::gateways) journal_bytes: u64,
    pub(in crate::gateways) disk_free_bytes: u64,
    pub(in crate::gateways) uptime_s: u64,
    pub(in crate::gateways) resident_bytes: u64,
    pub(in crate::gateways) software: &'b str,
    pub(in crate::gateways) clock_offset_ms: Option<i64>,
    pub(in crate::gateways) server_certificate_until: Option<DateTime<Utc>>,
}

pub(in crate::gateways) async fn put_box(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    row: &BoxRow<'_>,
) -> Result<(), DbError> {
    let bounded = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
    sqlx::query!(
        "insert into gateway_health
             (company_id, gateway_id, journal_pending, journal_bytes, disk_free_bytes, uptime_s,
              resident_bytes, software, clock_offset_ms, server_certificate_until, told_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now())
         on conflict (company_id, gateway_id) do update
         set journal_pending = excluded.journal_pending, journal_bytes = excluded.journal_bytes,
             disk_free_bytes = excluded.disk_free_bytes, uptime_s = excluded.uptime_s,
             resident_bytes = excluded.resident_bytes, software = excluded.software,
             clock_offset_ms = excluded.clock_offset_ms,
             server_certificate_until = excluded.server_certificate_until,
             told_at = excluded.told_at",
        company.0,
        gateway_id,
        bounded(row.journal_pending),
        bounded(row.journal_bytes),
        bounded(row.disk_free_bytes),
        bounded(row.uptime_s),
        bounded(row.resident_bytes),
        row.software,
        row.clock_offset_ms,
        row.server_certificate_until
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Something an operator should know once.
pub(in crate::gateways) struct NoticeRow<'n> {
    pub(in crate::gateways) origin: &'static str,
    pub(in crate::gateways) severity: &'static str,
    pub(in crate::gateways) code: &'n str,
    pub(in crate::gateways) detail: &'n str,
    pub(in crate::gateways) device: &'n str,
}

pub(in crate::gateways) async fn add_notice(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    row: &NoticeRow<'_>,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into gateway_notices
             (company_id, gateway_id, origin, severity, code, detail, device)
         values ($1, $2, $3, $4, $5, $6, $7)",
        company.0,
        gateway_id,
        row.origin,
        row.severity,
        row.code,
        row.detail,
        row.device
    )
    .execute(connection)
    .await?;
    Ok(())
}
