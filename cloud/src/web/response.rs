//! What a handler answers.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;

use askama::Template;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, StatusCode};

/// The body type that goes to hyper.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

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
            wire.push_str(&format!("id: {id}\n"));
        }
        for line in data.lines() {
            wire.push_str(&format!("data: {line}\n"));
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

    pub(crate) fn into_http(self, without_body: bool) -> hyper::Response<Body> {
        let body = match self.content {
            _ if without_body => Full::new(Bytes::new()).boxed_unsync(),
            Content::Whole(bytes) => Full::new(bytes).boxed_unsync(),
            Content::Events(events) => {
                let frames = events.map(|event| Ok(Frame::data(Bytes::from(event))));
                StreamBody::new(frames).boxed_unsync()
            }
        };
        let mut response = hyper::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
