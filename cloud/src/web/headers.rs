//! What every answer tells the browser to refuse.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Everything from ourselves, nothing inline, nobody frames us.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Adds the security headers. `strict_transport` where TLS names a real host.
pub(super) fn secure(headers: &mut HeaderMap, strict_transport: bool) {
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if strict_transport {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
}

/// True for a name that browsers may be told to reach by TLS only. `localhost` and bare
/// addresses are shared with other programs of the same machine.
#[must_use]
pub(super) fn may_be_strict(public_name: &str) -> bool {
    let is_local = public_name == "localhost" || public_name.ends_with(".localhost");
    !is_local && public_name.contains('.') && public_name.parse::<IpAddr>().is_err()
}
