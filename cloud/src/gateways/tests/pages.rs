//! The pages and addresses of gateways and punches through the real server: table,
//! session, token, upgrade.

use std::net::SocketAddr;

use fournil_protocol::enrol::{EnrolAnswer, EnrolRefusal};
use fournil_protocol::event::{DeviceHealth, DeviceKind, DeviceState, Health, Notice};
use fournil_protocol::rotate::{ChallengeAnswer, RotateAnswer, RotateRefusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::sessions::print_body;
use super::*;
use crate::app::App;
use crate::gateways::Caller;
use crate::i18n::Catalogue;
use crate::identity::{
    DbSessions, Email, NewUser, SignIn, create_user, ensure_built_in_roles, hash_password, sign_in,
};
use crate::people::employees;
use crate::web::upgrade::{Tunnel, TunnelHandler};
use crate::web::{Listener, Metrics, Proxies, Readiness, Server, ServerLimits, ServerParts, Table};

/// The program on a port, with an owner and a cashier.
struct Site {
    world: World,
    address: SocketAddr,
}

/// Somebody's browser.
struct Browser {
    address: SocketAddr,
    cookie: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Site {
    async fn new() -> Self {
        let world = World::new().await;
        let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
        ensure_built_in_roles(&mut act).await.expect("roles");
        for (email, role) in [("owner@example.dz", "owner"), ("till@example.dz", "cashier")] {
            let new = NewUser {
                email: Email::parse(email).expect("e-mail"),
                name: "Amel B.".into(),
                role: role.into(),
                password_hash: hash_password("un mot de passe".into()).await.expect("hash"),
            };
            create_user(&mut act, &new).await.expect("user");
        }
        act.commit().await.expect("commit");
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = socket.local_addr().expect("address");
        let server = server(&world, ServerLimits::default());
        tokio::spawn(server.run(vec![Listener { socket, tls: None }]));
        Self { world, address }
    }

    async fn browser(&self, email: &str) -> Browser {
        let asked = SignIn {
            email: Email::parse(email).expect("e-mail"),
            password: "un mot de passe".into(),
            peer: String::new(),
            user_agent: String::new(),
        };
        let token = sign_in(&self.world.test.db, asked).await.expect("sign in").expect("right");
        Browser { address: self.address, cookie: format!("fournil={token}") }
    }
}

pub(super) fn server(world: &World, limits: ServerLimits) -> Server {
    let time = TimeSource::system();
    let db = world.test.db.clone();
    let app = App {
        db: db.clone(),
        time: time.clone(),
        texts: Catalogue::load().expect("texts"),
        nav: crate::routes::nav(),
        public_name: PUBLIC_NAME.into(),
        public_url: format!("https://{PUBLIC_NAME}"),
        authority_pem: Some("-----BEGIN CERTIFICATE-----\n".into()),
    };
    let hub = world.hub.clone();
    let tunnels: TunnelHandler = Arc::new(move |tunnel: Tunnel| {
        let hub = hub.clone();
        Box::pin(async move {
            let (peer, certificate) = (tunnel.peer.0.to_string(), tunnel.certificate);
            hub.serve(tunnel.socket, Caller { peer, certificate }).await;
        })
    });
    Server::new(ServerParts {
        app: Arc::new(app),
        table: Table::new(crate::routes::routes()).expect("table"),
        sessions: Arc::new(DbSessions::new(db, time)),
        tunnels,
        metrics: Arc::new(Metrics::default()),
        readiness: Readiness::ready(),
        proxies: Proxies::default(),
        limits,
        stop: world.stop.clone(),
    })
}

impl Browser {
    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("connect");
        let kind = if body.starts_with('{') {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {PUBLIC_NAME}\r\ncookie: {}\r\naccept: text/html\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("asked");
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("in time").expect("read");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.expect("status"), head: head.into(), body: body.into() }
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.ask("GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        // A text that is missing shows its id.
        for prefix in ["gateways-", "attendance-", "employees-", "people-nav", "print-"] {
            let shown = [format!(">{prefix}"), format!("> {prefix}"), format!("}}{prefix}")];
            assert!(!shown.iter().any(|id| answer.body.contains(id.as_str())), "{}", answer.body);
        }
        balanced(path, &answer.body);
        answer.body
    }

    /// Sends a form with the page's token and a fresh key.
    async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let html = self.page(page).await;
        let token = between(&html, r#"name="csrf-token" content=""#, "\"");
        let key = Uuid::now_v7().to_string();
        let mut form = vec![("csrf_token", token), ("idempotency_key", key.as_str())];
        form.extend_from_slice(fields);
        let body = serde_urlencoded::to_string(form).expect("form");
        self.ask("POST", path, &body).await
    }
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}")).1;
    rest.split_once(end).expect("an end").0
}

/// Every element that is opened is closed, in order.
fn balanced(path: &str, html: &str) {
    const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "use"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if tag.starts_with('!') || tag.ends_with('/') || VOID.contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            let last = open.pop();
            assert_eq!(last, Some(name), "{path}: </{name}> closes {last:?}\n{html}");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} left open");
}

