//! Signing in, sessions, users and the audit log, against a real database.

use std::sync::Arc;

use uuid::Uuid;

use super::model::Email;
use super::{
    DbSessions, NewCompany, NewUser, SignIn, create_company, create_user, hash_password,
    reset_password, service, sign_in, sql,
};
use crate::db::testing::TestDb;
use crate::db::{Actor, CompanyId, Db, DbOptions};
use crate::time::TimeSource;
use crate::web::testing::{Answer, World};
use crate::web::{Known, Sessions as _};

const PASSWORD: &str = "quatre chats gris";

struct Shop {
    test: TestDb,
    world: World,
    sessions: Arc<DbSessions>,
    company: CompanyId,
    owner: Uuid,
}

async fn shop() -> Shop {
    let test = TestDb::new().await;
    let company = CompanyId(Uuid::now_v7());
    let mut act = test.db.begin(&Actor::system(company, "test")).await.expect("an act");
    let new = NewCompany { name: "Boulangerie".into(), store_name: "Magasin".into() };
    create_company(&mut act, &new).await.expect("a company");
    let password_hash = hash_password(PASSWORD.into()).await.expect("a hash");
    let mut made = Vec::new();
    for (email, name, role) in
        [("amel@example.dz", "Amel", "owner"), ("karim@example.dz", "Karim", "cashier")]
    {
        let new = NewUser {
            email: Email::parse(email).expect("an e-mail"),
            name: name.into(),
            role: role.into(),
            password_hash: password_hash.clone(),
        };
        made.push(create_user(&mut act, &new).await.expect("a user"));
    }
    act.commit().await.expect("committed");
    let sessions = Arc::new(DbSessions::new(test.db.clone(), TimeSource::system()));
    let world = World::new(test.db.clone(), crate::routes::routes(), sessions.clone());
    Shop { test, world, sessions, company, owner: made[0] }
}

fn token_in(page: &Answer) -> String {
    let text = page.text();
    let after = text.split("name=\"csrf_token\" value=\"").nth(1).expect("a form");
    after.split('"').next().expect("a token").to_owned()
}

impl Shop {
    async fn try_login(&self, email: &str, password: &str, next: &str) -> Answer {
        let page = self.world.get("/login", "").await;
        let visitor = page.cookie("__Host-fournil-visitor").expect("a visitor's cookie");
        let token = token_in(&page);
        let form = [
            ("csrf_token", token.as_str()),
            ("email", email),
            ("password", password),
            ("next", next),
        ];
        let form = serde_urlencoded::to_string(form).expect("a form");
        self.world.post("/login", &visitor, &form).await
    }

    /// Signs in; gives the `Cookie` header.
    async fn login(&self, email: &str) -> String {
        let answer = self.try_login(email, PASSWORD, "").await;
        assert_eq!(answer.status, 303);
        answer.cookie("__Host-fournil").expect("a session")
    }

    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let token = token_in(&self.world.get("/account", cookie).await);
        let key = Uuid::now_v7().to_string();
        let mut all = vec![("csrf_token", token.as_str()), ("idempotency_key", key.as_str())];
        all.extend_from_slice(fields);
        let form = serde_urlencoded::to_string(all).expect("a form");
        self.world.post(path, cookie, &form).await
    }

    async fn is_in(&self, cookie: &str) -> bool {
        self.world.get("/account", cookie).await.status == 200
    }

    async fn audited(&self, wanted: &str) -> i64 {
        let mut scope = self.test.db.read(self.company).await.expect("a scope");
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from audit_log where company_id = $1 and act = $2"#,
            self.company.0,
            wanted
        )
        .fetch_one(scope.connection())
        .await
        .expect("a count")
    }

    async fn age_sessions(&self, hours: i32) {
        let mut act = self.test.db.begin(&Actor::system(self.company, "t")).await.expect("an act");
        sqlx::query!(
            "update user_sessions
             set expires_at = expires_at - make_interval(hours => $2),
                 last_seen_at = last_seen_at - make_interval(hours => $2)
             where company_id = $1",
            self.company.0,
            hours
        )
        .execute(act.connection())
        .await
        .expect("aged");
        act.hint("sessions", None);
        act.commit().await.expect("committed");
    }
}

