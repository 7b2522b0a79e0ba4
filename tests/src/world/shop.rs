//! A whole shop: database with the demonstration's data, the real cloud, the real
//! gateway enrolled through the real enrolment, simulated clock and printer, and
//! between gateway and cloud a wire that can be cut.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgPool, Row};
use tempfile::TempDir;
use uuid::Uuid;

use super::browse::Browser;
use super::daemon::{Daemon, Spec, binary};
use super::proxy::Proxy;
use crate::clock_sim::{ClockSim, Profile};
use crate::printer_sim::{self, PrinterSim};

/// How long a process may take to come up on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// What the simulated clocks are asked with: long enough to be nothing else where it is looked for.
pub const COMM_KEY: u32 = 271_828_182;
const TEMPLATE_LOCK: i64 = 7_346_120_514;

/// Who may sign in, as the demonstration's data makes them.
#[derive(Debug, Clone)]
pub struct Login {
    pub email: String,
    pub password: String,
}

/// The shop. Dropped, everything ends; the database stays for the next wipe.
#[derive(Debug)]
pub struct Shop {
    /// The owner's view of the database, for assertions only.
    pub db: PgPool,
    pub database_url: String,
    pub cloud: Daemon,
    pub gateway: Daemon,
    pub clock: ClockSim,
    pub printer: PrinterSim,
    pub wire: Proxy,
    /// Where the cloud itself listens.
    pub address: SocketAddr,
    pub ca: String,
    pub owner: Login,
    pub dir: TempDir,
}

impl Shop {
    /// Opens a shop in the cluster of `make test`.
    pub async fn open() -> anyhow::Result<Self> {
        let url = std::env::var(fournil_cloud::db::testing::URL_VARIABLE)
            .context("no cluster: run `make test`")?;
        Self::open_in(&url).await
    }

    /// Opens a shop in a given cluster.
    pub async fn open_in(cluster_url: &str) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let cluster = PgConnectOptions::from_str(cluster_url)?;
        let (database, logins) = database(cluster_url, &cluster, dir.path()).await?;
        let connect = cluster.database(&database).disable_statement_logging();
        let db = PgPoolOptions::new().max_connections(4).connect_lazy_with(connect);
        let owner = owner_login(&logins)?;

        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let wire = Proxy::start(address).await?;
        let database_url = with_database(cluster_url, &database)?;
        let tls = dir.path().join("tls");
        write_cloud_config(dir.path(), &tls, address, wire.address, &database_url)?;
        let mut cloud = Daemon::start(cloud_spec(dir.path(), &["serve"])?)?;
        cloud.wait_for_line("ready:", PATIENCE).await?;
        let ca = std::fs::read_to_string(dir.path().join("tls/ca.pem"))?;