#[tokio::test]
async fn from_the_form_to_a_live_machine_over_the_real_socket() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let new = owner.page("/gateways/new").await;
    let store = between(&new, "<option value=\"", "\"").to_owned();
    let fields = [("name", "Atelier"), ("store_id", store.as_str())];
    let shown = owner.submit("/gateways/new", "/gateways/new", &fields).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    balanced("code", &shown.body);
    let code = between(&shown.body, "data-enrolment-code><bdi>", "<").to_owned();
    let typed = format!("enrol --url https://{PUBLIC_NAME} --code {code} --ca fournil-ca.pem");
    assert!(shown.body.contains(&typed), "{}", shown.body);
    assert!(shown.body.contains("href=\"/gateways/authority.pem\""), "{}", shown.body);
    let authority = owner.ask("GET", "/gateways/authority.pem", "").await;
    assert!(authority.body.starts_with("-----BEGIN CERTIFICATE-----"), "{}", authority.body);
    assert!(authority.head.contains("attachment"), "{}", authority.head);
    let id = between(&shown.body, "hx-get=\"/gateways/", "/").to_owned();
    let waiting = owner.page(&format!("/gateways/{id}/enrolment")).await;
    assert!(waiting.contains("hx-trigger"), "{waiting}");

    let (key, stranger) = (new_key(), Browser { address: site.address, cookie: String::new() });
    let asked = serde_json::to_string(&request(&code, &key)).expect("json");
    let answer = stranger.ask("POST", "/gateway/enrol", &asked).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: EnrolAnswer = serde_json::from_str(&answer.body).expect("answer");
    assert_eq!((answer.gateway_id.as_str(), answer.name.as_str()), (id.as_str(), "Atelier"));
    let done = owner.page(&format!("/gateways/{id}/enrolment")).await;
    assert!(done.contains(&answer.fingerprint), "{done}");

    let tcp = TcpStream::connect(site.address).await.expect("connect");
    let mut dialled =
        format!("ws://{PUBLIC_NAME}/gateway/v1").into_client_request().expect("request");
    let protocol = fournil_protocol::SUBPROTOCOL.parse().expect("header");
    dialled.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = client_async(dialled, tcp).await.expect("upgrade");
    let first = socket.next().await;
    let Some(Ok(Message::Binary(bytes))) = first else { panic!("no challenge: {first:?}") };
    let Some(Kind::Challenge(challenge)) = Frame::decode_bytes(&bytes).expect("frame").kind else {
        panic!("not a challenge")
    };
    let gateway_id = Uuid::parse_str(&id).expect("id");
    let mut greeting = Hello { server_name: PUBLIC_NAME.into(), version: 1, ..hello(7, 0) };
    greeting.gateway_id = gateway_id.as_bytes().to_vec();
    let signed = hello::signed_bytes(1, PUBLIC_NAME, &challenge.nonce, &greeting.gateway_id);
    greeting.signature = key.sign(&signed).as_ref().to_vec();
    let frame = Frame::from(Kind::Hello(greeting)).encode_bytes().expect("frame");
    socket.send(Message::binary(frame)).await.expect("hello");
    let Some(Ok(Message::Binary(bytes))) = socket.next().await else { panic!("no welcome") };
    let welcome = Frame::decode_bytes(&bytes).expect("frame").kind;
    assert!(matches!(welcome, Some(Kind::Welcome(_))), "{welcome:?}");
    let list = owner.page("/gateways").await;
    assert!(list.contains(&format!("data-gateway=\"{id}\" data-gateway-live=\"online\"")));
}