#[tokio::test]
async fn signing_in_leads_to_the_page_that_was_asked_for() {
    let shop = shop().await;
    let answer = shop.try_login("Amel@Example.dz ", PASSWORD, "/users").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/users"));
    let set = answer.header("set-cookie");
    for flag in ["__Host-fournil=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(set.contains(flag), "{flag} in {set}");
    }
    let cookie = answer.cookie("__Host-fournil").expect("a session");
    assert!(shop.world.get("/users", &cookie).await.text().contains("Karim"));
    assert_eq!(shop.audited("identity.sign_in").await, 1);
    let away = shop.try_login("amel@example.dz", PASSWORD, "//evil.example").await;
    assert_eq!(away.header("location"), "/");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let shop = shop().await;
    let wrong = shop.try_login("amel@example.dz", "quatre chats noirs", "").await;
    let unknown = shop.try_login("nobody@example.dz", PASSWORD, "").await;
    for answer in [&wrong, &unknown] {
        assert_eq!(answer.status, 401);
        assert!(answer.text().contains("data-login-refused"));
        assert!(answer.cookie("__Host-fournil").is_none());
    }
    assert_eq!(shop.audited("identity.sign_in_refused").await, 1);
}

#[tokio::test]
async fn one_account_can_be_tried_ten_times_from_anywhere() {
    let shop = shop().await;
    for _ in 0..10 {
        assert_eq!(shop.try_login("amel@example.dz", "non non non", "").await.status, 401);
    }
    assert_eq!(shop.try_login("amel@example.dz", PASSWORD, "").await.status, 429);
    shop.login("karim@example.dz").await;
    shop.world.time.advance(chrono::TimeDelta::seconds(90));
    shop.login("amel@example.dz").await;
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let shop = shop().await;
    let cookie = shop.login("amel@example.dz").await;
    assert!(shop.is_in(&cookie).await);
    let answer = shop.post("/logout", &cookie, &[]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/login"));
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!shop.is_in(&cookie).await, "the old cookie still works");
}

#[tokio::test]
async fn a_session_ends_twelve_hours_after_its_last_use() {
    let shop = shop().await;
    let cookie = shop.login("amel@example.dz").await;
    shop.age_sessions(11).await;
    assert!(shop.is_in(&cookie).await, "eleven hours are less than twelve");
    // Being used moved the end: two times eleven hours pass only because of that.
    shop.age_sessions(11).await;
    assert!(shop.is_in(&cookie).await, "the end did not move");
    shop.age_sessions(13).await;
    assert!(!shop.is_in(&cookie).await);
}

/// When the company's only session was last used and when it ends, in seconds from now.
async fn times(shop: &Shop) -> (i32, i32) {
    let mut scope = shop.test.db.read(shop.company).await.expect("a scope");
    let row = sqlx::query!(
        r#"select extract(epoch from now() - last_seen_at)::integer as "seen!",
                  extract(epoch from expires_at - now())::integer as "left!"
           from user_sessions where company_id = $1"#,
        shop.company.0
    );
    let row = row.fetch_one(scope.connection()).await.expect("one session");
    (row.seen, row.left)
}

#[tokio::test]
async fn a_session_ends_thirty_days_after_it_began_however_much_it_is_used() {
    let shop = shop().await;
    let cookie = shop.login("amel@example.dz").await;
    let mut act = shop.test.db.begin(&Actor::system(shop.company, "t")).await.expect("an act");
    sqlx::query!(
        "update user_sessions
         set created_at = now() - interval '30 days' + interval '1 hour',
             last_seen_at = now() - interval '1 hour'
         where company_id = $1",
        shop.company.0
    )
    .execute(act.connection())
    .await
    .expect("aged");
    act.hint("sessions", None);
    act.commit().await.expect("committed");
    assert!(shop.is_in(&cookie).await);
    let (seen, left) = times(&shop).await;
    assert!(seen < 60, "it was not marked as used");
    assert!((3_500..=3_600).contains(&left), "{left} s left");
    shop.age_sessions(2).await;
    assert!(!shop.is_in(&cookie).await);
}

