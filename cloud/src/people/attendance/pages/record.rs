//! One punch as the clock gave it.

use askama::Template;

use super::{anomaly_text, clock_href};
use crate::people::attendance::model::{french_local_time, state_text};
use crate::people::attendance::sql::{self, RecordRow};
use crate::time::{french_minute, zone};
use crate::web::{Error, Page, Request, Response, Result};

#[derive(Template)]
#[template(path = "people/attendance/templates/record.html")]
struct RecordPage {
    page: Page,
    record: RecordRow,
    at: String,
    instant: Option<String>,
    state: String,
    source: String,
    anomalies: Vec<String>,
    /// In groups of a byte, so that it can be read aloud.
    raw: String,
    recorded: Option<String>,
    received: String,
    clock_href: String,
}

pub(super) async fn show(request: Request) -> Result<Response> {
    let punch_no: i64 = request.param("punch_no")?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let record =
        sql::record(scope.connection(), company, punch_no).await?.ok_or(Error::NotFound)?;
    let (texts, zone) = (request.texts(), zone(&record.zone));
    let bytes: Vec<String> = record.raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let page = RecordPage {
        page: request.page("attendance-record-title"),
        at: french_local_time(&record.local_time),
        instant: record.instant.map(|instant| instant.to_rfc3339()),
        state: texts.with(state_text(record.state), &[("code", record.state.to_string())]),
        source: texts.get(&format!("attendance-source-{}", record.source)),
        anomalies: record.anomalies.iter().map(|word| anomaly_text(word, &texts)).collect(),
        raw: bytes.join(" "),
        recorded: record.recorded_at.map(|recorded| french_minute(recorded, zone)),
        received: french_minute(record.received_at, zone),
        clock_href: clock_href(&record.clock_serial),
        record,
    };
    Response::html(&page)
}
