//! Floods of bad signatures, copies that take each other's place, and how soon a revocation
//! cuts.

use fournil_protocol::close;
use tokio::time::Instant;

use super::*;
use crate::db::{Db, DbOptions};
use crate::gateways::accept::{Place, open};
use crate::gateways::gate::{Asked, Caller, Gate};
use crate::web::testing::no_database;

/// A Hello of a gateway, signed for `nonce` by `key`.
fn signed(key: &Ed25519KeyPair, gateway_id: Uuid, nonce: &[u8]) -> Hello {
    let signed = hello::signed_bytes(1, PUBLIC_NAME, nonce, gateway_id.as_bytes());
    Hello {
        version: 1,
        gateway_id: gateway_id.as_bytes().to_vec(),
        server_name: PUBLIC_NAME.into(),
        signature: key.sign(&signed).as_ref().to_vec(),
        ..hello(7, 0)
    }
}

/// What the gate says to a Hello from an address: nothing, or the close code and the wait.
async fn said(gate: &Gate, db: &Db, peer: &str, hello: &Hello) -> Option<(u16, u32)> {
    let caller = Caller::from(peer);
    let now = TimeSource::system().now();
    let asked = Asked {
        caller: &caller,
        versions: fournil_protocol::Versions::BUILT,
        public_name: PUBLIC_NAME,
        nonce: &[9; 32],
        hello,
        now,
    };
    gate.identify(db, &asked).await.err().map(|end| (end.code, end.retry_after_ms))
}

#[tokio::test]
async fn a_flood_from_the_gateways_own_address_costs_no_look_ups_and_does_not_lock_it_out() {
    let world = World::new().await;
    let (gate, nowhere) = (Gate::default(), no_database());
    let good = signed(&world.key, world.gateway_id, &[9; 32]);
    let bad = signed(&new_key(), world.gateway_id, &[9; 32]);
    let shop = "192.0.2.7";
    for _ in 0..20 {
        for hello in [&bad, &signed(&new_key(), Uuid::now_v7(), &[9; 32])] {
            let (code, _) = said(&gate, &world.test.db, shop, hello).await.expect("refused");
            assert!([close::UNKNOWN_KEY, close::OVERLOAD].contains(&code), "{code}");
        }
    }
    // From here on nobody can ask a database, so whoever is answered cost none.
    for _ in 0..1_000 {
        let (code, wait_ms) = said(&gate, &nowhere, shop, &bad).await.expect("refused");
        assert_eq!(code, close::OVERLOAD);
        assert!((1_000..=30_000).contains(&wait_ms), "{wait_ms}");
    }
    let strangers = signed(&new_key(), Uuid::now_v7(), &[9; 32]);
    let (code, _) = said(&gate, &nowhere, shop, &strangers).await.expect("refused");
    assert_eq!(code, close::OVERLOAD);
    assert_eq!(said(&gate, &nowhere, shop, &good).await, None, "the true one comes in");
}

#[tokio::test]
async fn a_revoked_gateway_is_told_so_without_a_look_up() {
    let world = World::new().await;
    let (gate, nowhere) = (Gate::default(), no_database());
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::revoke(&mut act, world.gateway_id).await.expect("revoke"));
    act.commit().await.expect("commit");
    let hello = signed(&world.key, world.gateway_id, &[9; 32]);
    for db in [&world.test.db, &nowhere, &nowhere, &nowhere, &nowhere] {
        let (code, _) = said(&gate, db, "192.0.2.7", &hello).await.expect("refused");
        assert_eq!(code, close::REVOKED);
    }
}

