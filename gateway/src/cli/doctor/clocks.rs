//! Each attendance clock. One that the daemon reads is told as the daemon sees it: most
//! clocks serve one program at a time.

use std::net::SocketAddr;
use std::time::Duration;

use fournil_protocol::words;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::finding::Finding;
use crate::app::status::{DeviceStatus, Status};
use crate::clock::push::PushClock;
use crate::clock::{ClientError, ClockConfig, Device, DumpOptions, Target, Timeouts, read_device};
use crate::time;

const CHECK: &str = "clock";
const READ_TIMEOUT: Duration = Duration::from_secs(12);
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(4),
    progress: Duration::from_secs(4),
    table: Duration::from_secs(10),
};
/// Off by a day or more, a clock has not drifted: it has lost the time.
const DAY_MS: u64 = 86_400_000;
/// What the daemon says of a clock, as the wire's words have it.
const WORDS: &[&str] = &[
    "ok",
    "starting",
    "unreachable",
    "busy",
    "comm-key-refused",
    "serial-mismatch",
    "layout-ambiguous",
    "log-nearly-full",
    "log-full",
    "clock-drift",
    "clock-time-lost",
    "not-a-clock",
];

pub(super) async fn examine(clock: &ClockConfig, held: Option<&Status>) -> Finding {
    let own = |device: &&DeviceStatus| device.name == clock.name && device.kind == CHECK;
    if let Some(device) = held.and_then(|status| status.devices.iter().find(own)) {
        return of_daemon(clock, device);
    }
    let finding = match Target::parse(&clock.address) {
        Some(target) => read(clock, target.over(clock.transport)).await,
        None => Finding::new(CHECK, "unreachable"),
    };
    finding.of(&clock.name).with("address", &clock.address)
}

fn of_daemon(clock: &ClockConfig, device: &DeviceStatus) -> Finding {
    let known = WORDS.iter().find(|word| **word == device.code);
    let finding = match known {
        Some(code) => Finding::new(CHECK, code),
        None => Finding::new(CHECK, "odd").with("why", &device.code),
    };
    let figures = Figures {
        serial: &device.serial,
        drift_ms: device.drift_ms,
        records: device.records,
        capacity: device.records_capacity,
    };
    figures
        .tell(finding, clock)
        .of(&clock.name)
        .with("address", &clock.address)
        .with("detail", &device.detail)
}

/// A clock that calls: the daemon hears it, or nobody does.
pub(super) async fn examine_caller(
    listen: SocketAddr,
    clock: &PushClock,
    held: Option<&Status>,
) -> Finding {
    let own = |device: &&DeviceStatus| device.name == clock.name && device.kind == CHECK;
    let device = held.and_then(|status| status.devices.iter().find(own));
    let finding = match device {
        Some(device) => match device.code.as_str() {
            words::OK => Finding::new(CHECK, "push-calls"),
            words::STARTING => Finding::new(CHECK, "push-starting"),
            words::CLOCK_SILENT => Finding::new(CHECK, "push-silent"),
            words::COMM_KEY_REFUSED => Finding::new(CHECK, "push-key-refused"),
            words::PUSH_NOT_LISTENING => Finding::new(CHECK, "push-not-listening"),
            other => Finding::new(CHECK, "odd").with("why", other),
        }
        .with("detail", &device.detail),
        None => match TcpListener::bind(listen).await {
            Ok(_) => Finding::new(CHECK, "push-idle"),
            Err(error) => Finding::new(CHECK, "push-not-listening").with("detail", error),
        },
    };
    finding.of(&clock.name).with("address", listen).with("serial", &clock.serial)
}

async fn read(clock: &ClockConfig, target: Target) -> Finding {
    let options = DumpOptions {
        target,
        comm_key: clock.comm_key,
        zone: clock.zone,
        layout: None,
        timeouts: TIMEOUTS,
    };
    let mut tick = [50];
    // Without randomness the vendor's own constant does.
    let _ = SystemRandom::new().fill(&mut tick);
    let [tick] = tick;
    match timeout(READ_TIMEOUT, read_device(&options, tick, time::now())).await {
        Ok(Ok(device)) => judge(clock, &device),
        Ok(Err(error)) => refused(&error),
        Err(_) => Finding::new(CHECK, "silent"),
    }
}

fn refused(error: &ClientError) -> Finding {
    let code = match error {
        ClientError::Unreachable { .. } => "unreachable",
        ClientError::KeyRefused { .. } => "comm-key-refused",
        ClientError::NotAClock { .. } => "not-a-clock",
        ClientError::NoAnswer { .. } | ClientError::Lost { .. } => "silent",
        ClientError::Busy { .. } | ClientError::Refused { .. } => "busy",
        ClientError::Ended { .. } | ClientError::Senseless { .. } | ClientError::Forbidden(_) => {
            "odd"
        }
    };
    Finding::new(CHECK, code).with("why", error)
}

fn judge(clock: &ClockConfig, device: &Device) -> Finding {
    let expected = clock.expected_serial.as_deref();
    let warn_ms = u64::from(clock.drift_warn_s) * 1_000;
    let (records, capacity) = (u64::from(device.records), u64::from(device.records_capacity));
    let code = if expected.is_some_and(|expected| expected != device.serial) {
        "serial-mismatch"
    } else if capacity > 0 && records * 20 >= capacity * 19 {
        "log-full"
    } else if device.drift_ms.is_some_and(|drift| drift.unsigned_abs() >= DAY_MS) {
        "clock-time-lost"
    } else if capacity > 0 && records * 5 >= capacity * 4 {
        "log-nearly-full"
    } else if device.drift_ms.is_some_and(|drift| drift.unsigned_abs() > warn_ms) {
        "clock-drift"
    } else {
        "ok"
    };
    let figures = Figures {
        serial: &device.serial,
        drift_ms: device.drift_ms,
        records: device.records,
        capacity: device.records_capacity,
    };
    figures.tell(Finding::new(CHECK, code), clock)
}

struct Figures<'a> {
    serial: &'a str,
    drift_ms: Option<i64>,
    records: u32,
    capacity: u32,
}

impl Figures<'_> {
    fn tell(&self, finding: Finding, clock: &ClockConfig) -> Finding {
        let drift_ms = self.drift_ms.unwrap_or(0);
        finding
            .with("serial", self.serial)
            .with("expected", clock.expected_serial.as_deref().unwrap_or("-"))
            .with("drift_s", drift_ms.unsigned_abs() / 1_000)
            .with("direction", if drift_ms > 0 { "fast" } else { "slow" })
            .with("records", self.records)
            .with("capacity", self.capacity)
    }
}
