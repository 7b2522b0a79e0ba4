//! The audit log: who did what, newest first, filters in the address.

use askama::Template;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::identity::model::{AuditFilter, AuditLine};
use crate::identity::permission::AUDIT_VIEW;
use crate::identity::service;
use crate::time::{DEFAULT_ZONE, french_minute};
use crate::web::{Access, Page, Request, Response, Result, Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![get("/audit", Access::Needs(AUDIT_VIEW), show)]
}

/// What the address says; empty fields and dates that are none are no filter.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Asked {
    act: String,
    actor: String,
    from: String,
    to: String,
    before: String,
}

impl Asked {
    fn filter(&self) -> AuditFilter {
        let date = |text: &str| text.parse::<NaiveDate>().ok();
        AuditFilter {
            act: self.act.trim().to_owned(),
            actor: self.actor.trim().to_owned(),
            from: date(&self.from),
            to: date(&self.to),
            before: self.before.parse().ok(),
        }
    }

    /// The address of the same filters, below another line.
    fn address(&self, before: String) -> String {
        let asked = Self { before, ..self.clone() };
        let query = serde_urlencoded::to_string(asked).unwrap_or_default();
        format!("/audit?{query}")
    }
}

#[derive(Template)]
#[template(path = "identity/templates/audit.html")]
struct AuditPage {
    page: Page,
    lines: Vec<ShownLine>,
    asked: Asked,
    next: Option<String>,
    first: Option<String>,
}

struct ShownLine {
    line: AuditLine,
    at: String,
}

async fn show(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let db = &request.app().db;
    let (lines, has_more) = service::audit_page(db, request.company()?, &asked.filter()).await?;
    let last = lines.last().map(|line| line.audit_id.to_string());
    let next = last.filter(|_| has_more).map(|last| asked.address(last));
    let first = (!asked.before.is_empty()).then(|| asked.address(String::new()));
    let lines = lines
        .into_iter()
        .map(|line| ShownLine { at: french_minute(line.at, DEFAULT_ZONE), line })
        .collect();
    Response::html(&AuditPage {
        page: request.page("identity-audit-title"),
        lines,
        asked,
        next,
        first,
    })
}
