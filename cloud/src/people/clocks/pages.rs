//! The Pointeuses pages: every clock at a glance; one clock with its people, its own log and
//! what was asked of it.

mod actions;
pub use actions::asked_range;

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::model::{
    Compared, DRIFT_TOLD_MS, Difference, Gauge, is_away, is_grave, is_silent, operation_text,
};
use super::service;
use super::sql::{self, ClockRow, OperationRow};
use crate::db::Scope;
use crate::gateways::reason_text;
use crate::gateways::stand::{self, DeviceStand};
use crate::i18n::Texts;
use crate::identity::permission::{PUNCHES_ASSIGN, PUNCHES_VIEW};
use crate::people::employees::{self, Employee};
use crate::quantity::Quantity;
use crate::time::{At, DEFAULT_ZONE, at};
use crate::web::{Access, Error, NavItem, Page, Request, Response, Result, Route, get};

const OPERATIONS_SHOWN: i64 = 50;
const COMMANDS_SHOWN: i64 = 10;

/// The menu's entries.
pub const NAV: &[NavItem] = &[NavItem {
    group: "people-nav-group",
    label: "clocks-title",
    href: "/clocks",
    permission: PUNCHES_VIEW,
    icon: "clock",
}];

/// The area's routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        get("/clocks", Access::Needs(PUNCHES_VIEW), list),
        get("/clocks/one", Access::Needs(PUNCHES_VIEW), show),
        get("/clocks/commands", Access::Needs(PUNCHES_VIEW), commands),
    ];
    routes.extend(actions::routes());
    routes
}

/// Something wrong with a clock, and what to do.
#[derive(Debug, Clone)]
struct Alarm {
    code: String,
    style: &'static str,
    text: String,
}

/// A gauge with its words.
#[derive(Debug, Clone)]
struct GaugeView {
    label: String,
    text: String,
    badge: &'static str,
    percent: Option<i64>,
}

/// A clock on its card.
#[derive(Debug, Clone)]
struct ClockView {
    clock_serial: String,
    /// The page of this clock.
    href: String,
    commands_href: String,
    punches_href: String,
    name: String,
    model: String,
    gateway: String,
    is_live: bool,
    /// It calls by itself and is asked on the page of such clocks.
    is_calling: bool,
    /// It calls the shop's gateway: it can be asked for what it knows, and not be changed.
    is_heard_only: bool,
    state_badge: &'static str,
    state_text: String,
    alarms: Vec<Alarm>,
    gauges: Vec<GaugeView>,
    drift: Option<String>,
    link: String,
    address: String,
    last_punch: Option<String>,
    heard: Option<At>,
    whole_read: Option<At>,
    whole_read_records: i64,
    /// The log is just what was read whole: it may be emptied where the shop allows.
    may_clear: bool,
    users_read: Option<At>,
    layout: String,
    zone: String,
    /// As a form's field of a day has it.
    today: String,
}

fn view(row: &ClockRow, stands: &[DeviceStand], texts: &Texts, now: DateTime<Utc>) -> ClockView {
    let stand = stands
        .iter()
        .find(|stand| Some(stand.gateway_id) == row.gateway_id && stand.device == row.device);
    // Without a gateway the clock calls by itself: it is there as long as it does.
    let is_live = match row.gateway_id {
        Some(_) => stand.is_some_and(|stand| stand.is_live),
        None => !is_away(row.heard_at, now),
    };
    let alarms = alarms(row, stand, texts, now);
    let (state_badge, state_text) = match (is_live, alarms.iter().any(Alarm::is_bad)) {
        (false, _) => ("badge--idle", "clocks-state-away"),
        (true, true) => ("badge--bad", "clocks-state-bad"),
        (true, false) if alarms.is_empty() => ("badge--ok", "clocks-state-ok"),
        (true, false) => ("badge--warn", "clocks-state-warn"),
    };
    let zone = DEFAULT_ZONE;
    let query = serde_urlencoded::to_string([("serial", &row.clock_serial)]).unwrap_or_default();
    let model: Vec<&str> = [&row.model, &row.platform, &row.firmware]
        .into_iter()
        .map(String::as_str)
        .filter(|t| !t.is_empty())
        .collect();
    ClockView {
        href: format!("/clocks/one?{query}"),
        commands_href: format!("/clocks/commands?{query}"),
        punches_href: format!("/punches?{}", query.replacen("serial=", "clock=", 1)),
        name: if row.device.is_empty() { row.clock_serial.clone() } else { row.device.clone() },
        model: model.join(" · "),
        gateway: stand.map(|stand| stand.gateway.clone()).unwrap_or_default(),
        is_live,
        is_calling: row.gateway_id.is_none(),
        is_heard_only: row.gateway_id.is_some() && row.link == "push",
        state_badge,
        state_text: texts.get(state_text),
        alarms,
        gauges: vec![
            gauge("clocks-gauge-records", row.records, row.records_capacity, texts),
            gauge("clocks-gauge-users", row.users, row.users_capacity, texts),
        ],
        drift: row.drift_ms.map(|drift_ms| drift_text(drift_ms, texts)),
        link: texts.get(&format!("clocks-link-{}", row.link)),
        address: row.address.clone(),
        last_punch: row.last_punch.as_deref().map(|time| time.replace('T', " ")),
        heard: row.heard_at.map(|heard| at(heard, zone)),
        whole_read: row.whole_read_at.map(|read| at(read, zone)),
        whole_read_records: row.whole_read_records,
        may_clear: row.whole_read_records > 0 && row.whole_read_records == row.records,
        users_read: row.users_read_at.map(|read| at(read, zone)),
        layout: row.layout.clone(),
        today: now.with_timezone(&zone).format("%Y-%m-%d").to_string(),
        zone: row.zone.clone(),
        clock_serial: row.clock_serial.clone(),
    }
}