#[tokio::test]
async fn a_wrong_code_is_refused_in_words_a_person_can_use() {
    let site = Site::new().await;
    let machine = Browser { address: site.address, cookie: String::new() };
    let asked = serde_json::to_string(&request("AAAA-AAAA", &new_key())).expect("json");
    let answer = machine.ask("POST", "/gateway/enrol", &asked).await;
    assert_eq!(answer.status, 404);
    let refusal: EnrolRefusal = serde_json::from_str(&answer.body).expect("refusal");
    assert_eq!(refusal.error, "code-unknown");
    assert!(refusal.message.contains("nouveau code"), "{}", refusal.message);
    let nonsense = machine.ask("POST", "/gateway/enrol", "{\"code\":1}").await;
    assert_eq!(nonsense.status, 400);
    let refusal: EnrolRefusal = serde_json::from_str(&nonsense.body).expect("refusal");
    assert_eq!(refusal.error, "bad-request");
}

#[tokio::test]
async fn a_person_asks_for_a_new_key_and_the_machine_brings_it() {
    let site = Site::new().await;
    let (world, owner) = (&site.world, site.browser("owner@example.dz").await);
    let page = format!("/gateways/{}", world.gateway_id);
    let asked = owner.submit(&page, &format!("{page}/rotate"), &[]).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let shown = owner.page(&page).await;
    assert!(shown.contains("data-rotation") && shown.contains("data-key-state=\"active\""));

    let machine = Browser { address: site.address, cookie: String::new() };
    let gateway_id = world.gateway_id.to_string();
    let ask = serde_json::json!({ "gateway_id": gateway_id }).to_string();
    let answer = machine.ask("POST", "/gateway/rotate/challenge", &ask).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let challenge: ChallengeAnswer = serde_json::from_str(&answer.body).expect("a nonce");
    let new = new_key();
    let proposal = super::keys::signed_proposal(
        world.gateway_id,
        &challenge.nonce,
        &world.key,
        &new,
        PUBLIC_NAME,
    );
    let proposal = serde_json::to_string(&proposal).expect("JSON");
    let answer = machine.ask("POST", "/gateway/rotate", &proposal).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: RotateAnswer = serde_json::from_str(&answer.body).expect("an answer");
    let shown = owner.page(&page).await;
    assert!(shown.contains("data-key-state=\"next\"") && shown.contains(&answer.fingerprint));
    let mut shop = world.dial();
    shop.greet(&new, world.gateway_id, hello(7, 0)).await.expect("welcome");
    let shown = owner.page(&page).await;
    assert!(shown.contains("data-key-state=\"retiring\"") && !shown.contains("data-rotation"));
    let audit = owner.ask("GET", "/audit", "").await.body;
    for line in ["Nouvelle clé demandée", "Nouvelle clé proposée", "Clé d'une passerelle changée"]
    {
        assert!(audit.contains(&line.replace('\'', "&#39;")), "{line}");
    }

    let nonsense = machine.ask("POST", "/gateway/rotate", "{\"code\":1}").await;
    assert_eq!(nonsense.status, 400);
    let refusal: RotateRefusal = serde_json::from_str(&nonsense.body).expect("a refusal");
    assert_eq!(refusal.error, "bad-request");
    assert!(refusal.message.contains("illisible"), "{}", refusal.message);
}

#[tokio::test]
async fn certificates_whose_end_is_near_are_told_of() {
    let site = Site::new().await;
    let (world, owner) = (&site.world, site.browser("owner@example.dz").await);
    let in_days = |days: i64| TimeSource::system().now() + chrono::TimeDelta::hours(24 * days + 1);
    let db = &world.test.db;
    crate::gateways::tell_served(db, "node-1", "server", in_days(29)).await.expect("told");
    crate::gateways::tell_served(db, "node-2", "server", in_days(200)).await.expect("told");
    crate::gateways::tell_served(db, "node-1", "authority", in_days(900)).await.expect("told");
    crate::gateways::tell_served(db, "node-1", "gateways", in_days(3)).await.expect("told");
    let list = owner.page("/gateways").await;
    assert!(list.contains("notice--warn\" data-expiry=\"server\">"), "{list}");
    assert!(list.contains("dans 29 jour"), "{list}");
    assert!(list.contains("notice--bad\" data-expiry=\"gateways\">"), "{list}");
    assert!(!list.contains("data-expiry=\"authority\""), "{list}");

    // Behind a proxy only the gateway sees the certificate: it says when that one ends.
    let mut act = db.begin(&world.identity().actor()).await.expect("act");
    let until = in_days(6).timestamp_millis();
    let health = Health { server_certificate_until_ms: Some(until), ..Health::default() };
    crate::gateways::record_health(&mut act, world.gateway_id, &health, None).await.expect("told");
    act.commit().await.expect("commit");
    for path in ["/gateways".to_owned(), format!("/gateways/{}", world.gateway_id)] {
        let shown = owner.page(&path).await;
        assert!(shown.contains("notice--bad\" data-expiry=\"seen\">"), "{shown}");
    }
}

