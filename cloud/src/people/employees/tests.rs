//! Employees against a real database.

use super::{active, add, set_active};
use crate::db::testing::TestDb;

#[tokio::test]
async fn people_come_and_go_only_when_somebody_says_so() {
    let test = TestDb::new().await;
    let mut act = test.db.begin(&test.actor()).await.expect("act");
    let nadia = add(&mut act, " Nadia ", "Vente").await.expect("added");
    add(&mut act, "Karim", "Fournil").await.expect("added");
    assert!(set_active(&mut act, nadia, false).await.expect("set"));
    assert!(!set_active(&mut act, uuid::Uuid::now_v7(), false).await.expect("nobody"));
    act.commit().await.expect("commit");
    let mut scope = test.db.read(test.company).await.expect("scope");
    let names: Vec<String> =
        active(&mut scope, test.company).await.expect("list").into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["Karim"]);
}
