//! A week of a shop in a minute: people punch day and night, the clock misbehaves, loses its
//! power, is set and runs away, and the daemon's part is killed and started again. At the end
//! the journal has every punch of the clock's log once, and nothing else.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use fournil_protocol::event::Punch;
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile};

use super::shop::{Shop, config, open_shop_with, store};

const DAYS: u64 = 7;
const TURNS_A_DAY: u64 = 12;

/// What looks random and is the same in every run.
fn dice(turn: u64) -> u64 {
    let mut value = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678);
    value ^= value >> 31;
    value = value.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ value >> 29
}

fn faults_of(turn: u64) -> Vec<FaultSpec> {
    let once = |fault| vec![FaultSpec { fault, times: Some(1) }];
    match dice(turn) % 14 {
        0 => once(Fault::Cut),
        1 => once(Fault::Reboot),
        2 => once(Fault::StaleReply),
        3 => once(Fault::BadChecksum),
        4 => once(Fault::NoUsers),
        5 => once(Fault::NoSerial),
        6 => once(Fault::CountLow),
        7 => vec![Fault::CountZero.into()],
        8 => vec![Fault::EventBetween.into(), Fault::Dribble.into()],
        9 => vec![Fault::SizeLarger.into()],
        10 => vec![Fault::NoBuffer.into()],
        _ => Vec::new(),
    }
}

type Key = (String, String, u32, u32, u32);

fn keys(punches: impl IntoIterator<Item = Punch>) -> BTreeMap<Key, u32> {
    let mut keys = BTreeMap::new();
    for punch in punches {
        let Punch { user_id, local_time, state, verify, occurrence, .. } = punch;
        *keys.entry((user_id, local_time, state, verify, occurrence)).or_default() += 1;
    }
    keys
}

#[tokio::test]
async fn in_a_week_of_faults_nothing_is_lost_doubled_or_invented() {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile { users: 12, punches: 700, drift_ppm: 40, ..Profile::default() };
    let sim = ClockSim::start(profile).await.unwrap();
    let open = || open_shop_with(config(&sim), Some(store(folder.path())));
    let mut shop = open();
    let mut told: Vec<Punch> = Vec::new();
    for turn in 0..DAYS * TURNS_A_DAY {
        sim.set_faults(&faults_of(turn));
        for person in 0..dice(turn ^ 0x55) % 5 {
            let user = (1 + dice(turn * 7 + person) % 12).to_string();
            // A clock that is being read lets nobody punch; they come again.
            let _ = sim.punch(&user, u8::from(turn % 2 == 1));
        }
        shop.read_now().await;
        match dice(turn ^ 0xaa) % 11 {
            0 => sim.lose_power(true),
            1 => sim.lose_power(false),
            2 => {
                // Killed, with what it had told and not been asked for.
                shop.part.abort();
                told.extend(drained(&mut shop));
                shop = open();
            }
            _ => {}
        }
        sim.shift(TimeDelta::hours(24 / i64::try_from(TURNS_A_DAY).unwrap()));
    }
    sim.set_faults(&[]);
    shop.read_until_done().await;
    told.extend(drained(&mut shop));
    let told = keys(told);
    let doubled: Vec<_> = told.iter().filter(|(_, count)| **count > 1).collect();
    // Told twice is allowed where the part was killed before it noted what it had told: the
    // cloud knows it again. Another identity would be another punch.
    assert!(doubled.len() <= 40, "{doubled:?}");
    let mut held: BTreeMap<Key, u32> = BTreeMap::new();
    let mut repeats: BTreeMap<(String, String, u32, u32), u32> = BTreeMap::new();
    for punch in sim.punches() {
        let (user, time) = (punch.user_id.clone(), punch.local_time());
        let key = (user, time, punch.state.into(), punch.verify.into());
        let occurrence = repeats.entry(key.clone()).or_default();
        held.insert((key.0, key.1, key.2, key.3, *occurrence), 1);
        *occurrence += 1;
    }
    let told: Vec<_> = told.into_keys().collect();
    let held: Vec<_> = held.into_keys().collect();
    assert_eq!(told.len(), held.len());
    assert!(told == held, "the same punches");
}

fn drained(shop: &mut Shop) -> Vec<Punch> {
    std::iter::from_fn(|| shop.journal.punches.try_recv().ok()).collect()
}
