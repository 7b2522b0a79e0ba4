//! A gateway in this process: the product's tunnel and journal under the identity of the
//! shop's gateway, and a device that opens the drawer at once. For what a process of its
//! own would not let a test see or give: uploads of any size, other lines to the cloud.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use fournil_cloud::db::{Actor, CompanyId, Db, DbOptions};
use fournil_cloud::gateways::State;
use fournil_cloud::gateways::outbox::{self, NewCommand};
use fournil_gateway::journal::{Journal, JournalConfig, TimeSource};
use fournil_gateway::seam::{CloudOffset, JOBS_MAX, Job};
use fournil_gateway::supervise::Pulse;
use fournil_gateway::tunnel::ambient::Ambient;
use fournil_gateway::tunnel::identity::Identity;
use fournil_gateway::tunnel::session::Terms;
use fournil_gateway::tunnel::state::{Phase, TunnelState};
use fournil_gateway::tunnel::target::Target;
use fournil_gateway::tunnel::trust::Trust;
use fournil_gateway::tunnel::uploads::Uploads;
use fournil_gateway::tunnel::{self, Tunnel};
use fournil_protocol::Versions;
use fournil_protocol::command::{Body, OpenDrawer, SendDiagnostics};
use fournil_protocol::event::{CommandReport, CommandState};
use sqlx::postgres::PgListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::shop::{PATIENCE, Shop};

const WAIT: Duration = Duration::from_secs(20);
const SOURCE: &str = "test";

/// The gateway. Dropped, it stops.
#[derive(Debug)]
pub struct House {
    pub uploads: Uploads,
    pub journal: Journal,
    db: Db,
    company: CompanyId,
    gateway_id: Uuid,
    hints: PgListener,
    stop: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    /// Stops the shop's own gateway and takes its place, on another line to its cloud.
    pub async fn take_over(shop: &mut Shop, cloud: SocketAddr) -> anyhow::Result<Self> {
        shop.gateway.stop(PATIENCE).await?;
        let state_dir = shop.dir.path().join("gateway");
        let stop = CancellationToken::new();
        let (uploads, journal, mut state) = dial(&state_dir, cloud, &stop)?;
        let connected = state.wait_for(|state| state.phase == Phase::Connected);
        timeout(PATIENCE, connected).await.context("no session")??;
        let connect = shop.db.connect_options().as_ref().clone();
        let db = Db::lazy(connect, &DbOptions { connections_max: 2, ..DbOptions::default() });
        let (company, gateway_id) = place(shop).await?;
        let mut hints = PgListener::connect_with(&shop.db).await?;
        hints.listen("fournil_hints").await?;
        Ok(Self { uploads, journal, db, company, gateway_id, hints, stop })
    }

    /// Asks for the drawer and waits until the cloud knows that it is open.
    pub async fn open_drawer(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (_, asked) = self.ask(Body::OpenDrawer(OpenDrawer { pin: 2 })).await?;
        timeout(WAIT, self.until_done(asked)).await.context("the drawer stays shut")??;
        Ok(began.elapsed())
    }

    /// Asks for a diagnostic and gives these bytes in its place.
    pub async fn upload(&self, bytes: Vec<u8>) -> anyhow::Result<tunnel::uploads::Begun> {
        let ask = SendDiagnostics { bytes_max: bytes.len() as u64 };
        let (id, _) = self.ask(Body::SendDiagnostics(ask)).await?;
        let begun = self.uploads.begin(id)?;
        begun.send(bytes)?;
        Ok(begun)
    }

    /// Queues a command; gives it and the source it is known by.
    async fn ask(&self, body: Body) -> anyhow::Result<(Uuid, Uuid)> {
        let source_id = Uuid::now_v7();
        let mut act = self.db.begin(&Actor::system(self.company, "test")).await?;
        let new = NewCommand {
            gateway_id: self.gateway_id,
            device: "",
            title: "",
            body,
            not_after: Some(act.now() + TimeDelta::minutes(10)),
            source_kind: SOURCE,
            source_id,
            purpose: SOURCE,
            copy_of: None,
        };
        let id = outbox::enqueue(&mut act, new).await?;
        act.commit().await?;
        Ok((id, source_id))
    }

    async fn until_done(&mut self, asked: Uuid) -> anyhow::Result<()> {
        loop {
            while !self.hints.recv().await?.payload().contains("|command-states|") {}
            let mut scope = self.db.read(self.company).await?;
            let found =
                outbox::of_sources(&mut scope, self.company, SOURCE, &[asked], SOURCE).await?;
            if found.iter().any(|command| command.state == State::Done) {
                return Ok(());
            }
        }
    }
}

async fn place(shop: &Shop) -> anyhow::Result<(CompanyId, Uuid)> {
    use sqlx::Row;
    let row = sqlx::raw_sql("select company_id, gateway_id from gateways where state = 'active'")
        .fetch_one(&shop.db)
        .await?;
    Ok((CompanyId(row.try_get("company_id")?), row.try_get("gateway_id")?))
}

fn dial(
    state_dir: &Path,
    cloud: SocketAddr,
    stop: &CancellationToken,
) -> anyhow::Result<(Uploads, Journal, watch::Receiver<TunnelState>)> {
    let identity = Identity::load(state_dir)?;
    let ca = identity.enrolled.ca_pem.clone().context("a pinned authority")?;
    let time = TimeSource::system()?;
    let boot_id = time.boot_id();
    let (journal, opened) =
        Journal::open(&state_dir.join("journal"), JournalConfig::default(), time)?;
    let target = Target::parse(&format!("https://localhost:{}", cloud.port()))?;
    let trust = Trust::pinned(ca.as_bytes(), Path::new("(test)"))?;
    let (jobs, given) = mpsc::channel(JOBS_MAX);
    let (state, told) = watch::channel(TunnelState::default());
    let uploads = Uploads::default();
    let terms = Terms {
        log: journal.clone(),
        identity: watch::channel(std::sync::Arc::new(identity)).1,
        server_name: target.host.clone(),
        incarnation: opened.incarnation,
        boot_id,
        ambient: Ambient::system(),
        jobs,
        cloud_offset: CloudOffset::default(),
        state,
        pulse: Pulse::new(PATIENCE),
        versions: Versions::BUILT,
        uploads: uploads.clone(),
    };
    tokio::spawn(serve(journal.clone(), given));
    let stop = stop.clone();
    tokio::spawn(async move { tunnel::run(Tunnel { target, trust, terms }, stop).await });
    Ok((uploads, journal, told))
}

/// The device: begins, and has opened.
async fn serve(journal: Journal, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.recv().await {
        if matches!(job.command.body, Some(Body::OpenDrawer(_)))
            && let Err(error) = open(&journal, job.id).await
        {
            tracing::error!(%error, "the drawer's journal is broken");
            return;
        }
    }
}

async fn open(journal: &Journal, id: Uuid) -> anyhow::Result<()> {
    journal.begin(id, 1, "caisse".to_owned()).await?;
    let report = CommandReport {
        command_id: id.as_bytes().to_vec(),
        state: CommandState::Done as i32,
        attempt: 1,
        ..CommandReport::default()
    };
    journal.report(report).await?;
    Ok(())
}

/// The round trips of `count` drawers, sorted.
pub async fn drawers(house: &mut House, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for index in 0..count {
        // Never in step with the chunks.
        tokio::time::sleep(Duration::from_millis((index as u64 * 7) % 23)).await;
        times.push(house.open_drawer().await?);
    }
    ensure!(!times.is_empty(), "no drawer was asked for");
    times.sort();
    Ok(times)
}
