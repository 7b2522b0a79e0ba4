//! Signing in, sessions, users and the audit log, against a real database.

use std::sync::Arc;

use uuid::Uuid;

use super::model::Email;
use super::{DbSessions, NewCompany, NewUser, create_company, create_user, hash_password};
use crate::db::testing::TestDb;
use crate::db::{Actor, CompanyId};
use crate::time::TimeSource;
use crate::web::testing::{Answer, World};

const PASSWORD: &str = "quatre chats gris";

struct Shop {
    test: TestDb,
    world: World,
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
    let world = World::new(test.db.clone(), crate::routes::routes(), sessions);
    Shop { test, world, company, owner: made[0] }
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
        name: "Zed".into(),
        role: "owner".into(),
        password_hash: "x".into(),
    };
    let zed = create_user(&mut act, &stranger).await.expect("a user");
    act.commit().await.expect("committed");
    let owner = shop.login("amel@example.dz").await;
    assert!(!shop.world.get("/users", &owner).await.text().contains("Zed"));
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
