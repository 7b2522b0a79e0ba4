//! A clock calls a real server with a real database: who may, what is kept, what is answered.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look behind the code with queries of their own"
)]

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use http_body_util::Full;

use fournil_protocol::clock::ClockTime;
use fournil_protocol::iclock::Command;

use super::model;
use super::service::{self, Asked};
use super::sql;
use crate::db::testing::TestDb;
use crate::people::{attendance, clocks};
use crate::web::testing::{Answer, KnownSessions, World};

const SERIAL: &str = "CKUL180000001";
const PUNCHES: &str = "1\t2026-11-23 08:01:02\t0\t15\t\t0\t0\n1\t2026-11-23 08:01:02\t0\t15\n\
                       2\t2026-02-30 08:00:00\t1\t1\r\n";

struct Called {
    test: TestDb,
    world: World,
}

impl Called {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let sessions = Arc::new(KnownSessions::default());
        let world = World::new(test.db.clone(), super::pages::routes(), sessions);
        Self { test, world }
    }

    async fn allow(&self, key: Option<&str>) {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        let allowed = service::allow(&mut act, SERIAL, "Atelier", "Africa/Algiers", key).await;
        allowed.expect("allowed");
        act.commit().await.expect("commit");
    }

    async fn call(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        self.call_from("10.0.0.7", method, path, body).await
    }

    async fn call_from(
        &self,
        from: &str,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!("{path}{}SN={SERIAL}", if path.contains('?') { "&" } else { "?" }))
            .body(Full::new(body.into()))
            .expect("a request");
        let from: IpAddr = from.parse().expect("an address");
        self.world.send_from(from, request).await
    }

    async fn punches(&self) -> Vec<(String, String, i64, i64, Vec<String>, String)> {
        let rows = sqlx::query_as(
            "select user_id, local_time, state, occurrence, anomalies, source
             from punches where company_id = $1 order by punch_no",
        );
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        rows.bind(self.test.company.0).fetch_all(scope.connection()).await.expect("punches")
    }

    async fn ask(&self, command: Command) -> Asked {
        let mut act = self.test.db.begin(&self.test.actor()).await.expect("act");
        let asked = service::ask(&mut act, SERIAL, command).await.expect("asked");
        act.commit().await.expect("commit");
        asked
    }

    async fn states(&self) -> Vec<String> {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        let rows = sql::commands(scope.connection(), self.test.company).await.expect("commands");
        rows.into_iter().map(|row| row.state).collect()
    }

    async fn row(&self) -> sql::ClockRow {
        let mut scope = self.test.db.read(self.test.company).await.expect("scope");
        let rows = sql::clocks(scope.connection(), self.test.company).await.expect("clocks");
        rows.into_iter().next().expect("a clock")
    }
}

