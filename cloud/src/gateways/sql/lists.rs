//! Statements behind the Passerelles pages: read only.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};
use crate::gateways::model::State;
use crate::gateways::stand::DeviceCommand;

/// A gateway with its newest session and the box's newest word.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct GatewayRow {
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) name: String,
    pub(in crate::gateways) store: String,
    pub(in crate::gateways) zone: String,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) mode: String,
    pub(in crate::gateways) mode_reason: String,
    pub(in crate::gateways) software: String,
    pub(in crate::gateways) hostname: String,
    pub(in crate::gateways) fingerprint: Option<String>,
    /// Open, on a node that lives.
    pub(in crate::gateways) is_live: bool,
    pub(in crate::gateways) since: Option<DateTime<Utc>>,
    pub(in crate::gateways) heard_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) peer: Option<String>,
    /// How the newest session that is over came to its end.
    pub(in crate::gateways) last_end_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) last_close_code: Option<i32>,
    pub(in crate::gateways) journal_pending: Option<i64>,
    pub(in crate::gateways) disk_free_bytes: Option<i64>,
    /// Our time minus the box's.
    pub(in crate::gateways) clock_offset_ms: Option<i64>,
    pub(in crate::gateways) code_expires_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) unsettled: i64,
    /// `asked` or `told`: a person wants another key and it has not come yet.
    pub(in crate::gateways) rotation: Option<String>,
    pub(in crate::gateways) client_certificate_until: Option<DateTime<Utc>>,
    pub(in crate::gateways) server_certificate_until: Option<DateTime<Utc>>,
}

