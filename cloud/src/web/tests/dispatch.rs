//! One order of checks for every route, and what each refusal looks like.

use std::sync::Arc;

use bytes::Bytes;

use crate::db::CompanyId;
use crate::web::testing::{CSRF, KnownSessions, World, no_database, request};
use crate::web::{
    Access, Error, Permission, Request, Response, Result, Route, ServerLimits, get, post,
};

const HELD: Permission = Permission("test.held");
const OTHER: Permission = Permission("test.other");

async fn hello(_request: Request) -> Result<Response> {
    Ok(Response::text("hello".to_owned()))
}

async fn length(request: Request) -> Result<Response> {
    let fields = request.form_fields()?;
    Ok(Response::text(fields.len().to_string()))
}

async fn falls(_request: Request) -> Result<Response> {
    panic!("secret of the house");
}

async fn faults(_request: Request) -> Result<Response> {
    Err(Error::Internal(anyhow::anyhow!("secret of the house")))
}

fn routes() -> Vec<Route> {
    vec![
        get("/open", Access::Public, hello),
        post("/open", Access::Public, length),
        get("/held", Access::Needs(HELD), hello),
        post("/held", Access::Needs(HELD), length).with_body_bytes_max(100),
        get("/other", Access::Needs(OTHER), hello),
        post("/guarded", Access::Public, length).guarded(),
        get("/falls", Access::Public, falls),
        get("/faults", Access::Public, faults),
        post("/scarce", Access::Public, length).scarce(),
        get("/flow", Access::Needs(HELD), async |_: Request| {
            Ok(Response::events(futures_util::stream::pending()))
        }),
        get("/named/{name}", Access::Public, async |request: Request| {
            Ok(Response::text(request.param::<String>("name")?))
        }),
    ]
}

fn world() -> (World, String) {
    let mut sessions = KnownSessions::default();
    let cookie = sessions.with(CompanyId(uuid::Uuid::now_v7()), "tester", &[HELD]);
    (World::new(no_database(), routes(), Arc::new(sessions)), cookie)
}

#[tokio::test]
async fn an_unknown_path_is_404_before_anything_else() {
    let (world, _) = world();
    assert_eq!(world.get("/nowhere", "").await.status, 404);
    assert_eq!(world.post("/nowhere", "", "").await.status, 404);
}

