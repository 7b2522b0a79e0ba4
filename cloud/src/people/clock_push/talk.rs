//! The conversation with a clock: what it asks at `/iclock/...` and what it is answered. All
//! answers are plain text; what was not kept for good is never answered with OK, so that the
//! clock keeps it and comes again.

use chrono::{Datelike as _, LocalResult, NaiveDate, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use fournil_protocol::clock::ClockTime;
use fournil_protocol::iclock::{
    self, Ask, AskError, CommandResult, Options, Setting, Told, Wanted, body, options, told,
};
use fournil_protocol::words::anomaly;

use super::model::{self, Mark};
use super::service::{self, Brought, Caller, Refusal};
use crate::time::DEFAULT_ZONE;
use crate::web::{Access, Allowance, Request, Response, Route, caller, get, post};

/// Seconds between two tries of a clock after a failure, and between two questions.
const ERROR_DELAY_S: u32 = 60;
const DELAY_S: u32 = 15;
/// What one clock may ask: its rhythm, and a long log in blocks.
const PER_CLOCK: Allowance = Allowance { burst: 120, refill_ms: 500 };

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/iclock/{*rest}", Access::Public, answer).in_any_case(),
        post("/iclock/{*rest}", Access::Public, answer)
            .in_any_case()
            .with_body_bytes_max(iclock::BODY_BYTES_MAX),
    ]
}

/// Answers whatever a clock asks, and says no in a way clocks understand.
async fn answer(request: Request) -> crate::web::Result<Response> {
    let asked = Ask::read(request.method().as_str(), request.path(), request.query_text());
    let ask = match asked {
        Ok(ask) => ask,
        Err(error) => {
            let status = match error {
                AskError::Path => 404,
                AskError::Method => 405,
                AskError::Serial => 400,
            };
            return Ok(Response::text(format!("UNKNOWN: {error}")).with_status(status));
        }
    };
    // By address too: a stranger who knows the number must not use up what the clock may ask.
    let address = caller(request.peer().0);
    request.take_try(&format!("iclock:{}:{address}", ask.serial), PER_CLOCK)?;
    match converse(&request, &ask).await {
        Ok(text) => Ok(Response::text(text)),
        Err(refusal) => Ok(refused(&ask, &refusal)),
    }
}

fn refused(ask: &Ask, refusal: &Refusal) -> Response {
    let serial = &ask.serial;
    match refusal {
        Refusal::Unknown | Refusal::Key | Refusal::NoHello => {
            tracing::info!(clock.serial = serial, why = %refusal, "a clock is sent away");
            Response::text("UNKNOWN DEVICE".to_owned()).with_status(403)
        }
        Refusal::Body(_) | Refusal::Table => {
            tracing::warn!(clock.serial = serial, why = %refusal, "what a clock sent is not kept");
            Response::text("RETRY".to_owned()).with_status(400)
        }
        Refusal::Db(error) => {
            tracing::warn!(clock.serial = serial, %error, "what a clock sent cannot be kept now");
            Response::text("RETRY".to_owned()).with_status(503)
        }
    }
}

async fn converse(request: &Request, ask: &Ask) -> Result<String, Refusal> {
    let db = &request.app().db;
    let address = caller(request.peer().0).to_string();
    let serial = &ask.serial;
    if let Wanted::Hello { key } = &ask.wanted {
        let caller = service::greet(db, serial, key.as_deref(), &address).await?;
        return Ok(options_of(request, &caller, &service::marks(db, &caller).await?).block());
    }
    let mut caller = service::admit(db, serial, &address).await?;
    let text = match &ask.wanted {
        Wanted::Punches { mark } => {
            return take(request, &caller, Mark::Punches, mark.as_deref()).await;
        }
        Wanted::Operations { mark } => {
            return take(request, &caller, Mark::Operations, mark.as_deref()).await;
        }
        Wanted::Answers { table } => return answers(request, &caller, table).await,
        Wanted::Results => {
            let results = CommandResult::read_all(&plain(request, &caller).await?);
            let read = |result: &CommandResult| Some((result.id.parse().ok()?, result.code));
            let results = results.iter().filter_map(read).collect();
            service::take(db, &caller, &Brought { results, ..Brought::default() }).await?;
            iclock::OK.to_owned()
        }
        Wanted::Commands { info } => {
            // `INFO=Ver 6.60,4,0,120,...`: the first is the firmware.
            let firmware = info.as_deref().and_then(|info| info.split(',').next());
            caller.firmware = told::short(firmware.unwrap_or_default());
            commands(request, &caller).await?
        }
        Wanted::Properties => {
            let body = plain(request, &caller).await?;
            caller.firmware = told::property(&body, "FirmVer").unwrap_or_default();
            service::take(db, &caller, &Brought::default()).await?;
            iclock::OK.to_owned()
        }
        Wanted::Unspoken { table } => {
            tracing::debug!(clock.serial = serial, table, "a table that is not kept");
            return Err(service::refuse_told(db, &caller, Refusal::Table).await);
        }
        Wanted::Dropped => {
            service::take(db, &caller, &Brought::default()).await?;
            iclock::OK.to_owned()
        }
        Wanted::Ping => iclock::OK.to_owned(),
        Wanted::Registry => options::registry(serial),
        Wanted::Configuration => {
            options_of(request, &caller, &service::marks(db, &caller).await?).configuration()
        }
        Wanted::Time => {
            let now = request.app().time.now().naive_utc();
            options::time(wall(now), minutes_east(request, &caller))
        }
        // Answered with nothing: the clock goes on without encryption.
        Wanted::Exchange | Wanted::Hello { .. } => String::new(),
    };
    Ok(text)
}

