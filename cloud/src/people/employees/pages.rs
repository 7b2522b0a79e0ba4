//! The Employés page: a list, somebody new, and whether they still work here.

use askama::Template;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::service;
use super::sql::{self, Employee};
use crate::db::Begun;
use crate::i18n::Message;
use crate::identity::permission::{EMPLOYEES_MANAGE, EMPLOYEES_VIEW};
use crate::web::{Access, Error, NavItem, Page, Request, Response, Result, Route, get, post};

const PER_PAGE: i64 = 100;

/// The menu's entries.
pub const NAV: &[NavItem] = &[NavItem {
    group: "people-nav-group",
    label: "employees-title",
    href: "/employees",
    permission: EMPLOYEES_VIEW,
    icon: "users",
}];

/// The area's routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        get("/employees", Access::Needs(EMPLOYEES_VIEW), list),
        post("/employees", Access::Needs(EMPLOYEES_MANAGE), add),
        post("/employees/{employee_id}/active", Access::Needs(EMPLOYEES_MANAGE), set_active),
        post("/employees/{employee_id}/clock", Access::Needs(EMPLOYEES_MANAGE), set_clock),
    ]
}

#[derive(Template)]
#[template(path = "people/employees/templates/employees.html")]
struct ListPage {
    page: Page,
    employees: Vec<Employee>,
    is_first: bool,
    next: Option<String>,
    form: AddForm,
    fault: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct AddForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    job: String,
}

/// Where a page of the list begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    #[serde(default)]
    after: String,
}

async fn list(request: Request) -> Result<Response> {
    list_page(&request, AddForm::default(), None).await
}

async fn list_page(request: &Request, form: AddForm, fault: Option<Message>) -> Result<Response> {
    let place: Place = request.query()?;
    let company = request.company()?;
    let mut scope = request.app().db.read(company).await?;
    let mut employees = sql::page(scope.connection(), company, &place.after, PER_PAGE + 1).await?;
    let has_more = employees.len() > usize::try_from(PER_PAGE).unwrap_or(usize::MAX);
    if has_more {
        employees.pop();
    }
    let last = employees.last().filter(|_| has_more).map(|last| last.name.clone());
    let next = last.and_then(|after| serde_urlencoded::to_string(Place { after }).ok());
    let status = if fault.is_some() { 422 } else { 200 };
    let page = ListPage {
        page: request.page("employees-title"),
        employees,
        is_first: place.after.is_empty(),
        next,
        form,
        fault: fault.map(|message| request.texts().say(&message)).unwrap_or_default(),
    };
    Ok(Response::html(&page)?.with_status(status))
}

async fn add(request: Request) -> Result<Response> {
    let form: AddForm = request.form()?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    if !(1..=80).contains(&form.name.trim().chars().count()) {
        return list_page(&request, form, Some(Message::new("employees-fault-name"))).await;
    }
    let begun = request.app().db.begin_once::<_, Uuid>(&actor, key, "employees.add", &form).await?;
    if let Begun::Fresh(mut act) = begun {
        match service::add(&mut act, &form.name, &form.job).await {
            Ok(employee_id) => act.commit_with(&employee_id).await?,
            Err(error) if error.constraint() == Some("employee_name_unique") => {
                let fault = Message::new("employees-fault-name-taken");
                return list_page(&request, form, Some(fault)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Response::see_other("/employees"))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ActiveForm {
    active: bool,
}

async fn set_active(request: Request) -> Result<Response> {
    let form: ActiveForm = request.form()?;
    let employee_id: Uuid = request.param("employee_id")?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (employee_id, &form);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "employees.set_active", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        if !service::set_active(&mut act, employee_id, form.active).await? {
            return Err(Error::NotFound);
        }
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other("/employees"))
}

/// Both as typed; empty: none.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ClockForm {
    #[serde(default)]
    number: String,
    #[serde(default)]
    card: String,
}

async fn set_clock(request: Request) -> Result<Response> {
    let form: ClockForm = request.form()?;
    let employee_id: Uuid = request.param("employee_id")?;
    let number_fault = || Error::field("number", Message::new("employees-fault-number"));
    let number = Some(form.number.trim()).filter(|number| !number.is_empty());
    let card = match form.card.trim() {
        "" => None,
        card => match card.parse::<u32>() {
            Ok(card) if card > 0 => Some(i64::from(card)),
            _ => return Err(Error::field("card", Message::new("employees-fault-card"))),
        },
    };
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let input = (employee_id, &form);
    let begun =
        request.app().db.begin_once::<_, ()>(&actor, key, "employees.set_clock", &input).await?;
    if let Begun::Fresh(mut act) = begun {
        let found = service::set_clock(&mut act, employee_id, number, card).await;
        let found = found.map_err(|error| match error.constraint() {
            Some("employee_clock_number_form") => number_fault(),
            Some("employee_clock_number_unique") => {
                Error::field("number", Message::new("employees-fault-number-taken"))
            }
            _ => error.into(),
        })?;
        if !found {
            return Err(Error::NotFound);
        }
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other("/employees"))
}