#[tokio::test]
async fn what_asks_by_itself_keeps_no_session_alive_and_hears_of_its_end() {
    let shop = shop().await;
    let cookie = shop.login("amel@example.dz").await;
    let token = cookie.split_once('=').expect("a cookie").1;
    shop.age_sessions(1).await;
    assert!(shop.sessions.look(token).await.expect("looked").is_some());
    assert!(times(&shop).await.0 >= 3_600, "looking counted as use");
    assert!(shop.sessions.find(token).await.expect("found").is_some());
    shop.post("/logout", &cookie, &[]).await;
    assert_eq!(shop.sessions.look(token).await.expect("looked"), None);
}

#[tokio::test]
async fn a_cookie_that_is_no_session_is_looked_up_once() {
    let shop = shop().await;
    let forged = "A".repeat(43);
    assert_eq!(shop.sessions.known(&forged), Known::Unknown);
    assert_eq!(shop.sessions.find(&forged).await.expect("looked up"), None);
    assert_eq!(shop.sessions.known(&forged), Known::Nobody);
    // Known as nobody, it needs no database any more.
    shop.test.db.pool().close().await;
    assert_eq!(shop.sessions.find(&forged).await.expect("known"), None);
    assert!(shop.sessions.find(&"B".repeat(43)).await.is_err());
}

#[tokio::test]
async fn a_session_seen_a_while_ago_is_told_from_a_cookie_nobody_knows() {
    let shop = shop().await;
    let cookie = shop.login("amel@example.dz").await;
    let token = cookie.split_once('=').expect("a cookie").1;
    let time = TimeSource::fixed(TimeSource::system().now());
    let sessions = DbSessions::new(shop.test.db.clone(), time.clone());
    assert_eq!(sessions.known(token), Known::Unknown);
    let session = sessions.find(token).await.expect("found").expect("a session");
    assert_eq!(sessions.known(token), Known::Alive(session));
    time.advance(chrono::TimeDelta::seconds(5));
    assert_eq!(sessions.known(token), Known::Stale);
    sqlx::raw_sql("delete from user_sessions")
        .execute(&mut sqlx::ConnectOptions::connect(&shop.test.connect).await.expect("the owner"))
        .await
        .expect("gone");
    assert_eq!(sessions.find(token).await.expect("looked up"), None);
    assert_eq!(sessions.known(token), Known::Nobody);
}

fn asked(email: &str, password: &str) -> SignIn {
    SignIn {
        email: Email::parse(email).expect("an e-mail"),
        password: password.to_owned(),
        peer: "192.0.2.7".to_owned(),
        user_agent: String::new(),
    }
}

#[tokio::test]
async fn a_sign_in_that_began_before_the_password_was_replaced_does_not_end_well() {
    let shop = shop().await;
    let db = &shop.test.db;
    let (asked, right) = (asked("amel@example.dz", PASSWORD), true);
    let login = async || {
        let found = sql::find_login(db.pool(), asked.email.as_str()).await;
        found.expect("looked up").expect("a user")
    };
    let before = login().await;
    // The password is checked now, which takes a while; meanwhile somebody resets it.
    let mut act = db.begin(&Actor::system(shop.company, "test")).await.expect("an act");
    let hash = hash_password("cinq chiens bleus".into()).await.expect("a hash");
    reset_password(&mut act, shop.owner, &hash).await.expect("reset");
    act.commit().await.expect("committed");
    let token = service::begin_session(db, &asked, &before, right).await.expect("an answer");
    assert_eq!(token, None, "the old password opened a session after its end");
    assert_eq!(shop.audited("identity.sign_in_refused").await, 1);

    let before = login().await;
    let mut act = db.begin(&Actor::system(shop.company, "test")).await.expect("an act");
    sqlx::query!(
        "update users set active = false where company_id = $1 and user_id = $2",
        shop.company.0,
        shop.owner
    )
    .execute(act.connection())
    .await
    .expect("deactivated");
    act.commit().await.expect("committed");
    let token = service::begin_session(db, &asked, &before, right).await.expect("an answer");
    assert_eq!(token, None, "a deactivated user came in");
}

