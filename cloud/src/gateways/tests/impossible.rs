//! Rows and passages of commands that cannot be: each is tried in SQL, by the owner of the
//! tables, and the database says no, by name.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use fournil_protocol::command::OpenDrawer;
use sqlx::{Connection, Executor, PgConnection, Row};

use super::sessions::print_body;
use super::*;
use crate::gateways::{Policy, State};

type CommandBody = fournil_protocol::command::Body;

const LEASED: &str = "state = 'leased', down_epoch = 7, down_seq = queue_no, lease_generation = 1";
const DELIVERED: &str = "state = 'delivered'";
const STARTED: &str = "state = 'started', attempt = 1";
const QUEUED: &str = "state = 'queued', down_epoch = null, down_seq = null,
                      lease_generation = null, attempt = 0, evidence = 0, detail = ''";
const IN_DOUBT: &str = "state = 'in_doubt', reason = 'interrupted'";
/// The number that another command has.
const TAKEN: &str = "state = 'leased', down_epoch = 7, lease_generation = 1, down_seq =
                     (select min(down_seq) from commands)";

/// A change that cannot be.
struct Change {
    policy: Policy,
    /// How the command legally came to where it stands.
    steps: &'static [&'static str],
    set: &'static str,
    rule: &'static str,
}

const fn change(
    policy: Policy,
    steps: &'static [&'static str],
    set: &'static str,
    rule: &'static str,
) -> Change {
    Change { policy, steps, set, rule }
}

fn impossible_changes() -> Vec<Change> {
    use Policy::{Ask, AtMostOnce, Repeatable};
    vec![
        // Leases.
        change(Ask, &[], "state = 'leased'", "command_lease_of_state"),
        change(
            Ask,
            &[],
            "state = 'leased', told_unasked = true, down_epoch = 7",
            "command_lease_whole",
        ),
        change(Ask, &[], "state = 'leased', down_epoch = 7, down_seq = 9", "command_lease_whole"),
        change(
            Ask,
            &[],
            "state = 'leased', down_epoch = 7, down_seq = 0, lease_generation = 1",
            "command_lease_range",
        ),
        change(Ask, &[], TAKEN, "commands_down_log"),
        change(Ask, &[LEASED], "state = 'queued'", "command_lease_of_state"),
        change(Ask, &[LEASED], "lease_generation = 2", "command_lease_fixed"),
        change(Ask, &[LEASED, DELIVERED], "down_seq = down_seq + 9999", "command_lease_fixed"),
        change(Ask, &[LEASED], "told_unasked = true", "command_lease_fixed"),
        // Attempts and reports.
        change(Ask, &[], "attempt = 1", "command_attempt_of_state"),
        change(Ask, &[LEASED], "attempt = 1", "command_attempt_of_state"),
        change(Ask, &[LEASED, DELIVERED], "state = 'started'", "command_attempt_of_state"),
        change(Ask, &[LEASED, STARTED], "attempt = 0", "command_attempt_back"),
        change(AtMostOnce, &[LEASED], "state = 'started', attempt = 2", "command_at_most_once"),
        change(AtMostOnce, &[LEASED, STARTED], "attempt = 2", "command_at_most_once"),
        change(Ask, &[], "evidence = 1", "command_report_of_state"),
        change(Ask, &[], "detail = 'said'", "command_report_of_state"),
        change(Ask, &[LEASED, DELIVERED], "evidence = 4", "command_report_of_state"),
        change(Ask, &[LEASED, STARTED], "evidence = 5", "command_evidence_known"),
        change(Ask, &[LEASED, STARTED], "state = 'done'", "command_done_proven"),
        change(Ask, &[LEASED, IN_DOUBT], "state = 'done'", "command_done_proven"),
        // Policies.
        change(Repeatable, &[LEASED], IN_DOUBT, "command_transition"),
        change(Ask, &[LEASED, DELIVERED], QUEUED, "command_transition"),
        change(AtMostOnce, &[LEASED, STARTED], QUEUED, "command_transition"),
        // What is asked.
        change(Ask, &[], "policy = 'repeatable'", "command_fixed"),
        change(Ask, &[], "body = 'other'", "command_fixed"),
        change(Ask, &[], "not_after = not_after + interval '1 day'", "command_fixed"),
        change(Ask, &[], "source_id = gen_random_uuid()", "command_fixed"),
        change(Ask, &[], "command_id = gen_random_uuid()", "command_fixed"),
        change(Ask, &["state = 'cancelled'"], "reason = 'other'", "command_settled"),
        change(Ask, &[], "state = 'lost'", "command_transition"),
    ]
}