        let clock =
            ClockSim::start(Profile { comm_key: COMM_KEY, punches: 0, ..Profile::default() });
        let clock = clock.await?;
        let printer = PrinterSim::start(printer_sim::Args::for_tests()).await?;
        write_gateway_config(dir.path(), &dir.path().join("gateway"), &clock, &printer)?;
        let url = format!("https://localhost:{}", wire.address.port());
        let code = enrolment_code_for(dir.path(), "Magasin").await?;
        let ca_file = dir.path().join("tls/ca.pem").display().to_string();
        let args = ["enrol", "--url", &url, "--code", &code, "--ca", &ca_file];
        enrol(gateway_spec(dir.path(), &args)?).await?;
        let gateway = Daemon::start(gateway_spec(dir.path(), &["run"])?)?;
        let shop = Self {
            db,
            database_url,
            cloud,
            gateway,
            clock,
            printer,
            wire,
            address,
            ca,
            owner,
            dir,
        };
        shop.until(
            "the gateway is connected",
            "select count(*) > 0 as ok from gateway_sessions where ended_at is null",
        )
        .await?;
        Ok(shop)
    }

    /// A visitor of this shop's ERP.
    pub fn visitor(&self) -> anyhow::Result<Browser> {
        Browser::new(self.address, "localhost", &self.ca)
    }

    /// The owner, signed in.
    pub async fn owner(&self) -> anyhow::Result<Browser> {
        let mut browser = self.visitor()?;
        browser.sign_in(&self.owner.email, &self.owner.password).await?;
        Ok(browser)
    }

    /// Waits until a query that gives one boolean says yes.
    pub async fn until(&self, what: &str, query: &'static str) -> anyhow::Result<()> {
        self.until_within(what, query, PATIENCE).await
    }

    /// The same with a patience of its own.
    pub async fn until_within(
        &self,
        what: &str,
        query: &'static str,
        within: Duration,
    ) -> anyhow::Result<()> {
        let asking = async {
            loop {
                // The database itself may be down for a moment in these tests.
                if self.yes(query).await.unwrap_or(false) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(within, asking).await.is_err() {
            bail!(
                "it never came to this: {what}\n-- database --\n{}\n-- gateway --\n{}\n-- cloud --\n{}",
                self.standing().await.unwrap_or_else(|error| format!("{error:#}")),
                self.gateway.log_tail(),
                self.cloud.log_tail()
            );
        }
        Ok(())
    }

    /// How gateways and commands stand, for the message of a failed test.
    async fn standing(&self) -> Result<String, sqlx::Error> {
        let query =
            "select format('gateway %s: %s %s', name, mode, mode_reason) as line from gateways
             union all
             select format('%s commands %s %s', count(*), state, reason) from commands
             group by state, reason
             union all
             select format('%s notices %s', count(*), code) from gateway_notices group by code";
        let rows = sqlx::raw_sql(query).fetch_all(&self.db).await?;
        Ok(rows.iter().map(|row| row.get::<String, _>("line")).collect::<Vec<_>>().join("\n"))
    }

    #[expect(clippy::disallowed_methods, reason = "a test looks at tables of its choice")]
    async fn yes(&self, query: &'static str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(query).fetch_one(&self.db).await
    }

    /// One number of a query.
    #[expect(clippy::disallowed_methods, reason = "a test looks at tables of its choice")]
    pub async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(query).fetch_one(&self.db).await?)
    }

    /// Runs `fournil-gateway` with this shop's configuration and gives (status, stderr).
    pub async fn gateway_command(&self, args: &[&str]) -> anyhow::Result<(i32, String, String)> {
        run(gateway_spec(self.dir.path(), args)?).await
    }
}

