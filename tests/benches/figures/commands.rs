//! How long a command without paper takes: from the commit of the wish to the commit of the
//! shop's report, and where that time goes.
//!
//! The wish is written by this process, which is another node to the cloud that holds the
//! gateway: two hints by NOTIFY are in the figure.

use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::TimeDelta;
use fournil_cloud::db::{Actor, CompanyId, Db, DbOptions};
use fournil_cloud::gateways::outbox::{self, NewCommand};
use fournil_protocol::command::{Body, OpenDrawer, ReadStatus};
use fournil_tests::world::shop::Shop;
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgListener};
use uuid::Uuid;

use super::{milliseconds, wait_for_hint};

const ROUNDS: usize = 200;
/// So many in front of it warm everything up.
const WARM: usize = 20;

/// Times in milliseconds.
pub(super) struct RoundTrips {
    pub(super) whole: Vec<f64>,
    /// What the database says of each stage.
    pub(super) stages: Vec<(&'static str, Vec<f64>)>,
}

/// Which command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Status,
    Drawer,
}

pub(super) async fn measure(shop: &Shop, asked: Asked) -> anyhow::Result<RoundTrips> {
    let db = Db::lazy(PgConnectOptions::from_str(&shop.database_url)?, &DbOptions::default());
    let row =
        sqlx::raw_sql("select company_id, gateway_id from gateways").fetch_one(&shop.db).await?;
    let (company, gateway_id) = (CompanyId(row.get("company_id")), row.get("gateway_id"));
    let mut listener = PgListener::connect_with(&shop.db).await?;
    listener.listen("fournil_hints").await?;
    let mut whole = Vec::with_capacity(ROUNDS);
    let mut ids: Vec<Uuid> = Vec::with_capacity(ROUNDS);
    for round in 0..WARM + ROUNDS {
        let mut act = db.begin(&Actor::system(company, "bench")).await?;
        let body = match asked {
            Asked::Status => Body::ReadStatus(ReadStatus {}),
            Asked::Drawer => Body::OpenDrawer(OpenDrawer { pin: 0 }),
        };
        let new = NewCommand {
            gateway_id,
            device: "",
            title: "",
            body,
            not_after: Some(act.now() + TimeDelta::seconds(20)),
            source_kind: "bench",
            source_id: Uuid::now_v7(),
            purpose: "bench",
            copy_of: None,
        };
        let id = outbox::enqueue(&mut act, new).await?;
        let began = Instant::now();
        let committing = act.commit();
        let settled = until_settled(shop, &mut listener, id);
        let (committed, settled) = tokio::join!(committing, settled);
        committed?;
        let took = settled?.duration_since(began);
        if round >= WARM {
            whole.push(milliseconds(took));
            ids.push(id);
        }
        // Not in step with anything.
        tokio::time::sleep(Duration::from_millis(5 + (round as u64 * 7) % 11)).await;
    }
    Ok(RoundTrips { whole, stages: stages(shop, &ids).await? })
}

/// The moment of the hint behind which the command is settled.
async fn until_settled(
    shop: &Shop,
    listener: &mut PgListener,
    id: Uuid,
) -> anyhow::Result<Instant> {
    let statement =
        format!("select settled_at is not null as ok from commands where command_id = '{id}'");
    loop {
        wait_for_hint(listener, "command-states").await?;
        let heard = Instant::now();
        let look = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).fetch_optional(&shop.db);
        if look.await?.is_some_and(|row| row.get("ok")) {
            return Ok(heard);
        }
    }
}

async fn stages(shop: &Shop, ids: &[Uuid]) -> anyhow::Result<Vec<(&'static str, Vec<f64>)>> {
    let list = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    let statement = format!(
        "select extract(epoch from leased_at - queued_at)::float8 * 1000 as leased,
                extract(epoch from coalesce(started_at, settled_at) - leased_at)::float8 * 1000
                    as reported,
                extract(epoch from settled_at - coalesce(started_at, leased_at))::float8 * 1000
                    as settled
         from commands where command_id in ({list})"
    );
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).fetch_all(&shop.db).await?;
    anyhow::ensure!(rows.len() == ids.len(), "a command is missing");
    let of = |column: &str| -> anyhow::Result<Vec<f64>> {
        rows.iter().map(|row| row.try_get(column).context("a stage")).collect()
    };
    Ok(vec![
        ("  asked to leased", of("leased")?),
        ("  leased to first report", of("reported")?),
        ("  begun (or leased) to settled", of("settled")?),
    ])
}