#[tokio::test]
async fn a_flood_from_many_addresses_asks_about_one_gateway_a_few_times_only() {
    let (gate, gateway_id) = (Gate::default(), Uuid::now_v7());
    let connect = "postgres://nobody@127.0.0.1:1/none".parse().expect("a URL");
    let acquire_timeout = Duration::from_millis(50);
    let nowhere = Db::lazy(connect, &DbOptions { acquire_timeout, ..DbOptions::default() });
    let bad = signed(&new_key(), gateway_id, &[9; 32]);
    let mut looked = 0;
    for number in 0..50 {
        // Each look-up at a database that is not there says so.
        let (code, wait_ms) =
            said(&gate, &nowhere, &format!("198.51.100.{number}"), &bad).await.expect("refused");
        looked += usize::from(code == close::UNAVAILABLE);
        assert!(code == close::UNAVAILABLE || (code == close::OVERLOAD && wait_ms > 0), "{code}");
    }
    assert_eq!(looked, 3);
}

#[tokio::test]
async fn what_is_kept_of_a_gateway_does_not_outlive_its_key() {
    let world = World::new().await;
    let (shop, _) = world.connect(hello(7, 0)).await;
    shop.cut().await;
    // Behind the hub's back: no hint makes it forget.
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    sqlx::query!(
        "update gateway_keys set state = 'revoked' where gateway_id = $1",
        world.gateway_id
    )
    .execute(act.connection())
    .await
    .expect("revoked");
    act.commit().await.expect("commit");
    let refused = world.dial().greet(&world.key, world.gateway_id, hello(7, 0)).await;
    assert_eq!(refused.expect_err("out").code, u32::from(close::UNKNOWN_KEY));
}

#[tokio::test]
async fn no_session_is_opened_by_a_key_that_the_database_does_not_hold() {
    let world = World::new().await;
    // What the gate remembers may be older than the transaction that opens.
    for (key, is_good) in [(&world.key, true), (&new_key(), false)] {
        let public_key = key.public_key().as_ref();
        let place =
            Place { node: "node-1", peer: "192.0.2.7", public_key, certificate_until: None };
        let opened = open(&world.test.db, &world.identity(), &hello(7, 0), place, None).await;
        assert_eq!(opened.as_ref().err().map(|end| end.code), (!is_good).then_some(4501));
    }
}

#[tokio::test]
async fn a_flood_over_the_wire_is_told_when_to_come_back_and_the_shop_works() {
    let world = World::new().await;
    let stranger = new_key();
    let mut told = Vec::new();
    for _ in 0..25 {
        let refused = world.dial().greet(&stranger, world.gateway_id, hello(7, 0)).await;
        told.push(refused.expect_err("out"));
    }
    let last = told.last().expect("an answer");
    assert_eq!(last.code, u32::from(close::OVERLOAD));
    assert!(last.retry_after_ms > 0 && last.reason.contains("come back in"), "{}", last.reason);
    let (mut shop, _) = world.connect(hello(7, 1)).await;
    shop.send(Kind::Events(batch(7, 1..=1))).await;
    shop.await_up_ack(1).await;
}

#[tokio::test]
async fn two_machines_that_take_each_others_place_are_both_kept_apart() {
    let world = World::new().await;
    let boot =
        |boot: u8, incarnation| Hello { incarnation, boot_id: vec![boot; 16], ..hello(7, 0) };
    // Each starts once more each time, so that the counter alone gives nothing away.
    let (shop, first) = world.connect(boot(1, 5)).await;
    shop.cut().await;
    let (shop, second) = world.connect(boot(2, 6)).await;
    shop.cut().await;
    assert_eq!((first.mode, second.mode), (0, 0), "a machine may boot");
    let (shop, third) = world.connect(boot(1, 7)).await;
    assert_eq!(third.mode, hello::Mode::ReadOnly as i32, "and does not go back to an old boot");
    shop.cut().await;
    assert_eq!(world.notices().await, [("clone-suspected".into(), "boot-back".into())]);
    let (shop, fourth) = world.connect(boot(2, 8)).await;
    assert_eq!(fourth.mode, hello::Mode::ReadOnly as i32);
    shop.cut().await;
    // A person says that there is one: what was before does not count any more.
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::clear_suspicion(&mut act, world.gateway_id).await.expect("cleared"));
    act.commit().await.expect("commit");
    for incarnation in [9, 10] {
        let (shop, welcome) = world.connect(boot(1, incarnation)).await;
        assert_eq!(welcome.mode, 0, "start {incarnation}");
        shop.cut().await;
    }
    // And if the person was wrong, it shows again.
    let (shop, _) = world.connect(boot(2, 11)).await;
    shop.cut().await;
    let (_shop, welcome) = world.connect(boot(1, 12)).await;
    assert_eq!(welcome.mode, hello::Mode::ReadOnly as i32);
}

