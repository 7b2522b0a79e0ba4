//! The printer's page: receipts as pictures, newest first, the switches, the drawer.
//!
//! A plain page that asks for the state every second; for one person on one machine.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::state::Shared;

const PAGE: &str = include_str!("page.html");
/// Receipts shown; older ones stay in the folder.
const SHOWN_MAX: usize = 50;

type Answer = Response<Full<Bytes>>;

/// Serves the page until stopped.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the printer's page cannot accept a connection");
                    continue;
                }
            },
        };
        let (shared, stop) = (shared.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&shared, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // A browser that goes away is no news.
                _ = connection => {}
            }
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/") => with(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        (&Method::GET, "/state.json") => {
            with(StatusCode::OK, "application/json", state(shared).to_string())
        }
        (&Method::POST, _) => match path.strip_prefix("/switch/") {
            Some(name) if switch(shared, name) => with(StatusCode::NO_CONTENT, "text/plain", ""),
            _ => not_found(),
        },
        (&Method::GET, _) => picture(shared, path).unwrap_or_else(not_found),
        _ => not_found(),
    }
}

fn with(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    answer
}

fn not_found() -> Answer {
    with(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "Page inconnue")
}

fn picture(shared: &Shared, path: &str) -> Option<Answer> {
    let number: u32 = path.strip_prefix("/receipts/")?.strip_suffix(".png")?.parse().ok()?;
    let inner = shared.lock();
    let receipt = inner.receipts.iter().find(|receipt| receipt.number == number)?;
    Some(with(StatusCode::OK, "image/png", receipt.png.clone()))
}

fn state(shared: &Shared) -> serde_json::Value {
    let inner = shared.lock();
    let receipts: Vec<_> = inner
        .receipts
        .iter()
        .rev()
        .take(SHOWN_MAX)
        .map(|receipt| {
            json!({
                "number": receipt.number, "at_ms": receipt.at_ms,
                "errors": receipt.errors, "torn": receipt.torn, "text": receipt.text,
            })
        })
        .collect();
    let kicks: Vec<_> = inner.kicks.iter().rev().take(SHOWN_MAX).collect();
    json!({
        "switches": {
            "paper": inner.switches.paper,
            "paper-low": inner.switches.paper_low,
            "cover": inner.switches.cover_open,
            "power": inner.switches.power,
            "cutter": inner.switches.cutter_jammed,
        },
        "online": inner.switches.online(),
        "buffered": inner.buffer.len(),
        "receipts": receipts,
        "kicks": kicks,
    })
}

/// Turns a switch over; gives whether there is such a one. `drop-after-N` breaks the line after
/// N more bytes.
fn switch(shared: &Shared, name: &str) -> bool {
    if let Some(bytes) = name.strip_prefix("drop-after-").and_then(|bytes| bytes.parse().ok()) {
        shared.switch(|switches| switches.drop_after_bytes = Some(bytes));
        return true;
    }
    let mut known = true;
    shared.switch(|switches| {
        let turned = match name {
            "paper" => &mut switches.paper,
            "paper-low" => &mut switches.paper_low,
            "cover" => &mut switches.cover_open,
            "power" => &mut switches.power,
            "cutter" => &mut switches.cutter_jammed,
            "stalled" => &mut switches.stalled,
            "usb-cable" => &mut switches.usb_plugged,
            "usb-stall" => &mut switches.usb_stall,
            _ => {
                known = false;
                return;
            }
        };
        *turned = !*turned;
    });
    known
}
