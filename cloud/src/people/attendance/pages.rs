//! The Pointages page: live list, filters, unmatched clock users; one punch as it is.

mod record;

use askama::Template;
use chrono::{NaiveDate, SecondsFormat};
use fournil_protocol::words::anomaly;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::live::{self, Following, Seat};
use super::model::{ClockUser, french_local_time, state_text};
use super::service;
use super::sql::{self, AssignedRow, Filter, PunchRow, UnmatchedRow};
use crate::db::{Begun, Scope};
use crate::i18n::{Message, Texts};
use crate::identity::permission::{PUNCHES_ASSIGN, PUNCHES_VIEW};
use crate::people::employees::{self, Employee};
use crate::time::{DEFAULT_ZONE, french_minute};
use crate::web::{Access, Error, NavItem, Page, Request, Response, Result, Route, get, post};

const PER_PAGE: i64 = 50;
const UNMATCHED_MAX: i64 = 50;
const ASSIGNED_MAX: i64 = 200;
const EVERYTHING: i64 = i64::MAX;

/// The menu's entries.
pub const NAV: &[NavItem] = &[NavItem {
    group: "people-nav-group",
    label: "attendance-title",
    href: "/punches",
    permission: PUNCHES_VIEW,
    icon: "punch",
}];

/// The area's routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        get("/punches", Access::Needs(PUNCHES_VIEW), list),
        get("/punches/live", Access::Needs(PUNCHES_VIEW), live_list),
        get("/punches/records/{punch_no}", Access::Needs(PUNCHES_VIEW), record::show),
        get("/punches/unmatched", Access::Needs(PUNCHES_VIEW), unmatched),
        post("/punches/assign", Access::Needs(PUNCHES_ASSIGN), assign),
    ]
}

/// A punch's line.
#[derive(Debug, Clone)]
struct PunchView {
    punch_no: i64,
    clock_serial: String,
    /// The page of that clock.
    clock_href: String,
    user_id: String,
    employee: Option<String>,
    at: String,
    state: String,
    source: String,
    anomalies: Vec<String>,
    repeat: Option<String>,
    received_iso: String,
    received: String,
    is_new: bool,
}

fn view(row: &PunchRow, texts: &Texts, is_new: bool) -> PunchView {
    PunchView {
        punch_no: row.punch_no,
        clock_href: clock_href(&row.clock_serial),
        clock_serial: row.clock_serial.clone(),
        user_id: row.user_id.clone(),
        employee: row.employee_name.clone(),
        at: french_local_time(&row.local_time),
        state: texts.with(state_text(row.state), &[("code", row.state.to_string())]),
        source: texts.get(&format!("attendance-source-{}", row.source)),
        anomalies: row.anomalies.iter().map(|word| anomaly_text(word, texts)).collect(),
        repeat: (row.occurrence > 0).then(|| {
            texts.with("attendance-repeat", &[("number", (row.occurrence + 1).to_string())])
        }),
        received_iso: row.received_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        received: french_minute(row.received_at, DEFAULT_ZONE),
        is_new,
    }
}

fn clock_href(serial: &str) -> String {
    let query = serde_urlencoded::to_string([("serial", serial)]).unwrap_or_default();
    format!("/clocks/one?{query}")
}

fn anomaly_text(word: &str, texts: &Texts) -> String {
    if anomaly::ALL.contains(&word) {
        texts.get(&format!("attendance-anomaly-{word}"))
    } else {
        texts.with("attendance-anomaly-other", &[("code", word.to_owned())])
    }
}

/// The filters as the address carries them; empty means all.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
struct Asked {
    #[serde(default)]
    employee: String,
    #[serde(default)]
    day: String,
    #[serde(default)]
    clock: String,
    #[serde(default)]
    source: String,
    /// `yes`: only punches about which something is odd.
    #[serde(default)]
    odd: String,
    #[serde(default, skip_serializing)]
    before: Option<i64>,
    #[serde(default, skip_serializing)]
    after: Option<i64>,
}

impl Asked {
    fn filter(&self) -> Result<Filter> {
        Ok(Filter {
            employee_id: chosen(&self.employee, Uuid::parse_str)?,
            day: chosen(&self.day, |day| NaiveDate::parse_from_str(day, "%Y-%m-%d"))?,
            clock_serial: (!self.clock.is_empty()).then(|| self.clock.clone()),
            source: chosen(&self.source, |source| match source {
                "poll" | "live" | "push" => Ok(source.to_owned()),
                _ => Err(()),
            })?,
            only_odd: !self.odd.is_empty(),
        })
    }

    /// The filters as a query string, without the place in the list.
    fn query(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }
}

fn chosen<T, E>(
    value: &str,
    parse: impl FnOnce(&str) -> std::result::Result<T, E>,
) -> Result<Option<T>> {
    if value.is_empty() {
        return Ok(None);
    }
    parse(value).map(Some).map_err(|_| Error::Malformed(Message::new("attendance-fault-filter")))
}