#[tokio::test]
async fn the_page_shows_devices_commands_and_notices_and_acts_on_them() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let world = &site.world;
    let (mut shop, _) = world.connect(hello(7, 9)).await;
    let page = format!("/gateways/{}", world.gateway_id);
    let asked = owner.submit(&page, &format!("{page}/ask"), &[("what", "test-page")]).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let command = shop.next_commands().await.remove(0);
    let id = id_of(&command);
    let printer = DeviceHealth {
        device: "ticket".into(),
        kind: DeviceKind::Printer as i32,
        state: DeviceState::Down as i32,
        code: "paper-out".into(),
        ..DeviceHealth::default()
    };
    let health = Health { devices: vec![printer], journal_pending: 12, ..Health::default() };
    let told = Notice { severity: 2, code: "journal-quarantined".into(), ..Notice::default() };
    let events = vec![
        event_with_offset(1, Body::Health(health), Some(-75_000)),
        event(2, Body::Notice(told)),
        event(3, report(id, CommandState::Started, "", Evidence::None)),
        event(4, report(id, CommandState::InDoubt, "restarted", Evidence::None)),
    ];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(4).await;
    let shown = owner.page(&page).await;
    assert!(shown.contains("data-device-code=\"paper-out\""));
    assert!(shown.contains("mettez un rouleau"), "a remedy stands beside the fault");
    assert!(shown.contains("data-command-state=\"in_doubt\""));
    assert!(shown.contains("data-notice=\"journal-quarantined\""));
    assert!(shown.contains("data-journal-pending>12<"));
    assert!(shown.contains("data-box-clock=\"alarm\""), "{shown}");
    assert!(shown.contains("avance de 75 s"));
    assert!(owner.page("/gateways").await.contains("data-box-clock=\"alarm\""));
    for (seq, offset_ms, seen) in [(5, 2_000, Some("warn")), (6, 1_999, None)] {
        let told = event_with_offset(seq, Body::Health(Health::default()), Some(offset_ms));
        shop.send(Kind::Events(Events { epoch: 7, events: vec![told] })).await;
        shop.await_up_ack(seq).await;
        let shown = owner.page(&page).await;
        let state = shown.split("data-box-clock=\"").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(state, seen, "at {offset_ms} ms");
    }
    assert!(owner.page(&format!("{page}/commands/{id}")).await.contains("Incertaine"));
    let settle = format!("{page}/commands/{id}/settle");
    assert_eq!(owner.submit(&page, &settle, &[("happened", "no")]).await.status, 303);
    assert_eq!(world.state(id).await, ("failed".into(), "person-said-not-done".into()));
    let twice = owner.submit(&page, &settle, &[("happened", "yes")]).await;
    assert_eq!(twice.status, 409);
    // A part that has not changed is not sent again.
    let part = owner.page(&format!("{page}/commands")).await;
    let again = between(&part, "hx-get=\"", "\"").to_owned();
    assert_eq!(owner.ask("GET", &again, "").await.status, 204);
    assert_eq!(owner.submit(&page, &format!("{page}/revoke"), &[]).await.status, 303);
    assert!(owner.page(&page).await.contains("data-gateway-live=\"revoked\""));
    let refused = owner.submit(&page, &format!("{page}/ask"), &[("what", "read-clock")]).await;
    assert_eq!(refused.status, 409);
}

