//! `fournil-cloud serve`: the life of the process.
//!
//! Sockets are bound before anything else, so a taken port shows at once. With the
//! database away the process stays up: `/healthz` is 200, `/readyz` and every page 503,
//! and it goes on when the database comes. Migrations that wait end it with the command
//! to run: serving on tables of another release would do harm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fournil_protocol::Versions;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;

use super::systemd::tell_systemd;
use super::{Fault, database, out, waiting};
use crate::app::App;
use crate::config::{ClientCertificates, Config, LogFormat};
use crate::gateways::{Caller, Hub, HubOptions};
use crate::i18n::{Catalogue, Message};
use crate::ingest::Ingest;
use crate::schedule::{Jobs, Served};
use crate::time::TimeSource;
use crate::web::upgrade::{Tunnel, TunnelHandler};
use crate::web::{
    Certificate, CertificateSource, ClientAuthority, ClientVerifier, Listener, Metrics, Proxies,
    Readiness, Server, ServerLimits, ServerParts, Table, local_names,
};
use crate::{identity, routes};

/// What is not done by then is left: systemd would kill us anyway.
const STOP_MAX: Duration = Duration::from_secs(5);

pub(super) async fn run(config: Config) -> Result<(), Fault> {
    log_to_stderr(&config);
    let time = TimeSource::system();
    let connect = database::options(&config)?;
    let certificate = certificate(&config, &time)?;
    let clients = clients(&config)?;
    let listeners = bind(&config, certificate.as_ref(), clients.as_ref()).await?;
    let metrics_socket = match config.web.listen_metrics {
        Some(address) => Some(bound("web.listen_metrics", address).await?),
        None => None,
    };
    let app = Arc::new(app(&config, time)?);
    let (stop, metrics, readiness) =
        (CancellationToken::new(), Arc::<Metrics>::default(), Readiness::default());
    let hub = hub(&app, &config, &stop);
    let parts = ServerParts {
        app: Arc::clone(&app),
        table: Table::new(routes::routes()).map_err(anyhow::Error::new)?,
        sessions: Arc::new(identity::DbSessions::new(app.db.clone(), app.time.clone())),
        tunnels: tunnels(&hub),
        metrics: Arc::clone(&metrics),
        readiness: readiness.clone(),
        proxies: Proxies(config.proxies()?),
        limits: limits(&config),
        stop: stop.clone(),
    };
    announce(&config, certificate.as_deref())?;

    let (fatal, failed) = oneshot::channel();
    let tasks = TaskTracker::new();
    tasks.spawn(async move { hub.run().await });
    let jobs = Jobs {
        tasks: tasks.clone(),
        app,
        metrics: Arc::clone(&metrics),
        served: Served { node: node_name(&config), certificate, clients },
        stop: stop.clone(),
    };
    jobs.start();
    tasks.spawn(waiting::become_ready(jobs, connect, readiness, fatal));
    if let Some(socket) = metrics_socket {
        let server = Server::for_metrics(&metrics, stop.clone());
        tasks.spawn(server.run(vec![Listener { socket, tls: None }]));
    }
    let serving = tokio::spawn(Server::new(parts).run(listeners));
    tell_systemd(&[NotifyState::Ready]);

    // Cancel safe: both sides are only waited for.
    let failure = tokio::select! {
        failure = told(failed) => Some(failure),
        () = asked_to_stop() => None,
    };
    tell_systemd(&[NotifyState::Stopping]);
    stop.cancel();
    tasks.close();
    let stopped = async {
        let served = serving.await;
        tasks.wait().await;
        served
    };
    match tokio::time::timeout(STOP_MAX, stopped).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => tracing::error!(%error, "the server ended badly"),
        Err(_) => tracing::warn!("some parts did not stop in time and were left"),
    }
    failure.map_or(Ok(()), Err)
}

fn app(config: &Config, time: TimeSource) -> Result<App, Fault> {
    Ok(App {
        db: database::pool(config)?,
        time,
        texts: Catalogue::load().map_err(anyhow::Error::new)?,
        nav: routes::nav(),
        public_name: config.web.public_name.clone(),
        public_url: config.web.public_url.clone(),
        authority_pem: authority_pem(config)?,
    })
}

/// The hub of this node, which runs until `stop`.
fn hub(app: &App, config: &Config, stop: &CancellationToken) -> Hub {
    let options = HubOptions {
        db: app.db.clone(),
        time: app.time.clone(),
        public_name: app.public_name.clone(),
        node: node_name(config),
        heartbeat: HubOptions::HEARTBEAT,
        versions: Versions::BUILT,
        handshakes_per_s: HubOptions::HANDSHAKES_PER_S,
        stop: stop.clone(),
    };
    Hub::new(options, Arc::new(Ingest))
}

/// The machine and the port: the same after a restart, another for each process.
fn node_name(config: &Config) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let address = config.web.listen.iter().chain(&config.web.listen_plain).next();
    let port = address.map_or(0, SocketAddr::port);
    format!("{}:{port}", host.trim())
}