#[tokio::test]
async fn a_known_path_with_another_method_is_405_and_says_which() {
    let (world, cookie) = world();
    let answer = world.send(request("DELETE", "/held", &cookie, "")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST, HEAD"));
    assert_eq!(world.send(request("PATCH", "/other", "", "")).await.status, 405);
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let (world, _) = world();
    let answer = world.send(request("HEAD", "/open", "", "")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_stranger_is_led_to_the_login_and_back() {
    let (world, _) = world();
    let answer = world.get("/held?day=2026-11-24", "").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/login?next=%2Fheld%3Fday%3D2026-11-24");
    let forged = "A".repeat(43);
    assert_eq!(world.get("/held", &forged).await.status, 303);
}

#[tokio::test]
async fn a_program_without_a_session_gets_401_in_json() {
    let (world, _) = world();
    let mut asked = request("GET", "/held", "", "");
    asked.headers_mut().insert("accept", "application/json".parse().expect("a header"));
    let answer = world.send(asked).await;
    let body: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!((answer.status, &body["error"]["code"]), (401, &"error-sign-in".into()));
}

#[tokio::test]
async fn htmx_is_told_to_go_to_the_login_with_the_page_it_shows() {
    let (world, _) = world();
    let mut asked = request("GET", "/held", "", "");
    asked.headers_mut().insert("hx-request", "true".parse().expect("a header"));
    let shown = "https://erp.example.dz/till?x=1".parse().expect("a header");
    asked.headers_mut().insert("hx-current-url", shown);
    let answer = world.send(asked).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("hx-redirect"), "/login?next=%2Ftill%3Fx%3D1");
}

#[tokio::test]
async fn a_missing_permission_is_403_before_the_body_is_read() {
    let (world, cookie) = world();
    assert_eq!(world.get("/held", &cookie).await.status, 200);
    assert_eq!(world.get("/other", &cookie).await.status, 403);
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_session() {
    let (world, cookie) = world();
    assert_eq!(world.post("/held", &cookie, "a=1").await.status, 403);
    assert_eq!(world.post("/held", &cookie, "a=1&csrf_token=other").await.status, 403);
    let right = world.post("/held", &cookie, &format!("a=1&csrf_token={CSRF}")).await;
    assert_eq!((right.status, right.text().as_str()), (200, "2"));
}

#[tokio::test]
async fn a_visitors_form_needs_the_visitors_token() {
    let (world, _) = world();
    assert_eq!(world.post("/open", "", "a=1&csrf_token=").await.status, 403);
    let token = "V".repeat(43);
    let cookie = format!("__Host-fournil-visitor={token}");
    let right = world.post("/open", &cookie, &format!("csrf_token={token}")).await;
    assert_eq!(right.status, 200);
    assert_eq!(world.post("/open", &cookie, "csrf_token=VVV").await.status, 403);
}

#[tokio::test]
async fn a_body_past_the_routes_limit_is_413_stated_or_not() {
    let (world, cookie) = world();
    let long = format!("csrf_token={CSRF}&a={}", "x".repeat(200));
    assert_eq!(world.post("/held", &cookie, &long).await.status, 413);
    let mut stated = request("POST", "/held", &cookie, "");
    stated.headers_mut().insert("content-length", "101".parse().expect("a header"));
    assert_eq!(world.send(stated).await.status, 413);
}

#[tokio::test]
async fn a_guarded_route_tires_one_address_and_not_the_others() {
    let (world, _) = world();
    let address = "203.0.113.7".parse().expect("an address");
    let asked = || request("POST", "/guarded", "", "");
    for _ in 0..10 {
        assert_eq!(world.send_from(address, asked()).await.status, 403);
    }
    let tired = world.send_from(address, asked()).await;
    assert_eq!((tired.status, tired.header("retry-after")), (429, "6"));
    assert_eq!(world.send(asked()).await.status, 403);
    world.time.advance(chrono::TimeDelta::seconds(6));
    assert_eq!(world.send_from(address, asked()).await.status, 403);
}

#[tokio::test]
async fn a_scarce_route_is_open_twenty_times_in_the_first_hour() {
    let (world, _) = world();
    let address = "203.0.113.7".parse().expect("an address");
    let mut let_in = 0;
    for _minute in 0..60 {
        for _ in 0..11 {
            let answer = world.send_from(address, request("POST", "/scarce", "", "")).await;
            let_in += u32::from(answer.status != 429);
        }
        world.time.advance(chrono::TimeDelta::minutes(1));
    }
    assert!((19..=20).contains(&let_in), "{let_in}");
}

#[tokio::test]
async fn cookies_that_nobody_knows_are_paid_for_before_they_are_looked_up() {
    let sessions = KnownSessions::default();
    let world = World::new(no_database(), routes(), Arc::new(sessions.clone()));
    let address = "203.0.113.7".parse().expect("an address");
    let mut refused = 0;
    for number in 0..1_000 {
        let path = ["/open", "/held", "/nowhere", "/assets-of/none"][number % 4];
        let forged = format!("{number:0>43}");
        let answer = world.send_from(address, request("GET", path, &forged, "")).await;
        refused += u32::from(answer.status == 429);
    }
    assert!(sessions.looks() <= 240, "{} look-ups", sessions.looks());
    assert!(refused >= 750, "{refused}");
}

#[tokio::test]
async fn strangers_pay_for_refusals_and_unknown_paths_and_people_go_on() {
    let mut sessions = KnownSessions::default();
    let cookie = sessions.with(CompanyId(uuid::Uuid::now_v7()), "tester", &[HELD]);
    let world = World::new(no_database(), routes(), Arc::new(sessions));
    let address = "203.0.113.7".parse().expect("an address");
    for path in ["/held", "/nowhere"] {
        let mut last = 0;
        for _ in 0..241 {
            last = world.send_from(address, request("GET", path, "", "")).await.status;
        }
        assert_eq!(last, 429, "{path}");
        world.time.advance(chrono::TimeDelta::hours(1));
    }
    for _ in 0..241 {
        world.send_from(address, request("GET", "/nowhere", "", "")).await;
    }
    // Others of the shop share its address.
    let answer = world.send_from(address, request("GET", "/held", &cookie, "")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_ends_soon_after_its_session() {
    use http_body_util::BodyExt as _;
    let mut sessions = KnownSessions::default();
    let cookie = sessions.with(CompanyId(uuid::Uuid::now_v7()), "tester", &[HELD]);
    let world = World::new(no_database(), routes(), Arc::new(sessions.clone()));
    let address = "203.0.113.7".parse().expect("an address");
    let mut flow = world.open(address, request("GET", "/flow", &cookie, "")).await.into_body();
    for _ in 0..3 {
        flow.frame().await.expect("it flows").expect("a heartbeat");
    }
    let before = tokio::time::Instant::now();
    sessions.end(&cookie);
    while flow.frame().await.is_some() {}
    assert!(before.elapsed().as_secs() <= 5, "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_database_is_asked_for_readiness_once_a_second() {
    let test = crate::db::testing::TestDb::new().await;
    let sessions = Arc::new(KnownSessions::default());
    let world = World::new(test.db.clone(), routes(), sessions);
    assert_eq!(world.get("/readyz", "").await.status, 200);
    test.db.pool().close().await;
    assert_eq!(world.get("/readyz", "").await.status, 200, "it was asked again");
    world.time.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(world.get("/readyz", "").await.status, 503);
    world.readiness.set_ready();
    world.stop.cancel();
    assert_eq!(world.get("/readyz", "").await.status, 503, "a drain shows at once");
}

#[tokio::test]
async fn a_panic_is_a_500_page_with_a_reference_and_no_cause() {
    let (world, _) = world();
    for path in ["/falls", "/faults"] {
        let answer = world.get(path, "").await;
        assert_eq!(answer.status, 500);
        assert!(answer.text().contains("data-error-reference"), "{path}");
        assert!(!answer.text().contains("secret of the house"), "{path}");
    }
    assert_eq!(world.get("/open", "").await.status, 200, "the server goes on");
}

#[tokio::test]
async fn path_parameters_are_decoded_and_broken_ones_are_404() {
    let (world, _) = world();
    assert_eq!(world.get("/named/pain%20au%20ma%C3%AFs", "").await.text(), "pain au maïs");
    assert_eq!(world.get("/named/%ff", "").await.status, 404);
    assert_eq!(world.get("/named/a%2", "").await.status, 404);
}

#[tokio::test]
async fn until_ready_every_route_is_503_and_health_tells_them_apart() {
    let mut sessions = KnownSessions::default();
    let cookie = sessions.with(CompanyId(uuid::Uuid::now_v7()), "tester", &[HELD]);
    let world = World::not_ready(no_database(), routes(), Arc::new(sessions));
    let answer = world.get("/held", &cookie).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(world.get("/healthz", "").await.status, 200);
    assert_eq!(world.get("/readyz", "").await.status, 503);
    world.readiness.set_ready();
    assert_eq!(world.get("/held", &cookie).await.status, 200);
    assert_eq!(world.get("/readyz", "").await.status, 503, "the database is still away");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let (world, cookie) = world();
    for path in ["/open", "/held", "/nowhere", "/falls", "/assets/app.css"] {
        let answer = world.get(path, &cookie).await;
        assert!(answer.header("content-security-policy").contains("default-src 'self'"), "{path}");
        assert!(!answer.header("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    assert!(world.get("/open", "").await.header("strict-transport-security").contains("31536000"));
}

#[tokio::test]
async fn files_are_kept_for_ever_by_their_own_name_only() {
    let (world, _) = world();
    let path = crate::web::assets::path("app.css");
    let kept = world.get(&path, "").await;
    assert!(kept.header("cache-control").contains("immutable"));
    let plain = world.get("/assets/app.css", "").await;
    assert_eq!((plain.status, plain.header("cache-control")), (200, "no-cache"));
    let mut again = request("GET", "/assets/app.css", "", "");
    let tag = plain.header("etag").parse().expect("a header");
    again.headers_mut().insert("if-none-match", tag);
    assert_eq!(world.send(again).await.status, 304);
    assert_eq!(world.get("/assets/../app.rs", "").await.status, 404);
}

#[tokio::test]
async fn a_stalled_body_is_408() {
    use futures_util::StreamExt as _;
    let chunks = futures_util::stream::iter([Ok(Bytes::from_static(b"a=1"))])
        .chain(futures_util::stream::pending::<std::result::Result<Bytes, warp::Error>>());
    tokio::time::pause();
    let (headers, progress) = (hyper::HeaderMap::new(), ServerLimits::default().body_progress);
    let started = tokio::time::Instant::now();
    let read = crate::web::body::read(Box::pin(chunks), &headers, 1_000, progress).await;
    assert!(matches!(read, Err(Error::TooSlow)));
    assert_eq!(started.elapsed().as_secs(), 10);
}