#[tokio::test]
async fn a_diagnostic_is_asked_for_watched_saved_and_called_back() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let world = &site.world;
    let (mut shop, _) = world.connect(super::transfers::hello_2(7, 9)).await;
    let page = format!("/gateways/{}", world.gateway_id);
    let without_token = owner.ask("POST", &format!("{page}/ask"), "what=diagnostics").await;
    assert_eq!(without_token.status, 403, "a form of another site asks for nothing");
    let asked = owner.submit(&page, &format!("{page}/ask"), &[("what", "diagnostics")]).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let id = id_of(&shop.next_commands().await.remove(0));
    shop.confirm(1).await;
    world.await_state(id, "delivered").await;
    let part = owner.page(&format!("{page}/bundles")).await;
    assert!(part.contains(&format!("data-bundle=\"{id}\" data-bundle-state=\"delivered\"")));
    assert!(!part.contains("download"), "{part}");
    let file = format!("{page}/bundles/{id}");
    assert_eq!(owner.ask("GET", &file, "").await.status, 404, "it is not here yet");

    let bytes = b"{\"log\":[\"<script>alert(1)</script>\"]}";
    shop.upload(id, bytes, 1_024).await;
    let sending = report(id, CommandState::Waiting, "transfer-sending", Evidence::None);
    let events = vec![event(1, sending)];
    shop.send(Kind::Events(Events { epoch: 7, events })).await;
    shop.await_up_ack(1).await;
    let part = owner.page(&format!("{page}/bundles")).await;
    assert!(part.contains("data-bundle-complete") && part.contains(&file), "{part}");
    let again = between(&part, "hx-get=\"", "\"").to_owned();
    assert_eq!(owner.ask("GET", &again, "").await.status, 204);
    let saved = owner.ask("GET", &file, "").await;
    assert_eq!(saved.body.as_bytes(), bytes);
    let head = saved.head.to_lowercase();
    assert!(head.contains("content-disposition: attachment; filename=\"diagnostic-"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let cashier = site.browser("till@example.dz").await;
    assert_eq!(cashier.ask("GET", &file, "").await.status, 403);

    let asked = owner.submit(&page, &format!("{page}/ask"), &[("what", "diagnostics")]).await;
    assert_eq!(asked.status, 303);
    let second = id_of(&shop.next_commands().await.remove(0));
    let cancel = format!("{page}/commands/{second}/cancel");
    assert_eq!(owner.submit(&page, &cancel, &[]).await.status, 303);
    let called_back = shop.next_commands().await.remove(0);
    assert!(matches!(called_back.body, Some(fournil_protocol::command::Body::Cancel(_))));
}

#[tokio::test]
async fn the_page_says_why_the_last_session_ended() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let page = format!("/gateways/{}", site.world.gateway_id);
    assert!(!owner.page(&page).await.contains("data-last-end"));
    let (shop, _) = site.world.connect(hello(7, 0)).await;
    shop.cut().await;
    let shown = owner.page(&page).await;
    assert!(shown.contains("La connexion a été coupée"), "{shown}");
    let (mut shop, _) = site.world.connect(hello(7, 0)).await;
    let goodbye = Goodbye { code: 4000, reason: "stops".into(), retry_after_ms: 0 };
    shop.send(Kind::Goodbye(goodbye)).await;
    shop.served.await.expect("session");
    assert!(owner.page(&page).await.contains("Arrêt annoncé"));
}

#[tokio::test]
async fn what_the_shop_never_answered_is_shown_with_its_age_and_can_be_given_up() {
    let site = Site::new().await;
    let world = &site.world;
    let owner = site.browser("owner@example.dz").await;
    let page = format!("/gateways/{}", world.gateway_id);
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let id = world.ask(super::sessions::print_body(), None).await;
    shop.next_commands().await;
    shop.confirm(1).await;
    world.await_state(id, "delivered").await;
    let give_up = format!("{page}/commands/{id}/give-up");
    assert!(!owner.page(&page).await.contains("data-command-overdue"));
    assert_eq!(owner.submit(&page, &give_up, &[]).await.status, 409);
    super::classes::make_overdue(world).await;
    let shown = owner.page(&page).await;
    assert!(shown.contains("data-command-overdue") && shown.contains(&give_up));
    assert_eq!(owner.submit(&page, &give_up, &[]).await.status, 303);
    assert_eq!(world.state(id).await, ("in_doubt".into(), "person-gave-up".into()));
    assert!(!owner.page(&page).await.contains("data-command-overdue"));
}

#[tokio::test]
async fn a_cashier_sees_none_of_it_and_a_stranger_signs_in_first() {
    let site = Site::new().await;
    let cashier = site.browser("till@example.dz").await;
    let page = format!("/gateways/{}", site.world.gateway_id);
    for path in ["/gateways", "/gateways/new", "/punches", "/punches/live", "/employees", &page] {
        assert_eq!(cashier.ask("GET", path, "").await.status, 403, "{path}");
    }
    let stranger = Browser { address: site.address, cookie: String::new() };
    let answer = stranger.ask("GET", "/gateways", "").await;
    assert_eq!(answer.status, 303);
    assert!(answer.head.contains("/login"), "{}", answer.head);
}

