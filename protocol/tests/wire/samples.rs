//! One sample of every message, every field set to something that shows in the bytes.

use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::command::{
    Body as Order, Cancel, ClearClockLog, ClockUserChange, Command, OpenDrawer, Policy, Print,
    ReadClock, ReadStatus, SendDiagnostics, SetClockTime, WriteClockUsers,
};
use fournil_protocol::document::{
    Align, Barcode, Block, Cell, Columns, Direction, Document, Feed, Kind as BlockKind, Picture,
    Qr, Rule, Text,
};
use fournil_protocol::event::{
    Body, ClockLink, ClockOperation, ClockState, ClockUser, ClockUsers, CommandReport,
    CommandState, DeviceHealth, DeviceKind, DeviceState, Event, Evidence, Health, Notice, Punch,
    PunchSource, Severity, Stamp,
};
use fournil_protocol::frame::{
    Ack, Commands, Events, Frame, Goodbye, Inquiry, Kind, Ping, Pong, Standing,
};
use fournil_protocol::hello::{Challenge, DownHead, Hello, Mode, UpHead, Welcome};
use prost::Message;

fn id(byte: u8) -> Vec<u8> {
    vec![byte; 16]
}

pub(crate) fn document() -> Document {
    Document { language: "fr".into(), title: "T-2026-000123".into(), blocks: Vec::new() }
        .heading("Fournil")
        .text("Merci de votre visite", Align::Centre)
        .with(BlockKind::Columns(Columns {
            cells: vec![
                Cell { text: "Pain".into(), align: Align::Start as i32, weight: 1 },
                Cell { text: "30,00".into(), align: Align::End as i32, weight: 0 },
            ],
            bold: true,
            size: 2,
        }))
        .with(BlockKind::Rule(Rule { double: true }))
        .with(BlockKind::Feed(Feed { lines: 3 }))
        .with(BlockKind::Qr(Qr { data: "https://fournil.example/t/123".into() }))
        .with(BlockKind::Barcode(Barcode { data: "T-2026-000123".into() }))
        .with(BlockKind::Text(Text {
            text: "Fin".into(),
            align: Align::Start as i32,
            bold: false,
            size: 1,
        }))
}

/// What came to documents later: a picture, and a block with a language and a direction.
fn document_drawn() -> Document {
    Document { language: "ar".into(), title: "T-2026-000124".into(), blocks: Vec::new() }.block(
        Block {
            kind: Some(BlockKind::Picture(Picture {
                width_dots: 12,
                rows: vec![0xff, 0xf0, 0x80, 0x10],
                align: Align::Centre as i32,
            })),
            direction: Direction::RightToLeft as i32,
            language: "ar".into(),
        },
    )
}

fn command(seq: u64, policy: Policy, body: Order) -> Command {
    Command {
        seq,
        command_id: id(0x11),
        policy: policy as i32,
        not_after_ms: 1_795_000_060_000,
        device: "caisse".into(),
        body: Some(body),
    }
}

fn event(seq: u64, body: Body) -> Event {
    Event {
        seq,
        recorded: Some(Stamp {
            wall_ms: 1_795_000_000_123,
            mono_ms: 86_400_000,
            boot_id: id(0x22),
            cloud_offset_ms: Some(-1_500),
        }),
        body: Some(body),
    }
}

fn hello(version: u32) -> Hello {
    Hello {
        version,
        gateway_id: id(0x33),
        signature: vec![0x44; 64],
        server_name: "cloud.fournil.example".into(),
        incarnation: 7,
        boot_id: id(0x22),
        up: UpHead {
            epoch: 0x0102_0304_0506_0708,
            first_kept: 1,
            last: 250,
            head_hash: vec![0x55; 32],
            acked: 248,
        },
        down: DownHead { epoch: 0x1112_1314_1516_1718, durable: 40 },
        software: "0.1.0".into(),
        wall_ms: 1_795_000_000_000,
        down_window_commands: 32,
        down_window_bytes: 1_048_576,
    }
}

fn welcome(version: u32) -> Welcome {
    Welcome {
        version,
        session_generation: 9,
        up_epoch: 0x0102_0304_0506_0708,
        up_durable: 248,
        down_epoch: 0x1112_1314_1516_1718,
        down_resume_from: 41,
        heartbeat_ms: 12_000,
        server_time_ms: 1_795_000_000_500,
        up_window_events: 256,
        up_window_bytes: 262_144,
        mode: Mode::ReadOnly as i32,
        transfers_max: if version == 1 { 0 } else { 4 },
    }
}

fn punch() -> Punch {
    Punch {
        clock_serial: "CJDE203960123".into(),
        user_id: "17".into(),
        local_time: "2026-11-24T06:58:03".into(),
        zone: "Africa/Algiers".into(),
        instant_ms: Some(1_795_500_000_000),
        state: 255,
        verify: 15,
        occurrence: 1,
        raw: vec![0, 1, 2, 0xfe, 0xff],
        layout: "40".into(),
        source: PunchSource::Live as i32,
        anomalies: vec!["future".into()],
    }
}

