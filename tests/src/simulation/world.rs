//! One world: a company, two cloud nodes, a shop; what happens to them, and the quiet
//! after it.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use data_encoding::BASE64;
use fournil_cloud::db::{Actor, CompanyId, Db};
use fournil_cloud::gateways::enrol;
use fournil_cloud::gateways::outbox::{self, NewCommand};
use fournil_cloud::time::TimeSource;
use fournil_gateway::tunnel::identity::{Enrolled, PendingKey};
use fournil_protocol::command::{Body, OpenDrawer, Print};
use fournil_protocol::document::{Align, Document};
use fournil_protocol::enrol::{EnrolRequest, normalise_code, signed_bytes};
use tokio::time::sleep;
use uuid::Uuid;

use super::auditor::Books;
use super::base::Base;
use super::books::{self, Wish, WishKind};
use super::clock;
use super::node::{Cloud, Path};
use super::plan::{Action, Plan};
use super::shop::{Shop, punch};

/// How long a healed world may take to become quiet. The longest usual wait between two
/// tries is a minute; a suspicion or a printer may cost a few.
const QUIET_WITHIN: Duration = Duration::from_mins(15);

/// Counts of what happened, for the line at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub faults: u64,
    pub punches: u64,
    pub commands: u64,
    pub in_doubt: u64,
    /// Faults that can leave an effect unknown: deaths of the daemon, the printer's line
    /// or its current.
    pub deaths: u64,
    pub sessions: u64,
    pub printed: u64,
    pub opened: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            faults: self.faults + other.faults,
            punches: self.punches + other.punches,
            commands: self.commands + other.commands,
            in_doubt: self.in_doubt + other.in_doubt,
            deaths: self.deaths + other.deaths,
            sessions: self.sessions + other.sessions,
            printed: self.printed + other.printed,
            opened: self.opened + other.opened,
        }
    }
}

/// A world under way.
pub(super) struct World {
    pub(super) base: Arc<Base>,
    /// The business's own handle: its hints reach no node, which look once a second.
    pub(super) db: Db,
    pub(super) company: CompanyId,
    pub(super) gateway_id: Uuid,
    serial: String,
    cloud: Arc<Cloud>,
    pub(super) shop: Shop,
    pub(super) wishes: Vec<Wish>,
    pub(super) tally: Tally,
}