#[tokio::test]
async fn a_number_nobody_let_in_is_sent_away_and_nothing_is_kept() {
    let called = Called::new().await;
    let hello = called.call("GET", "/iclock/cdata?options=all", "").await;
    assert_eq!((hello.status, hello.text().as_str()), (403, "UNKNOWN DEVICE"));
    let told = called.call("POST", "/iclock/cdata?table=ATTLOG&Stamp=1", PUNCHES).await;
    assert_eq!((told.status, told.text().as_str()), (403, "UNKNOWN DEVICE"));
    assert!(called.punches().await.is_empty());
    for (method, path) in [("GET", "/iclock/shell"), ("GET", "/iclock/devicecmd")] {
        let answer = called.call(method, path, "").await;
        assert!(matches!(answer.status, 404 | 405), "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn punches_are_kept_once_before_ok_is_said() {
    let called = Called::new().await;
    called.allow(None).await;
    let hello = called.call("GET", "/iclock/cdata?options=all&pushver=2.4.1", "").await;
    assert_eq!(hello.status, 200);
    assert!(hello.text().contains("\nATTLOGStamp=0\n"), "{}", hello.text());
    assert!(hello.text().contains("\nTimeZone=1\n"), "{}", hello.text());
    for path in ["/iclock/cdata?table=ATTLOG&Stamp=77", "/ICLOCK/cdata.aspx?table=attlog&stamp=77"]
    {
        let told = called.call("POST", path, PUNCHES).await;
        assert_eq!((told.status, told.text().as_str()), (200, "OK: 3"), "{path}");
    }
    let kept = called.punches().await;
    let short: Vec<_> = kept.iter().map(|k| (k.0.as_str(), k.1.as_str(), k.2, k.3)).collect();
    assert_eq!(
        short,
        [
            ("1", "2026-11-23T08:01:02", 0, 0),
            ("1", "2026-11-23T08:01:02", 0, 1),
            ("2", "2026-02-30T08:00:00", 1, 0),
        ]
    );
    assert_eq!(
        (kept[2].4.as_slice(), kept[2].5.as_str()),
        (["impossible-date".to_owned()].as_slice(), "push")
    );
    let hello = called.call("GET", "/iclock/cdata?options=all", "").await;
    assert!(hello.text().contains("\nATTLOGStamp=77\n"), "its own mark: {}", hello.text());
    let row = called.row().await;
    assert_eq!(row.heard_from.as_deref(), Some("10.0.0.7"));
}

#[tokio::test]
async fn a_punch_that_a_gateway_read_is_the_same_when_the_clock_tells_it() {
    let called = Called::new().await;
    called.allow(None).await;
    let punch = fournil_protocol::event::Punch {
        clock_serial: SERIAL.into(),
        user_id: "1".into(),
        local_time: "2026-11-23T08:01:02".into(),
        zone: "Africa/Algiers".into(),
        verify: 15,
        layout: "40".into(),
        source: 1,
        ..Default::default()
    };
    let mut act = called.test.db.begin(&called.test.actor()).await.expect("act");
    assert!(attendance::ingest(&mut act, None, &punch, None).await.expect("taken"));
    act.commit().await.expect("commit");
    let told = called.call("POST", "/iclock/cdata?table=ATTLOG&Stamp=1", PUNCHES).await;
    assert_eq!(told.text(), "OK: 3", "it counts lines, not news");
    assert_eq!(called.punches().await.len(), 3);
    let counted: i64 = {
        let mut scope = called.test.db.read(called.test.company).await.expect("scope");
        sqlx::query_scalar("select sum(punches)::bigint from clock_numbers where company_id = $1")
            .bind(called.test.company.0)
            .fetch_one(scope.connection())
            .await
            .expect("counted")
    };
    assert_eq!(counted, 3, "each punch is counted once to its number");
}

#[tokio::test]
async fn with_a_key_only_where_it_was_said_counts() {
    let called = Called::new().await;
    called.allow(Some("s3cret")).await;
    let wrong = called.call("GET", "/iclock/cdata?options=all&pushcommkey=other", "").await;
    assert_eq!(wrong.status, 403);
    assert_eq!(called.row().await.refused.as_deref(), Some("key"));
    let early = called.call("POST", "/iclock/cdata?table=ATTLOG&Stamp=1", PUNCHES).await;
    assert_eq!(early.status, 403, "it has not said its key yet");
    let hello = called.call("GET", "/iclock/cdata?options=all&pushcommkey=s3cret", "").await;
    assert_eq!(hello.status, 200);
    assert_eq!(called.row().await.refused, None, "the fault is over");
    let path = "/iclock/cdata?table=ATTLOG&Stamp=1";
    assert_eq!(called.call_from("10.0.0.8", "POST", path, PUNCHES).await.status, 403);
    assert_eq!(called.row().await.refused.as_deref(), Some("no-hello"));
    assert!(called.punches().await.is_empty());
    assert_eq!(called.call("POST", path, PUNCHES).await.status, 200);
    let shown = format!("{:?}", called.row().await);
    assert!(!shown.contains("s3cret"));
}

#[tokio::test]
async fn a_clock_sent_away_for_good_keeps_its_punches_and_nothing_waits_for_it() {
    let called = Called::new().await;
    called.allow(None).await;
    called.ask(Command::ReadUsers).await;
    let mut act = called.test.db.begin(&called.test.actor()).await.expect("act");
    assert!(service::revoke(&mut act, SERIAL).await.expect("revoked"));
    act.commit().await.expect("commit");
    let told = called.call("POST", "/iclock/cdata?table=ATTLOG&Stamp=1", PUNCHES).await;
    assert_eq!(told.status, 403);
    assert_eq!(called.states().await, ["expired"]);
    assert_eq!(called.ask(Command::ReadUsers).await, Asked::NotAllowed);
    called.allow(None).await;
    let told = called.call("POST", "/iclock/cdata?table=ATTLOG&Stamp=1", PUNCHES).await;
    assert_eq!(told.status, 200, "let in again");
}

#[tokio::test]
async fn a_number_serves_one_company_at_a_time() {
    let called = Called::new().await;
    called.allow(None).await;
    let other = crate::db::CompanyId(uuid::Uuid::now_v7());
    let mut act =
        called.test.db.begin(&crate::db::Actor::system(other, "test")).await.expect("act");
    sqlx::query("insert into companies (company_id, name) values ($1, 'Autre')")
        .bind(other.0)
        .execute(act.connection())
        .await
        .expect("another company");
    let taken = service::allow(&mut act, SERIAL, "Chez eux", "Africa/Algiers", None).await;
    assert_eq!(taken.expect_err("taken").constraint(), Some("push_clock_of_one_company"));
}

#[tokio::test]
async fn what_is_asked_is_given_once_answered_and_given_again_when_it_is_not() {
    let called = Called::new().await;
    called.allow(None).await;
    let time = |text| ClockTime::read(text).expect("a time");
    let (from, to) = (time("2026-11-01 00:00:00"), time("2026-11-02 23:59:59"));
    let range = Command::ReadPunches { from, to };
    let Asked::Queued(first) = called.ask(range).await else { panic!("not queued") };
    let Asked::Queued(second) = called.ask(Command::Information).await else {
        panic!("not queued")
    };
    let given = called.call("GET", "/iclock/getrequest?INFO=Ver%206.60,4,0,12", "").await.text();
    let expected = format!(
        "C:{first}:DATA QUERY ATTLOG StartTime=2026-11-01 00:00:00\tEndTime=2026-11-02 23:59:59\n\
         C:{second}:INFO\n"
    );
    assert_eq!(given, expected);
    assert_eq!(called.row().await.firmware, "Ver 6.60");
    assert_eq!(called.call("GET", "/iclock/getrequest", "").await.text(), "OK", "given once");
    let results = format!("ID={first}&Return=2&CMD=DATA\nID={second}&Return=-1002&CMD=INFO\n");
    assert_eq!(called.call("POST", "/iclock/devicecmd", results).await.text(), "OK");
    assert_eq!(called.states().await, ["failed", "done"]);

    let Asked::Queued(third) = called.ask(Command::ReadUsers).await else { panic!("full") };
    for _ in 0..model::TRIES_MAX {
        let given = called.call("GET", "/iclock/getrequest", "").await.text();
        assert_eq!(given, format!("C:{third}:DATA QUERY USERINFO\n"), "no answer: again");
        sent_before(&called, model::ANSWER_WITHIN + TimeDelta::seconds(1)).await;
    }
    assert_eq!(called.call("GET", "/iclock/getrequest", "").await.text(), "OK");
    assert_eq!(called.states().await.first().map(String::as_str), Some("failed"));
}

/// Lets time pass for what was sent.
async fn sent_before(called: &Called, span: TimeDelta) {
    let mut act = called.test.db.begin(&called.test.actor()).await.expect("act");
    let moved = sqlx::query(
        "update push_commands set sent_at = sent_at - $2::bigint * interval '1 second'
         where company_id = $1 and state = 'sent'",
    );
    let seconds = span.num_seconds();
    let moved = moved.bind(called.test.company.0).bind(seconds).execute(act.connection()).await;
    assert_eq!(moved.expect("moved").rows_affected(), 1);
    act.commit().await.expect("commit");
}

#[tokio::test]
async fn users_and_operations_reach_the_clocks_page_and_no_template_does() {
    let called = Called::new().await;
    called.allow(None).await;
    let block = "OPLOG 21\t0\t2026-11-23 08:00:00\t0\t0\t0\t0\n\
                 USER PIN=7\tName=Amine\tPri=0\tPasswd=1234\tCard=5\tGrp=1\n\
                 USER PIN=8\tName=Nadia\tPri=0\tCard=0\nFP PIN=7\tTMP=AAAA\n";
    for _ in 0..2 {
        let told = called.call("POST", "/iclock/cdata?table=OPERLOG&OpStamp=9", block).await;
        assert_eq!(told.text(), "OK: 4");
    }
    let renamed = "USER PIN=7\tName=Amine B.\tPri=0\tCard=5\n";
    called.call("POST", "/iclock/cdata?table=OPERLOG&OpStamp=10", renamed).await;
    let mut scope = called.test.db.read(called.test.company).await.expect("scope");
    let users: Vec<(String, String, i64)> = sqlx::query_as(
        "select user_id, name, card from clock_device_users where company_id = $1 order by user_id",
    )
    .bind(called.test.company.0)
    .fetch_all(scope.connection())
    .await
    .expect("users");
    assert_eq!(users, [("7".into(), "Amine B.".into(), 5), ("8".into(), "Nadia".into(), 0)]);
    let operations: i64 =
        sqlx::query_scalar("select count(*) from clock_operations where company_id = $1")
            .bind(called.test.company.0)
            .fetch_one(scope.connection())
            .await
            .expect("operations");
    assert_eq!(operations, 1);
}

#[tokio::test]
async fn a_clock_that_calls_stands_on_the_clocks_page_until_it_calls_no_more() {
    let called = Called::new().await;
    called.allow(None).await;
    called.call("GET", "/iclock/getrequest?INFO=Ver%00%206.60,4", "").await;
    let mut scope = called.test.db.read(called.test.company).await.expect("scope");
    let heard: (String, String, Option<chrono::DateTime<chrono::Utc>>) =
        sqlx::query_as("select link, firmware, heard_at from clocks where company_id = $1")
            .bind(called.test.company.0)
            .fetch_one(scope.connection())
            .await
            .expect("a clock");
    let now = heard.2.expect("heard");
    assert_eq!((heard.0.as_str(), heard.1.as_str()), ("push", "Ver 6.60"));
    assert!(!clocks::is_away(heard.2, now + TimeDelta::minutes(10)));
    assert!(clocks::is_away(heard.2, now + TimeDelta::minutes(11)));
    assert!(clocks::is_away(None, now));
}

#[tokio::test]
async fn a_table_that_is_not_kept_is_never_answered_with_ok() {
    let called = Called::new().await;
    called.allow(None).await;
    let line = "time=2026-11-23 08:01:02\tpin=7\tevent=0\n";
    let told = called.call("POST", "/iclock/cdata?table=rtlog", line).await;
    assert_eq!((told.status, told.text().as_str()), (400, "RETRY"));
    assert_eq!(called.row().await.refused.as_deref(), Some("table"));
}

#[tokio::test]
async fn a_packed_body_is_read_and_a_broken_one_asked_for_again() {
    let called = Called::new().await;
    called.allow(None).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, PUNCHES.as_bytes()).expect("memory");
    let packed = gzip.finish().expect("memory");
    let path = "/iclock/cdata?table=ATTLOG&Stamp=1&ContentType=tgz";
    let broken = called.call("POST", path, packed[..20].to_vec()).await;
    assert_eq!((broken.status, broken.text().as_str()), (400, "RETRY"));
    assert_eq!(called.row().await.refused.as_deref(), Some("body"));
    let told = called.call("POST", path, packed).await;
    assert_eq!(told.text(), "OK: 3");
    assert_eq!(called.row().await.refused, None, "it could be read");
    let large = vec![b'x'; fournil_protocol::iclock::BODY_BYTES_MAX + 1];
    assert_eq!(called.call("POST", path, large).await.status, 413);
}