/// Transactions a try takes that end on disk, as the database counts them: those with a
/// number of their own.
async fn numbered_by(shop: &Shop, email: &str) -> i64 {
    let next = async || {
        let next = sqlx::query_scalar!(
            r#"select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as "next!""#
        );
        next.fetch_one(shop.test.db.pool()).await.expect("a number")
    };
    // Other tests number transactions too: the smallest of a few differences is our own.
    let mut least = i64::MAX;
    for _ in 0..8 {
        let before = next().await;
        let token = sign_in(&shop.test.db, asked(email, "non non non")).await.expect("an answer");
        assert_eq!(token, None);
        least = least.min(next().await - before);
    }
    least
}

#[tokio::test]
async fn refusing_costs_a_commit_whether_the_address_is_known_or_not() {
    let shop = shop().await;
    assert!(numbered_by(&shop, "amel@example.dz").await >= 1);
    assert!(numbered_by(&shop, "nobody@example.dz").await >= 1, "unknown ones answer sooner");
    let mut connection = shop.test.db.pool().acquire().await.expect("a connection");
    let left = sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_log where company_id = '00000000-0000-0000-0000-000000000000'"#
    );
    assert_eq!(left.fetch_one(&mut *connection).await.expect("a count"), 0, "rows pile up");
}

#[tokio::test]
async fn a_form_is_shown_again_with_one_connection_in_all() {
    let shop = shop().await;
    let options = DbOptions {
        connections_max: 1,
        acquire_timeout: std::time::Duration::from_secs(3),
        is_durable: false,
        ..DbOptions::default()
    };
    let db = Db::lazy(shop.test.connect.clone(), &options);
    let sessions = Arc::new(DbSessions::new(db.clone(), TimeSource::system()));
    let world = World::new(db.clone(), crate::routes::routes(), sessions.clone());
    let narrow = Shop { test: TestDb { db, ..shop.test }, world, sessions, ..shop };
    let owner = narrow.login("amel@example.dz").await;
    let taken = [
        ("name", "Autre"),
        ("email", "karim@example.dz"),
        ("role", "cashier"),
        ("password", "trois oiseaux verts"),
    ];
    assert_eq!(narrow.post("/users/new", &owner, &taken).await.status, 422);

    let page = narrow.world.get("/gateways/new", &owner).await.text();
    let options = page.split("<select").nth(1).expect("a choice of shops");
    let store = options.split("value=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let store = store.into_iter().find(|value| Uuid::parse_str(value).is_ok()).expect("a shop");
    let gateway = [("name", "Comptoir"), ("store_id", store)];
    assert_eq!(narrow.post("/gateways/new", &owner, &gateway).await.status, 200);
    assert_eq!(narrow.post("/gateways/new", &owner, &gateway).await.status, 422);
}

#[tokio::test]
async fn changing_the_password_asks_for_the_old_one_and_ends_the_other_sessions() {
    let shop = shop().await;
    let (here, elsewhere) =
        (shop.login("amel@example.dz").await, shop.login("amel@example.dz").await);
    let new = "cinq chiens bleus";
    let change = |current: &'static str, again: &'static str| {
        [("current", current), ("new", new), ("again", again)]
    };
    let wrong = shop.post("/account/password", &here, &change("faux mot", new)).await;
    assert_eq!(wrong.status, 422);
    let differs = shop.post("/account/password", &here, &change(PASSWORD, "autre chose")).await;
    assert_eq!(differs.status, 422);
    assert!(shop.is_in(&elsewhere).await);
    let changed = shop.post("/account/password", &here, &change(PASSWORD, new)).await;
    assert_eq!(changed.status, 303);
    assert!(shop.is_in(&here).await);
    assert!(!shop.is_in(&elsewhere).await);
    assert_eq!(shop.try_login("amel@example.dz", PASSWORD, "").await.status, 401);
    assert_eq!(shop.try_login("amel@example.dz", new, "").await.status, 303);
}

#[tokio::test]
async fn a_user_made_twice_with_one_key_is_one_user() {
    let shop = shop().await;
    let owner = shop.login("amel@example.dz").await;
    let token = token_in(&shop.world.get("/account", &owner).await);
    let key = Uuid::now_v7();
    let form = format!(
        "csrf_token={token}&idempotency_key={key}&name=Lina&email=lina%40example.dz\
         &role=cashier&password=trois+oiseaux+verts"
    );
    let first = shop.world.post("/users/new", &owner, &form).await;
    let second = shop.world.post("/users/new", &owner, &form).await;
    assert_eq!(first.status, 303);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(shop.audited("identity.user_create").await, 3);
    let taken = [
        ("name", "Autre"),
        ("email", "lina@example.dz"),
        ("role", "cashier"),
        ("password", "trois oiseaux verts"),
    ];
    let refused = shop.post("/users/new", &owner, &taken).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("value=\"Autre\""), "what was typed is kept");
}

