//! One function for each identity act. They run in the caller's act and never commit,
//! but for signing in and out, which have no caller yet.

use ring::digest;
use serde_json::json;
use uuid::Uuid;

use super::model::{
    AuditFilter, AuditLine, Email, IdentityError, NewCompany, NewUser, OWNER, RoleSummary,
    UserSummary,
};
use super::permission::BUILT_IN_ROLES;
use super::{password, sql};
use crate::db::{Act, Actor, ActorKind, CompanyId, Db, DbError};
use crate::web::{Session, random_token};

type Result<T> = std::result::Result<T, IdentityError>;

/// Hints of this topic say: the sessions of the user named are not what they were.
pub(super) const SESSIONS_TOPIC: &str = "sessions";
/// Rows one cleaning takes, so that it never holds locks for long.
const CLEANED_AT_ONCE: i32 = 1_000;

/// What the database keeps of a cookie.
pub(super) fn token_digest(token: &str) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Makes a company (the actor's own) with its first shop and the built-in roles.
pub async fn create_company(act: &mut Act, new: &NewCompany) -> std::result::Result<(), DbError> {
    let company = act.company();
    sql::insert_company(act.connection(), company, new).await?;
    ensure_built_in_roles(act).await?;
    act.audit("identity.company_create", "company", &company.0.to_string(), json!({})).await
}

/// Gives the company the roles and permissions this release knows; true when it changed
/// anything.
pub async fn ensure_built_in_roles(act: &mut Act) -> std::result::Result<bool, DbError> {
    let company = act.company();
    let mut has_changed = false;
    for role in BUILT_IN_ROLES {
        let words: Vec<String> = role.permissions.iter().map(|p| p.0.to_owned()).collect();
        let put =
            sql::put_built_in_role(act.connection(), company, role.key, role.name, &words).await?;
        has_changed |= put;
    }
    Ok(has_changed)
}

/// Brings the built-in roles of every company to this release; run when serving begins.
pub async fn sync_roles(db: &Db) -> std::result::Result<(), DbError> {
    for (company, _) in sql::companies(db.pool()).await? {
        let mut act = db.begin(&Actor::system(company, "roles")).await?;
        if ensure_built_in_roles(&mut act).await? {
            act.audit("identity.roles_sync", "company", &company.0.to_string(), json!({})).await?;
            act.commit().await?;
        }
    }
    Ok(())
}

/// Every company of the database, oldest first.
pub async fn companies(db: &Db) -> std::result::Result<Vec<(CompanyId, String)>, DbError> {
    sql::companies(db.pool()).await
}

/// Whose e-mail it is.
pub async fn find_user(
    db: &Db,
    email: &Email,
) -> std::result::Result<Option<(CompanyId, Uuid)>, DbError> {
    sql::find_user(db.pool(), email.as_str()).await
}

/// Makes a user.
pub async fn create_user(act: &mut Act, new: &NewUser) -> Result<Uuid> {
    let company = act.company();
    let role = sql::role_id(act.connection(), company, &new.role).await?;
    let role = role.ok_or(IdentityError::UnknownRole)?;
    let user_id = match sql::insert_user(act.connection(), company, role, new).await {
        Ok(user_id) => user_id,
        Err(error) if error.constraint() == Some("user_email_unique") => {
            return Err(IdentityError::EmailTaken);
        }
        Err(error) => return Err(error.into()),
    };
    let details = json!({ "role": new.role });
    act.audit("identity.user_create", "user", &user_id.to_string(), details).await?;
    Ok(user_id)
}

/// Gives a user another password and ends its sessions.
pub async fn reset_password(act: &mut Act, user_id: Uuid, hash: &str) -> Result<()> {
    put_password(act, user_id, hash, &[]).await?;
    act.audit("identity.password_reset", "user", &user_id.to_string(), json!({})).await?;
    Ok(())
}

/// Changes a user's own password; the session that asks (by its cookie) goes on.
pub(super) async fn change_password(
    act: &mut Act,
    user_id: Uuid,
    hash: &str,
    cookie: &str,
) -> Result<()> {
    put_password(act, user_id, hash, &token_digest(cookie)).await?;
    act.audit("identity.password_change", "user", &user_id.to_string(), json!({})).await?;
    Ok(())
}

async fn put_password(act: &mut Act, user_id: Uuid, hash: &str, kept: &[u8]) -> Result<()> {
    let company = act.company();
    if !sql::set_password(act.connection(), company, user_id, hash).await? {
        return Err(IdentityError::UnknownUser);
    }
    sql::delete_sessions_of(act.connection(), company, user_id, kept).await?;
    act.hint(SESSIONS_TOPIC, Some(user_id));
    Ok(())
}

/// True when `given` is the user's password.
pub(super) async fn has_password(
    db: &Db,
    company: CompanyId,
    user_id: Uuid,
    given: String,
) -> anyhow::Result<bool> {
    let hash = {
        let mut scope = db.read(company).await?;
        sql::password_hash(scope.connection(), company, user_id).await?
    };
    password::is_right(given, hash).await
}

/// Gives a user a role and says whether it may sign in.
pub(super) async fn set_access(
    act: &mut Act,
    user_id: Uuid,
    role: &str,
    active: bool,
) -> Result<()> {
    let company = act.company();
    let role_id = sql::role_id(act.connection(), company, role).await?;
    let role_id = role_id.ok_or(IdentityError::UnknownRole)?;
    let owners = sql::lock_owners(act.connection(), company, OWNER).await?;
    let stays_owner = active && role == OWNER;
    if !stays_owner {
        if act.actor().user_id() == Some(user_id) {
            return Err(IdentityError::OwnAccount);
        }
        if owners == [user_id] {
            return Err(IdentityError::LastOwner);
        }
    }
    if !sql::set_access(act.connection(), company, user_id, role_id, active).await? {
        return Err(IdentityError::UnknownUser);
    }
    if !active {
        sql::delete_sessions_of(act.connection(), company, user_id, &[]).await?;
    }
    act.hint(SESSIONS_TOPIC, Some(user_id));
    let details = json!({ "role": role, "active": active });
    act.audit("identity.access_change", "user", &user_id.to_string(), details).await?;
    Ok(())
}

/// Who signs in, from where.
#[derive(Debug)]
pub struct SignIn {
    pub email: Email,
    pub password: String,
    pub peer: String,
    pub user_agent: String,
}

/// Begins a session and gives its cookie; none when e-mail or password is wrong or the
/// user may not sign in. What takes time, the hashing and a commit, is done in each case.
pub async fn sign_in(db: &Db, asked: SignIn) -> anyhow::Result<Option<String>> {
    let login = sql::find_login(db.pool(), asked.email.as_str()).await?;
    let hash = login.as_ref().map(|login| login.password_hash.clone());
    let is_right = password::is_right(asked.password.clone(), hash).await?;
    match login {
        Some(login) => begin_session(db, &asked, &login, is_right).await,
        None => refuse_unknown(db).await,
    }
}

/// Costs what refusing a known e-mail costs, so that the time does not tell which exist.
async fn refuse_unknown(db: &Db) -> anyhow::Result<Option<String>> {
    let nobody = CompanyId(Uuid::nil());
    let none = sql::Login {
        company: nobody,
        user_id: Uuid::nil(),
        password_hash: String::new(),
        active: false,
    };
    let mut act = db.begin(&Actor::system(nobody, "sign-in")).await?;
    sql::is_unchanged(act.connection(), &none).await?;
    sql::write_nothing(act.connection()).await?;
    act.commit().await?;
    Ok(None)
}

/// What follows the check of the password, which took a while: the user is looked at
/// again in the act, because a password replaced meanwhile has ended all sessions but
/// the one that is begun here.
pub(super) async fn begin_session(
    db: &Db,
    asked: &SignIn,
    login: &sql::Login,
    is_right: bool,
) -> anyhow::Result<Option<String>> {
    let actor = Actor {
        company: login.company,
        kind: ActorKind::User(login.user_id),
        label: asked.email.as_str().to_owned(),
    };
    let (subject, peer) = (login.user_id.to_string(), json!({ "peer": asked.peer }));
    let mut act = db.begin(&actor).await?;
    let is_unchanged = sql::is_unchanged(act.connection(), login).await?;
    if !(is_right && login.active && is_unchanged) {
        act.audit("identity.sign_in_refused", "user", &subject, peer).await?;
        act.commit().await?;
        return Ok(None);
    }
    let (token, csrf_token) = (random_token()?, random_token()?);
    let new = sql::NewSession {
        company: login.company,
        user_id: login.user_id,
        digest: &token_digest(&token),
        csrf_token: &csrf_token,
        peer: &asked.peer,
        user_agent: &asked.user_agent.chars().take(200).collect::<String>(),
    };
    sql::insert_session(act.connection(), &new).await?;
    act.audit("identity.sign_in", "user", &subject, peer).await?;
    act.commit().await?;
    Ok(Some(token))
}

/// Ends one session by its cookie.
pub(super) async fn sign_out(
    db: &Db,
    session: &Session,
    cookie: &str,
) -> std::result::Result<(), DbError> {
    let mut act = db.begin(&session.actor()).await?;
    sql::delete_session(act.connection(), session.company, &token_digest(cookie)).await?;
    act.hint(SESSIONS_TOPIC, Some(session.user_id));
    act.audit("identity.sign_out", "user", &session.user_id.to_string(), json!({})).await?;
    act.commit().await
}

pub(super) async fn list_users(
    db: &Db,
    company: CompanyId,
) -> std::result::Result<(Vec<UserSummary>, Vec<RoleSummary>), DbError> {
    let mut scope = db.read(company).await?;
    let users = sql::users(scope.connection(), company).await?;
    Ok((users, sql::roles(scope.connection(), company).await?))
}

pub(super) async fn show_user(
    db: &Db,
    company: CompanyId,
    user_id: Uuid,
) -> Result<(UserSummary, Vec<RoleSummary>)> {
    let mut scope = db.read(company).await?;
    let user = sql::user(scope.connection(), company, user_id).await?;
    let user = user.ok_or(IdentityError::UnknownUser)?;
    Ok((user, sql::roles(scope.connection(), company).await?))
}

/// A page of the audit log and whether more follows.
pub(super) async fn audit_page(
    db: &Db,
    company: CompanyId,
    filter: &AuditFilter,
) -> std::result::Result<(Vec<AuditLine>, bool), DbError> {
    let mut scope = db.read(company).await?;
    let mut lines = sql::audit_page(scope.connection(), company, filter).await?;
    let shown = usize::try_from(sql::AUDIT_PAGE).unwrap_or(usize::MAX);
    let has_more = lines.len() > shown;
    lines.truncate(shown);
    Ok((lines, has_more))
}

/// Takes away sessions that ended; how many.
pub async fn forget_expired_sessions(db: &Db) -> std::result::Result<i64, DbError> {
    sql::delete_expired_sessions(db.pool(), CLEANED_AT_ONCE).await
}

/// How many sessions are alive, for the metrics.
pub async fn sessions_alive(db: &Db) -> std::result::Result<i64, DbError> {
    sql::sessions_alive(db.pool()).await
}
