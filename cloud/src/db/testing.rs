//! A database per test: a copy of one migrated template in the cluster that
//! `FOURNIL_TEST_DATABASE_URL` names (`make test` starts a private one).

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::{Actor, CompanyId, Db, DbError, DbOptions, migrate};

/// Where the cluster is.
pub const URL_VARIABLE: &str = "FOURNIL_TEST_DATABASE_URL";
const TEMPLATE_LOCK: i64 = 7_346_120_513;

/// A fresh, migrated database with one company, dropped by the next `make test`.
#[derive(Debug)]
pub struct TestDb {
    pub db: Db,
    pub connect: PgConnectOptions,
    pub company: CompanyId,
    pub store: Uuid,
    pub name: String,
}

impl TestDb {
    /// Makes the database. Panics with what to do when there is no cluster.
    #[expect(
        clippy::panic,
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "tests only: the message says what to do"
    )]
    pub async fn new() -> Self {
        let Ok(url) = std::env::var(URL_VARIABLE) else {
            panic!("{URL_VARIABLE} is not set: run `make test`, or point it at a cluster you own");
        };
        let cluster = PgConnectOptions::from_str(&url).expect("a PostgreSQL URL");
        let name = fresh_copy(&cluster).await.expect("cannot copy the template database");
        let connect = cluster.database(&name).log_statements(tracing::log::LevelFilter::Off);
        let options = DbOptions { connections_max: 6, is_durable: false, ..DbOptions::default() };
        let db = Db::lazy(connect.clone(), &options);
        let (company, store) = seed_company(&db).await.expect("cannot make the test company");
        Self { db, connect, company, store, name }
    }

    /// The program acting for the test's company.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::system(self.company, "test")
    }
}

/// The error of a database that cannot be reached.
#[must_use]
pub fn away() -> DbError {
    DbError::Unavailable(sqlx::Error::PoolTimedOut)
}

async fn fresh_copy(cluster: &PgConnectOptions) -> anyhow::Result<String> {
    let mut admin: PgConnection = cluster.connect().await?;
    let template = ensure_template(cluster, &mut admin).await?;
    let name = format!("fournil_t_{}", Uuid::new_v4().simple());
    execute(&mut admin, format!("create database {name} template {template}")).await?;
    admin.close().await?;
    Ok(name)
}

/// The template's name carries a digest of the migrations: a changed migration makes
/// a new template, so an old one can never be used by mistake.
async fn ensure_template(
    cluster: &PgConnectOptions,
    admin: &mut PgConnection,
) -> anyhow::Result<String> {
    let template = format!("fournil_template_{:08x}", super::migrate::digest());
    execute(admin, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await?;
    let exists = sqlx::query_scalar!("select 1 from pg_database where datname = $1", template)
        .fetch_optional(&mut *admin)
        .await?;
    if exists.is_none() {
        let making = format!("{template}_making");
        execute(admin, format!("drop database if exists {making}")).await?;
        execute(admin, format!("create database {making}")).await?;
        migrate(&cluster.clone().database(&making)).await?;
        execute(admin, format!("alter database {making} rename to {template}")).await?;
    }
    execute(admin, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await?;
    Ok(template)
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    // Names of databases cannot be parameters.
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn seed_company(db: &Db) -> anyhow::Result<(CompanyId, Uuid)> {
    let company = CompanyId(Uuid::now_v7());
    let store = Uuid::now_v7();
    let mut act = db.begin(&Actor::system(company, "test")).await?;
    sqlx::query!(
        "insert into companies (company_id, name) values ($1, 'Boulangerie de test')",
        company.0
    )
    .execute(act.connection())
    .await?;
    sqlx::query!(
        "insert into stores (company_id, store_id, name) values ($1, $2, 'Magasin')",
        company.0,
        store
    )
    .execute(act.connection())
    .await?;
    act.commit().await?;
    Ok((company, store))
}
