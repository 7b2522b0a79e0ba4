//! What happens in a schedule and when: drawn from the seed before anything runs.

use std::time::Duration;

use super::dice::Dice;
use super::net::{Way, Weather};
use super::node::Barrier;

/// How long work and faults go on.
const LENGTH_MS: u64 = 90_000;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Punch,
    Print {
        minutes: Option<u64>,
    },
    Drawer {
        seconds: u64,
    },
    Cancel,
    Weather(Weather),
    Cut,
    CutAfter(Way, usize),
    Silence(Way),
    Hold(Duration),
    Bar(Option<Barrier>),
    KillGateway,
    StopGateway,
    PowerCut,
    /// The disk dies within so many bytes, and with it the machine.
    TornWrite(i64),
    StartGateway {
        boots: bool,
    },
    KillNode {
        index: usize,
        is_silent: bool,
    },
    DrainNode(usize),
    StartNode(usize),
    DatabaseAway(bool),
    DatabaseSlow(bool),
    LoseAnswers(u64),
    /// The shop's wall clock is off by so much from now on.
    Skew(i64),
    PrinterPower,
    Paper(bool),
    Printer {
        is_reachable: bool,
    },
}

/// A schedule: what, at which virtual millisecond, in order.
pub(super) type Plan = Vec<(u64, Action)>;

/// Draws a schedule.
pub(super) fn draw(seed: u64) -> Plan {
    let mut dice = Dice::new(seed);
    let mut plan = Plan::new();
    for _ in 0..dice.between(4, 16) {
        let at = dice.between(0, LENGTH_MS);
        let run = if dice.percent(10) { 30 } else { dice.between(1, 4) };
        plan.extend((0..run).map(|_| (at, Action::Punch)));
    }
    for _ in 0..dice.between(1, 6) {
        let minutes = dice.percent(40).then(|| dice.between(1, 5));
        plan.push((dice.between(0, LENGTH_MS), Action::Print { minutes }));
    }
    for _ in 0..dice.between(1, 5) {
        let seconds = dice.between(4, 30);
        plan.push((dice.between(0, LENGTH_MS), Action::Drawer { seconds }));
    }
    if dice.percent(30) {
        plan.push((dice.between(0, LENGTH_MS), Action::Cancel));
    }
    let wishes: Vec<u64> = plan
        .iter()
        .filter(|(_, action)| matches!(action, Action::Print { .. } | Action::Drawer { .. }))
        .map(|(at, _)| *at)
        .collect();
    for _ in 0..dice.between(1, 7) {
        // Half of them while a command is on its way or being carried out.
        let at = if dice.percent(50) {
            wishes[dice.place(wishes.len())] + dice.between(0, 2_500)
        } else {
            dice.between(0, LENGTH_MS)
        };
        fault(&mut dice, at, &mut plan);
    }
    // Stable: what was drawn first happens first.
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// One fault, and its end where it has one.
fn fault(dice: &mut Dice, at: u64, plan: &mut Plan) {
    match dice.between(0, 20) {
        0..=7 => link(dice, at, plan),
        8..=13 => gateway(dice, at, plan),
        14..=17 => cloud(dice, at, plan),
        18 => clock(dice, at, plan),
        _ => printer(dice, at, plan),
    }
}

/// When a fault that lasts is over.
fn later(dice: &mut Dice, at: u64) -> u64 {
    at + dice.between(1_000, 50_000)
}

fn link(dice: &mut Dice, at: u64, plan: &mut Plan) {
    let way = if dice.percent(50) { Way::Up } else { Way::Down };
    match dice.between(0, 8) {
        0 => {
            let latency = Duration::from_millis(dice.between(1, 1_500));
            let bytes_per_s = dice.between(2_000, 200_000);
            plan.push((at, Action::Weather(Weather { latency, bytes_per_s })));
            plan.push((later(dice, at), Action::Weather(Weather::default())));
        }
        1 => plan.push((at, Action::Cut)),
        2 | 3 => plan.push((at, Action::CutAfter(way, dice.place(3_000)))),
        4 | 5 => plan.push((at, Action::Silence(way))),
        6 => plan.push((at, Action::Hold(Duration::from_millis(dice.between(100, 40_000))))),
        _ => {
            let barrier = if dice.percent(50) { Barrier::Refuses } else { Barrier::Swallows };
            plan.push((at, Action::Bar(Some(barrier))));
            plan.push((at, Action::Cut));
            plan.push((later(dice, at), Action::Bar(None)));
        }
    }
}

fn gateway(dice: &mut Dice, at: u64, plan: &mut Plan) {
    match dice.between(0, 6) {
        0 | 1 => {
            plan.push((at, Action::KillGateway));
            let again = at + dice.between(10, 4_000);
            plan.push((again, Action::StartGateway { boots: false }));
        }
        2 => {
            plan.push((at, Action::StopGateway));
            plan.push((at + 6_000, Action::StartGateway { boots: false }));
        }
        3 => {
            plan.push((at, Action::PowerCut));
            plan.push((later(dice, at), Action::StartGateway { boots: true }));
        }
        _ => {
            plan.push((at, Action::TornWrite(dice.between(1, 2_000).cast_signed())));
            plan.push((later(dice, at), Action::StartGateway { boots: true }));
        }
    }
}

fn cloud(dice: &mut Dice, at: u64, plan: &mut Plan) {
    let index = dice.place(2);
    match dice.between(0, 5) {
        0 => {
            plan.push((at, Action::KillNode { index, is_silent: dice.percent(40) }));
            plan.push((later(dice, at), Action::StartNode(index)));
        }
        1 => {
            plan.push((at, Action::DrainNode(index)));
            plan.push((at + 6_000 + dice.between(0, 9_000), Action::StartNode(index)));
        }
        2 => {
            // Somebody punches, and the line breaks while that is being written down.
            plan.push((at, Action::DatabaseSlow(true)));
            for _ in 0..dice.between(1, 6) {
                let cut = at + dice.between(500, 20_000);
                plan.push((cut - 300, Action::Punch));
                plan.push((cut, Action::Cut));
            }
            plan.push((at + 25_000, Action::DatabaseSlow(false)));
        }
        3 => {
            plan.push((at, Action::DatabaseAway(true)));
            plan.push((later(dice, at), Action::DatabaseAway(false)));
        }
        _ => plan.push((at, Action::LoseAnswers(dice.between(1, 4)))),
    }
}

fn clock(dice: &mut Dice, at: u64, plan: &mut Plan) {
    const YEAR_MS: i64 = 31_557_600_000;
    const HOUR_MS: i64 = 3_600_000;
    let skew = [YEAR_MS, -YEAR_MS, HOUR_MS, -HOUR_MS][dice.place(4)];
    plan.push((at, Action::Skew(skew)));
    if dice.percent(50) {
        plan.push((later(dice, at), Action::Skew(0)));
    }
}

fn printer(dice: &mut Dice, at: u64, plan: &mut Plan) {
    match dice.between(0, 3) {
        0 => plan.push((at, Action::PrinterPower)),
        1 => {
            plan.push((at, Action::Paper(false)));
            plan.push((later(dice, at), Action::Paper(true)));
        }
        _ => {
            plan.push((at, Action::Printer { is_reachable: false }));
            plan.push((later(dice, at), Action::Printer { is_reachable: true }));
        }
    }
}
