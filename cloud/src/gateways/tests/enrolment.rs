//! Enrolment: good, wrong, expired and repeated codes, and who may redeem them.

use chrono::TimeDelta;

use super::*;
use crate::gateways::enrol::{EnrolError, redeem};

#[tokio::test]
async fn a_code_enrols_one_machine_and_answers_it_again() {
    let test = TestDb::new().await;
    let (gateway_id, code) = waiting(&test, "Comptoir").await;
    let key = new_key();
    let time = TimeSource::system();
    let typed = code.to_lowercase().replace('-', " ");
    let answer = redeem(&test.db, &time, &request(&typed, &key)).await.expect("enrolled");
    assert_eq!(answer.gateway_id, gateway_id.to_string());
    assert_eq!(answer.name, "Comptoir");
    assert_eq!(answer.company, "Boulangerie de test");
    assert_eq!(answer.fingerprint.split('-').count(), 4);
    // The answer was lost on the way: the same machine asks again.
    let again = redeem(&test.db, &time, &request(&code, &key)).await.expect("same answer");
    assert_eq!(again, answer);
    // Somebody else found the paper.
    let stranger = redeem(&test.db, &time, &request(&code, &new_key())).await;
    assert!(matches!(stranger, Err(EnrolError::CodeUnknown)), "{stranger:?}");
}

#[tokio::test]
async fn a_code_dies_after_fifteen_minutes() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let late = TimeSource::fixed(TimeSource::system().now() + TimeDelta::minutes(16));
    let outcome = redeem(&test.db, &late, &request(&code, &new_key())).await;
    assert!(matches!(outcome, Err(EnrolError::CodeExpired)), "{outcome:?}");
}

/// A code that aims at the same gateway code, and misses.
fn near(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    let mut near = code.to_owned();
    near.pop();
    near.push(last);
    near
}

#[tokio::test]
async fn the_sixth_try_is_refused_even_with_the_right_code() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let (time, key) = (TimeSource::system(), new_key());
    for _ in 0..5 {
        let wrong = redeem(&test.db, &time, &request(&near(&code), &key)).await;
        assert!(matches!(wrong, Err(EnrolError::CodeUnknown)), "{wrong:?}");
    }
    let right = redeem(&test.db, &time, &request(&code, &key)).await;
    assert!(matches!(right, Err(EnrolError::TooManyTries)), "{right:?}");
}

#[tokio::test]
async fn the_fifth_try_may_still_be_right() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let (time, key) = (TimeSource::system(), new_key());
    for _ in 0..4 {
        let _ = redeem(&test.db, &time, &request(&near(&code), &key)).await;
    }
    redeem(&test.db, &time, &request(&code, &key)).await.expect("enrolled");
}

#[tokio::test]
async fn a_signature_of_another_key_is_refused() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let mut request = request(&code, &new_key());
    request.public_key = BASE64.encode(new_key().public_key().as_ref());
    let outcome = redeem(&test.db, &TimeSource::system(), &request).await;
    assert!(matches!(outcome, Err(EnrolError::BadRequest)), "{outcome:?}");
}

#[tokio::test]
async fn a_new_code_ends_the_one_before() {
    let test = TestDb::new().await;
    let (gateway_id, first) = waiting(&test, "Comptoir").await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let second = enrol::new_code(&mut act, gateway_id).await.expect("code");
    act.commit().await.expect("commit");
    let time = TimeSource::system();
    let outcome = redeem(&test.db, &time, &request(&first, &new_key())).await;
    assert!(matches!(outcome, Err(EnrolError::CodeExpired)), "{outcome:?}");
    redeem(&test.db, &time, &request(&second.code, &new_key())).await.expect("enrolled");
}

#[tokio::test]
async fn two_machines_racing_for_one_code_leave_one_winner() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let time = TimeSource::system();
    let (left, right) = (request(&code, &new_key()), request(&code, &new_key()));
    let (left, right) =
        tokio::join!(redeem(&test.db, &time, &left), redeem(&test.db, &time, &right));
    assert_eq!(usize::from(left.is_ok()) + usize::from(right.is_ok()), 1);
}

#[tokio::test]
async fn a_key_names_one_gateway_only() {
    let test = TestDb::new().await;
    let (_, key) = enrolled(&test, "Comptoir").await;
    let (_, code) = waiting(&test, "Fournil").await;
    let outcome = redeem(&test.db, &TimeSource::system(), &request(&code, &key)).await;
    assert!(matches!(outcome, Err(EnrolError::KeyTaken)), "{outcome:?}");
}

#[tokio::test]
async fn what_is_stored_of_a_code_is_not_the_code() {
    let test = TestDb::new().await;
    let (_, code) = waiting(&test, "Comptoir").await;
    let normal = normalise_code(&code).expect("code");
    let mut scope = test.db.read(test.company).await.expect("scope");
    let row = sqlx::query!("select locator, code_mac from enrolment_codes")
        .fetch_one(scope.connection())
        .await
        .expect("row");
    assert_eq!(row.locator, &normal[..3]);
    assert!(!row.code_mac.windows(4).any(|bytes| bytes == &normal.as_bytes()[4..]));
    drop(scope);
    // Without a company nothing is seen at all.
    let seen = sqlx::query_scalar!(r#"select count(*) as "count!" from enrolment_codes"#)
        .fetch_one(test.db.pool())
        .await
        .expect("count");
    assert_eq!(seen, 0);
}