/// Rows that cannot begin so: a column, its value, and which rule refuses.
const IMPOSSIBLE_BEGINNINGS: [(&str, &str, &str); 16] = [
    ("state", "'leased'", "command_transition"),
    ("state", "'done'", "command_transition"),
    ("kind", "'dance'", "command_kind_known"),
    ("policy", "'sometimes'", "command_policy_known"),
    ("policy", "'repeatable'", "command_policy_of_kind"),
    ("body", "''::bytea", "command_body_given"),
    ("attempt", "1", "command_attempt_of_state"),
    ("attempt", "-1", "command_attempt_of_state"),
    ("told_unasked", "true", "command_lease_of_state"),
    ("copy_of", "command_id, kind", "command_copy_of_page"),
    ("source_id", "source_id", "command_source_unique"),
    ("command_id", "command_id", "commands_pkey"),
    ("copy_of", "gen_random_uuid()", "commands_company_id_copy_of_fkey"),
    ("gateway_id", "gen_random_uuid()", "commands_company_id_gateway_id_fkey"),
    ("settled_at", "now()", "command_times_of_state"),
    ("leased_at", "now()", "command_times_of_state"),
];

#[tokio::test]
async fn the_database_refuses_what_cannot_be() {
    let world = World::new().await;
    let mut owner = PgConnection::connect_with(&world.test.connect).await.expect("owner");
    let first = begun(&world, Policy::Ask).await;
    set(&mut owner, first, LEASED).await.expect("possible");
    let mut refused = BTreeSet::new();
    for case in impossible_changes() {
        let id = begun(&world, case.policy).await;
        for step in case.steps {
            set(&mut owner, id, step).await.unwrap_or_else(|e| panic!("{step}: {e}"));
        }
        let said = rule_of(set(&mut owner, id, case.set).await);
        assert_eq!(said, case.rule, "{:?} after {:?}: {}", case.policy, case.steps, case.set);
        refused.insert(said);
    }
    let pattern = begun(&world, Policy::Ask).await;
    for (column, value, rule) in IMPOSSIBLE_BEGINNINGS {
        let said = match value {
            // A copy is of a page.
            "command_id, kind" => {
                let drawer =
                    [("copy_of", "command_id"), ("kind", "'drawer'"), ("policy", "'at_most_once'")];
                rule_of(begin_as(&mut owner, pattern, &drawer).await)
            }
            _ => rule_of(begin_as(&mut owner, pattern, &[(column, value)]).await),
        };
        assert_eq!(said, rule, "{column} {value}");
        refused.insert(said);
    }
    refused.extend(refused_for_its_deadline(&mut owner, pattern).await);
    refused.extend(refused_below_the_guard(&mut owner, pattern).await);
    let rules = rules_of_table(&mut owner).await;
    assert_eq!(rules.difference(&refused).next(), None, "a rule that nobody tried");
}

async fn refused_for_its_deadline(owner: &mut PgConnection, pattern: Uuid) -> BTreeSet<String> {
    let at_any_time = [("kind", "'drawer'"), ("policy", "'at_most_once'"), ("not_after", "null")];
    let drawer = rule_of(begin_as(owner, pattern, &at_any_time).await);
    assert_eq!(drawer, "command_deadline_needed");
    let never_late = [("kind", "'read_status'"), ("policy", "'repeatable'"), ("not_after", "null")];
    begin_as(owner, pattern, &never_late).await.expect("possible");
    let late = "update commands set state = 'expired' where not_after is null and state = 'queued'";
    let late = rule_of(owner.execute(late).await.map(drop));
    assert_eq!(late, "command_expiry_of_deadline");
    BTreeSet::from([drawer, late])
}