impl World {
    /// Makes the company, enrols the gateway, starts everything.
    pub(super) async fn new(base: &Arc<Base>) -> anyhow::Result<Self> {
        let db = base.db();
        let (company, gateway_id, folder) = base.work(&db, enrolled(&db))?;
        let cloud = Arc::new(Cloud::new(base, &["node-1", "node-2"]));
        let lies = Arc::default();
        let books = Books { base: base.clone(), db: db.clone(), company, gateway_id, lies };
        let mut shop = Shop::new(folder, Path(cloud.clone()), books);
        shop.start(true).await?;
        Ok(Self {
            base: base.clone(),
            db,
            company,
            gateway_id,
            serial: gateway_id.simple().to_string(),
            cloud,
            shop,
            wishes: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// Carries a plan out, heals everything, waits for quiet and checks the books.
    pub(super) async fn live(&mut self, plan: &Plan) -> anyhow::Result<()> {
        for (at_ms, action) in plan {
            let wait = at_ms.saturating_sub(clock::elapsed_ms());
            sleep(Duration::from_millis(wait)).await;
            tracing::info!(at_ms = clock::elapsed_ms(), ?action, "happens");
            self.act(*action).await?;
        }
        self.heal().await?;
        self.quiet().await?;
        books::check(self)
    }

    async fn act(&mut self, action: Action) -> anyhow::Result<()> {
        let net = &self.cloud.net;
        self.tally.faults += 1;
        match action {
            Action::Punch => {
                self.tally.faults -= 1;
                self.tally.punches += 1;
                let number = self.shop.clock.all().len() + 1;
                self.shop.clock.punch(punch(&self.serial, number, clock::cloud_ms()));
            }
            Action::Print { minutes } => {
                let number = self.wishes.len() + 1;
                let body = Body::Print(Print { document: slip(number), copy_of: Vec::new() });
                let life = minutes.map(|minutes| Duration::from_secs(minutes * 60));
                self.wish(WishKind::Print, body, life)?;
            }
            Action::Drawer { seconds } => {
                let body = Body::OpenDrawer(OpenDrawer { pin: 2 });
                self.wish(WishKind::Drawer, body, Some(Duration::from_secs(seconds)))?;
            }
            Action::Cancel => self.cancel()?,
            Action::Weather(weather) => net.set_weather(weather),
            Action::Cut => net.cut(),
            Action::CutAfter(way, bytes) => net.cut_after(way, bytes),
            Action::Silence(way) => net.silence(way),
            Action::Hold(time) => net.hold(time),
            Action::Bar(barrier) => self.bar(barrier),
            Action::KillGateway => {
                self.tally.deaths += u64::from(self.shop.is_running());
                self.shop.kill().await;
            }
            Action::StopGateway => {
                self.tally.deaths += u64::from(self.shop.is_running());
                self.shop.stop().await;
            }
            Action::PowerCut => self.power_cut().await,
            Action::TornWrite(bytes) => {
                self.shop.doom(bytes);
                sleep(Duration::from_millis(clock::dice(|dice| dice.between(1, 3_000)))).await;
                self.power_cut().await;
            }
            Action::StartGateway { boots } => self.start(boots).await?,
            Action::KillNode { index, is_silent } => {
                if is_silent {
                    net.silence(super::net::Way::Down);
                }
                self.cloud.kill(index).await;
            }
            Action::DrainNode(index) => self.cloud.drain(index).await,
            Action::StartNode(index) => self.cloud.start(index),
            Action::DatabaseAway(_) | Action::DatabaseSlow(_) | Action::LoseAnswers(_) => {
                self.trouble_database(action);
            }
            Action::Skew(skew_ms) => clock::skew(skew_ms),
            Action::PrinterPower => {
                self.tally.deaths += 1;
                self.shop.printer.switch(|switches| switches.power = false);
                sleep(Duration::from_millis(200)).await;
                self.shop.printer.switch(|switches| switches.power = true);
            }
            Action::Paper(paper) => self.shop.printer.switch(|switches| switches.paper = paper),
            Action::Printer { is_reachable } => {
                self.shop.is_reachable.store(is_reachable, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn trouble_database(&self, action: Action) {
        let trouble = &self.cloud.trouble;
        match action {
            Action::DatabaseAway(is_away) => trouble.is_away.store(is_away, Ordering::Relaxed),
            Action::DatabaseSlow(is_slow) => trouble.is_slow.store(is_slow, Ordering::Relaxed),
            Action::LoseAnswers(count) => trouble.lost_answers.store(count, Ordering::Relaxed),
            _ => {}
        }
    }

    async fn power_cut(&mut self) {
        self.tally.deaths += u64::from(self.shop.is_running());
        // Nobody tells the cloud.
        self.cloud.net.silence(super::net::Way::Up);
        self.shop.kill().await;
    }

    async fn start(&mut self, boots: bool) -> anyhow::Result<()> {
        if self.shop.is_running() {
            return Ok(());
        }
        self.shop.start(boots).await.context("the daemon does not start again")
    }

    fn bar(&self, barrier: Option<super::node::Barrier>) {
        *self.cloud.barrier.lock().unwrap_or_else(PoisonError::into_inner) = barrier;
    }

    fn wish(&mut self, kind: WishKind, body: Body, life: Option<Duration>) -> anyhow::Result<()> {
        let asked_ms = clock::cloud_ms();
        let not_after_ms = life.map(|life| asked_ms + i64::try_from(life.as_millis()).unwrap_or(0));
        let (company, gateway_id) = (self.company, self.gateway_id);
        // Half of them are asked for on a node, whose hub is told at once.
        let node = clock::dice(|dice| dice.percent(50).then(|| dice.place(2)));
        let db = node.map_or_else(|| self.db.clone(), |index| self.cloud.db(index));
        let id = self.base.work(&db, async {
            let mut act = db.begin(&Actor::system(company, "simulation")).await?;
            let new = NewCommand {
                gateway_id,
                device: "",
                title: "",
                body,
                not_after: not_after_ms.and_then(DateTime::from_timestamp_millis),
                source_kind: "simulation",
                source_id: Uuid::now_v7(),
                purpose: "wish",
                copy_of: None,
            };
            let id = outbox::enqueue(&mut act, new).await?;
            act.commit().await?;
            anyhow::Ok(id)
        })?;
        self.tally.commands += 1;
        let is_called_back = false;
        self.wishes.push(Wish { id, kind, asked_ms, not_after_ms, is_called_back });
        Ok(())
    }

    fn cancel(&mut self) -> anyhow::Result<()> {
        let Some(wish) = self.wishes.last_mut() else { return Ok(()) };
        wish.is_called_back = true;
        self.base.work(&self.db, async {
            let actor = Actor::system(self.company, "simulation");
            let mut act = self.db.begin(&actor).await?;
            outbox::cancel(&mut act, wish.id).await?;
            act.commit().await?;
            Ok(())
        })
    }

    async fn heal(&mut self) -> anyhow::Result<()> {
        tracing::info!(at_ms = clock::elapsed_ms(), "everything is mended");
        self.cloud.net.set_weather(super::net::Weather::default());
        self.bar(None);
        let trouble = &self.cloud.trouble;
        trouble.is_away.store(false, Ordering::Relaxed);
        trouble.is_slow.store(false, Ordering::Relaxed);
        trouble.lost_answers.store(0, Ordering::Relaxed);
        (0..2).for_each(|index| self.cloud.start(index));
        self.shop.is_reachable.store(true, Ordering::Relaxed);
        self.shop.printer.switch(|switches| switches.paper = true);
        self.start(true).await
    }

    /// Waits until nothing is under way any more.
    async fn quiet(&mut self) -> anyhow::Result<()> {
        let until = clock::elapsed_ms() + u64::try_from(QUIET_WITHIN.as_millis()).unwrap_or(0);
        loop {
            let open = books::open_commands(self)?;
            let punches = books::punch_count(self)?;
            let unacked = self.shop.unacked().await;
            let told = self.shop.clock.all().len();
            if open == 0 && unacked == Some(0) && punches == told {
                return Ok(());
            }
            anyhow::ensure!(
                clock::elapsed_ms() < until,
                "not quiet {} s after everything was mended: {open} commands are open, the \
                 journal owes {unacked:?}, {punches} of {told} punches arrived",
                QUIET_WITHIN.as_secs()
            );
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Ends everything.
    pub(super) async fn end(mut self) {
        self.shop.kill().await;
        for index in 0..2 {
            self.cloud.kill(index).await;
        }
        let db = self.db.clone();
        // No later world of this database meets what is left of this one.
        let swept = self.base.work(&db, async {
            sqlx::query("delete from simulation.arrivals").execute(db.pool()).await
        });
        if let Err(error) = swept {
            tracing::warn!(%error, "the arrivals stay");
        }
    }
}

/// A slip long enough to die in the middle of.
fn slip(number: usize) -> Document {
    let mut document = Document::default().text(books::mark(number), Align::Start);
    for line in 1..=5 {
        document = document.text(format!("ligne {line}"), Align::Start);
    }
    document
}

/// A new company with a gateway that went through the real enrolment.
async fn enrolled(db: &Db) -> anyhow::Result<(CompanyId, Uuid, tempfile::TempDir)> {
    let (company, store) = (CompanyId(Uuid::now_v7()), Uuid::now_v7());
    let mut act = db.begin(&Actor::system(company, "simulation")).await?;
    sqlx::query("insert into companies (company_id, name) values ($1, 'Simulation')")
        .bind(company.0)
        .execute(act.connection())
        .await?;
    sqlx::query("insert into stores (company_id, store_id, name) values ($1, $2, 'Magasin')")
        .bind(company.0)
        .bind(store)
        .execute(act.connection())
        .await?;
    let gateway_id = enrol::create_gateway(&mut act, store, "Comptoir").await?;
    let code = enrol::new_code(&mut act, gateway_id).await?.code;
    act.commit().await?;
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let key = PendingKey::take_up(folder.path())?;
    let normal = normalise_code(&code).context("a code of ours is no code")?;
    let request = EnrolRequest {
        code,
        public_key: BASE64.encode(key.public_key()),
        signature: BASE64.encode(&key.sign(&signed_bytes(&normal, key.public_key()))),
        software: "0.1.0".to_owned(),
        hostname: "simulation".to_owned(),
    };
    let fingerprint = key.fingerprint();
    enrol::redeem(db, &TimeSource::told(clock::cloud_ms), &request).await?;
    key.adopt(&Enrolled {
        gateway_id,
        name: "Comptoir".to_owned(),
        company: "Simulation".to_owned(),
        url: format!("https://{}", super::node::PUBLIC_NAME),
        fingerprint,
        ca_pem: None,
    })?;
    Ok((company, gateway_id, folder))
}