fn report() -> CommandReport {
    CommandReport {
        command_id: id(0x11),
        state: CommandState::InDoubt as i32,
        evidence: Evidence::BytesSent as i32,
        reason: "connection-lost".into(),
        detail: "reset after 512 bytes".into(),
        attempt: 2,
        device: "caisse".into(),
    }
}

fn health() -> Health {
    Health {
        devices: vec![DeviceHealth {
            device: "entree".into(),
            kind: DeviceKind::Clock as i32,
            state: DeviceState::Warning as i32,
            code: "nearly-full".into(),
            detail: "K40 Ver 6.60".into(),
            serial: "CJDE203960123".into(),
            drift_ms: Some(-4_200),
            records: 95_000,
            records_capacity: 100_000,
        }],
        journal_pending: 12,
        journal_bytes: 1_048_576,
        disk_free_bytes: 5_000_000_000,
        uptime_s: 3_600,
        resident_bytes: 12_000_000,
        software: "0.1.0".into(),
        server_certificate_until_ms: None,
    }
}

fn notice() -> Notice {
    Notice {
        severity: Severity::Alarm as i32,
        code: "journal-quarantined".into(),
        detail: "segment 12".into(),
        device: "entree".into(),
    }
}

/// Every frame a version brought or changed, by the name of its golden file.
pub(crate) fn frames(version: u32) -> Vec<(&'static str, Frame)> {
    let kinds = if version == 1 { first() } else { second() };
    kinds.into_iter().map(|(name, kind)| (name, Frame::from(kind))).collect()
}

/// What version 2 brought: transfers, and the command that asks for one.
fn second() -> Vec<(&'static str, Kind)> {
    let ask = Order::SendDiagnostics(SendDiagnostics { bytes_max: 8_388_608 });
    let commands = vec![command(46, Policy::Repeatable, ask)];
    let transfer_id = id(0x11);
    let mut frames = vec![
        ("hello", Kind::Hello(hello(2))),
        ("welcome", Kind::Welcome(welcome(2))),
        (
            "command-diagnostics",
            Kind::Commands(Commands { epoch: 0x1112_1314_1516_1718, commands }),
        ),
        (
            "offer",
            Kind::Offer(Offer {
                transfer_id: transfer_id.clone(),
                total_bytes: 5_000_000,
                sha256: vec![0xaa; 32],
            }),
        ),
        (
            "grant",
            Kind::Grant(Grant {
                transfer_id: transfer_id.clone(),
                durable_bytes: 131_072,
                window_chunks: 4,
                window_bytes: 65_536,
                held_us: 3_250,
            }),
        ),
        (
            "chunk",
            Kind::Chunk(Chunk {
                transfer_id: transfer_id.clone(),
                offset: 4_999_997,
                bytes: vec![0, 0xfe, 0xff],
                is_last: true,
            }),
        ),
        ("stop", Kind::Stop(Stop { transfer_id, reason: "transfer-corrupt".into() })),
    ];
    for (name, body) in [
        ("event-clock-state", Body::ClockState(clock_state())),
        ("event-clock-users", Body::ClockUsers(clock_users())),
        ("event-clock-operation", Body::ClockOperation(clock_operation())),
    ] {
        let events = vec![event(253, body).encode_to_vec()];
        frames.push((name, Kind::Events(Events { epoch: 0x0102_0304_0506_0708, events })));
    }
    for (name, policy, order) in clock_orders() {
        let commands = vec![command(47, policy, order)];
        frames.push((name, Kind::Commands(Commands { epoch: 0x1112_1314_1516_1718, commands })));
    }
    frames
}

fn clock_state() -> ClockState {
    ClockState {
        clock_serial: "CJDE203960123".into(),
        device: "entree".into(),
        model: "K20".into(),
        platform: "ZEM760_TFT".into(),
        firmware: "Ver 6.60 Apr 28 2017".into(),
        zone: "Africa/Algiers".into(),
        layout: "40".into(),
        link: ClockLink::Tcp.into(),
        pin_width: 9,
        users: 12,
        users_capacity: 3_000,
        records: 95_000,
        records_capacity: 100_000,
        operations: 282,
        drift_ms: Some(-4_200),
        heard_ms: 1_795_000_000_000,
        whole_read_ms: Some(1_794_999_000_000),
        whole_read_records: 94_998,
        address: "192.168.1.201:4370".into(),
    }
}

fn clock_user() -> ClockUser {
    ClockUser {
        slot: 7,
        user_id: "1001".into(),
        name: "Amine".into(),
        privilege: 14,
        card: 123_456_789,
        group: 1,
        is_name_garbled: true,
    }
}

fn clock_users() -> ClockUsers {
    ClockUsers {
        clock_serial: "CJDE203960123".into(),
        read_ms: 1_795_000_000_000,
        part: 1,
        parts: 2,
        users: vec![clock_user()],
        is_partial: false,
    }
}