/// Runs a program to its end: exit status, stdout, stderr.
pub async fn run(spec: Spec) -> anyhow::Result<(i32, String, String)> {
    let output = tokio::process::Command::new(&spec.program)
        .args(&spec.args)
        .envs(spec.env.iter().cloned())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.context("it never ended")??;
    Ok((
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

/// `fournil-cloud` with the configuration in `dir`.
pub fn cloud_spec(dir: &Path, args: &[&str]) -> anyhow::Result<Spec> {
    spec("fournil-cloud", &dir.join("cloud.toml"), args)
}

/// `fournil-gateway` with the configuration in `dir`.
pub fn gateway_spec(dir: &Path, args: &[&str]) -> anyhow::Result<Spec> {
    spec("fournil-gateway", &dir.join("gateway.toml"), args)
}

fn spec(program: &'static str, config: &Path, args: &[&str]) -> anyhow::Result<Spec> {
    let mut all = vec!["--config".to_owned(), config.display().to_string()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    // Whatever the terminal speaks: the tests read French.
    let env = vec![("FOURNIL_LANGUAGE".to_owned(), "fr".to_owned())];
    Ok(Spec { name: program, program: binary(program)?, args: all, env })
}

/// A copy of the demonstration's database, which is made once per build and cluster.
async fn database(
    cluster_url: &str,
    cluster: &PgConnectOptions,
    dir: &Path,
) -> anyhow::Result<(String, String)> {
    let mut admin = cluster.connect().await?;
    let cloud = binary("fournil-cloud")?;
    let built = std::fs::metadata(&cloud)?.modified()?.duration_since(std::time::UNIX_EPOCH)?;
    let template = format!("fournil_demo_{}", built.as_millis());
    let kept = std::env::temp_dir().join(format!("{template}-{}.logins", cluster.get_port()));
    sql(&mut admin, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await?;
    if !kept.exists() {
        let making = format!("{template}_making");
        sql(&mut admin, format!("drop database if exists {making}")).await?;
        sql(&mut admin, format!("drop database if exists {template}")).await?;
        sql(&mut admin, format!("create database {making}")).await?;
        let url = with_database(cluster_url, &making)?;
        std::fs::write(dir.join("cloud.toml"), format!("[database]\nurl = \"{url}\"\n"))?;
        for args in [&["migrate", "up"][..], &["demo-data", "--clock-serial", "SIM0000000001"][..]]
        {
            let (status, out, err) = run(cloud_spec(dir, args)?).await?;
            if status != 0 {
                bail!("fournil-cloud {args:?} failed: {err}");
            }
            std::fs::write(dir.join("logins"), out)?;
        }
        sql(&mut admin, format!("alter database {making} rename to {template}")).await?;
        std::fs::copy(dir.join("logins"), &kept)?;
    }
    let name = format!("fournil_e_{}", Uuid::new_v4().simple());
    sql(&mut admin, format!("create database {name} template {template}")).await?;
    sql(&mut admin, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await?;
    Ok((name, std::fs::read_to_string(kept)?))
}

async fn sql(connection: &mut sqlx::PgConnection, statement: String) -> anyhow::Result<()> {
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await?;
    Ok(())
}

fn with_database(cluster_url: &str, database: &str) -> anyhow::Result<String> {
    let (base, _) = cluster_url.rsplit_once('/').context("a PostgreSQL URL")?;
    Ok(format!("{base}/{database}"))
}

/// The demonstration prints one password for all, then the logins, the owner first.
fn owner_login(logins: &str) -> anyhow::Result<Login> {
    let words = || logins.split_whitespace();
    let email = words().find(|word| word.contains('@')).context("no login was printed")?;
    let line = logins.lines().find(|line| line.contains("Mot de passe")).context("no password")?;
    let password = line.rsplit(' ').next().context("no password")?;
    Ok(Login { email: email.to_owned(), password: password.to_owned() })
}

/// The configuration of a node in `dir`; `tls` may be another node's, so that gateways know both.
pub fn write_cloud_config(
    dir: &Path,
    tls: &Path,
    address: SocketAddr,
    wire: SocketAddr,
    database_url: &str,
) -> anyhow::Result<()> {
    let text = format!(
        "[web]\nlisten = [\"{address}\"]\nlisten_metrics = \"127.0.0.1:0\"\n\
         public_name = \"localhost\"\npublic_url = \"https://localhost:{}\"\n\n\
         [tls]\nauto_dir = \"{}\"\n\n[database]\nurl = \"{database_url}\"\n",
        wire.port(),
        tls.display()
    );
    write_private(&dir.join("cloud.toml"), &text)
}

/// The configuration of a gateway in `dir` whose journal lies in `state`.
pub fn write_gateway_config(
    dir: &Path,
    state: &Path,
    clock: &ClockSim,
    printer: &PrinterSim,
) -> anyhow::Result<()> {
    let printer = printer.address().context("the printer listens")?;
    let text = format!(
        "state_dir = \"{}\"\n\n[[clock]]\nname = \"pointeuse\"\naddress = \"{}\"\n\
         comm_key = {COMM_KEY}\npoll_interval_s = 5\n\n[[printer]]\nname = \"caisse\"\n\
         to = \"tcp://{printer}\"\nprofile = \"generic-58\"\n",
        state.display(),
        clock.addr()
    );
    write_private(&dir.join("gateway.toml"), &text)
}

fn write_private(path: &PathBuf, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// The real enrolment: a one-time code from the cloud, redeemed by the gateway.
pub async fn enrol(spec: Spec) -> anyhow::Result<()> {
    let (status, _, err) = run(spec).await?;
    if status != 0 {
        bail!("enrolment failed: {err}");
    }
    Ok(())
}

/// A fresh one-time code for the gateway of that name.
pub async fn enrolment_code_for(dir: &Path, name: &str) -> anyhow::Result<String> {
    let args = ["gateway", "code", "--name", name, "--json"];
    let (status, out, err) = run(cloud_spec(dir, &args)?).await?;
    if status != 0 {
        bail!("no enrolment code: {err}");
    }
    let answer: serde_json::Value = serde_json::from_str(&out)?;
    Ok(answer.get("code").and_then(|code| code.as_str()).context("a code")?.to_owned())
}

/// A port nobody listens on.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