/// What the guard never lets through is refused by the rows' own rules as well.
async fn refused_below_the_guard(owner: &mut PgConnection, pattern: Uuid) -> BTreeSet<String> {
    owner.execute("alter table commands disable trigger command_guard").await.expect("off");
    let in_doubt = [
        ("kind", "'read_status'"),
        ("policy", "'repeatable'"),
        ("state", "'in_doubt'"),
        ("told_unasked", "true"),
    ];
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[("state", "'lost'")], "command_state_known"),
        (&in_doubt, "command_doubt_of_policy"),
        (&[("requeued", "1")], "command_requeue_bounded"),
        (
            &[("requeued", "6"), ("kind", "'read_status'"), ("policy", "'repeatable'")],
            "command_requeue_bounded",
        ),
        (&[("state", "'failed'")], "command_times_of_state"),
    ];
    let mut refused = BTreeSet::new();
    for (columns, rule) in rows {
        let said = rule_of(begin_as(owner, pattern, columns).await);
        assert_eq!(said, rule, "{columns:?}");
        refused.insert(said);
    }
    owner.execute("alter table commands enable trigger command_guard").await.expect("on");
    refused
}

/// Every rule the table has.
async fn rules_of_table(owner: &mut PgConnection) -> BTreeSet<String> {
    let rows = "select conname::text as name from pg_constraint
                where conrelid = 'commands'::regclass and contype in ('c', 'u', 'p', 'f')";
    let rows = owner.fetch_all(rows).await.expect("rules");
    rows.iter().map(|row| row.get("name")).collect()
}

#[tokio::test]
async fn nobody_deletes_a_command_and_no_step_is_forgotten() {
    let world = World::new().await;
    let id = begun(&world, Policy::Ask).await;
    let mut act = world.test.db.begin(&world.test.actor()).await.expect("act");
    let deleted = act.connection().execute("delete from commands").await;
    assert!(deleted.is_err(), "the program may not delete commands");
    let mut owner = PgConnection::connect_with(&world.test.connect).await.expect("owner");
    let forgotten = owner.execute("update command_history set state = 'done'").await;
    assert!(forgotten.is_err(), "history is append-only");
    assert_eq!(world.state(id).await.0, "queued");
}