impl Alarm {
    fn is_bad(&self) -> bool {
        self.style == "notice--bad"
    }
}

fn alarms(
    row: &ClockRow,
    stand: Option<&DeviceStand>,
    texts: &Texts,
    now: DateTime<Utc>,
) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    match stand {
        Some(stand) if !stand.is_live => {
            alarms.push(alarm("gateway-away", "notice--warn", texts.get("clocks-alarm-gateway")));
        }
        Some(stand) if !matches!(stand.code.as_str(), "ok" | "starting") => {
            let style = if stand.state == "down" { "notice--bad" } else { "notice--warn" };
            let text = texts.say(&reason_text(&stand.code));
            let detail = if stand.detail.is_empty() {
                String::new()
            } else {
                format!(" ({})", stand.detail)
            };
            alarms.push(alarm(&stand.code, style, format!("{text}{detail}")));
        }
        Some(_) if is_silent(row.heard_at, now) => {
            alarms.push(alarm("silent", "notice--warn", texts.get("clocks-alarm-silent")));
        }
        Some(_) => {}
        None if row.gateway_id.is_none() => {
            if is_away(row.heard_at, now) {
                let text = texts.get("clocks-alarm-calls-no-more");
                alarms.push(alarm("calls-no-more", "notice--warn", text));
            }
        }
        None => {
            let text = texts.get("clocks-alarm-not-served");
            alarms.push(alarm("not-served", "notice--warn", text));
        }
    }
    if row.unmatched > 0 {
        let count = row.unmatched.to_string();
        let text = texts.with("clocks-alarm-unmatched", &[("count", count)]);
        alarms.push(alarm("unmatched", "notice--info", text));
    }
    alarms
}

fn alarm(code: &str, style: &'static str, text: String) -> Alarm {
    Alarm { code: code.to_owned(), style, text }
}

fn gauge(label: &str, held: i64, capacity: i64, texts: &Texts) -> GaugeView {
    let gauge = Gauge { held, capacity };
    let whole = |count| Quantity::whole(count).french();
    let figures = [("held", whole(held)), ("capacity", whole(capacity))];
    let id = if capacity > 0 { "clocks-gauge-of" } else { "clocks-gauge-open" };
    GaugeView {
        label: texts.get(label),
        text: texts.with(id, &figures),
        badge: gauge.badge(),
        percent: gauge.percent(),
    }
}

fn drift_text(drift_ms: i64, texts: &Texts) -> String {
    let seconds = drift_ms.unsigned_abs() / 1_000;
    let id = match drift_ms {
        _ if seconds < 2 => "clocks-drift-none",
        1.. => "clocks-drift-fast",
        _ => "clocks-drift-slow",
    };
    let (amount, unit) = match seconds {
        0..120 => (seconds, "s"),
        120..7_200 => (seconds / 60, "min"),
        7_200..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    let span = texts.with(&format!("clocks-span-{unit}"), &[("count", amount.to_string())]);
    texts.with(id, &[("span", span)])
}

#[derive(Template)]
#[template(path = "people/clocks/templates/list.html")]
struct ListPage {
    page: Page,
    clocks: Vec<ClockView>,
}

async fn list(request: Request) -> Result<Response> {
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let rows = sql::clocks(scope.connection(), company, None).await?;
    let stands = stand::devices(&mut scope, company).await?;
    let (texts, now) = (request.texts(), request.app().time.now());
    let clocks = rows.iter().map(|row| view(row, &stands, &texts, now)).collect();
    Response::html(&ListPage { page: request.page("clocks-title"), clocks })
}

/// Which clock, as the address carries it: a serial number may hold any letter.
#[derive(Debug, Clone, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    serial: String,
}

/// The clock that is asked for.
async fn read_clock(request: &Request, scope: &mut Scope, serial: &str) -> Result<ClockRow> {
    let company = request.company()?;
    let rows = sql::clocks(scope.connection(), company, Some(serial)).await?;
    rows.into_iter().next().ok_or(Error::NotFound)
}

/// A line of the comparison.
#[derive(Debug, Clone)]
struct UserView {
    user_id: String,
    word: &'static str,
    text: String,
    badge: &'static str,
    on_clock: String,
    card_on_clock: Option<i64>,
    is_garbled: bool,
    is_admin: bool,
    here: Option<String>,
    card_here: Option<i64>,
    is_writable: bool,
    is_unknown: bool,
}

