//! What the schema promises of every table, and what the pool promises of every commit.

use std::collections::BTreeSet;

use sqlx::migrate::MigrateError;
use sqlx::{ConnectOptions as _, PgConnection};

use super::testing::TestDb;
use super::{Db, DbOptions, pending};

/// Tables of the whole installation. A new one is a decision to review.
const WITHOUT_COMPANY: &[(&str, &str)] = &[
    ("_sqlx_migrations", "the migrations that were applied"),
    ("gateway_nodes", "which node of the cloud a tunnel ends at"),
    ("served_certificates", "what each node serves TLS with"),
    ("server_secrets", "keys of the server, behind functions"),
];

/// Unique across companies, each because it is looked up before the company is known.
const UNIQUE_FOR_ALL: &[(&str, &str)] = &[
    ("user_email_unique", "an e-mail signs in to one company"),
    ("user_session_token_unique", "a cookie is looked up by its digest alone"),
    ("gateway_id_unique", "a gateway says its id in its first frame"),
    ("gateway_key_unique", "a machine's key belongs to one gateway"),
    ("push_clock_of_one_company", "a clock that calls says its number and nothing else"),
];

async fn connected(test: &TestDb) -> PgConnection {
    test.connect.connect().await.expect("a connection")
}

async fn run(connection: &mut PgConnection, statement: String) {
    let statement = sqlx::AssertSqlSafe(statement);
    sqlx::raw_sql(statement).execute(connection).await.expect("a statement");
}

fn names(listed: &[(&str, &str)]) -> BTreeSet<String> {
    listed.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[tokio::test]
async fn every_table_belongs_to_a_company_or_is_named_here() {
    let test = TestDb::new().await;
    let without = sqlx::query_scalar!(
        r#"select t.relname::text as "name!"
           from pg_class t
           join pg_namespace n on n.oid = t.relnamespace
           where n.nspname = 'public' and t.relkind in ('r', 'p')
             and not exists (select from pg_attribute a
                             where a.attrelid = t.oid and a.attname = 'company_id'
                               and not a.attisdropped)
           order by t.relname"#
    );
    let without = without.fetch_all(&mut connected(&test).await).await.expect("tables");
    assert_eq!(without.into_iter().collect::<BTreeSet<_>>(), names(WITHOUT_COMPANY));
}

#[tokio::test]
async fn the_company_comes_first_in_every_key() {
    let test = TestDb::new().await;
    let others = sqlx::query_scalar!(
        r#"select i.indexrelid::regclass::text as "name!"
           from pg_index i
           join pg_class t on t.oid = i.indrelid
           join pg_namespace n on n.oid = t.relnamespace
           join pg_attribute a on a.attrelid = t.oid and a.attname = 'company_id'
           where n.nspname = 'public' and t.relkind in ('r', 'p')
             and (i.indisunique or i.indisprimary) and i.indkey[0] <> a.attnum
           order by 1"#
    );
    let others = others.fetch_all(&mut connected(&test).await).await.expect("keys");
    assert_eq!(others.into_iter().collect::<BTreeSet<_>>(), names(UNIQUE_FOR_ALL));

    let keyless = sqlx::query_scalar!(
        r#"select t.relname::text as "name!"
           from pg_class t
           join pg_namespace n on n.oid = t.relnamespace
           where n.nspname = 'public' and t.relkind in ('r', 'p')
             and not exists (select from pg_index i
                             where i.indrelid = t.oid and i.indisprimary)
           order by t.relname"#
    );
    let keyless = keyless.fetch_all(&mut connected(&test).await).await.expect("tables");
    assert!(keyless.is_empty(), "without a primary key: {keyless:?}");
}

/// The second wall. It is not forced on the tables' owner: the functions that look across
/// companies before one is known run as the owner. So the owner must not be who serves.
#[tokio::test]
async fn row_level_security_stands_around_every_companys_rows() {
    let test = TestDb::new().await;
    let mut connection = connected(&test).await;
    let open = sqlx::query_scalar!(
        r#"select t.relname::text as "name!"
           from pg_class t
           join pg_namespace n on n.oid = t.relnamespace
           join pg_attribute a on a.attrelid = t.oid and a.attname = 'company_id'
           where n.nspname = 'public' and t.relkind in ('r', 'p')
             and not (t.relrowsecurity
                      and exists (select from pg_policies p
                                  where p.schemaname = 'public' and p.tablename = t.relname
                                    and p.policyname = 'company_only' and p.cmd = 'ALL'
                                    and p.roles = '{fournil_app}'
                                    and p.qual = '(company_id = fournil_company())'
                                    and p.with_check = p.qual)
                      and (select count(*) from pg_policies p
                           where p.schemaname = 'public' and p.tablename = t.relname) = 1)
           order by t.relname"#
    );
    let open = open.fetch_all(&mut connection).await.expect("tables");
    assert!(open.is_empty(), "rows of every company can be read in {open:?}");

    let owned = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from pg_roles r
           where r.rolname = 'fournil_app'
             and (r.rolsuper or r.rolbypassrls
                  or exists (select from pg_class t where t.relowner = r.oid))"#
    );
    let owned = owned.fetch_one(&mut connection).await.expect("a count");
    assert_eq!(owned, 0, "fournil_app is past row-level security");
}