#[tokio::test]
async fn two_journals_that_differ_at_one_place_are_a_fork_whatever_their_counters_say() {
    let world = World::new().await;
    let head = |hash: u8, incarnation| {
        let up = UpHead { head_hash: vec![hash; 32], ..hello(7, 3).up };
        Hello { incarnation, up, ..hello(7, 3) }
    };
    for incarnation in [1, 2] {
        let (shop, welcome) = world.connect(head(1, incarnation)).await;
        assert_eq!(welcome.mode, 0);
        shop.cut().await;
    }
    let (_shop, welcome) = world.connect(head(2, 3)).await;
    assert_eq!(welcome.mode, hello::Mode::ReadOnly as i32);
    assert_eq!(world.notices().await, [("clone-suspected".into(), "journal-fork".into())]);
}

/// Revokes the gateway and gives the milliseconds until its session was told.
async fn cut_after(world: &World, revoke: impl Future<Output = ()>) -> u128 {
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    revoke.await;
    let revoked = Instant::now();
    let goodbye = shop.goodbye().await;
    assert_eq!(goodbye.code, u32::from(close::REVOKED));
    revoked.elapsed().as_millis()
}

async fn revoke_by(db: &Db, world: &World) {
    let mut act = db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::revoke(&mut act, world.gateway_id).await.expect("revoked"));
    act.commit().await.expect("commit");
}

/// Of five, the middle one: a busy machine may hold one of them up.
fn middle(mut figures: Vec<u128>) -> u128 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

#[tokio::test]
async fn a_revocation_cuts_the_live_session_within_a_second_whoever_writes_it() {
    let mut here = Vec::new();
    let mut notified = Vec::new();
    let mut looked = Vec::new();
    for _ in 0..5 {
        let world = World::new().await;
        here.push(cut_after(&world, revoke_by(&world.test.db, &world)).await);

        // Another node commits and its NOTIFY is relayed.
        let world = World::new().await;
        let other = Db::lazy(world.test.connect.clone(), &DbOptions::default());
        let relayed = world.test.db.clone();
        let relay = tokio::spawn(async move { relayed.hints().relay(relayed.pool()).await });
        let mut hints = world.test.db.hints().listen();
        // Until the relay listens, a hint of the other node says nothing here.
        let listens = async {
            loop {
                let mut act = other.begin(&world.test.actor()).await.expect("act");
                act.hint("probe", None);
                act.commit().await.expect("commit");
                if timeout(Duration::from_millis(100), hints.recv()).await.is_ok() {
                    return;
                }
            }
        };
        timeout(PATIENCE, listens).await.expect("the relay listens");
        notified.push(cut_after(&world, revoke_by(&other, &world)).await);
        relay.abort();

        // Another node commits and its NOTIFY is lost: only the look remains.
        let world = World::new().await;
        let other = Db::lazy(world.test.connect.clone(), &DbOptions::default());
        looked.push(cut_after(&world, revoke_by(&other, &world)).await);
    }
    println!("cut after, ms: same node {here:?}, by NOTIFY {notified:?}, by the look {looked:?}");
    for figures in [here, notified, looked] {
        assert!(middle(figures.clone()) <= 1_000, "{figures:?}");
    }
}