fn clock_operation() -> ClockOperation {
    ClockOperation {
        clock_serial: "CJDE203960123".into(),
        local_time: "2018-06-25T16:09:38".into(),
        zone: "Africa/Algiers".into(),
        instant_ms: Some(1_529_939_378_000),
        operation: 6,
        admin: "0".into(),
        parameters: vec!["3".into(), "0".into(), "7".into(), "1282".into()],
        occurrence: 1,
        raw: vec![0, 0, 6, 0x2a, 0xc2, 0x9b, 0x68, 0x23, 3, 0, 0, 0, 7, 0, 2, 5],
        source: PunchSource::Poll.into(),
    }
}

fn clock_orders() -> [(&'static str, Policy, Order); 4] {
    let read = ReadClock {
        whole: true,
        users: true,
        from_local: "2026-11-01T00:00:00".into(),
        to_local: "2026-11-02T00:00:00".into(),
    };
    let write = WriteClockUsers {
        clock_serial: "CJDE203960123".into(),
        changes: vec![ClockUserChange {
            user_id: "1001".into(),
            name: "Amine B".into(),
            card: 5,
            expected: Some(clock_user()),
        }],
    };
    let clear = ClearClockLog { clock_serial: "CJDE203960123".into(), records: 94_998 };
    [
        ("command-clock-wishes", Policy::Repeatable, Order::ReadClock(read)),
        ("command-clock-time", Policy::Repeatable, Order::SetClockTime(SetClockTime {})),
        ("command-clock-users", Policy::Repeatable, Order::WriteClockUsers(write)),
        ("command-clock-clear", Policy::AtMostOnce, Order::ClearClockLog(clear)),
    ]
}

fn first_commands() -> Vec<Command> {
    let print = Print { document: document(), copy_of: id(0x66) };
    vec![
        command(41, Policy::Ask, Order::Print(print)),
        command(42, Policy::AtMostOnce, Order::OpenDrawer(OpenDrawer { pin: 5 })),
        command(43, Policy::Repeatable, Order::ReadClock(ReadClock::default())),
        command(44, Policy::Repeatable, Order::ReadStatus(ReadStatus {})),
        command(45, Policy::Repeatable, Order::Cancel(Cancel { command_id: id(0x77) })),
        command(
            46,
            Policy::Ask,
            Order::Print(Print { document: document_drawn(), copy_of: Vec::new() }),
        ),
    ]
}

fn first() -> Vec<(&'static str, Kind)> {
    let events = [
        event(249, Body::Punch(punch())),
        event(250, Body::CommandReport(report())),
        event(251, Body::Health(health())),
        event(252, Body::Notice(notice())),
    ];
    let challenge = Challenge {
        nonce: vec![0x88; 32],
        version_min: 1,
        version_max: 2,
        server_time_ms: 1_795_000_000_000,
    };
    let mut frames: Vec<(&'static str, Kind)> = vec![
        ("challenge", Kind::Challenge(challenge)),
        ("hello", Kind::Hello(hello(1))),
        ("welcome", Kind::Welcome(welcome(1))),
        ("ack-up", Kind::Ack(Ack { up_durable: Some(252), down_durable: None })),
        ("ack-down", Kind::Ack(Ack { up_durable: None, down_durable: Some(0) })),
        ("ping", Kind::Ping(Ping { t0_ms: 1_795_000_000_001 })),
        ("pong", Kind::Pong(Pong { t0_ms: -1, t1_ms: 2, t2_ms: 1_795_000_000_003 })),
        (
            "goodbye",
            Kind::Goodbye(Goodbye {
                code: 4000,
                reason: "le serveur redémarre".into(),
                retry_after_ms: 2_500,
            }),
        ),
        (
            "inquiry",
            Kind::Inquiry(Inquiry {
                version: 1,
                gateway_id: id(0x33),
                signature: vec![0x44; 64],
                server_name: "cloud.fournil.example".into(),
            }),
        ),
        (
            "standing",
            Kind::Standing(Standing {
                code: 4501,
                reason: "gateway or key not known: enrol it again".into(),
                server_name: "cloud.fournil.example".into(),
            }),
        ),
    ];
    for (name, event) in
        ["event-punch", "event-report", "event-health", "event-notice"].into_iter().zip(&events)
    {
        let events = Events { epoch: 0x0102_0304_0506_0708, events: vec![event.encode_to_vec()] };
        frames.push((name, Kind::Events(events)));
    }
    let names = [
        "command-print",
        "command-drawer",
        "command-clock",
        "command-status",
        "command-cancel",
        "command-print-drawn",
    ];
    for (name, command) in names.into_iter().zip(first_commands()) {
        let commands = Commands { epoch: 0x1112_1314_1516_1718, commands: vec![command] };
        frames.push((name, Kind::Commands(commands)));
    }
    frames
}
