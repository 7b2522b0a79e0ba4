//! Keys that follow one another: each step, and what is good after it.

use chrono::TimeDelta;
use fournil_protocol::close;
use fournil_protocol::rotate::{Proposal, RotateAnswer, RotateRequest, signed_bytes};

use super::*;
use crate::gateways::rotate::{self, RotateError};
use crate::gateways::sql::sessions::find_hello;

/// What a gateway sends to change `old` for `new`.
async fn proposal(
    world: &World,
    old: &Ed25519KeyPair,
    new: &Ed25519KeyPair,
    server_name: &str,
) -> RotateRequest {
    let now = TimeSource::system().now();
    let nonce = rotate::challenge(&world.test.db, world.gateway_id, now).await.expect("nonce");
    signed_proposal(world.gateway_id, &nonce, old, new, server_name)
}

pub(super) fn signed_proposal(
    gateway_id: Uuid,
    nonce: &str,
    old: &Ed25519KeyPair,
    new: &Ed25519KeyPair,
    server_name: &str,
) -> RotateRequest {
    let (old_key, new_key) = (old.public_key().as_ref(), new.public_key().as_ref());
    let proposal = Proposal { nonce, gateway_id: gateway_id.as_bytes(), old_key, new_key };
    let signed = signed_bytes(server_name, &proposal);
    RotateRequest {
        gateway_id: gateway_id.to_string(),
        nonce: nonce.to_owned(),
        old_key: BASE64.encode(old_key),
        new_key: BASE64.encode(new_key),
        old_signature: BASE64.encode(old.sign(&signed).as_ref()),
        new_signature: BASE64.encode(new.sign(&signed).as_ref()),
    }
}

impl World {
    async fn rotate(&self, request: &RotateRequest) -> Result<RotateAnswer, RotateError> {
        rotate::rotate(&self.test.db, PUBLIC_NAME, TimeSource::system().now(), request).await
    }

    /// True when a key opens a session, which is closed again.
    async fn opens(&self, key: &Ed25519KeyPair) -> bool {
        let mut shop = self.dial();
        match shop.greet(key, self.gateway_id, hello(7, 0)).await {
            Ok(_) => {
                shop.cut().await;
                true
            }
            Err(goodbye) => {
                let codes = [close::UNKNOWN_KEY, close::OVERLOAD].map(u32::from);
                assert!(codes.contains(&goodbye.code), "{goodbye:?}");
                false
            }
        }
    }

    async fn key_states(&self) -> Vec<String> {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query_scalar!(
            "select state from gateway_keys where gateway_id = $1 order by added_at",
            self.gateway_id
        )
        .fetch_all(scope.connection())
        .await
        .expect("keys")
    }

    async fn acts(&self) -> Vec<String> {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        sqlx::query_scalar!(
            "select act from audit_log where act like 'gateways.key%' order by at, act"
        )
        .fetch_all(scope.connection())
        .await
        .expect("acts")
    }
}

#[tokio::test]
async fn both_keys_are_good_until_the_new_one_has_connected_and_the_old_one_a_day_more() {
    let world = World::new().await;
    let new = new_key();
    let asked = proposal(&world, &world.key, &new, PUBLIC_NAME).await;
    let answer = world.rotate(&asked).await.expect("taken");
    assert_eq!(answer.fingerprint.split('-').count(), 4);
    assert_eq!(world.key_states().await, ["active", "next"]);
    // The answer was lost: asked again, nothing more happens.
    assert_eq!(world.rotate(&asked).await.expect("the same"), answer);
    assert!(world.opens(&world.key).await, "the old one before the new one has connected");
    assert_eq!(world.key_states().await, ["active", "next"]);

    assert!(world.opens(&new).await);
    assert_eq!(world.key_states().await, ["retiring", "active"]);
    assert!(world.opens(&world.key).await, "the old one for a day");
    assert_eq!(world.rotate(&asked).await.expect("the same"), answer, "late, and done already");
    assert_eq!(world.key_states().await, ["retiring", "active"]);
    assert_eq!(world.acts().await, ["gateways.key-proposed", "gateways.key-changed"]);

    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    sqlx::query!(
        "update gateway_keys set retires_at = retires_at - interval '24 hours 1 second'
         where gateway_id = $1 and state = 'retiring'",
        world.gateway_id
    )
    .execute(act.connection())
    .await
    .expect("a day passes");
    act.commit().await.expect("commit");
    assert!(!world.opens(&world.key).await, "a day later");
    assert!(world.opens(&new).await);
    let late = proposal(&world, &world.key, &new_key(), PUBLIC_NAME).await;
    let refused = world.rotate(&late).await;
    assert!(matches!(refused, Err(RotateError::KeyUnknown)), "{refused:?}");
}