fn user_view(line: &Compared, texts: &Texts) -> UserView {
    let on_clock = line.on_clock.as_ref();
    UserView {
        user_id: line.user_id.clone(),
        word: line.difference.word(),
        text: texts.get(&format!("clocks-user-{}", line.difference.word())),
        badge: match line.difference {
            Difference::Same => "badge--ok",
            Difference::Unknown => "badge--unknown",
            Difference::Twice => "badge--bad",
            Difference::Missing | Difference::Name | Difference::Card => "badge--warn",
        },
        on_clock: on_clock.map(|user| user.name.clone()).unwrap_or_default(),
        card_on_clock: on_clock.map(|user| user.card).filter(|card| *card > 0),
        is_garbled: on_clock.is_some_and(|user| user.is_name_garbled),
        is_admin: on_clock.is_some_and(|user| user.privilege & !1 != 0),
        here: line.person.as_ref().map(|person| person.name.clone()),
        card_here: line.person.as_ref().and_then(|person| person.card),
        is_writable: line.difference.is_writable(),
        is_unknown: line.difference == Difference::Unknown,
    }
}

/// A line of the clock's own log.
#[derive(Debug, Clone)]
struct OperationView {
    at: String,
    text: String,
    admin: Option<String>,
    parameters: String,
    is_grave: bool,
}

fn operation_view(row: &OperationRow, texts: &Texts) -> OperationView {
    OperationView {
        at: row.local_time.replace('T', " "),
        text: texts.with(operation_text(row.operation), &[("code", row.operation.to_string())]),
        admin: (row.admin != "0").then(|| row.admin.clone()),
        parameters: row.parameters.join(" "),
        is_grave: is_grave(row.operation),
    }
}

/// A command to the clock.
#[derive(Debug, Clone)]
struct CommandView {
    what: String,
    state: String,
    badge: &'static str,
    reason: Option<String>,
    detail: String,
    asked: At,
    asked_by: String,
}

async fn command_views(
    request: &Request,
    scope: &mut Scope,
    row: &ClockRow,
) -> Result<(Vec<CommandView>, bool)> {
    let (company, texts) = (request.company()?, request.texts());
    let commands = match row.gateway_id {
        Some(gateway_id) => {
            stand::commands(scope, company, gateway_id, &row.device, COMMANDS_SHOWN).await?
        }
        None => Vec::new(),
    };
    let are_open = commands.iter().any(|command| !command.is_settled());
    let views = commands
        .into_iter()
        .map(|command| {
            let (state, badge) = command.state_text(&texts);
            CommandView {
                what: command.kind_text(&texts),
                state,
                badge,
                reason: command.reason().map(|reason| texts.say(&reason)),
                asked: at(command.asked_at, DEFAULT_ZONE),
                detail: command.detail,
                asked_by: command.asked_by,
            }
        })
        .collect();
    Ok((views, are_open))
}

#[derive(Template)]
#[template(path = "people/clocks/templates/show.html")]
struct ShowPage {
    page: Page,
    clock: ClockView,
    users: Vec<UserView>,
    writable: usize,
    employees: Vec<Employee>,
    operations: Vec<OperationView>,
    commands: Vec<CommandView>,
    /// Something was asked and has not ended: the page looks again.
    are_open: bool,
    is_drift_told: bool,
    may_act: bool,
}

async fn show(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let row = read_clock(&request, &mut scope, &asked.serial).await?;
    let stands = stand::devices(&mut scope, company).await?;
    let (texts, now) = (request.texts(), request.app().time.now());
    let lines = service::comparison(&mut scope, company, &row.clock_serial).await?;
    let operations =
        sql::operations(scope.connection(), company, &row.clock_serial, OPERATIONS_SHOWN).await?;
    let (commands, are_open) = command_views(&request, &mut scope, &row).await?;
    let page = ShowPage {
        users: lines.iter().map(|line| user_view(line, &texts)).collect(),
        writable: lines.iter().filter(|line| line.difference.is_writable()).count(),
        employees: employees::active(&mut scope, company).await?,
        operations: operations.iter().map(|row| operation_view(row, &texts)).collect(),
        commands,
        are_open,
        is_drift_told: row.drift_ms.is_some_and(|drift| drift.unsigned_abs() > DRIFT_TOLD_MS),
        may_act: request.session()?.may(PUNCHES_ASSIGN),
        clock: view(&row, &stands, &texts, now),
        page: request.page("clocks-title"),
    };
    Response::html(&page)
}

#[derive(Template)]
#[template(path = "people/clocks/templates/commands.html")]
struct CommandsPart {
    page: Page,
    clock: ClockView,
    commands: Vec<CommandView>,
    are_open: bool,
}

/// The commands again, while one is open.
async fn commands(request: Request) -> Result<Response> {
    let asked: Asked = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let row = read_clock(&request, &mut scope, &asked.serial).await?;
    let stands = stand::devices(&mut scope, company).await?;
    let (commands, are_open) = command_views(&request, &mut scope, &row).await?;
    let clock = view(&row, &stands, &request.texts(), request.app().time.now());
    Response::html(&CommandsPart { page: request.page("clocks-title"), clock, commands, are_open })
}
