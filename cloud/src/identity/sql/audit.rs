//! Reading the audit log. It is written by [`crate::db::Act::audit`].

use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;
use crate::db::CompanyId;
use crate::identity::model::{AuditFilter, AuditLine};

/// Lines of the audit log on one page.
pub(in crate::identity) const AUDIT_PAGE: i64 = 50;

/// One page of the audit log, one line more than shown to know whether another follows.
pub(in crate::identity) async fn audit_page(
    connection: &mut PgConnection,
    company: CompanyId,
    filter: &AuditFilter,
) -> Result<Vec<AuditLine>> {
    let rows = sqlx::query!(
        r#"select audit_id, at, actor_kind, actor_label, act, subject_kind, subject_id, details
           from audit_log
           where company_id = $1
             and audit_id < $2
             and ($3 = '' or starts_with(act, $3))
             and ($4 = '' or strpos(lower(actor_label), lower($4)) > 0)
             and ($5::date is null or at >= $5::date::timestamp at time zone 'Africa/Algiers')
             and ($6::date is null or at < ($6::date + 1)::timestamp at time zone 'Africa/Algiers')
           order by audit_id desc
           limit $7"#,
        company.0,
        filter.before.unwrap_or(i64::MAX),
        filter.act,
        filter.actor,
        filter.from,
        filter.to,
        AUDIT_PAGE + 1,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditLine {
            audit_id: row.audit_id,
            at: row.at,
            actor_kind: row.actor_kind,
            actor_label: row.actor_label,
            act: row.act,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            details: named_values(row.details),
        })
        .collect())
}

/// A JSON object as names and values; text without its quotes. Ids are for machines, and
/// stay in the table.
fn named_values(details: serde_json::Value) -> Vec<(String, String)> {
    let serde_json::Value::Object(fields) = details else { return Vec::new() };
    let shown = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let is_id = |text: &str| text.parse::<Uuid>().is_ok();
    fields
        .into_iter()
        .map(|(name, value)| (name, shown(value)))
        .filter(|(_, value)| !is_id(value))
        .collect()
}