#[tokio::test]
async fn a_proposal_that_was_lost_gives_way_to_the_next_one() {
    let world = World::new().await;
    let (lost, new) = (new_key(), new_key());
    for key in [&lost, &new] {
        let asked = proposal(&world, &world.key, key, PUBLIC_NAME).await;
        world.rotate(&asked).await.expect("taken");
    }
    assert_eq!(world.key_states().await, ["active", "dropped", "next"]);
    assert!(!world.opens(&lost).await);
    assert!(world.opens(&new).await);
    // A key that was dropped does not come back.
    let asked = proposal(&world, &new, &lost, PUBLIC_NAME).await;
    let refused = world.rotate(&asked).await;
    assert!(matches!(refused, Err(RotateError::KeyTaken)), "{refused:?}");
}

#[tokio::test]
async fn a_key_that_has_not_connected_yet_brings_no_other() {
    let world = World::new().await;
    let (second, third) = (new_key(), new_key());
    let asked = proposal(&world, &world.key, &second, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    // The machine holds the second key, and the answer to its next proposal would be lost.
    let early = proposal(&world, &second, &third, PUBLIC_NAME).await;
    let refused = world.rotate(&early).await;
    assert!(matches!(refused, Err(RotateError::NotConnected)), "{refused:?}");
    assert_eq!(refused.expect_err("refused").word(), "not-now");
    assert_eq!(world.key_states().await, ["active", "next"]);
    // What the key before says of it again is done already.
    world.rotate(&asked).await.expect("the same");
    assert!(world.opens(&second).await, "it was not taken out of its hands");
    world.rotate(&early).await.expect("taken");
    assert_eq!(world.key_states().await, ["retiring", "active", "next"]);
}

#[tokio::test]
async fn a_key_on_its_way_out_brings_no_other_and_drops_none() {
    let world = World::new().await;
    let (second, third) = (new_key(), new_key());
    let asked = proposal(&world, &world.key, &second, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    assert!(world.opens(&second).await);
    let honest = proposal(&world, &second, &third, PUBLIC_NAME).await;
    world.rotate(&honest).await.expect("taken");
    let stolen = proposal(&world, &world.key, &new_key(), PUBLIC_NAME).await;
    let refused = world.rotate(&stolen).await;
    assert!(matches!(refused, Err(RotateError::KeyRetired)), "{refused:?}");
    assert_eq!(world.key_states().await, ["retiring", "active", "next"]);
    assert!(world.opens(&third).await);
}

#[tokio::test]
async fn few_keys_are_good_at_a_time() {
    let world = World::new().await;
    let mut newest = new_key();
    let asked = proposal(&world, &world.key, &newest, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    assert!(world.opens(&newest).await);
    for _ in 1..rotate::RETIRING_MAX {
        let new = new_key();
        let asked = proposal(&world, &newest, &new, PUBLIC_NAME).await;
        world.rotate(&asked).await.expect("taken");
        assert!(world.opens(&new).await);
        newest = new;
    }
    let asked = proposal(&world, &newest, &new_key(), PUBLIC_NAME).await;
    let refused = world.rotate(&asked).await;
    assert!(matches!(refused, Err(RotateError::TooOften)), "{refused:?}");
    assert_eq!(world.key_states().await, ["retiring", "retiring", "retiring", "active"]);

    // Should there be more all the same, a Hello is not checked against each.
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    sqlx::query!(
        "insert into gateway_keys (company_id, gateway_id, public_key, fingerprint, state,
             retires_at)
         select company_id, gateway_id, sha256(number::text::bytea), 'a-b-c-d', 'retiring',
             now() + interval '1 hour'
         from gateways, generate_series(1, 20) number
         where gateway_id = $1",
        world.gateway_id
    )
    .execute(act.connection())
    .await
    .expect("more keys");
    act.commit().await.expect("commit");
    let found = find_hello(world.test.db.pool(), world.gateway_id).await.expect("found");
    let keys = found.expect("a gateway").public_keys;
    assert_eq!(keys.len(), 5);
    assert!(keys.contains(&newest.public_key().as_ref().to_vec()), "the one in use among them");
}

#[tokio::test]
async fn only_both_keys_signing_for_this_gateway_here_and_now_are_believed() {
    let world = World::new().await;
    let (new, stranger) = (new_key(), new_key());
    let word = |outcome: Result<RotateAnswer, RotateError>| outcome.expect_err("refused").word();

    let elsewhere = proposal(&world, &world.key, &new, "other.example.dz").await;
    assert_eq!(word(world.rotate(&elsewhere).await), "bad-request");
    let mut unproven = proposal(&world, &world.key, &new, PUBLIC_NAME).await;
    unproven.new_signature.clone_from(&unproven.old_signature);
    assert_eq!(word(world.rotate(&unproven).await), "bad-request");
    let foreign = proposal(&world, &stranger, &new, PUBLIC_NAME).await;
    assert_eq!(word(world.rotate(&foreign).await), "key-unknown");

    let (db, now) = (&world.test.db, TimeSource::system().now());
    for (gateway, at) in [
        (Uuid::now_v7(), now),
        (world.gateway_id, now - TimeDelta::minutes(6)),
        (world.gateway_id, now + TimeDelta::minutes(6)),
    ] {
        let nonce = rotate::challenge(db, gateway, at).await.expect("nonce");
        let stale = signed_proposal(world.gateway_id, &nonce, &world.key, &new, PUBLIC_NAME);
        assert_eq!(word(world.rotate(&stale).await), "challenge-stale");
    }
    let made_up = signed_proposal(world.gateway_id, "AAAA", &world.key, &new, PUBLIC_NAME);
    assert_eq!(word(world.rotate(&made_up).await), "challenge-stale");

    let (_, others) = enrolled(&world.test, "Fournil").await;
    let taken = proposal(&world, &world.key, &others, PUBLIC_NAME).await;
    assert_eq!(word(world.rotate(&taken).await), "key-taken");
    assert_eq!(world.key_states().await, ["active"]);
}

#[tokio::test]
async fn neither_a_revoked_nor_a_suspected_gateway_changes_its_key() {
    let world = World::new().await;
    let asked = proposal(&world, &world.key, &new_key(), PUBLIC_NAME).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    sqlx::query!("update gateways set mode = 'read_only' where gateway_id = $1", world.gateway_id)
        .execute(act.connection())
        .await
        .expect("suspected");
    act.commit().await.expect("commit");
    let refused = world.rotate(&asked).await;
    assert!(matches!(refused, Err(RotateError::NotNow)), "{refused:?}");
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    enrol::revoke(&mut act, world.gateway_id).await.expect("revoked");
    act.commit().await.expect("commit");
    let refused = world.rotate(&asked).await;
    assert!(matches!(refused, Err(RotateError::KeyUnknown)), "{refused:?}");
}

#[tokio::test]
async fn revoking_and_enrolling_again_end_every_key_there_is() {
    let world = World::new().await;
    let (second, third) = (new_key(), new_key());
    let asked = proposal(&world, &world.key, &second, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    assert!(world.opens(&second).await);
    let asked = proposal(&world, &second, &third, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    assert_eq!(world.key_states().await, ["retiring", "active", "next"]);
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let code = enrol::new_code(&mut act, world.gateway_id).await.expect("code");
    act.commit().await.expect("commit");
    let fresh = new_key();
    let redeemed =
        enrol::redeem(&world.test.db, &TimeSource::system(), &request(&code.code, &fresh)).await;
    redeemed.expect("enrolled");
    assert_eq!(world.key_states().await, ["revoked", "revoked", "revoked", "active"]);
    for key in [&world.key, &second, &third] {
        assert!(!world.opens(key).await);
    }
    assert!(world.opens(&fresh).await);
}

#[tokio::test]
async fn a_gateway_is_told_once_that_a_person_wants_another_key() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(rotate::ask(&mut act, world.gateway_id).await.expect("asked"));
    act.commit().await.expect("commit");
    assert_eq!(shop.goodbye().await.code, u32::from(close::ROTATE));
    shop.cut().await;
    // One that does not know how simply comes back, and stays.
    let (mut shop, _) = world.connect(hello(7, 1)).await;
    shop.send(Kind::Events(batch(7, 1..=1))).await;
    shop.await_up_ack(1).await;
    // The hub has looked again when it has found a command without a hint.
    let asked = world.ask_status().await;
    assert_eq!(id_of(&shop.next_commands().await[0]), asked);
    shop.cut().await;
    let rotation = || async {
        let mut scope = world.test.db.read(world.test.company).await.expect("scope");
        sqlx::query_scalar!("select rotation from gateways where gateway_id = $1", world.gateway_id)
            .fetch_one(scope.connection())
            .await
            .expect("gateway")
    };
    assert_eq!(rotation().await.as_deref(), Some("told"));
    let new = new_key();
    let asked = proposal(&world, &world.key, &new, PUBLIC_NAME).await;
    world.rotate(&asked).await.expect("taken");
    let mut shop = world.dial();
    shop.greet(&new, world.gateway_id, hello(7, 1)).await.expect("welcome");
    assert_eq!(rotation().await, None, "done");
}

#[tokio::test]
async fn a_wish_for_another_key_that_nothing_came_of_is_told_again_an_hour_later() {
    let world = World::new().await;
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(rotate::ask(&mut act, world.gateway_id).await.expect("asked"));
    act.commit().await.expect("commit");
    assert_eq!(shop.goodbye().await.code, u32::from(close::ROTATE));
    shop.cut().await;
    let told = async || {
        let mut scope = world.test.db.read(world.test.company).await.expect("scope");
        sqlx::query_scalar!(
            "select rotation_told_at from gateways where gateway_id = $1 and rotation = 'told'",
            world.gateway_id
        )
        .fetch_optional(scope.connection())
        .await
        .expect("gateway")
        .flatten()
    };
    // It is written just after it is said.
    let waiting = async {
        while told().await.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("told");
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    sqlx::query!(
        "update gateways set rotation_told_at = rotation_told_at - interval '61 minutes'
         where gateway_id = $1",
        world.gateway_id
    )
    .execute(act.connection())
    .await
    .expect("an hour passes");
    act.commit().await.expect("commit");
    let (mut shop, _) = world.connect(hello(7, 0)).await;
    assert_eq!(shop.goodbye().await.code, u32::from(close::ROTATE));
}
