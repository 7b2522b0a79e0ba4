//! Every statement of the identity area.

mod audit;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub(super) use audit::{AUDIT_PAGE, audit_page};

use super::model::{NewCompany, NewUser, RoleSummary, UserSummary};
use crate::db::{CompanyId, DbError};
use crate::web::{SESSION_SECONDS, SESSION_SECONDS_MAX, Session};

type Result<T> = std::result::Result<T, DbError>;

pub(super) struct Login {
    pub(super) company: CompanyId,
    pub(super) user_id: Uuid,
    pub(super) password_hash: String,
    pub(super) active: bool,
}

pub(super) async fn find_login(pool: &PgPool, email: &str) -> Result<Option<Login>> {
    let row = sqlx::query!(
        r#"select company_id as "company_id!", user_id as "user_id!",
                  password_hash as "password_hash!", active as "active!"
           from identity_find_login($1)"#,
        email,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Login {
        company: CompanyId(row.company_id),
        user_id: row.user_id,
        password_hash: row.password_hash,
        active: row.active,
    }))
}

/// True when the password and the right to sign in are still what [`find_login`] said.
/// The row stays locked: whoever changes either waits for the session that is made now
/// and then ends it with the others.
pub(super) async fn is_unchanged(connection: &mut PgConnection, login: &Login) -> Result<bool> {
    let row = sqlx::query!(
        "select password_hash, active from users
         where company_id = $1 and user_id = $2
         for share",
        login.company.0,
        login.user_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row
        .is_some_and(|row| row.password_hash == login.password_hash && row.active == login.active))
}

/// Writes what costs a commit its time and leaves nothing behind: no row, only a message
/// in the log of the database that nobody reads.
pub(super) async fn write_nothing(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_logical_emit_message(true, 'fournil', '')::text")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// A live session and when it was last marked as used.
pub(super) async fn find_session(
    pool: &PgPool,
    digest: &[u8],
) -> Result<Option<(Session, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"select company_id as "company_id!", user_id as "user_id!", user_name as "user_name!",
                  email as "email!", role_key as "role_key!", csrf_token as "csrf_token!",
                  language as "language!", last_seen_at as "last_seen_at!",
                  permissions as "permissions!"
           from identity_find_session($1)"#,
        digest,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let mut permissions: Vec<String> = row.permissions;
        permissions.sort_unstable();
        let session = Session {
            company: CompanyId(row.company_id),
            user_id: row.user_id,
            user_name: row.user_name,
            email: row.email,
            role: row.role_key,
            permissions,
            csrf_token: row.csrf_token,
            language: row.language,
        };
        (session, row.last_seen_at)
    }))
}

pub(super) struct NewSession<'a> {
    pub(super) company: CompanyId,
    pub(super) user_id: Uuid,
    pub(super) digest: &'a [u8],
    pub(super) csrf_token: &'a str,
    pub(super) peer: &'a str,
    pub(super) user_agent: &'a str,
}

pub(super) async fn insert_session(
    connection: &mut PgConnection,
    new: &NewSession<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into user_sessions
             (company_id, token_digest, user_id, csrf_token, expires_at, peer, user_agent)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5::integer), $6, $7)",
        new.company.0,
        new.digest,
        new.user_id,
        new.csrf_token,
        seconds(SESSION_SECONDS),
        new.peer,
        new.user_agent,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seconds as PostgreSQL's `integer`; a month is far below its end.
