//! Asking whether a key is known: answered without a session, beside an open one.

use fournil_protocol::close;
use fournil_protocol::frame::{Inquiry, Standing};
use fournil_protocol::hello::inquiry_nonce;

use super::*;

impl World {
    /// Asks as `key`, with the nonce as `nonce` turns it.
    async fn inquire(&self, key: &Ed25519KeyPair, nonce: fn(&[u8]) -> Vec<u8>) -> Standing {
        match self.inquire_with(key, 1, nonce).await {
            Kind::Standing(standing) => standing,
            other => panic!("no answer: {other:?}"),
        }
    }

    async fn inquire_with(
        &self,
        key: &Ed25519KeyPair,
        version: u32,
        nonce: fn(&[u8]) -> Vec<u8>,
    ) -> Kind {
        let mut shop = self.dial();
        let Some(Kind::Challenge(challenge)) = shop.next().await else { panic!("no challenge") };
        let gateway_id = self.gateway_id.as_bytes().to_vec();
        let nonce = nonce(&challenge.nonce);
        let signed = hello::signed_bytes(version, PUBLIC_NAME, &nonce, &gateway_id);
        let inquiry = Inquiry {
            version,
            gateway_id,
            signature: key.sign(&signed).as_ref().to_vec(),
            server_name: PUBLIC_NAME.into(),
        };
        shop.send(Kind::Inquiry(inquiry)).await;
        let answer = shop.next().await.expect("an answer");
        assert!(shop.next().await.is_none(), "the cloud goes on after an inquiry");
        answer
    }
}

#[tokio::test]
async fn an_inquiry_is_answered_beside_an_open_session_and_begins_none() {
    let world = World::new().await;
    let (mut shop, welcome) = world.connect(hello(7, 2)).await;
    let standing = world.inquire(&world.key, inquiry_nonce).await;
    assert_eq!((standing.code, standing.server_name.as_str()), (0, PUBLIC_NAME));
    // The session goes on as if nothing had been asked.
    shop.send(Kind::Events(batch(7, 1..=2))).await;
    shop.await_up_ack(2).await;
    shop.cut().await;
    let (_shop, again) = world.connect(hello(7, 2)).await;
    assert_eq!(again.session_generation, welcome.session_generation + 1);
}

#[tokio::test]
async fn an_inquiry_of_a_stranger_or_a_revoked_gateway_is_told_what_a_hello_would_get() {
    let world = World::new().await;
    let stranger = new_key();
    let standing = world.inquire(&stranger, inquiry_nonce).await;
    assert_eq!(standing.code, u32::from(close::UNKNOWN_KEY));
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    assert!(enrol::revoke(&mut act, world.gateway_id).await.expect("revoke"));
    act.commit().await.expect("commit");
    let standing = world.inquire(&world.key, inquiry_nonce).await;
    assert_eq!(standing.code, u32::from(close::REVOKED));
}

/// No transaction asks about the key again behind an inquiry, as one does behind a Hello.
#[tokio::test]
async fn an_inquiry_is_not_answered_from_memory() {
    let world = World::new().await;
    assert_eq!(world.inquire(&world.key, inquiry_nonce).await.code, 0);
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
    let standing = world.inquire(&world.key, inquiry_nonce).await;
    assert_eq!(standing.code, u32::from(close::UNKNOWN_KEY));
}

/// The gate that stands before a session stands before the question too.
#[tokio::test]
async fn inquiries_are_held_to_the_versions_spoken_and_cost_what_a_hello_costs() {
    let world = World::new().await;
    let versions = fournil_protocol::Versions::BUILT;
    for (version, code) in [(versions.max, 0), (versions.max + 1, close::VERSION)] {
        let answer = world.inquire_with(&world.key, version, inquiry_nonce).await;
        let Kind::Standing(standing) = answer else { panic!("no answer: {answer:?}") };
        assert_eq!(standing.code, u32::from(code));
    }
    let stranger = new_key();
    let mut tries = 0;
    let goodbye = loop {
        tries += 1;
        assert!(tries < 30, "nobody tires of a stranger");
        match world.inquire_with(&stranger, 1, inquiry_nonce).await {
            Kind::Goodbye(goodbye) => break goodbye,
            Kind::Standing(standing) => assert_eq!(standing.code, u32::from(close::UNKNOWN_KEY)),
            other => panic!("no answer: {other:?}"),
        }
    };
    assert_eq!(goodbye.code, u32::from(close::OVERLOAD));
    assert!(goodbye.retry_after_ms > 0);
    assert_eq!(world.inquire(&world.key, inquiry_nonce).await.code, 0, "the true one is answered");
}

/// What is signed for one serves not for the other: a proxy that ends TLS could else make
/// a session out of a question.
#[tokio::test]
async fn the_signatures_of_inquiry_and_hello_are_not_each_others() {
    let world = World::new().await;
    let standing = world.inquire(&world.key, <[u8]>::to_vec).await;
    assert_eq!(standing.code, u32::from(close::UNKNOWN_KEY));

    let mut shop = world.dial();
    let Some(Kind::Challenge(challenge)) = shop.next().await else { panic!("no challenge") };
    let gateway_id = world.gateway_id.as_bytes().to_vec();
    let nonce = inquiry_nonce(&challenge.nonce);
    let signed = hello::signed_bytes(1, PUBLIC_NAME, &nonce, &gateway_id);
    let said = Hello {
        version: 1,
        gateway_id,
        signature: world.key.sign(&signed).as_ref().to_vec(),
        server_name: PUBLIC_NAME.into(),
        ..hello(7, 0)
    };
    shop.send(Kind::Hello(said)).await;
    assert_eq!(shop.goodbye().await.code, u32::from(close::UNKNOWN_KEY));
}