/// One gateway, or all of a company: few, so not paged.
pub(in crate::gateways) async fn gateways(
    connection: &mut PgConnection,
    company: CompanyId,
    only: Option<Uuid>,
) -> Result<Vec<GatewayRow>, DbError> {
    let rows = sqlx::query_as!(
        GatewayRow,
        r#"select g.gateway_id, g.name, t.name as store, t.zone, g.state, g.mode, g.mode_reason,
                  g.software, g.hostname, k.fingerprint as "fingerprint?",
                  coalesce(s.ended_at is null
                           and n.heartbeat_at > now() - interval '15 seconds', false) as "is_live!",
                  s.since as "since?",
                  coalesce(s.heard_at, s.ended_at, n.heartbeat_at, s.since) as heard_at,
                  s.peer as "peer?",
                  e.ended_at as "last_end_at?", e.close_code as "last_close_code?",
                  h.journal_pending as "journal_pending?", h.disk_free_bytes as "disk_free_bytes?",
                  h.clock_offset_ms as "clock_offset_ms?",
                  g.rotation, g.client_certificate_until,
                  h.server_certificate_until as "server_certificate_until?",
                  (select max(c.expires_at) from enrolment_codes c
                   where c.company_id = g.company_id and c.gateway_id = g.gateway_id
                     and c.redeemed_at is null and c.expires_at > now()) as code_expires_at,
                  (select count(*) from commands c
                   where c.company_id = g.company_id and c.gateway_id = g.gateway_id
                     and c.state in ('queued', 'leased', 'delivered', 'started', 'in_doubt')
                  ) as "unsettled!"
           from gateways g
           join stores t on t.company_id = g.company_id and t.store_id = g.store_id
           left join gateway_keys k on k.company_id = g.company_id
                and k.gateway_id = g.gateway_id and k.state = 'active'
           left join lateral (
               select l.since, l.heard_at, l.ended_at, l.peer, l.node
               from gateway_sessions l
               where l.company_id = g.company_id and l.gateway_id = g.gateway_id
               order by l.generation desc
               limit 1
           ) s on true
           left join lateral (
               select l.ended_at, l.close_code
               from gateway_sessions l
               where l.company_id = g.company_id and l.gateway_id = g.gateway_id
                 and l.ended_at is not null
               order by l.generation desc
               limit 1
           ) e on true
           left join gateway_nodes n on n.node = s.node
           left join gateway_health h on h.company_id = g.company_id
                and h.gateway_id = g.gateway_id
           where g.company_id = $1 and ($2::uuid is null or g.gateway_id = $2)
           order by g.state = 'revoked', g.name
           limit 500"#,
        company.0,
        only
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The newest word on a device.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct DeviceLine {
    pub(in crate::gateways) gateway_id: Uuid,
    pub(in crate::gateways) device: String,
    pub(in crate::gateways) kind: String,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) code: String,
    pub(in crate::gateways) detail: String,
    pub(in crate::gateways) serial: String,
    pub(in crate::gateways) drift_ms: Option<i64>,
    pub(in crate::gateways) records: i64,
    pub(in crate::gateways) records_capacity: i64,
    pub(in crate::gateways) told_at: DateTime<Utc>,
}

pub(in crate::gateways) async fn devices(
    connection: &mut PgConnection,
    company: CompanyId,
    only: Option<Uuid>,
) -> Result<Vec<DeviceLine>, DbError> {
    let rows = sqlx::query_as!(
        DeviceLine,
        "select gateway_id, device, kind, state, code, detail, serial, drift_ms, records,
                records_capacity, told_at
         from device_health
         where company_id = $1 and ($2::uuid is null or gateway_id = $2)
         order by gateway_id, kind, device
         limit 5000",
        company.0,
        only
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// A command as its history shows it.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct CommandLine {
    pub(in crate::gateways) command_id: Uuid,
    pub(in crate::gateways) queue_no: i64,
    pub(in crate::gateways) kind: String,
    pub(in crate::gateways) title: String,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) reason: String,
    pub(in crate::gateways) detail: String,
    pub(in crate::gateways) evidence: i16,
    pub(in crate::gateways) attempt: i32,
    pub(in crate::gateways) copy_of: Option<Uuid>,
    pub(in crate::gateways) asked_by: String,
    pub(in crate::gateways) queued_at: DateTime<Utc>,
    pub(in crate::gateways) leased_at: Option<DateTime<Utc>>,
    pub(in crate::gateways) not_after: Option<DateTime<Utc>>,
    pub(in crate::gateways) settled_at: Option<DateTime<Utc>>,
}

/// Commands before a number, newest first.
pub(in crate::gateways) async fn commands(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    before: i64,
    at_most: i64,
) -> Result<Vec<CommandLine>, DbError> {
    let rows = sqlx::query_as!(
        CommandLine,
        "select command_id, queue_no, kind, title, state, reason, detail, evidence, attempt,
                copy_of, asked_by, queued_at, leased_at, not_after, settled_at
         from commands
         where company_id = $1 and gateway_id = $2 and queue_no < $3
         order by queue_no desc
         limit $4",
        company.0,
        gateway_id,
        before,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The newest commands to one device.
pub(in crate::gateways) async fn commands_of_device(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    device: &str,
    at_most: i64,
) -> Result<Vec<DeviceCommand>, DbError> {
    let rows = sqlx::query!(
        "select command_id, kind, state, reason, detail, asked_by, queued_at, settled_at
         from commands
         where company_id = $1 and gateway_id = $2 and device = $3
         order by queue_no desc
         limit $4",
        company.0,
        gateway_id,
        device,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(DeviceCommand {
                command_id: row.command_id,
                kind: row.kind,
                state: State::parse(&row.state)?,
                reason: row.reason,
                detail: row.detail,
                asked_by: row.asked_by,
                asked_at: row.queued_at,
                settled_at: row.settled_at,
            })
        })
        .collect())
}

/// Something an operator should know once.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct NoticeLine {
    pub(in crate::gateways) severity: String,
    pub(in crate::gateways) code: String,
    pub(in crate::gateways) detail: String,
    pub(in crate::gateways) device: String,
    pub(in crate::gateways) at: DateTime<Utc>,
}

pub(in crate::gateways) async fn notices(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    at_most: i64,
) -> Result<Vec<NoticeLine>, DbError> {
    let rows = sqlx::query_as!(
        NoticeLine,
        "select severity, code, detail, device, at
         from gateway_notices
         where company_id = $1 and gateway_id = $2
         order by notice_id desc
         limit $3",
        company.0,
        gateway_id,
        at_most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// A step of a command.
#[derive(Debug, Clone)]
pub(in crate::gateways) struct StepLine {
    pub(in crate::gateways) at: DateTime<Utc>,
    pub(in crate::gateways) state: String,
    pub(in crate::gateways) reason: String,
    pub(in crate::gateways) detail: String,
    pub(in crate::gateways) evidence: i16,
    pub(in crate::gateways) attempt: i32,
    pub(in crate::gateways) actor: String,
}

pub(in crate::gateways) async fn steps(
    connection: &mut PgConnection,
    company: CompanyId,
    command_id: Uuid,
) -> Result<Vec<StepLine>, DbError> {
    let rows = sqlx::query_as!(
        StepLine,
        "select at, state, reason, detail, evidence, attempt, actor
         from command_history
         where company_id = $1 and command_id = $2
         order by history_id
         limit 200",
        company.0,
        command_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Shops to put a gateway in.
pub(in crate::gateways) async fn stores(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<(Uuid, String)>, DbError> {
    let rows = sqlx::query!(
        "select store_id, name from stores where company_id = $1 order by name limit 500",
        company.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.store_id, row.name)).collect())
}
