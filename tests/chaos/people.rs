//! What people do meanwhile: punch, sell at the till, ask for pages, drawers and states, call
//! some of it back. Whoever gets no answer asks again for the same thing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use fournil_cloud::db::{Act, Actor, CompanyId, Db, DbError};
use fournil_cloud::gateways::outbox::{self, NewCommand};
use fournil_protocol::command::{Body, OpenDrawer, Print, ReadStatus};
use fournil_protocol::document::{Align, Document};
use fournil_tests::world::till::Till;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::Dice;
use super::town::Town;

/// An answer that takes longer is none: ask again.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const DRAWER_LIFE: TimeDelta = TimeDelta::seconds(20);
const PAGE_LIFE: TimeDelta = TimeDelta::hours(1);

/// People at work.
pub(crate) struct People {
    over: Arc<AtomicBool>,
    askers: Vec<JoinHandle<Vec<String>>>,
    seller: JoinHandle<Vec<String>>,
    puncher: JoinHandle<()>,
}

/// What was asked for and answered.
pub(crate) struct Asked {
    /// Tickets sold at the till.
    pub(crate) tickets: Vec<String>,
    /// Pages asked for at the branches.
    pub(crate) pages: Vec<String>,
}

/// Sets everybody to work.
pub(crate) async fn begin(town: &Town, seed: u64) -> anyhow::Result<People> {
    let over = Arc::new(AtomicBool::new(false));
    let till = Till::open(town.shop.owner().await?).await?;
    let mut askers = Vec::new();
    for (index, branch) in town.branches.iter().enumerate() {
        let asker = Asker {
            db: town.db.clone(),
            company: town.company,
            gateway_id: town.gateway_id(&branch.name).await?,
            mark: format!("P{index}"),
            dice: Dice((seed + index as u64) | 1),
        };
        askers.push(tokio::spawn(asker.work(Arc::clone(&over))));
    }
    let seller = tokio::spawn(sell(till, Arc::clone(&over)));
    let clocks = town.clocks().into_iter().map(fournil_tests::clock_sim::ClockSim::finger);
    let puncher = tokio::spawn(punch(clocks.collect(), Arc::clone(&over)));
    Ok(People { over, askers, seller, puncher })
}

impl People {
    /// Sends everybody home and says what they got.
    pub(crate) async fn stop(self) -> Asked {
        self.over.store(true, Ordering::SeqCst);
        self.puncher.await.expect("people punch");
        let tickets = self.seller.await.expect("people buy");
        let mut pages = Vec::new();
        for asker in self.askers {
            pages.extend(asker.await.expect("people ask"));
        }
        Asked { tickets, pages }
    }
}

/// People punch at every clock, a few each second.
async fn punch(clocks: Vec<fournil_tests::clock_sim::Finger>, over: Arc<AtomicBool>) {
    for index in 0_usize.. {
        if over.load(Ordering::SeqCst) {
            return;
        }
        for clock in &clocks {
            clock.punch(&(index % 6 + 1).to_string(), u8::from(index % 2 == 1)).expect("a punch");
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// A cashier who asks again, with the same ticket, until the sale is confirmed.
async fn sell(mut till: Till, over: Arc<AtomicBool>) -> Vec<String> {
    let mut codes = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let good = till.plenty().expect("goods");
        let sale = till.sale_of_one(Uuid::now_v7(), &good);
        let began = Instant::now();
        let code = loop {
            assert!(began.elapsed() < Duration::from_mins(2), "a sale within two minutes");
            match timeout(ANSWER_WITHIN, till.sell(&sale)).await {
                Ok(Ok(answer)) if answer.status == 200 => {
                    let sold: Value = serde_json::from_str(&answer.body).expect("JSON");
                    break sold["code"].as_str().expect("a number").to_owned();
                }
                // Down for the moment: 503, 409 (two acts met) or no connection at all.
                Ok(Ok(answer)) => assert!(
                    [409, 500, 503].contains(&answer.status),
                    "{}: {}",
                    answer.status,
                    answer.body
                ),
                Ok(Err(_)) | Err(_) => {}
            }
            sleep(Duration::from_millis(200)).await;
        };
        codes.push(code);
        sleep(Duration::from_millis(400)).await;
    }
    codes
}

/// Somebody who wants things of one branch.
struct Asker {
    db: Db,
    company: CompanyId,
    gateway_id: Uuid,
    mark: String,
    dice: Dice,
}

impl Asker {
    async fn work(mut self, over: Arc<AtomicBool>) -> Vec<String> {
        let mut pages = Vec::new();
        let count = AtomicU64::new(0);
        while !over.load(Ordering::SeqCst) {
            let number = count.fetch_add(1, Ordering::Relaxed);
            match self.dice.below(10) {
                0..=5 => {
                    let title = format!("{}-{number:06}", self.mark);
                    self.page(&title).await;
                    pages.push(title);
                }
                6..=8 => {
                    let body = Body::OpenDrawer(OpenDrawer { pin: 0 });
                    self.ask(body, "", DRAWER_LIFE).await;
                }
                _ => {
                    self.ask(Body::ReadStatus(ReadStatus {}), "", PAGE_LIFE).await;
                }
            }
            let pause = self.dice.millis(100, 700);
            sleep(pause).await;
        }
        pages
    }

    async fn page(&mut self, title: &str) {
        let document = Document { title: title.to_owned(), ..Document::default() };
        let document = document.text(title, Align::Start).text("chaos", Align::Start);
        let body = Body::Print(Print { document, copy_of: Vec::new() });
        let id = self.ask(body, title, PAGE_LIFE).await;
        // Some think better of it, soon enough or not.
        if self.dice.below(8) == 0 {
            let _ = timeout(ANSWER_WITHIN, self.call_back(id)).await;
        }
    }

    /// Asks until it is written; the source makes every asking the same wish.
    async fn ask(&self, body: Body, title: &str, life: TimeDelta) -> Uuid {
        let source_id = Uuid::now_v7();
        loop {
            let asking = self.try_ask(body.clone(), title, life, source_id);
            if let Ok(Ok(id)) = timeout(ANSWER_WITHIN, asking).await {
                return id;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn try_ask(
        &self,
        body: Body,
        title: &str,
        life: TimeDelta,
        source_id: Uuid,
    ) -> Result<Uuid, DbError> {
        let mut act = self.act().await?;
        let new = NewCommand {
            gateway_id: self.gateway_id,
            device: "",
            title,
            body,
            not_after: Some(act.now() + life),
            source_kind: "chaos",
            source_id,
            purpose: "chaos",
            copy_of: None,
        };
        let id = outbox::enqueue(&mut act, new).await?;
        act.commit().await?;
        Ok(id)
    }

    async fn call_back(&self, id: Uuid) -> Result<(), DbError> {
        let mut act = self.act().await?;
        outbox::cancel(&mut act, id).await?;
        act.commit().await
    }

    async fn act(&self) -> Result<Act, DbError> {
        self.db.begin(&Actor::system(self.company, "chaos")).await
    }
}
