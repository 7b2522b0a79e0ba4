//! What this machine gives anybody: a TLS WebSocket echo on loopback, one PostgreSQL
//! commit, one fdatasync of 200 bytes.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use sqlx::{Executor, PgPool};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::Message;

use super::{milliseconds, percentile};

const ROUNDS: usize = 500;

/// Sorted times in milliseconds.
pub(super) struct Baseline {
    echo: Vec<f64>,
    commit: Vec<f64>,
    sync: Vec<f64>,
}

impl Baseline {
    /// The median of one `fdatasync`.
    pub(super) fn sync_ms(&self) -> f64 {
        percentile(&self.sync, 50)
    }

    /// Prints the rows and gives the sum of their medians.
    pub(super) fn rows(&self) -> f64 {
        let rows = [
            ("baseline: TLS WebSocket echo, 200 bytes", &self.echo),
            ("baseline: one PostgreSQL commit of 200 bytes", &self.commit),
            ("baseline: one fdatasync of 200 bytes", &self.sync),
        ];
        for (what, times) in rows {
            let (p50, p99) = (percentile(times, 50), percentile(times, 99));
            println!("{what:<52}{p50:>10.2}{p99:>10.2}");
        }
        rows.iter().map(|(_, times)| percentile(times, 50)).sum()
    }
}

pub(super) async fn measure(db: &PgPool) -> anyhow::Result<Baseline> {
    let sorted = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times
    };
    Ok(Baseline {
        echo: sorted(echo().await?),
        commit: sorted(commit(db).await?),
        sync: sorted(sync()?),
    })
}

async fn commit(db: &PgPool) -> anyhow::Result<Vec<f64>> {
    db.execute("create table bench_baseline (text text)").await?;
    let mut connection = db.acquire().await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        connection.execute("insert into bench_baseline values (repeat('x', 200))").await?;
        times.push(milliseconds(began.elapsed()));
    }
    db.execute("drop table bench_baseline").await?;
    Ok(times)
}

fn sync() -> anyhow::Result<Vec<f64>> {
    // Beside the clusters, so that both are on the same disk.
    let mut file = tempfile::tempfile_in("/var/tmp")?;
    file.set_len(1 << 20)?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        file.write_all(&[7; 200])?;
        file.sync_data()?;
        times.push(milliseconds(began.elapsed()));
    }
    Ok(times)
}

async fn echo() -> anyhow::Result<Vec<f64>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = acceptor.accept(stream).await?;
        let mut socket = tokio_tungstenite::accept_async(stream).await?;
        while let Some(message) = socket.next().await {
            match message? {
                message @ Message::Binary(_) => socket.send(message).await?,
                _ => break,
            }
        }
        anyhow::Ok(())
    });

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate)?;
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    let (mut socket, _) = tokio_tungstenite::client_async("wss://localhost/", stream).await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        socket.send(Message::Binary(vec![7; 200].into())).await?;
        socket.next().await.context("the echo ended")??;
        times.push(milliseconds(began.elapsed()));
    }
    socket.close(None).await?;
    server.await??;
    Ok(times)
}