fn options_of<'o>(
    request: &Request,
    caller: &'o Caller,
    (punches_mark, operations_mark): &'o (String, String),
) -> Options<'o> {
    Options {
        serial: &caller.serial,
        punches_mark,
        operations_mark,
        minutes_east: minutes_east(request, caller),
        error_delay_s: ERROR_DELAY_S,
        delay_s: DELAY_S,
    }
}

fn minutes_east(request: &Request, caller: &Caller) -> i32 {
    model::minutes_east(zone_of(caller), request.app().time.now().naive_utc())
}

fn zone_of(caller: &Caller) -> Tz {
    model::zone(&caller.zone).unwrap_or(DEFAULT_ZONE)
}

/// Keeps a body of punches, or of operations and users.
async fn take(
    request: &Request,
    caller: &Caller,
    log: Mark,
    mark: Option<&str>,
) -> Result<String, Refusal> {
    let body = plain(request, caller).await?;
    let read = read(request, caller, |setting| match log {
        Mark::Punches => Told::punches(&body, setting),
        Mark::Operations => Told::operations(&body, setting),
    });
    let lines = read.lines();
    let mark = mark.and_then(options::mark).map(|mark| (log, mark.to_owned()));
    let brought = Brought { told: read, mark, ..Brought::default() };
    service::take(&request.app().db, caller, &brought).await?;
    Ok(iclock::accepted(lines))
}

/// Keeps what a newer clock answers to a query.
async fn answers(request: &Request, caller: &Caller, table: &str) -> Result<String, Refusal> {
    let body = plain(request, caller).await?;
    let read = if table.eq_ignore_ascii_case("user") {
        Told::users(&body)
    } else {
        Told { dropped: body::lines(&body).count(), ..Told::default() }
    };
    let lines = read.lines();
    let brought = Brought { told: read, ..Brought::default() };
    service::take(&request.app().db, caller, &brought).await?;
    Ok(format!("{table}={lines}"))
}

/// The clock's questions for something to do.
async fn commands(request: &Request, caller: &Caller) -> Result<String, Refusal> {
    let due = service::take_due(&request.app().db, caller).await?;
    if due.is_empty() {
        return Ok(iclock::OK.to_owned());
    }
    Ok(due.iter().map(|(command_no, command)| command.line(&command_no.to_string())).collect())
}

async fn plain(request: &Request, caller: &Caller) -> Result<Vec<u8>, Refusal> {
    match body::plain(request.body()) {
        Ok(plain) => Ok(plain),
        Err(error) => {
            let refusal = Refusal::Body(error);
            Err(service::refuse_told(&request.app().db, caller, refusal).await)
        }
    }
}

fn read(request: &Request, caller: &Caller, reading: impl FnOnce(&Setting<'_>) -> Told) -> Told {
    let zone = zone_of(caller);
    let setting = Setting {
        serial: &caller.serial,
        zone: zone.name(),
        now_ms: request.app().time.now().timestamp_millis(),
        instant: &|wall| instant(wall, zone),
    };
    reading(&setting)
}

/// The instant of a wall time. An hour that occurs twice is taken as the first of the two.
fn instant(wall: ClockTime, zone: Tz) -> told::Instant {
    let date = NaiveDate::from_ymd_opt(wall.year.into(), wall.month.into(), wall.day.into());
    let naive = date.and_then(|date| {
        date.and_hms_opt(wall.hour.into(), wall.minute.into(), wall.second.into())
    });
    let Some(naive) = naive else { return (None, Some(anomaly::IMPOSSIBLE_DATE)) };
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(instant) => (Some(instant.timestamp_millis()), None),
        LocalResult::Ambiguous(first, _) => {
            (Some(first.timestamp_millis()), Some(anomaly::AMBIGUOUS_HOUR))
        }
        LocalResult::None => (None, Some(anomaly::SKIPPED_HOUR)),
    }
}

fn wall(time: chrono::NaiveDateTime) -> ClockTime {
    // Each part fits by what a calendar is.
    let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    ClockTime {
        year: u16::try_from(time.year()).unwrap_or(u16::MAX),
        month: small(time.month()),
        day: small(time.day()),
        hour: small(time.hour()),
        minute: small(time.minute()),
        second: small(time.second()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_is_placed_in_its_zone_or_said_to_be_none() {
        let at = |text: &str, zone| instant(ClockTime::read(text).expect("a time"), zone);
        let algiers = chrono_tz::Africa::Algiers;
        assert_eq!(at("2026-11-24 00:30:00", algiers), (Some(1_795_476_600_000), None));
        assert_eq!(at("2026-02-30 08:00:00", algiers), (None, Some(anomaly::IMPOSSIBLE_DATE)));
        let paris = chrono_tz::Europe::Paris;
        assert_eq!(at("2026-03-29 02:30:00", paris), (None, Some(anomaly::SKIPPED_HOUR)));
        assert_eq!(at("2026-10-25 02:30:00", paris).1, Some(anomaly::AMBIGUOUS_HOUR));
    }
}