#[tokio::test]
async fn the_database_and_the_model_know_the_same_passages() {
    let test = TestDb::new().await;
    let mut owner = PgConnection::connect_with(&test.connect).await.expect("owner");
    // The words are compared first, so that the table of pairs cannot shrink unseen.
    let states = words_of(&mut owner, "command_state_known").await;
    assert_eq!(states, State::ALL.iter().map(|state| state.word().to_owned()).collect());
    let policies = words_of(&mut owner, "command_policy_known").await;
    assert_eq!(policies, Policy::ALL.iter().map(|policy| policy.word().to_owned()).collect());
    let mut compared = 0;
    for policy in Policy::ALL {
        for from in State::ALL {
            for to in State::ALL {
                let may = sqlx::query_scalar!(
                    r#"select command_may_pass($1, $2, $3) as "may!""#,
                    from.word(),
                    to.word(),
                    policy.word()
                )
                .fetch_one(test.db.pool())
                .await
                .expect("answer");
                assert_eq!(may, from.may_pass(*to, *policy), "{policy:?}: {from:?} to {to:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, policies.len() * states.len() * states.len());
}

/// The words a check constraint names.
async fn words_of(owner: &mut PgConnection, constraint: &str) -> BTreeSet<String> {
    let statement = format!(
        "select pg_get_constraintdef(oid) as definition from pg_constraint
         where conname = '{constraint}'"
    );
    let row = owner.fetch_one(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await;
    let definition: String = row.expect("the constraint").get("definition");
    definition.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_database_lets_pass_what_may_and_nothing_else() {
    let world = World::new().await;
    let mut owner = PgConnection::connect_with(&world.test.connect).await.expect("owner");
    for policy in Policy::ALL {
        for from in State::ALL {
            // Nobody wonders about what may be repeated: there is no way there.
            if (*from, *policy) == (State::InDoubt, Policy::Repeatable) {
                continue;
            }
            for to in State::ALL.iter().filter(|to| *to != from) {
                let id = begun(&world, *policy).await;
                for step in path_to(*from) {
                    set(&mut owner, id, passage(step)).await.expect("a possible passage");
                }
                let outcome = set(&mut owner, id, passage(*to)).await;
                let may = from.may_pass(*to, *policy);
                assert_eq!(outcome.is_ok(), may, "{policy:?}: {from:?} to {to:?}: {outcome:?}");
                if !may {
                    let rule = rule_of(outcome);
                    assert!(["command_transition", "command_settled"].contains(&rule.as_str()));
                }
            }
        }
    }
}

fn passage(to: State) -> &'static str {
    match to {
        State::Queued => QUEUED,
        State::Leased => LEASED,
        State::Delivered => DELIVERED,
        State::Started => STARTED,
        State::Done => "state = 'done', evidence = 4",
        State::Failed => "state = 'failed'",
        State::Expired => "state = 'expired'",
        State::Cancelled => "state = 'cancelled'",
        State::InDoubt => IN_DOUBT,
        State::Unsupported => "state = 'unsupported'",
    }
}

fn path_to(state: State) -> Vec<State> {
    match state {
        State::Queued => vec![],
        State::Leased | State::Expired | State::Cancelled => vec![state],
        other => vec![State::Leased, other],
    }
}

/// A queued command of that policy, with a deadline far away.
async fn begun(world: &World, policy: Policy) -> Uuid {
    let body = match policy {
        Policy::AtMostOnce => CommandBody::OpenDrawer(OpenDrawer { pin: 2 }),
        Policy::Ask => print_body(),
        Policy::Repeatable => outbox_body_status(),
    };
    world.ask(body, Some(TimeSource::system().now() + TimeDelta::hours(1))).await
}

async fn set(owner: &mut PgConnection, id: Uuid, change: &str) -> Result<(), sqlx::Error> {
    let statement = format!("update commands set {change} where command_id = '{id}'");
    owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await.map(drop)
}

/// Inserts a row like another, of its own source, with some columns otherwise.
async fn begin_as(
    owner: &mut PgConnection,
    pattern: Uuid,
    otherwise: &[(&str, &str)],
) -> Result<(), sqlx::Error> {
    let columns = [
        ("company_id", "company_id"),
        ("command_id", "gen_random_uuid()"),
        ("gateway_id", "gateway_id"),
        ("kind", "kind"),
        ("policy", "policy"),
        ("body", "body"),
        ("not_after", "not_after"),
        ("state", "'queued'"),
        ("attempt", "0"),
        ("requeued", "0"),
        ("told_unasked", "false"),
        ("leased_at", "null::timestamptz"),
        ("settled_at", "null::timestamptz"),
        ("copy_of", "null::uuid"),
        ("source_kind", "source_kind"),
        ("source_id", "gen_random_uuid()"),
        ("purpose", "purpose"),
        ("asked_by", "asked_by"),
        ("touched_by", "touched_by"),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = columns
        .iter()
        .map(|(name, value)| {
            let other = otherwise.iter().find(|(other, _)| other == name);
            other.map_or(*value, |(_, other)| *other)
        })
        .collect();
    let statement = format!(
        "insert into commands ({}) select {} from commands where command_id = '{pattern}'",
        names.join(", "),
        values.join(", ")
    );
    owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await.map(drop)
}

/// The name of the rule that refused.
fn rule_of(outcome: Result<(), sqlx::Error>) -> String {
    match outcome {
        Ok(()) => "nothing".to_owned(),
        Err(error) => error
            .as_database_error()
            .and_then(|error| error.constraint().map(str::to_owned))
            .unwrap_or_else(|| error.to_string()),
    }
}