/// What runs the sessions of gateways.
fn tunnels(hub: &Hub) -> TunnelHandler {
    let hub = hub.clone();
    Arc::new(move |tunnel: Tunnel| {
        let hub = hub.clone();
        Box::pin(async move {
            let (peer, certificate) = (tunnel.peer.0.to_string(), tunnel.certificate);
            hub.serve(tunnel.socket, Caller { peer, certificate }).await;
        })
    })
}

fn log_to_stderr(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    // A second subscriber cannot be set; the first one is as good.
    let _: Result<(), _> = match config.log.format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

fn certificate(config: &Config, time: &TimeSource) -> Result<Option<Arc<Certificate>>, Fault> {
    if config.web.listen.is_empty() {
        return Ok(None);
    }
    let tls = &config.tls;
    let source = match (&tls.cert_file, &tls.key_file, &tls.auto_dir) {
        (Some(cert), Some(key), _) => {
            CertificateSource::Files { cert: cert.clone(), key: key.clone() }
        }
        (_, _, Some(dir)) => CertificateSource::Auto {
            dir: dir.clone(),
            names: local_names(&config.web.public_name, &tls.names),
        },
        _ => return Err(Message::new("config-no-certificate").into()),
    };
    Ok(Some(Certificate::load(source, time.now())?))
}

/// Who vouches for gateways, when they bring certificates.
fn clients(config: &Config) -> Result<Option<Arc<ClientVerifier>>, Fault> {
    if config.tunnel.client_certificates == ClientCertificates::Off {
        return Ok(None);
    }
    let authority = ClientAuthority::at(config.tunnel.client_ca_dir.clone());
    if !authority.certificate_file().exists() {
        let folder = config.tunnel.client_ca_dir.display();
        return Err(Message::new("cli-no-gateway-ca").with("folder", folder).into());
    }
    Ok(Some(ClientVerifier::load(authority)?))
}

/// The authority that gateways are given, when they need one to believe this server.
pub(super) fn authority_pem(config: &Config) -> Result<Option<String>, Fault> {
    let tls = &config.tls;
    let own = tls.auto_dir.as_ref().filter(|_| tls.cert_file.is_none());
    let own = own.filter(|_| !config.web.listen.is_empty()).map(|dir| dir.join("ca.pem"));
    let Some(file) = tls.ca_file.clone().or(own) else { return Ok(None) };
    match std::fs::read_to_string(&file) {
        Ok(pem) => Ok(Some(pem)),
        Err(error) => {
            let message = Message::new("cli-authority-unreadable").with("file", file.display());
            Err(message.with("cause", error).into())
        }
    }
}

async fn bind(
    config: &Config,
    certificate: Option<&Arc<Certificate>>,
    clients: Option<&Arc<ClientVerifier>>,
) -> Result<Vec<Listener>, Fault> {
    let mut listeners = Vec::new();
    if let Some(certificate) = certificate {
        for address in &config.web.listen {
            let tls = Some(certificate.acceptor(clients)?);
            listeners.push(Listener { socket: bound("web.listen", *address).await?, tls });
        }
    }
    for address in &config.web.listen_plain {
        let socket = bound("web.listen_plain", *address).await?;
        listeners.push(Listener { socket, tls: None });
    }
    Ok(listeners)
}

/// `key` is where the configuration names the address, for the message.
pub(super) async fn bound(key: &'static str, address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).await.map_err(|error| {
        let id = match error.kind() {
            std::io::ErrorKind::AddrInUse => "cli-port-in-use",
            std::io::ErrorKind::PermissionDenied => "cli-port-forbidden",
            _ => "cli-port-failed",
        };
        let message = Message::new(id).with("address", address).with("port", address.port());
        message.with("key", key).with("cause", error).into()
    })
}

fn limits(config: &Config) -> ServerLimits {
    ServerLimits {
        connections_max: config.web.connections_max.max(1),
        connections_per_address_max: config.web.connections_per_address_max.max(1),
        needs_client_certificate: config.tunnel.client_certificates == ClientCertificates::Required,
        ..ServerLimits::default()
    }
}

/// Every address, on stdout, so that a person or a script knows where to go.
fn announce(config: &Config, certificate: Option<&Certificate>) -> Result<(), Fault> {
    let texts = Catalogue::load().map_err(anyhow::Error::new)?.in_language("fr");
    let url = Message::new("cli-serving").with("url", &config.web.public_url);
    out::line(&texts.say(&url));
    for address in &config.web.listen_plain {
        let plain = Message::new("cli-serving-plain").with("address", address);
        out::line(&texts.say(&plain));
    }
    if let Some(file) = certificate.and_then(Certificate::authority_file) {
        let authority = Message::new("cli-authority").with("file", file.display());
        out::line(&texts.say(&authority));
    }
    Ok(())
}

/// The fault that ends the process; never comes when the sender found nothing wrong.
async fn told(failed: oneshot::Receiver<Fault>) -> Fault {
    match failed.await {
        Ok(fault) => fault,
        Err(_) => std::future::pending().await,
    }
}

/// The first signal drains; a second one ends the process at once.
async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    let mut asked = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    asked().await;
    tracing::info!("stopping: answers under way are finished");
    tokio::spawn(async move {
        asked().await;
        std::process::exit(1);
    });
}
