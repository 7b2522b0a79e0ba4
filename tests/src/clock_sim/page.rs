//! The simulated clock's control page: its people with a button each, and its log.
//!
//! `GET /` is the page, `GET /state` the same as JSON, `POST /punch` with `user_id` and
//! `state` lets somebody punch. For demonstrations and tests; it has no protection and
//! belongs on the loopback address.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::device::PunchError;
use super::{Shared, lock, take_punch};

const FORM_BYTES_MAX: usize = 4096;
const PUNCHES_SHOWN: usize = 30;
const STYLE: &str = "body{font:16px sans-serif;margin:2rem;max-width:48rem}\
    button{font:inherit;padding:.6rem 1rem;margin:.2rem}\
    td,th{padding:.2rem .8rem .2rem 0;text-align:start}";

/// Serves pages until the listener's task is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(super::ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&shared)));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a page was not delivered");
            }
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let wants_json = request
        .headers()
        .get(ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => answer(StatusCode::OK, "text/html; charset=utf-8", page(&shared)),
        (&Method::GET, "/state") => json(StatusCode::OK, &state(&shared)),
        (&Method::POST, "/punch") => punch(request, &shared, wants_json).await,
        _ => answer(StatusCode::NOT_FOUND, "text/plain", "rien ici\n".to_owned()),
    })
}

async fn punch(
    request: Request<Incoming>,
    shared: &Shared,
    wants_json: bool,
) -> Response<Full<Bytes>> {
    let form = Limited::new(request.into_body(), FORM_BYTES_MAX).collect().await;
    let form = form.map(Collected::to_bytes).unwrap_or_default();
    let form = String::from_utf8_lossy(&form).into_owned();
    let user_id = form_value(&form, "user_id").unwrap_or_default();
    let state = form_value(&form, "state").and_then(|state| state.parse().ok()).unwrap_or(0);
    match take_punch(shared, user_id, state) {
        Ok(punch) if wants_json => json(StatusCode::CREATED, &serde_json::json!(punch)),
        Ok(_) => {
            let mut response = answer(StatusCode::SEE_OTHER, "text/plain", String::new());
            response.headers_mut().insert(LOCATION, hyper::header::HeaderValue::from_static("/"));
            response
        }
        Err(error) => {
            let status = match error {
                PunchError::UnknownUser(_) => StatusCode::NOT_FOUND,
                PunchError::Locked => StatusCode::CONFLICT,
                PunchError::State(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            answer(status, "text/plain; charset=utf-8", format!("{error}\n"))
        }
    }
}

/// User ids are digits here, so nothing needs decoding.
fn form_value<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn state(shared: &Shared) -> serde_json::Value {
    let device = lock(&shared.device);
    serde_json::json!({
        "serial": device.serial(),
        "users": device.store.users.len(),
        "punches": device.store.punches.len(),
        "counters": device.counters,
    })
}

fn page(shared: &Shared) -> String {
    let device = lock(&shared.device);
    let mut buttons = String::new();
    for user in &device.store.users {
        let (id, name) = (escaped(&user.user_id), escaped(&user.name));
        for (state, act) in [(0, "entrée"), (1, "sortie")] {
            let _ = write!(
                buttons,
                "<form method=post action=/punch style=display:inline>\
                 <input type=hidden name=user_id value=\"{id}\">\
                 <button name=state value={state}>{id} · {name} : {act}</button></form> "
            );
        }
        buttons.push_str("<br>\n");
    }
    let mut rows = String::new();
    for punch in device.store.punches.iter().rev().take(PUNCHES_SHOWN) {
        let time = punch.local_time().replace('T', " ");
        let id = escaped(&punch.user_id);
        let user = device.store.user(&punch.user_id);
        let name = user.map_or_else(String::new, |user| escaped(&user.name));
        let act = if punch.state == 1 { "sortie" } else { "entrée" };
        let _ = writeln!(rows, "<tr><td>{time}<td>{id}<td>{name}<td>{act}");
    }
    let (serial, count) = (device.serial(), device.store.punches.len());
    format!(
        "<!doctype html><html lang=fr><meta charset=utf-8><title>Pointeuse simulée</title>\
         <meta http-equiv=refresh content=5><style>{STYLE}</style>\
         <h1>Pointeuse simulée</h1><p>Numéro de série {serial}, {count} pointages en mémoire.</p>\
         <h2>Pointer</h2>{buttons}\
         <h2>Derniers pointages</h2><table><tr><th>Heure<th>N°<th>Nom<th>Touche\n{rows}</table>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    answer(status, "application/json", format!("{value}\n"))
}

fn answer(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