#[tokio::test]
async fn the_pool_serves_as_the_role_that_row_level_security_binds() {
    let test = TestDb::new().await;
    let role = sqlx::query_scalar!(r#"select current_user::text as "role!""#);
    assert_eq!(role.fetch_one(test.db.pool()).await.expect("a role"), "fournil_app");
}

#[tokio::test]
async fn a_commit_is_on_disk_whatever_the_server_is_set_to() {
    let test = TestDb::new().await;
    let lax = format!("alter database {} set synchronous_commit = off", test.name);
    run(&mut connected(&test).await, lax).await;
    let durable = async |options: DbOptions| {
        let db = Db::lazy(test.connect.clone(), &options);
        let setting =
            sqlx::query_scalar!(r#"select current_setting('synchronous_commit') as "set!""#);
        setting.fetch_one(db.pool()).await.expect("a setting")
    };
    assert_eq!(durable(DbOptions::default()).await, "on");
    let tests = DbOptions { is_durable: false, ..DbOptions::default() };
    assert_eq!(durable(tests).await, "off");
}

#[tokio::test]
async fn tables_of_another_release_are_told_from_those_that_wait() {
    let test = TestDb::new().await;
    let mut connection = connected(&test).await;
    assert_eq!(pending(&test.connect).await.expect("known"), 0);

    run(
        &mut connection,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9998, 'later', true, '', 0), (9999, 'still later', true, '', 0)"
            .to_owned(),
    )
    .await;
    let newer = pending(&test.connect).await.expect_err("a newer release");
    assert!(matches!(newer, MigrateError::VersionMissing(9999)), "{newer}");
    run(&mut connection, "delete from _sqlx_migrations where version > 9000".to_owned()).await;

    run(
        &mut connection,
        "update _sqlx_migrations set success = false where version = 2".to_owned(),
    )
    .await;
    let half = pending(&test.connect).await.expect_err("half applied");
    assert!(matches!(half, MigrateError::Dirty(2)), "{half}");

    run(
        &mut connection,
        "update _sqlx_migrations set success = true, checksum = 'other' where version = 2"
            .to_owned(),
    )
    .await;
    let edited = pending(&test.connect).await.expect_err("another content");
    assert!(matches!(edited, MigrateError::VersionMismatch(2)), "{edited}");

    run(&mut connection, "delete from _sqlx_migrations where version = 2".to_owned()).await;
    assert_eq!(pending(&test.connect).await.expect("known"), 1);
}