#[tokio::test]
async fn history_is_paged_by_its_last_line() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    for _ in 0..30 {
        site.world.ask(print_body(), None).await;
    }
    let page = format!("/gateways/{}", site.world.gateway_id);
    let first = owner.page(&page).await;
    assert_eq!(first.matches("data-command=").count(), 25);
    let older = between(&first, &format!("{page}?before="), "\"").to_owned();
    let second = owner.page(&format!("{page}?before={older}")).await;
    assert_eq!(second.matches("data-command=").count(), 5);
}

#[tokio::test]
async fn an_unknown_number_is_given_to_an_employee_with_one_form() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let (mut shop, _) = site.world.connect(hello(7, 5)).await;
    shop.send(Kind::Events(batch(7, [1, 2, 3, 4, 5]))).await;
    shop.await_up_ack(5).await;
    let added = owner.submit("/employees", "/employees", &[("name", "Nadia")]).await;
    assert_eq!(added.status, 303, "{}", added.body);
    let again = owner.submit("/employees", "/employees", &[("name", "Nadia")]).await;
    assert_eq!(again.status, 422);
    let list = owner.page("/punches").await;
    assert_eq!(list.matches("data-punch=").count(), 5);
    assert!(list.contains("data-unmatched=\"5\""));
    let mut scope = site.world.test.db.read(site.world.test.company).await.expect("scope");
    let nadia = employees::active(&mut scope, site.world.test.company).await.expect("list")[0]
        .employee_id
        .to_string();
    drop(scope);
    let fields = [("clock_serial", "CLOCK"), ("user_id", "3"), ("employee_id", nadia.as_str())];
    let assigned = owner.submit("/punches", "/punches/assign", &fields).await;
    assert_eq!(assigned.status, 303, "{}", assigned.body);
    let list = owner.page(&format!("/punches?employee={nadia}")).await;
    assert_eq!(list.matches("data-punch=").count(), 1);
    assert!(list.contains("Nadia"));
    assert!(owner.page("/punches").await.contains("data-unmatched=\"4\""));
    let day = owner.page("/punches?day=2026-11-24&clock=CLOCK").await;
    assert_eq!(day.matches("data-punch=").count(), 5);
    assert_eq!(owner.page("/punches?day=2026-11-25").await.matches("data-punch=").count(), 0);
    assert_eq!(owner.ask("GET", "/punches?day=nonsense", "").await.status, 400);
}

#[tokio::test]
async fn the_live_list_sends_each_punch_once_and_goes_on_where_it_was() {
    let site = Site::new().await;
    let owner = site.browser("owner@example.dz").await;
    let (mut shop, _) = site.world.connect(hello(7, 9)).await;
    shop.send(Kind::Events(batch(7, 1..=2))).await;
    shop.await_up_ack(2).await;
    let page = owner.page("/punches").await;
    let address = between(&page, "data-live=\"", "\"").replace("&amp;", "&").replace("&#38;", "&");
    let mut live = open_live(&owner, &address, None).await;
    shop.send(Kind::Events(batch(7, 2..=4))).await;
    shop.await_up_ack(4).await;
    let seen = read_ids(&mut live, 2).await;
    assert_eq!(seen.len(), 2, "only what is new, and not the one told twice");
    drop(live);
    shop.send(Kind::Events(batch(7, 5..=6))).await;
    shop.await_up_ack(6).await;
    let mut live = open_live(&owner, &address, Some(seen[1])).await;
    let more = read_ids(&mut live, 2).await;
    assert!(more[0] > seen[1] && more[1] > more[0], "{seen:?} {more:?}");
}

async fn open_live(browser: &Browser, path: &str, last: Option<i64>) -> TcpStream {
    let mut stream = TcpStream::connect(browser.address).await.expect("connect");
    let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {PUBLIC_NAME}\r\ncookie: {}\r\n{last}\r\n",
        browser.cookie
    );
    stream.write_all(request.as_bytes()).await.expect("asked");
    stream
}

/// Reads events until `count` ids came.
async fn read_ids(stream: &mut TcpStream, count: usize) -> Vec<i64> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let complete = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let ids: Vec<i64> =
            complete.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        if ids.len() >= count {
            return ids;
        }
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time");
        let read = read.expect("read");
        assert!(read > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}
