//! The books after a schedule: what the cloud says against what the shop did.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, bail, ensure};
use fournil_cloud::db::Actor;
use sqlx::Row as _;
use uuid::Uuid;

use super::clock;
use super::world::World;

/// How far behind its deadline an effect may be seen: what the shop knows of the cloud's
/// time is off by half a round trip, and a drawer is opened over questions and answers.
const LATE_MS_MAX: i64 = 3_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WishKind {
    Print,
    Drawer,
}

/// A command that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) id: Uuid,
    pub(super) kind: WishKind,
    pub(super) asked_ms: i64,
    pub(super) not_after_ms: Option<i64>,
}

/// What stands on the paper of the `number`th wish and on no other.
pub(super) fn mark(number: usize) -> String {
    format!("[{number}]")
}

/// Rows of one statement in the company's scope; `$1` is its gateway.
fn rows(world: &World, statement: &'static str) -> anyhow::Result<Vec<sqlx::postgres::PgRow>> {
    world.base.work(&world.db, async {
        let mut act = world.db.begin(&Actor::system(world.company, "books")).await?;
        let query = sqlx::query(statement).bind(world.gateway_id);
        Ok(query.fetch_all(act.connection()).await?)
    })
}

/// Commands that are neither settled nor in doubt.
pub(super) fn open_commands(world: &World) -> anyhow::Result<i64> {
    let statement = "select count(*) from commands where gateway_id = $1 and state in \
                     ('queued', 'leased', 'delivered', 'started')";
    Ok(rows(world, statement)?.first().context("a count")?.try_get(0)?)
}

/// Punches in the cloud.
pub(super) fn punch_count(world: &World) -> anyhow::Result<usize> {
    let counted = rows(world, "select count(*) from punches where gateway_id = $1")?;
    let count: i64 = counted.first().context("a count")?.try_get(0)?;
    Ok(usize::try_from(count)?)
}

/// Compares everything.
pub(super) fn check(world: &mut World) -> anyhow::Result<()> {
    let lies = world.shop.lies();
    ensure!(lies.is_empty(), "{}", lies.join("; "));
    punches(world)?;
    let states = states(world)?;
    prints(world, &states)?;
    drawers(world, &states)?;
    let in_doubt = states.values().filter(|state| *state == "in_doubt").count() as u64;
    ensure!(
        in_doubt <= world.tally.deaths,
        "{in_doubt} commands are in doubt after {} deaths",
        world.tally.deaths
    );
    notices(world)?;
    world.tally.in_doubt = in_doubt;
    let sessions = "select generation from gateways where gateway_id = $1";
    let generation: i64 = rows(world, sessions)?.first().context("a gateway")?.try_get(0)?;
    world.tally.sessions = generation.unsigned_abs();
    Ok(())
}

/// Every punch once, in the clock's order, and no event taken in twice.
fn punches(world: &World) -> anyhow::Result<()> {
    let statement = "select user_id from punches where gateway_id = $1 order by punch_no";
    let stored: Vec<String> =
        rows(world, statement)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let told: Vec<String> = world.shop.clock.all().into_iter().map(|punch| punch.user_id).collect();
    ensure!(stored == told, "punches are lost or out of order: {stored:?}, not {told:?}");
    let arrived = rows(world, "select what from simulation.arrivals where $1::uuid is not null")?;
    let mut seen = HashSet::new();
    for row in arrived {
        let what: String = row.try_get(0)?;
        ensure!(seen.insert(what.clone()), "an event was taken in twice: {what}");
    }
    Ok(())
}

fn states(world: &World) -> anyhow::Result<BTreeMap<Uuid, String>> {
    let statement = "select command_id, state from commands where gateway_id = $1";
    let mut states = BTreeMap::new();
    for row in rows(world, statement)? {
        states.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(states)
}

/// Printed at most once; done means printed; what never began left nothing.
fn prints(world: &World, states: &BTreeMap<Uuid, String>) -> anyhow::Result<()> {
    let receipts = world.shop.printer.receipts();
    for (wish, number) in world.wishes.iter().zip(1..) {
        if wish.kind != WishKind::Print {
            continue;
        }
        let state = states.get(&wish.id).context("a command is gone")?;
        let of_wish: Vec<_> =
            receipts.iter().filter(|receipt| receipt.text.contains(&mark(number))).collect();
        let whole = of_wish
            .iter()
            .filter(|receipt| !receipt.torn && receipt.text.contains("ligne 5"))
            .count();
        ensure!(whole <= 1, "slip {number} was printed {whole} times ({state})");
        match state.as_str() {
            "done" => ensure!(whole == 1, "slip {number} is done and not printed"),
            "in_doubt" => {}
            "expired" | "cancelled" | "failed" => {
                ensure!(of_wish.is_empty(), "slip {number} is {state} and on paper");
            }
            other => bail!("slip {number} ended as {other}"),
        }
    }
    Ok(())
}

/// Each opening of the drawer belongs to one wish, within its time.
fn drawers(world: &World, states: &BTreeMap<Uuid, String>) -> anyhow::Result<()> {
    let printer = &world.shop.printer;
    let to_cloud_ms = clock::cloud_ms() - i64::try_from(printer.now_ms())?;
    let mut kicks: Vec<i64> = printer
        .kicks()
        .iter()
        .map(|kick| i64::try_from(kick.at_ms).unwrap_or(0) + to_cloud_ms)
        .collect();
    kicks.sort_unstable();
    let mut open: Vec<(&Wish, &str)> = Vec::new();
    for wish in world.wishes.iter().filter(|wish| wish.kind == WishKind::Drawer) {
        let state = states.get(&wish.id).context("a command is gone")?;
        if matches!(state.as_str(), "done" | "in_doubt") {
            open.push((wish, state));
        }
    }
    let due = |wish: &Wish| wish.not_after_ms.unwrap_or(i64::MAX - LATE_MS_MAX) + LATE_MS_MAX;
    for kick in kicks {
        // The one that is due first, and a certain one before a doubtful one.
        let fitting = open
            .iter()
            .enumerate()
            .filter(|(_, (wish, _))| wish.asked_ms <= kick && kick <= due(wish))
            .min_by_key(|(_, (wish, state))| (due(wish), *state == "in_doubt"));
        let Some((place, _)) = fitting else {
            bail!("the drawer opened at {kick} for nobody, twice or too late; wishes: {open:?}");
        };
        open.remove(place);
    }
    let unopened = open.iter().find(|(_, state)| *state == "done");
    ensure!(unopened.is_none(), "a drawer is done and did not open: {unopened:?}");
    Ok(())
}

/// No alarm that nothing here explains.
fn notices(world: &World) -> anyhow::Result<()> {
    let statement = "select code, detail from gateway_notices where gateway_id = $1";
    for row in rows(world, statement)? {
        let (code, detail): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let is_odd = matches!(
            code.as_str(),
            "clone-suspected"
                | "events-lost"
                | "journal-lost"
                | "journal-quarantined"
                | "report-unknown-command"
                | "report-without-command"
                | "events-unread"
        );
        ensure!(!is_odd, "the cloud tells of {code} ({detail})");
    }
    Ok(())
}
