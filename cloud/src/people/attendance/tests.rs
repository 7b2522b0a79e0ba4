//! Punches against a real database: once each, live in order, one company only.

use std::time::Duration;

use chrono::TimeDelta;
use fournil_protocol::event::Punch;
use futures_util::StreamExt;
use tokio::time::timeout;
use uuid::Uuid;

use super::live::{Following, STREAMS_PER_COMPANY_MAX, Seat, follow};
use super::sql::{self, Filter};
use super::{ClockUser, assign, ingest};
use crate::db::testing::TestDb;
use crate::db::{CompanyId, DbError};
use crate::gateways::enrol;
use crate::people::employees;

fn punch(number: i64) -> Punch {
    Punch {
        clock_serial: "CLOCK".into(),
        user_id: "12".into(),
        local_time: format!("2026-11-24T08:00:{:02}", number % 60),
        zone: "Africa/Algiers".into(),
        instant_ms: Some(1_795_503_600_000 + number * 1000),
        occurrence: u32::try_from(number / 60).expect("small"),
        layout: "40".into(),
        source: 1,
        ..Punch::default()
    }
}

async fn gateway(test: &TestDb) -> Uuid {
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let id = enrol::create_gateway(&mut act, test.store, "Comptoir").await.expect("gateway");
    act.commit().await.expect("commit");
    id
}

async fn store(test: &TestDb, gateway_id: Uuid, punch: &Punch) -> Result<bool, DbError> {
    let mut act = test.db.begin(&test.actor()).await?;
    let is_new = ingest(&mut act, Some(gateway_id), punch, None).await?;
    act.commit().await?;
    Ok(is_new)
}

#[test]
fn every_anomaly_of_the_gateway_has_a_text() {
    let texts = crate::i18n::Catalogue::load().expect("texts");
    for word in fournil_protocol::words::anomaly::ALL {
        assert!(texts.has(&format!("attendance-anomaly-{word}")), "{word} has no French");
    }
}

#[tokio::test]
async fn a_punch_told_again_is_the_same_punch() {
    let test = TestDb::new().await;
    let id = gateway(&test).await;
    assert!(store(&test, id, &punch(1)).await.expect("stored"));
    // Read again by another way: same identity, other circumstances.
    let again = Punch { source: 2, layout: "live-32".into(), raw: vec![9], ..punch(1) };
    assert!(!store(&test, id, &again).await.expect("known"));
    let repeat = Punch { occurrence: 1, ..punch(1) };
    assert!(store(&test, id, &repeat).await.expect("stored"));
}

#[tokio::test]
async fn punches_cannot_be_changed_or_removed() {
    let test = TestDb::new().await;
    let id = gateway(&test).await;
    store(&test, id, &punch(1)).await.expect("stored");
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let changed = sqlx::query!("update punches set user_id = '13'").execute(act.connection()).await;
    assert!(changed.is_err());
    drop(act);
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let removed = sqlx::query!("delete from punches").execute(act.connection()).await;
    assert!(removed.is_err());
}

#[tokio::test]
async fn whose_a_punch_is_comes_from_the_assignment_only() {
    let test = TestDb::new().await;
    let id = gateway(&test).await;
    store(&test, id, &punch(1)).await.expect("stored");
    let mut scope = test.db.read(test.company).await.expect("scope");
    let unmatched = sql::unmatched(scope.connection(), test.company, 10).await.expect("list");
    assert_eq!((unmatched[0].user_id.as_str(), unmatched[0].punches), ("12", 1));
    drop(scope);
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let employee = employees::add(&mut act, "Nadia", "Vente").await.expect("employee");
    let user = ClockUser { clock_serial: "CLOCK".into(), user_id: "12".into() };
    assign(&mut act, &user, employee).await.expect("assigned");
    act.commit().await.expect("commit");
    let mut scope = test.db.read(test.company).await.expect("scope");
    assert!(sql::unmatched(scope.connection(), test.company, 10).await.expect("list").is_empty());
    let filter = Filter { employee_id: Some(employee), ..Filter::default() };
    let rows =
        sql::page(scope.connection(), test.company, &filter, i64::MAX, 10).await.expect("page");
    assert_eq!(rows[0].employee_name.as_deref(), Some("Nadia"));
    assert_eq!(sql::clocks(scope.connection(), test.company).await.expect("list"), ["CLOCK"]);
}

