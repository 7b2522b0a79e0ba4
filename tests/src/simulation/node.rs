//! Cloud nodes: the real hub and its sessions, over the simulated net, on the real database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fournil_cloud::db::{Act, Db, DbError};
use fournil_cloud::gateways::{EventSink, Hub, HubOptions, Origin, Taken};
use fournil_cloud::ingest::Ingest;
use fournil_cloud::time::TimeSource;
use fournil_gateway::tunnel::connect::ConnectError;
use fournil_gateway::tunnel::metered::Metered;
use fournil_gateway::tunnel::{Dial, Dialled};
use fournil_protocol::Versions;
use fournil_protocol::event::{Body, Stamp};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::base::{Base, Trouble, Way};
use super::clock;
use super::net::{End, Net};

/// The name that gateways sign for.
pub(super) const PUBLIC_NAME: &str = "erp.example.dz";
const PEER: &str = "192.0.2.7";

/// One process of the cloud; it may be down.
#[derive(Debug)]
struct Node {
    name: String,
    db: Db,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    hub: Hub,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// All nodes of the cloud behind one name, and the way to them.
#[derive(Debug)]
pub(super) struct Cloud {
    base: Arc<Base>,
    nodes: Mutex<Vec<Node>>,
    pub(super) trouble: Arc<Trouble>,
    pub(super) net: Net,
    /// Whether new connections get through: `None` when they do.
    pub(super) barrier: Mutex<Option<Barrier>>,
}

/// What stands in the way of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// Refused at once.
    Refuses,
    /// Never answered.
    Swallows,
}

impl Cloud {
    pub(super) fn new(base: &Arc<Base>, names: &[&str]) -> Self {
        let nodes = names.iter().map(|name| Node {
            name: (*name).to_owned(),
            db: base.db(),
            running: None,
        });
        let cloud = Self {
            base: base.clone(),
            nodes: Mutex::new(nodes.collect()),
            trouble: Arc::default(),
            net: Net::default(),
            barrier: Mutex::default(),
        };
        for index in 0..names.len() {
            cloud.start(index);
        }
        cloud
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node's own handle on the database, whose hints reach that node at once.
    pub(super) fn db(&self, index: usize) -> Db {
        self.nodes()[index].db.clone()
    }

    pub(super) fn start(&self, index: usize) {
        let mut nodes = self.nodes();
        let node = &mut nodes[index];
        if node.running.is_some() {
            return;
        }
        let stop = CancellationToken::new();
        let options = HubOptions {
            db: node.db.clone(),
            time: TimeSource::told(clock::cloud_ms),
            public_name: PUBLIC_NAME.to_owned(),
            node: node.name.clone(),
            heartbeat: HubOptions::HEARTBEAT,
            handshakes_per_s: HubOptions::HANDSHAKES_PER_S,
            versions: Versions::BUILT,
            stop: stop.clone(),
        };
        let way =
            Way { base: self.base.clone(), db: node.db.clone(), trouble: self.trouble.clone() };
        let hub = Hub::simulated(options, Arc::new(Witness), Arc::new(way));
        let mut tasks = JoinSet::new();
        let running = hub.clone();
        tasks.spawn(async move { running.run().await });
        node.running = Some(Running { hub, stop, tasks });
    }

    /// Ends a node between two moments, as a killed process ends.
    pub(super) async fn kill(&self, index: usize) {
        let running = self.nodes()[index].running.take();
        if let Some(mut running) = running {
            running.tasks.shutdown().await;
        }
    }

    /// Stops a node in good order.
    pub(super) async fn drain(&self, index: usize) {
        let running = self.nodes()[index].running.take();
        if let Some(mut running) = running {
            running.stop.cancel();
            let drained = async { while running.tasks.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
            running.tasks.shutdown().await;
        }
    }

    fn accept(&self, end: End) -> bool {
        let mut nodes = self.nodes();
        let up: Vec<usize> =
            (0..nodes.len()).filter(|index| nodes[*index].running.is_some()).collect();
        if up.is_empty() {
            return false;
        }
        let chosen = up[clock::dice(|dice| dice.place(up.len()))];
        let Some(running) = &mut nodes[chosen].running else { return false };
        let hub = running.hub.clone();
        running.tasks.spawn(async move {
            let socket = WebSocketStream::from_raw_socket(end, Role::Server, None).await;
            hub.serve(socket, PEER).await;
        });
        true
    }
}

/// The shop's way to the cloud.
#[derive(Debug, Clone)]
pub(super) struct Path(pub(super) Arc<Cloud>);

impl Dial for Path {
    type Stream = End;

    async fn dial(&self) -> Result<Dialled<End>, ConnectError> {
        let cloud = &self.0;
        let failed = |why: &str| ConnectError::Tcp {
            target: PUBLIC_NAME.to_owned(),
            port: 443,
            why: why.to_owned(),
        };
        // TCP, TLS, upgrade.
        sleep(cloud.net.weather().latency * 6).await;
        let barrier = *cloud.barrier.lock().unwrap_or_else(PoisonError::into_inner);
        match barrier {
            Some(Barrier::Refuses) => return Err(failed("refused")),
            Some(Barrier::Swallows) => {
                sleep(Duration::from_secs(8)).await;
                return Err(failed("no answer"));
            }
            None => {}
        }
        let (ours, theirs) = cloud.net.connect();
        if !cloud.accept(theirs) {
            return Err(failed("refused"));
        }
        let socket = WebSocketStream::from_raw_socket(Metered::new(ours), Role::Client, None).await;
        Ok(Dialled { socket, certificate_until_ms: None })
    }
}

/// Takes events in as the product does, and notes each punch it was given: the punches'
/// own key would hide one that was counted twice.
#[derive(Debug)]
struct Witness;

impl EventSink for Witness {
    fn take<'a>(
        &'a self,
        act: &'a mut Act,
        origin: Origin,
        body: &'a Body,
        recorded: Option<&'a Stamp>,
    ) -> Taken<'a> {
        Box::pin(async move {
            if let (Body::Punch(punch), Some(stamp)) = (body, recorded) {
                let what = format!(
                    "{} of {}, written at {} of boot {:?}",
                    punch.user_id, punch.clock_serial, stamp.mono_ms, stamp.boot_id
                );
                sqlx::query("insert into simulation.arrivals (what) values ($1)")
                    .bind(what)
                    .execute(act.connection())
                    .await
                    .map_err(DbError::from)?;
            }
            Ingest.take(act, origin, body, recorded).await
        })
    }
}
