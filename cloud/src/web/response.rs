//! What a handler answers.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, StatusCode};
use warp::Reply;

/// A stream of server-sent events, each already in wire form by [`Response::event`].
type EventStream = Pin<Box<dyn Stream<Item = String> + Send>>;

enum Content {
    Whole(Bytes),
    Events(EventStream),
}

/// A response in the making.
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Response {
    /// A rendered page or part of one.
    pub fn html(template: &impl Template) -> super::Result<Self> {
        Ok(Self::bytes("text/html; charset=utf-8", template.render()?.into()))
    }

    /// A value as JSON.
    pub fn json(value: &impl serde::Serialize) -> super::Result<Self> {
        let body = serde_json::to_vec(value).map_err(anyhow::Error::new)?;
        Ok(Self::bytes("application/json", body.into()))
    }

    /// Plain text.
    #[must_use]
    pub fn text(text: String) -> Self {
        Self::bytes("text/plain; charset=utf-8", text.into())
    }

    /// Bytes of a stated type.
    #[must_use]
    pub fn bytes(content_type: &'static str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status: StatusCode::OK, headers, content: Content::Whole(body) }
    }

    /// 303 after a form: the browser asks for `to` with GET.
    #[must_use]
    pub fn see_other(to: &str) -> Self {
        let mut response = Self::text(String::new()).with_status(303);
        if let Ok(to) = HeaderValue::from_str(to) {
            response.headers.insert(LOCATION, to);
        }
        response
    }

    /// Server-sent events until the stream ends or the browser leaves.
    #[must_use]
    pub fn events(events: impl Stream<Item = String> + Send + 'static) -> Self {
        let mut response = Self::text(String::new());
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // nginx would hold events back otherwise.
        response.headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response.content = Content::Events(Box::pin(events));
        response
    }

    /// One server-sent event in wire form. Line breaks in `data` are kept.
    #[must_use]
    pub fn event(name: &str, id: Option<&str>, data: &str) -> String {
        let mut wire = format!("event: {name}\n");
        if let Some(id) = id {
            wire.extend(["id: ", id, "\n"]);
        }
        for line in data.lines() {
            wire.extend(["data: ", line, "\n"]);
        }
        wire.push('\n');
        wire
    }

    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// Adds a header; a value no header may hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            if name == SET_COOKIE {
                self.headers.append(name, value);
            } else {
                self.headers.insert(name, value);
            }
        }
        self
    }

    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text; for tests. Empty for event streams.
    #[must_use]
    pub fn body_text(&self) -> String {
        match &self.content {
            Content::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Content::Events(_) => String::new(),
        }
    }

    /// The content type, without its parameters.
    pub(super) fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// What goes to warp. Event streams end when `ended` comes (the server's stop, the
    /// session's end), and after a while so that the browser comes back and is asked again
    /// who it is.
    pub(super) fn into_warp(
        self,
        without_body: bool,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> warp::reply::Response {
        let mut response = match self.content {
            Content::Whole(bytes) => hyper::Response::new(bytes).into_response(),
            Content::Events(_) if without_body => hyper::Response::new("").into_response(),
            Content::Events(events) => {
                let events = Mutex::new(Box::pin(until_ended(events, ended)) as EventStream);
                warp::reply::stream(SharedEvents(events)).into_response()
            }
        };
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// How long one event stream may live.
const EVENTS_LIFE: Duration = Duration::from_mins(15);
/// Silence after which a comment is sent, so that proxies and dead browsers are noticed.
const EVENTS_SILENCE: Duration = Duration::from_secs(15);

fn until_ended(
    events: EventStream,
    ended: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = String> + Send {
    let end = async move {
        tokio::select! {
            () = ended => {}
            () = tokio::time::sleep(EVENTS_LIFE) => {}
        }
    };
    // Cancel safe: `next` of a stream may be dropped and asked again.
    let beating = futures_util::stream::unfold(events, |mut events| async move {
        match tokio::time::timeout(EVENTS_SILENCE, events.next()).await {
            Ok(event) => event.map(|event| (event, events)),
            Err(_) => Some((": still here\n\n".to_owned(), events)),
        }
    });
    beating.take_until(Box::pin(end))
}

/// warp wants bodies that threads may share, which no stream needs to be: the lock is
/// never contended, because polling has the only `&mut`.
struct SharedEvents(Mutex<EventStream>);

impl Stream for SharedEvents {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut().0.get_mut();
        let events = events.unwrap_or_else(std::sync::PoisonError::into_inner);
        events.as_mut().poll_next(context).map(|event| event.map(|text| Ok(Bytes::from(text))))
    }
}