#[tokio::test]
async fn a_number_given_by_mistake_is_listed_and_given_to_another() {
    let test = TestDb::new().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let amel = employees::add(&mut act, "Amel", "Vente").await.expect("employee");
    let nadia = employees::add(&mut act, "Nadia", "Vente").await.expect("employee");
    let user = ClockUser { clock_serial: "CLOCK".into(), user_id: "12".into() };
    assign(&mut act, &user, amel).await.expect("assigned");
    let listed = sql::assigned(act.connection(), test.company, 10).await.expect("list");
    assert_eq!((listed[0].user_id.as_str(), listed[0].employee.as_str()), ("12", "Amel"));
    assign(&mut act, &user, nadia).await.expect("changed");
    let listed = sql::assigned(act.connection(), test.company, 10).await.expect("list");
    assert_eq!((listed.len(), listed[0].employee_id, listed[0].active), (1, nadia, true));
}

#[tokio::test]
async fn a_company_cannot_give_a_number_to_anothers_employee() {
    let test = TestDb::new().await;
    let user = ClockUser { clock_serial: "CLOCK".into(), user_id: "12".into() };
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let outcome = assign(&mut act, &user, Uuid::now_v7()).await;
    assert_eq!(
        outcome.expect_err("refused").constraint(),
        Some("clock_users_company_id_employee_id_fkey")
    );
}

/// Writers commit in any order; a reader that only asks for "after the last" sees all.
#[tokio::test]
async fn a_live_list_shows_each_punch_once_under_many_writers() {
    let test = std::sync::Arc::new(TestDb::new().await);
    let id = gateway(&test).await;
    let following = Following {
        db: test.db.clone(),
        company: test.company,
        filter: Filter::default(),
        after: 0,
    };
    let seat = Seat::take(test.company).expect("a seat");
    let mut live = std::pin::pin!(follow(following, seat));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let test = std::sync::Arc::clone(&test);
            tokio::spawn(async move {
                for number in 0..25 {
                    // Half of them are told by two writers.
                    let number = i64::from(writer / 2 * 25 + number);
                    store(&test, id, &punch(number)).await.expect("stored");
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let row = timeout(Duration::from_secs(20), live.next()).await.expect("in time");
        seen.push(row.expect("endless").punch_no);
    }
    for writer in writers {
        writer.await.expect("writer");
    }
    assert!(seen.is_sorted_by(|left, right| left < right), "{seen:?}");
    let nothing_more = timeout(Duration::from_millis(300), live.next()).await;
    assert!(nothing_more.is_err(), "{nothing_more:?}");
}

#[tokio::test]
async fn a_live_list_wakes_by_the_hint() {
    let test = TestDb::new().await;
    let id = gateway(&test).await;
    let following = Following {
        db: test.db.clone(),
        company: test.company,
        filter: Filter { day: None, ..Filter::default() },
        after: 0,
    };
    let seat = Seat::take(test.company).expect("a seat");
    let mut live = std::pin::pin!(follow(following, seat));
    let first = tokio::join!(timeout(Duration::from_secs(2), live.next()), async {
        store(&test, id, &punch(1)).await.expect("stored");
    });
    let row = first.0.expect("within the hint's time, not the poll's").expect("endless");
    assert!(row.received_at + TimeDelta::seconds(10) > crate::time::TimeSource::system().now());
}

#[test]
fn a_company_has_a_bounded_number_of_live_lists() {
    let company = CompanyId(Uuid::now_v7());
    let seats: Vec<Seat> =
        (0..STREAMS_PER_COMPANY_MAX).filter_map(|_| Seat::take(company)).collect();
    assert_eq!(seats.len(), STREAMS_PER_COMPANY_MAX);
    assert!(Seat::take(company).is_none());
    drop(seats);
    assert!(Seat::take(company).is_some());
}
