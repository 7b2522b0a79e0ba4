//! A real browser: headless Chromium behind ChromeDriver, for journeys with scripts.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// Narrower screens are phones.
const PHONE_WIDTH_MAX: u32 = 500;

/// A browser window. Dropped, browser and driver end.
#[derive(Debug)]
pub struct Chromium {
    pub client: Client,
    driver: Child,
    profile: tempfile::TempDir,
}

impl Chromium {
    /// Opens a window of the given size in pixels.
    pub async fn open(width: u32, height: u32) -> anyhow::Result<Self> {
        let port = free_port()?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("LANGUAGE", "fr")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver is missing: run deploy/setup/install.sh test")?;
        let profile = tempfile::tempdir()?;
        let capabilities = capabilities(width, height, profile.path());
        let url = format!("http://127.0.0.1:{port}");
        let client = connect(&url, capabilities).await?;
        Ok(Self { client, driver, profile })
    }

    /// A picture of the window.
    pub async fn screenshot(&self, path: &std::path::Path) -> anyhow::Result<()> {
        let png = self.client.screenshot().await?;
        std::fs::write(path, png).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What the pages' scripts, and the browser about them, complained of since the last
    /// call.
    pub async fn errors(&self) -> anyhow::Result<Vec<String>> {
        let log = self.client.issue_cmd(ConsoleLog).await?;
        let lines = log.as_array().context("a list of lines")?;
        let is_error = |line: &&Value| line["level"] == "SEVERE";
        Ok(lines.iter().filter(is_error).map(|line| line["message"].to_string()).collect())
    }

    /// Closes the window and the driver.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.client.clone().close().await?;
        self.driver.kill().await?;
        self.profile.close()?;
        Ok(())
    }
}

/// ChromeDriver's own command for the console of the window.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// ChromeDriver says nothing when it is ready: ask until it answers.
async fn connect(url: &str, capabilities: fantoccini::wd::Capabilities) -> anyhow::Result<Client> {
    let mut last = None;
    for _ in 0..100 {
        match ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.clone())
            .connect(url)
            .await
        {
            Ok(client) => return Ok(client),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(last.map_or_else(|| anyhow::anyhow!("never tried"), anyhow::Error::new))
        .context("chromedriver does not answer")
}

fn capabilities(
    width: u32,
    height: u32,
    profile: &std::path::Path,
) -> fantoccini::wd::Capabilities {
    let arguments = [
        "--headless".to_owned(),
        // Tests run as root in containers, where the sandbox cannot be set up.
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--lang=fr".to_owned(),
        "--accept-lang=fr".to_owned(),
        // Chromium takes 143 pixels of the window for itself.
        format!("--window-size={width},{}", height + 143),
        format!("--user-data-dir={}", profile.display()),
    ];
    let mut capabilities = serde_json::Map::new();
    let mut options = json!({ "args": arguments });
    if width < PHONE_WIDTH_MAX {
        // No window is that narrow: the page is told that it is on a phone.
        let metrics = json!({ "width": width, "height": height, "pixelRatio": 1, "touch": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    // The demonstration's authority is private; its certificate is checked elsewhere.
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
    capabilities.insert("acceptInsecureCerts".to_owned(), json!(true));
    capabilities
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
