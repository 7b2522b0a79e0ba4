//! The cloud's PostgreSQL: a real one, on a runtime of its own. While it works the world
//! stands still, so a schedule is the same every time; its `now()` is the world's.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fournil_cloud::db::testing::{TestDb, away};
use fournil_cloud::db::{Db, DbError, DbOptions};
use fournil_cloud::gateways::between::{Between, Passing};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::clock;

/// Before PostgreSQL's own names, so that a bare `now()` is ours.
const SEARCH_PATH: &str = "simulation,pg_catalog,public";

/// A database of its own, for as many worlds as one likes, one after the other.
#[derive(Debug)]
pub struct Base {
    runtime: Runtime,
    test: TestDb,
}

impl Base {
    pub fn new() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let test = runtime.block_on(async {
            let test = TestDb::new().await;
            prepare(&test).await?;
            anyhow::Ok(test)
        })?;
        Ok(Self { runtime, test })
    }

    /// A way to the database with hints of its own, as another process has.
    pub fn db(&self) -> Db {
        let _inside = self.runtime.enter();
        let options = DbOptions { connections_max: 1, is_durable: false, ..DbOptions::default() };
        let connect = self.test.connect.clone().options([("search_path", SEARCH_PATH)]);
        Db::lazy(connect, &options)
    }

    /// Works on the database while the world stands still: on a thread of its own, since
    /// a future of another runtime does not wake inside the world's.
    pub fn work<T: Send>(&self, db: &Db, work: impl Future<Output = T> + Send) -> T {
        let now_ms = clock::cloud_ms();
        let working = || {
            clock::hold(now_ms);
            self.runtime.block_on(async {
                let told = sqlx::query("select set_config('simulation.now_ms', $1, false)");
                let told = told.bind(now_ms.to_string()).execute(db.pool()).await;
                assert!(told.is_ok(), "the simulation's own database is away: {told:?}");
                work.await
            })
        };
        std::thread::scope(|scope| match scope.spawn(working).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

/// `now()` of the world, and functions of the product that look for it there.
async fn prepare(test: &TestDb) -> anyhow::Result<()> {
    let pool = sqlx::PgPool::connect_with(test.connect.clone()).await?;
    let statements = "
        create schema simulation;
        grant usage on schema simulation to public;
        create function simulation.now() returns timestamptz language sql stable as
            $$ select to_timestamp(current_setting('simulation.now_ms')::numeric / 1000) $$;
        create function simulation.clock_timestamp() returns timestamptz language sql stable as
            $$ select simulation.now() $$;
        create table simulation.arrivals (number bigint generated always as identity, what text);
        grant all on simulation.arrivals to public;
        do $$ declare known record; begin
            for known in select p.oid::regprocedure as name from pg_proc p
                         join pg_namespace n on n.oid = p.pronamespace
                         where n.nspname = 'public' and p.proconfig is not null
            loop
                execute format('alter function %s set search_path = simulation, pg_catalog, public',
                               known.name);
            end loop;
        end $$;";
    sqlx::raw_sql(statements).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// What goes wrong between a cloud node and its database.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub is_away: AtomicBool,
    /// Taking events in waits for seconds, the rest does not: a session that is gone is
    /// still writing when the next one has begun and is told where to go on.
    pub is_slow: AtomicBool,
    /// So many pieces of work end with a lost answer, whatever they did.
    pub lost_answers: AtomicU64,
}

/// A node's way to the database.
#[derive(Debug)]
pub(super) struct Way {
    pub base: Arc<Base>,
    pub db: Db,
    pub trouble: Arc<Trouble>,
}

impl Way {
    async fn pass(&self) -> Result<(), DbError> {
        let micros = clock::dice(|dice| match dice.between(0, 100) {
            0 => dice.between(1, 6_000_000),
            1..=10 => dice.between(1, 200_000),
            _ => dice.between(1, 3_000),
        });
        sleep(Duration::from_micros(micros)).await;
        if self.trouble.is_away.load(Ordering::Relaxed) { Err(away()) } else { Ok(()) }
    }
}

impl Between for Way {
    fn before(&self, what: &'static str) -> Passing<'_> {
        let is_stuck = self.trouble.is_slow.load(Ordering::Relaxed) && what.ends_with("::Took");
        Box::pin(async move {
            if is_stuck {
                let millis = clock::dice(|dice| dice.between(1, 8_000));
                sleep(Duration::from_millis(millis)).await;
            }
            self.pass().await
        })
    }

    fn run(&self, work: Pin<&mut (dyn Future<Output = ()> + Send)>) {
        self.base.work(&self.db, work);
    }

    fn after(&self) -> Passing<'_> {
        Box::pin(async {
            self.pass().await?;
            let taken = self.trouble.lost_answers.fetch_update(
                Ordering::Relaxed,
                Ordering::Relaxed,
                |left| left.checked_sub(1),
            );
            if taken.is_ok() { Err(away()) } else { Ok(()) }
        })
    }
}