#[tokio::test]
async fn a_deactivated_user_is_out_at_once_and_the_last_owner_stays() {
    let shop = shop().await;
    let (owner, cashier) =
        (shop.login("amel@example.dz").await, shop.login("karim@example.dz").await);
    assert_eq!(shop.world.get("/users", &cashier).await.status, 403);
    let users = shop.world.get("/users", &owner).await.text();
    let karim = users
        .split("href=\"/users/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|id| *id != "new" && *id != shop.owner.to_string())
        .expect("the cashier");
    let path = format!("/users/{karim}/access");
    assert_eq!(shop.post(&path, &owner, &[("role", "cashier")]).await.status, 303);
    assert!(!shop.is_in(&cashier).await);
    assert_eq!(shop.try_login("karim@example.dz", PASSWORD, "").await.status, 401);
    let own = format!("/users/{}/access", shop.owner);
    assert_eq!(
        shop.post(&own, &owner, &[("role", "cashier"), ("active", "true")]).await.status,
        409
    );
    let raised = [("role", "owner"), ("active", "true")];
    assert_eq!(shop.post(&path, &owner, &raised).await.status, 303);
    let again = shop.login("karim@example.dz").await;
    assert_eq!(shop.world.get("/users", &again).await.status, 200);
}

#[tokio::test]
async fn one_company_never_sees_the_users_of_another() {
    let shop = shop().await;
    let other = CompanyId(Uuid::now_v7());
    let mut act = shop.test.db.begin(&Actor::system(other, "test")).await.expect("an act");
    let new = NewCompany { name: "Autre".into(), store_name: "Magasin".into() };
    create_company(&mut act, &new).await.expect("a company");
    let stranger = NewUser {
        email: Email::parse("zed@example.dz").expect("an e-mail"),
        name: "Zed Étranger".into(),
        role: "owner".into(),
        password_hash: "x".into(),
    };
    let zed = create_user(&mut act, &stranger).await.expect("a user");
    act.commit().await.expect("committed");
    let owner = shop.login("amel@example.dz").await;
    assert!(!shop.world.get("/users", &owner).await.text().contains("Zed Étranger"));
    assert_eq!(shop.world.get(&format!("/users/{zed}"), &owner).await.status, 404);
    let path = format!("/users/{zed}/password");
    let reset = shop.post(&path, &owner, &[("password", "trois oiseaux verts")]).await;
    assert_eq!(reset.status, 404);
}

#[tokio::test]
async fn the_audit_log_is_paged_and_filtered() {
    let shop = shop().await;
    let mut act = shop.test.db.begin(&Actor::system(shop.company, "robot")).await.expect("an act");
    for number in 0..60 {
        let details = serde_json::json!({ "number": number });
        act.audit("till.sale", "ticket", &number.to_string(), details).await.expect("a line");
    }
    act.commit().await.expect("committed");
    let owner = shop.login("amel@example.dz").await;
    let lines = |answer: &Answer| answer.text().matches("data-audit=").count();
    let first = shop.world.get("/audit?act=till.", &owner).await;
    assert_eq!(lines(&first), 50);
    let text = first.text();
    let next = text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let next = next.expect("another page").replace("&#38;", "&").replace("&amp;", "&");
    assert_eq!(lines(&shop.world.get(&next, &owner).await), 10);
    assert_eq!(lines(&shop.world.get("/audit?actor=ROBOT&act=identity", &owner).await), 0);
    assert_eq!(lines(&shop.world.get("/audit?from=2999-01-01", &owner).await), 0);
    assert!(shop.world.get("/audit?from=nonsense&before=x", &owner).await.status == 200);
}