#[derive(Template)]
#[template(path = "people/attendance/templates/punches.html")]
struct ListPage {
    page: Page,
    punches: Vec<PunchView>,
    employees: Vec<Employee>,
    clocks: Vec<String>,
    unmatched: Vec<UnmatchedRow>,
    /// Numbers that have their employee; only for those who may change that.
    assigned: Vec<AssignedRow>,
    asked: Asked,
    query: String,
    /// The newest number shown or passed over: the live list goes on from here.
    newest: i64,
    older: Option<i64>,
    is_first: bool,
}

async fn list(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let filter = asked.filter()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let start = asked.before.unwrap_or(EVERYTHING);
    let mut rows = sql::page(scope.connection(), company, &filter, start, PER_PAGE + 1).await?;
    let has_older = rows.len() > usize::try_from(PER_PAGE).unwrap_or(usize::MAX);
    if has_older {
        rows.pop();
    }
    let texts = request.texts();
    let page = ListPage {
        punches: rows.iter().map(|row| view(row, &texts, false)).collect(),
        employees: employees::active(&mut scope, company).await?,
        clocks: sql::clocks(scope.connection(), company).await?,
        unmatched: read_unmatched(&request, &mut scope).await?,
        assigned: read_assigned(&request, &mut scope).await?,
        query: asked.query(),
        newest: sql::newest(scope.connection(), company).await?,
        older: rows.last().filter(|_| has_older).map(|row| row.punch_no),
        is_first: asked.before.is_none(),
        page: request.page("attendance-title"),
        asked,
    };
    Response::html(&page)
}

#[derive(Template)]
#[template(path = "people/attendance/templates/unmatched.html")]
struct UnmatchedPart {
    page: Page,
    employees: Vec<Employee>,
    unmatched: Vec<UnmatchedRow>,
    query: String,
}

async fn unmatched(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    Response::html(&UnmatchedPart {
        page: request.page("attendance-title"),
        employees: employees::active(&mut scope, company).await?,
        unmatched: read_unmatched(&request, &mut scope).await?,
        query: asked.query(),
    })
}

async fn read_unmatched(request: &Request, scope: &mut Scope) -> Result<Vec<UnmatchedRow>> {
    Ok(sql::unmatched(scope.connection(), request.company()?, UNMATCHED_MAX).await?)
}

async fn read_assigned(request: &Request, scope: &mut Scope) -> Result<Vec<AssignedRow>> {
    if !request.session()?.may(PUNCHES_ASSIGN) {
        return Ok(Vec::new());
    }
    Ok(sql::assigned(scope.connection(), request.company()?, ASSIGNED_MAX).await?)
}

impl UnmatchedRow {
    fn last_shown(&self) -> String {
        french_local_time(&self.last_local_time)
    }

    fn is_likely(&self, employee: &Employee) -> bool {
        self.likely == Some(employee.employee_id)
    }
}

#[derive(Template)]
#[template(path = "people/attendance/templates/row.html")]
struct RowPart<'p> {
    page: &'p Page,
    punch: PunchView,
}

/// New rows as they come. A browser that comes back says the last id it has.
async fn live_list(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let company = request.company()?;
    let resumed = request.header("last-event-id").and_then(|id| id.parse().ok());
    let following = Following {
        db: request.app().db.clone(),
        company,
        filter: asked.filter()?,
        after: resumed.or(asked.after).unwrap_or(0),
    };
    let seat = Seat::take(company).ok_or(Error::TooMany(30))?;
    let (page, texts) = (request.page("attendance-title"), request.texts());
    let events = live::follow(following, seat).filter_map(move |row| {
        let punch = view(&row, &texts, true);
        let rendered = RowPart { page: &page, punch }.render();
        std::future::ready(match rendered {
            Ok(html) => Some(Response::event("punch", Some(&row.punch_no.to_string()), &html)),
            Err(error) => {
                tracing::error!(%error, "a punch could not be shown");
                None
            }
        })
    });
    Ok(Response::events(events))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AssignForm {
    clock_serial: String,
    user_id: String,
    /// Empty until somebody is chosen.
    employee_id: String,
    /// Where to go back to: the filters.
    #[serde(default)]
    back: String,
    /// Asked on the clock's own page, to which it goes back.
    #[serde(default)]
    from_clock: String,
}

async fn assign(request: Request) -> Result<Response> {
    let form: AssignForm = request.form()?;
    let nobody = || Error::field("employee_id", Message::new("attendance-fault-employee"));
    let employee_id: Uuid = form.employee_id.parse().map_err(|_| nobody())?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let user = ClockUser { clock_serial: form.clock_serial.clone(), user_id: form.user_id.clone() };
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "attendance.assign", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        service::assign(&mut act, &user, employee_id).await.map_err(|error| {
            match error.constraint() {
                Some("clock_users_company_id_employee_id_fkey") => nobody(),
                _ => error.into(),
            }
        })?;
        act.commit_with(&()).await?;
    }
    if !form.from_clock.is_empty() {
        return Ok(Response::see_other(&clock_href(&form.clock_serial)));
    }
    let asked: Asked = serde_urlencoded::from_str(&form.back).unwrap_or_default();
    Ok(Response::see_other(&format!("/punches?{}", asked.query())))
}
