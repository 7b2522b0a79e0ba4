//! Files that pages load: embedded, named by their content, kept by browsers for ever.
//!
//! `/assets/app.1a2b3c4d.css` never changes. `/assets/app.css` is answered too, to be
//! asked again each time: modules that import each other name their files so.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, VARY};
use hyper::{HeaderMap, Method, StatusCode};
use warp::filters::BoxedFilter;
use warp::{Filter, Reply};

/// One embedded file.
struct Asset {
    name: &'static str,
    path: &'static str,
    hash: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Where a file is served, by its name; an unknown name leads to a 404 and a test finds it.
pub(super) fn path(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(|| format!("/assets/{name}"), |asset| asset.path.to_owned())
}

/// True when a file of that name is embedded.
#[cfg(test)]
pub(crate) fn has(name: &str) -> bool {
    ASSETS.iter().any(|asset| asset.name == name)
}

/// The text of an embedded file.
#[cfg(test)]
pub(crate) fn text(name: &str) -> &'static str {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.and_then(|asset| std::str::from_utf8(asset.bytes).ok()).unwrap_or_default()
}

/// Everything below `/assets/`.
pub(super) fn filter() -> BoxedFilter<(warp::reply::Response,)> {
    warp::path("assets")
        .and(warp::path::full())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .map(|path: warp::path::FullPath, method, headers| answer(path.as_str(), &method, &headers))
        .boxed()
}

fn answer(path: &str, method: &Method, headers: &HeaderMap) -> warp::reply::Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return warp::reply::with_header(StatusCode::METHOD_NOT_ALLOWED, "allow", "GET, HEAD")
            .into_response();
    }
    let by_name = |asset: &&Asset| path.strip_prefix("/assets/") == Some(asset.name);
    let found = ASSETS.iter().find(|asset| asset.path == path);
    let Some(asset) = found.or_else(|| ASSETS.iter().find(by_name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", asset.hash);
    let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_known = sent("if-none-match") == tag;
    let gzip = asset.gzip.filter(|_| sent("accept-encoding").contains("gzip"));
    let body = if is_known { &[] } else { gzip.unwrap_or(asset.bytes) };

    let mut response = hyper::Response::new(Bytes::from_static(body));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let keep = if asset.path == path { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    fields.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        fields.insert(ETAG, tag);
    }
    if gzip.is_some() && !is_known {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.into_response()
}
