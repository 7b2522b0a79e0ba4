//! The books against a real PostgreSQL.

use chrono::NaiveDate;
use sqlx::ConnectOptions;
use uuid::Uuid;

use super::*;
use crate::db::testing::TestDb;
use crate::db::{Actor, Db, DbError};
use crate::money::Money;

async fn books() -> TestDb {
    let test = TestDb::new().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    ensure_chart(&mut act).await.expect("chart");
    act.commit().await.expect("commit");
    test
}

fn posting(source_id: Uuid, amount: i64) -> Posting {
    Posting {
        journal: Journal::Sales,
        date: NaiveDate::from_ymd_opt(2026, 3, 2).expect("a day"),
        label: "Vente".into(),
        source_kind: "ticket",
        source_id,
        rule: "sale",
        lines: vec![
            Line::debit(account::CASH, Money::whole(amount)).of(Party::Till(Uuid::nil())),
            Line::credit(account::SALES_OF_FINISHED, Money::whole(amount)),
        ],
    }
}

async fn numbers(test: &TestDb) -> Vec<i64> {
    let mut scope = test.db.read(test.company).await.expect("read");
    sqlx::query_scalar!("select number from journal_entries order by number")
        .fetch_all(scope.connection())
        .await
        .expect("numbers")
}

#[tokio::test]
async fn a_fact_posts_once_per_rule() {
    let test = books().await;
    let fact = Uuid::now_v7();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut act = test.db.begin(&test.actor()).await.expect("act");
        ids.push(post(&mut act, posting(fact, 400)).await.expect("post"));
        act.commit().await.expect("commit");
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(numbers(&test).await, [1]);
}

async fn post_and_maybe_commit(db: Db, actor: crate::db::Actor, commit: bool) {
    let mut act = db.begin(&actor).await.expect("act");
    post(&mut act, posting(Uuid::now_v7(), 10)).await.expect("post");
    if commit {
        act.commit().await.expect("commit");
    }
}

#[tokio::test]
async fn numbers_have_no_gap_under_racing_and_given_up_acts() {
    let test = books().await;
    let mut racing = tokio::task::JoinSet::new();
    for index in 0..24 {
        racing.spawn(post_and_maybe_commit(test.db.clone(), test.actor(), index % 3 != 0));
    }
    racing.join_all().await;
    assert_eq!(numbers(&test).await, (1..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_entry_carries_the_hash_of_the_one_before() {
    let test = books().await;
    let facts: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    for fact in &facts {
        let mut act = test.db.begin(&test.actor()).await.expect("act");
        post(&mut act, posting(*fact, 25)).await.expect("post");
        act.commit().await.expect("commit");
    }
    let mut scope = test.db.read(test.company).await.expect("read");
    let rows = sqlx::query!(
        "select previous_hash, hash, total, actor_label, posted_at from journal_entries
         order by number"
    )
    .fetch_all(scope.connection())
    .await
    .expect("rows");
    let mut previous = model::NO_HASH.to_vec();
    for ((row, fact), number) in rows.iter().zip(&facts).zip(1..) {
        assert_eq!(row.previous_hash, previous);
        let actor = Actor::system(test.company, &row.actor_label);
        let seal = model::Seal {
            previous: &previous,
            number,
            total: Money::rounded(row.total),
            actor: &actor,
            posted_at: row.posted_at,
        };
        assert_eq!(row.hash, posting(*fact, 25).hash(&seal), "entry {number}");
        previous.clone_from(&row.hash);
    }
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn the_database_refuses_an_entry_that_does_not_balance() {
    let test = books().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let entry = post(&mut act, posting(Uuid::now_v7(), 100)).await.expect("post").expect("entry");
    let company = act.company().0;
    sqlx::query!(
        "insert into journal_lines (company_id, entry_id, line, account, debit)
         values ($1, $2, 3, '512', 1)",
        company,
        entry
    )
    .execute(act.connection())
    .await
    .expect("the row itself is fine");
    let refused = act.commit().await.expect_err("not balanced");
    assert_eq!(refused.constraint(), Some("entry_balanced"));
}

#[tokio::test]
async fn lines_cannot_be_added_to_an_entry_of_yesterday_even_in_balance() {
    let test = books().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let entry = post(&mut act, posting(Uuid::now_v7(), 100)).await.expect("post").expect("entry");
    act.commit().await.expect("commit");
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let company = act.company().0;
    sqlx::query!(
        "insert into journal_lines (company_id, entry_id, line, account, debit, credit)
         values ($1, $2, 3, '512', 5, 0), ($1, $2, 4, '531', 0, 5)",
        company,
        entry
    )
    .execute(act.connection())
    .await
    .expect("the rows themselves are fine");
    let refused: DbError = act.commit().await.expect_err("sealed");
    assert_eq!(refused.constraint(), Some("entry_balanced"));
}

#[tokio::test]
async fn an_entry_is_never_changed() {
    let test = books().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    post(&mut act, posting(Uuid::now_v7(), 100)).await.expect("post");
    act.commit().await.expect("commit");
    let mut owner = test.connect.connect().await.expect("connect");
    let changed = sqlx::query!("update journal_lines set debit = 1 where debit > 0");
    assert!(changed.execute(&mut owner).await.is_err());
    let removed = sqlx::query!("delete from journal_entries");
    assert!(removed.execute(&mut owner).await.is_err());
}

#[tokio::test]
async fn a_company_without_accounts_gets_them_when_serving_begins() {
    let test = TestDb::new().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let refused = post(&mut act, posting(Uuid::now_v7(), 100)).await;
    assert!(matches!(refused, Err(PostingError::Db(DbError::Constraint { .. }))), "{refused:?}");
    drop(act);
    sync_charts(&test.db, &[test.company]).await.expect("charts");
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    assert!(!ensure_chart(&mut act).await.expect("chart"), "nothing is left to add");
    post(&mut act, posting(Uuid::now_v7(), 100)).await.expect("post");
    act.commit().await.expect("commit");
}
