//! A small HTTPS client that behaves like a browser without scripts: keeps cookies,
//! follows the form's hidden tokens. The journeys that need scripts use Chromium.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A page as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

/// A visitor with a cookie jar.
#[derive(Debug)]
pub struct Browser {
    address: SocketAddr,
    name: String,
    tls: Arc<rustls::ClientConfig>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A visitor of the server at `address`, whose certificate must say `name`.
    pub fn new(address: SocketAddr, name: &str, ca_pem: &str) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, name: name.to_owned(), tls: Arc::new(tls), cookies: BTreeMap::new() })
    }

    /// GET.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// POST of a form, as a browser encodes it.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &form, body.join("&")).await
    }

    /// POST of JSON with the page's token in the header.
    pub async fn post_json(
        &mut self,
        path: &str,
        csrf_token: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<Answer> {
        let headers = [("content-type", "application/json"), ("x-csrf-token", csrf_token)];
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// Shows a page with a form and gives the value of a hidden field.
    pub async fn hidden_field(&mut self, path: &str, name: &str) -> anyhow::Result<String> {
        let page = self.get(path).await?;
        field_value(&page.body, name)
            .with_context(|| format!("{path} ({}) has no field {name}", page.status))
    }

    /// Signs in through the login form.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> anyhow::Result<()> {
        let token = self.hidden_field("/login", "csrf_token").await?;
        let fields = [("csrf_token", token.as_str()), ("email", email), ("password", password)];
        let answer = self.post("/login", &fields).await?;
        if answer.status != 303 {
            bail!("login of {email} answered {}: {}", answer.status, answer.body);
        }
        Ok(())
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(self.name.clone())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let origin = format!("https://{}:{}", self.name, self.address.port());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("{}:{}", self.name, self.address.port()))
            .header("origin", origin)
            .header("accept", "text/html");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        self.keep_cookies(&response);
        let status = response.status().as_u16();
        let location = response.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, location, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn keep_cookies(&mut self, response: &Response<Incoming>) {
        for header in response.headers().get_all("set-cookie") {
            let pair = header.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// The value of an input by name, whatever the order of its attributes.
#[must_use]
pub fn field_value(html: &str, name: &str) -> Option<String> {
    let wanted = format!("name=\"{name}\"");
    let input = html.split('<').find(|tag| tag.starts_with("input") && tag.contains(&wanted))?;
    let value = input.split("value=\"").nth(1)?.split('"').next()?;
    Some(value.to_owned())
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
