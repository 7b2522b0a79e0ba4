//! Any log, however it is laid out, cut and disturbed, reads back exactly, or ends in an error
//! that says so, or is called unclear: never as something else.

use fournil_gateway::clock::layout::{AttendanceLayout, ClockTime};
use fournil_gateway::clock::{Transport, read_dump};
use fournil_tests::clock_sim::{ClockSim, Fault, FaultSpec, Profile, SimPunch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence};

use super::{identity, options};

const USERS: u16 = 9;
const FAULTS: [Fault; 15] = [
    Fault::Burst,
    Fault::Coalesced,
    Fault::Dribble,
    Fault::Cut,
    Fault::Reboot,
    Fault::EventBetween,
    Fault::StaleReply,
    Fault::SizeLarger,
    Fault::Direct,
    Fault::ShortPrepare,
    Fault::NoBuffer,
    Fault::CountZero,
    Fault::CountLow,
    Fault::BadChecksum,
    Fault::Stubborn,
];
const FAULTS_UDP: [Fault; 6] = [
    Fault::Lost,
    Fault::Doubled,
    Fault::Overtaking,
    Fault::StaleReply,
    Fault::NoBuffer,
    Fault::Direct,
];

/// Now and then a date that does not exist.
fn time() -> impl Strategy<Value = u32> {
    let second = (2_020..2_026_u16, 1..=12_u8, 1..=28_u8, 0..24_u8, 0..60_u8, 0..60_u8);
    (second, prop::bool::weighted(0.03)).prop_map(
        |((year, month, day, hour, minute, second), is_odd)| {
            let (month, day) = if is_odd { (2, 30) } else { (month, day) };
            ClockTime { year, month, day, hour, minute, second }.encode()
        },
    )
}

/// Some are exact repeats: a small choice of everything.
fn punches() -> impl Strategy<Value = Vec<SimPunch>> {
    let punch =
        (1..=USERS, time(), 0..=5_u8, 0..=3_u8).prop_map(|(uid, encoded_time, state, verify)| {
            SimPunch { uid, user_id: uid.to_string(), encoded_time, state, verify }
        });
    (vec(punch, 0..400), any::<bool>()).prop_map(|(mut punches, has_repeats)| {
        if has_repeats && let Some(last) = punches.last().cloned() {
            punches.push(last);
        }
        punches
    })
}

fn faults(from: &'static [Fault]) -> impl Strategy<Value = Vec<FaultSpec>> {
    let spec = (select(from), prop::option::of(1..4_u32));
    vec(spec.prop_map(|(fault, times)| FaultSpec { fault, times }), 0..4)
}

async fn check(
    profile: Profile,
    punches: Vec<SimPunch>,
    transport: Transport,
) -> Result<(), String> {
    let sim = ClockSim::start(profile).await.unwrap();
    for punch in punches {
        sim.add_punch(punch).unwrap();
    }
    let mut options = options(sim.addr(), 0);
    options.target = options.target.over(transport);
    options.timeouts.progress = std::time::Duration::from_millis(400);
    let read = match read_dump(&options, 50, fournil_gateway::time::now()).await {
        Ok(read) => serde_json::to_value(read).unwrap(),
        Err(error) if error.to_string().is_empty() => return Err("an error without a word".into()),
        Err(_) => return Ok(()),
    };
    let told = read["punches"].as_array().unwrap();
    let is_unclear = !read["warnings"].as_array().unwrap().is_empty();
    if told.is_empty() && is_unclear {
        return Ok(());
    }
    let has = |punch: &serde_json::Value, word: &str| {
        let anomalies = punch["anomalies"].as_array();
        anomalies.is_some_and(|anomalies| anomalies.iter().any(|anomaly| anomaly == word))
    };
    // Without its table of users a clock of slots does not say who it was, and that is told.
    if told.iter().all(|punch| has(punch, "unknown-user")) && !told.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = told
        .iter()
        .map(|punch| {
            let text = |key: &str| punch[key].as_str().unwrap().to_owned();
            let number = |key: &str| punch[key].as_u64().unwrap();
            (text("user_id"), text("time")[..19].to_owned(), number("state"), number("verify"))
        })
        .collect();
    let held: Vec<_> = sim.punches().iter().map(identity).collect();
    if told == held { Ok(()) } else { Err(format!("{} of {} as held", told.len(), held.len())) }
}

fn checked(
    profile: Profile,
    punches: Vec<SimPunch>,
    transport: Transport,
) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(check(profile, punches, transport)).map_err(TestCaseError::fail)
}

fn layouts() -> impl Strategy<Value = AttendanceLayout> {
    select(vec!["40", "49", "52", "16", "8a", "8b"]).prop_map(|name| name.parse().unwrap())
}

fn cases(cases: u32) -> Config {
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as _);
    Config { cases, failure_persistence, ..Config::default() }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_log_reads_back_or_says_why_not(
        punches in punches(),
        layout in layouts(),
        packet_bytes in select(vec![8_usize, 100, 1_008, 4_096, 65_536]),
        faults in faults(&FAULTS),
    ) {
        let profile = Profile {
            users: USERS, punches: 0, layout, packet_bytes, faults,
            pace: std::time::Duration::ZERO, ..Profile::default()
        };
        checked(profile, punches, Transport::Tcp)?;
    }

    #[test]
    fn any_log_does_by_datagrams(
        punches in punches(),
        layout in layouts(),
        packet_bytes in select(vec![100_usize, 1_008, 1_024]),
        faults in faults(&FAULTS_UDP),
    ) {
        let profile = Profile {
            users: USERS, punches: 0, layout, packet_bytes, faults, udp: true,
            pace: std::time::Duration::ZERO, ..Profile::default()
        };
        checked(profile, punches, Transport::Udp)?;
    }
}