fn seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Marks a session as used, which moves its end, but never past its longest life.
pub(super) async fn touch_session(
    connection: &mut PgConnection,
    company: CompanyId,
    digest: &[u8],
) -> Result<()> {
    sqlx::query!(
        "update user_sessions
         set last_seen_at = now(),
             expires_at = least(now() + make_interval(secs => $3::integer),
                                created_at + make_interval(secs => $4::integer))
         where company_id = $1 and token_digest = $2",
        company.0,
        digest,
        seconds(SESSION_SECONDS),
        seconds(SESSION_SECONDS_MAX),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn delete_session(
    connection: &mut PgConnection,
    company: CompanyId,
    digest: &[u8],
) -> Result<()> {
    sqlx::query!(
        "delete from user_sessions where company_id = $1 and token_digest = $2",
        company.0,
        digest,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a user's sessions, but for the one with the digest `kept` (empty: all).
pub(super) async fn delete_sessions_of(
    connection: &mut PgConnection,
    company: CompanyId,
    user_id: Uuid,
    kept: &[u8],
) -> Result<u64> {
    let gone = sqlx::query!(
        "delete from user_sessions
         where company_id = $1 and user_id = $2 and token_digest <> $3",
        company.0,
        user_id,
        kept,
    )
    .execute(connection)
    .await?;
    Ok(gone.rows_affected())
}

pub(super) async fn delete_expired_sessions(pool: &PgPool, most: i32) -> Result<i64> {
    let gone =
        sqlx::query_scalar!(r#"select identity_delete_expired_sessions($1) as "gone!""#, most)
            .fetch_one(pool)
            .await?;
    Ok(gone)
}

pub(super) async fn sessions_alive(pool: &PgPool) -> Result<i64> {
    let alive = sqlx::query_scalar!(r#"select identity_sessions_alive() as "alive!""#);
    Ok(alive.fetch_one(pool).await?)
}

pub(super) async fn companies(pool: &PgPool) -> Result<Vec<(CompanyId, String)>> {
    let rows = sqlx::query!(
        r#"select company_id as "company_id!", name as "name!" from identity_companies()"#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (CompanyId(row.company_id), row.name)).collect())
}

pub(super) async fn find_user(pool: &PgPool, email: &str) -> Result<Option<(CompanyId, Uuid)>> {
    let row = sqlx::query!(
        r#"select company_id as "company_id!", user_id as "user_id!"
           from identity_find_user($1)"#,
        email,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| (CompanyId(row.company_id), row.user_id)))
}

pub(super) async fn insert_company(
    connection: &mut PgConnection,
    company: CompanyId,
    new: &NewCompany,
) -> Result<()> {
    sqlx::query!(
        "insert into companies (company_id, name) values ($1, $2)",
        company.0,
        new.name.trim(),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into stores (company_id, store_id, name) values ($1, $2, $3)",
        company.0,
        Uuid::now_v7(),
        new.store_name.trim(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Brings one built-in role to what the program says; true when something changed.
pub(super) async fn put_built_in_role(
    connection: &mut PgConnection,
    company: CompanyId,
    key: &str,
    name: &str,
    permissions: &[String],
) -> Result<bool> {
    let made = sqlx::query!(
        "insert into roles (company_id, role_id, key, name, built_in)
         values ($1, $2, $3, $4, true)
         on conflict on constraint role_key_unique do nothing",
        company.0,
        Uuid::now_v7(),
        key,
        name,
    )
    .execute(&mut *connection)
    .await?;
    let taken = sqlx::query!(
        "delete from role_permissions p
         using roles r
         where r.company_id = $1 and r.key = $2 and r.built_in
           and p.company_id = r.company_id and p.role_id = r.role_id
           and p.permission <> all ($3)",
        company.0,
        key,
        permissions,
    )
    .execute(&mut *connection)
    .await?;
    let given = sqlx::query!(
        "insert into role_permissions (company_id, role_id, permission)
         select r.company_id, r.role_id, wanted.permission
         from roles r
         cross join unnest($3::text[]) as wanted (permission)
         where r.company_id = $1 and r.key = $2 and r.built_in
         order by wanted.permission
         on conflict do nothing",
        company.0,
        key,
        permissions,
    )
    .execute(connection)
    .await?;
    Ok(made.rows_affected() + taken.rows_affected() + given.rows_affected() > 0)
}

pub(super) async fn roles(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<RoleSummary>> {
    let rows = sqlx::query!(
        "select key, name from roles where company_id = $1 order by built_in desc, role_id",
        company.0,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| RoleSummary { key: row.key, name: row.name }).collect())
}

pub(super) async fn role_id(
    connection: &mut PgConnection,
    company: CompanyId,
    key: &str,
) -> Result<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        "select role_id from roles where company_id = $1 and key = $2",
        company.0,
        key,
    );
    Ok(found.fetch_optional(connection).await?)
}

pub(super) async fn insert_user(
    connection: &mut PgConnection,
    company: CompanyId,
    role_id: Uuid,
    new: &NewUser,
) -> Result<Uuid> {
    let user_id = Uuid::now_v7();
    sqlx::query!(
        "insert into users (company_id, user_id, email, name, role_id, password_hash)
         values ($1, $2, $3, $4, $5, $6)",
        company.0,
        user_id,
        new.email.as_str(),
        new.name.trim(),
        role_id,
        new.password_hash,
    )
    .execute(connection)
    .await?;
    Ok(user_id)
}

pub(super) async fn users(
    connection: &mut PgConnection,
    company: CompanyId,
) -> Result<Vec<UserSummary>> {
    let rows = sqlx::query_as!(
        UserSummary,
        r#"select u.user_id, u.name, u.email, r.key as role, r.name as role_name, u.active,
                  (select max(s.last_seen_at) from user_sessions s
                   where s.company_id = u.company_id and s.user_id = u.user_id) as last_seen_at
           from users u
           join roles r on r.company_id = u.company_id and r.role_id = u.role_id
           where u.company_id = $1
           order by u.active desc, lower(u.name), u.user_id
           limit 500"#,
        company.0,
    );
    Ok(rows.fetch_all(connection).await?)
}

pub(super) async fn user(
    connection: &mut PgConnection,
    company: CompanyId,
    user_id: Uuid,
) -> Result<Option<UserSummary>> {
    let row = sqlx::query_as!(
        UserSummary,
        r#"select u.user_id, u.name, u.email, r.key as role, r.name as role_name, u.active,
                  (select max(s.last_seen_at) from user_sessions s
                   where s.company_id = u.company_id and s.user_id = u.user_id) as last_seen_at
           from users u
           join roles r on r.company_id = u.company_id and r.role_id = u.role_id
           where u.company_id = $1 and u.user_id = $2"#,
        company.0,
        user_id,
    );
    Ok(row.fetch_optional(connection).await?)
}

pub(super) async fn password_hash(
    connection: &mut PgConnection,
    company: CompanyId,
    user_id: Uuid,
) -> Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select password_hash from users where company_id = $1 and user_id = $2",
        company.0,
        user_id,
    );
    Ok(found.fetch_optional(connection).await?)
}

pub(super) async fn set_password(
    connection: &mut PgConnection,
    company: CompanyId,
    user_id: Uuid,
    hash: &str,
) -> Result<bool> {
    let changed = sqlx::query!(
        "update users set password_hash = $3 where company_id = $1 and user_id = $2",
        company.0,
        user_id,
        hash,
    )
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

pub(super) async fn set_access(
    connection: &mut PgConnection,
    company: CompanyId,
    user_id: Uuid,
    role_id: Uuid,
    active: bool,
) -> Result<bool> {
    let changed = sqlx::query!(
        "update users set role_id = $3, active = $4 where company_id = $1 and user_id = $2",
        company.0,
        user_id,
        role_id,
        active,
    )
    .execute(connection)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Active owners, locked in order so that two owners cannot take each other's access away
/// at the same moment.
pub(super) async fn lock_owners(
    connection: &mut PgConnection,
    company: CompanyId,
    owner_key: &str,
) -> Result<Vec<Uuid>> {
    let owners = sqlx::query_scalar!(
        "select u.user_id
         from users u
         join roles r on r.company_id = u.company_id and r.role_id = u.role_id
         where u.company_id = $1 and r.key = $2 and u.active
         order by u.user_id
         for update of u",
        company.0,
        owner_key,
    );
    Ok(owners.fetch_all(connection).await?)
}
