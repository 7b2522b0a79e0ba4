//! Strategies that make any message, bounded so that a frame holds it.

use fournil_protocol::bulk::{Chunk, Grant, Offer, Stop};
use fournil_protocol::command::{
    Body as Order, Cancel, ClearClockLog, ClockUserChange, Command, OpenDrawer, Print, ReadClock,
    ReadStatus, SendDiagnostics, SetClockTime, WriteClockUsers,
};
use fournil_protocol::document::{
    Barcode, Block, Cell, Columns, Document, Feed, Kind as BlockKind, Picture, Qr, Rule, Text,
};
use fournil_protocol::event::{
    Body, ClockOperation, ClockState, ClockUser, ClockUsers, CommandReport, DeviceHealth, Event,
    Health, Notice, Punch, Stamp,
};
use fournil_protocol::frame::{
    Ack, Commands, Events, Frame, Goodbye, Inquiry, Kind, Ping, Pong, Standing,
};
use fournil_protocol::hello::{Challenge, DownHead, Hello, UpHead, Welcome};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<i64>(), any::<u64>(), bytes(), option::of(any::<i64>())).prop_map(
        |(wall_ms, mono_ms, boot_id, cloud_offset_ms)| Stamp {
            wall_ms,
            mono_ms,
            boot_id,
            cloud_offset_ms,
        },
    )
}

fn punch() -> impl Strategy<Value = Punch> {
    let names = (text(), text(), text(), text(), text());
    let numbers = (any::<u32>(), any::<u32>(), any::<u32>(), any::<i32>());
    (names, numbers, option::of(any::<i64>()), bytes(), vec(text(), 0..3)).prop_map(
        |(names, numbers, instant_ms, raw, anomalies)| Punch {
            clock_serial: names.0,
            user_id: names.1,
            local_time: names.2,
            zone: names.3,
            layout: names.4,
            state: numbers.0,
            verify: numbers.1,
            occurrence: numbers.2,
            source: numbers.3,
            instant_ms,
            raw,
            anomalies,
        },
    )
}

fn report() -> impl Strategy<Value = CommandReport> {
    (bytes(), any::<i32>(), any::<i32>(), text(), text(), any::<u32>(), text()).prop_map(
        |(command_id, state, evidence, reason, detail, attempt, device)| CommandReport {
            command_id,
            state,
            evidence,
            reason,
            detail,
            attempt,
            device,
        },
    )
}

fn device_health() -> impl Strategy<Value = DeviceHealth> {
    let names = (text(), text(), text(), text());
    let numbers = (any::<i32>(), any::<i32>(), any::<u32>(), any::<u32>());
    (names, numbers, option::of(any::<i64>())).prop_map(|(names, numbers, drift_ms)| DeviceHealth {
        device: names.0,
        code: names.1,
        detail: names.2,
        serial: names.3,
        kind: numbers.0,
        state: numbers.1,
        records: numbers.2,
        records_capacity: numbers.3,
        drift_ms,
    })
}

fn health() -> impl Strategy<Value = Health> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let told = (numbers, text(), proptest::option::of(any::<i64>()));
    (vec(device_health(), 0..3), told).prop_map(|(devices, (numbers, software, until))| Health {
        devices,
        journal_pending: numbers.0,
        journal_bytes: numbers.1,
        disk_free_bytes: numbers.2,
        uptime_s: numbers.3,
        resident_bytes: numbers.4,
        software,
        server_certificate_until_ms: until,
    })
}

fn notice() -> impl Strategy<Value = Notice> {
    (any::<i32>(), text(), text(), text()).prop_map(|(severity, code, detail, device)| Notice {
        severity,
        code,
        detail,
        device,
    })
}

fn clock_state() -> impl Strategy<Value = ClockState> {
    let names = (text(), text(), text(), text(), text(), text(), text(), text());
    let counts = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let others = (any::<u32>(), any::<u32>(), any::<i32>(), any::<i64>());
    let times = (option::of(any::<i64>()), option::of(any::<i64>()));
    (names, counts, others, times).prop_map(|(names, counts, others, times)| ClockState {
        clock_serial: names.0,
        device: names.1,
        model: names.2,
        platform: names.3,
        firmware: names.4,
        zone: names.5,
        layout: names.6,
        address: names.7,
        users: counts.0,
        users_capacity: counts.1,
        records: counts.2,
        records_capacity: counts.3,
        operations: counts.4,
        pin_width: others.0,
        whole_read_records: others.1,
        link: others.2,
        heard_ms: others.3,
        drift_ms: times.0,
        whole_read_ms: times.1,
    })
}

fn clock_user() -> impl Strategy<Value = ClockUser> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>());
    (text(), text(), numbers, any::<bool>()).prop_map(
        |(user_id, name, numbers, is_name_garbled)| ClockUser {
            slot: numbers.0,
            user_id,
            name,
            privilege: numbers.1,
            card: numbers.2,
            group: numbers.3,
            is_name_garbled,
        },
    )
}

fn clock_users() -> impl Strategy<Value = ClockUsers> {
    let parts = (any::<u32>(), any::<u32>(), any::<bool>());
    (text(), any::<i64>(), parts, vec(clock_user(), 0..4)).prop_map(
        |(clock_serial, read_ms, (part, parts, is_partial), users)| ClockUsers {
            clock_serial,
            read_ms,
            part,
            parts,
            users,
            is_partial,
        },
    )
}

fn clock_operation() -> impl Strategy<Value = ClockOperation> {
    let names = (text(), text(), text(), text(), vec(text(), 0..5));
    let numbers = (any::<u32>(), any::<u32>(), any::<i32>());
    (names, numbers, option::of(any::<i64>()), bytes()).prop_map(
        |(names, numbers, instant_ms, raw)| ClockOperation {
            clock_serial: names.0,
            local_time: names.1,
            zone: names.2,
            admin: names.3,
            parameters: names.4,
            operation: numbers.0,
            occurrence: numbers.1,
            source: numbers.2,
            instant_ms,
            raw,
        },
    )
}

fn read_clock() -> impl Strategy<Value = ReadClock> {
    (any::<bool>(), any::<bool>(), text(), text()).prop_map(
        |(whole, users, from_local, to_local)| ReadClock { whole, users, from_local, to_local },
    )
}

fn clock_user_change() -> impl Strategy<Value = ClockUserChange> {
    (text(), text(), any::<u64>(), option::of(clock_user())).prop_map(
        |(user_id, name, card, expected)| ClockUserChange { user_id, name, card, expected },
    )
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let body = prop_oneof![
        punch().prop_map(Body::Punch),
        report().prop_map(Body::CommandReport),
        health().prop_map(Body::Health),
        notice().prop_map(Body::Notice),
        clock_state().prop_map(Body::ClockState),
        clock_users().prop_map(Body::ClockUsers),
        clock_operation().prop_map(Body::ClockOperation),
    ];
    (any::<u64>(), option::of(stamp()), option::of(body)).prop_map(|(seq, recorded, body)| Event {
        seq,
        recorded,
        body,
    })
}

/// Alignments keep to the known ones: JSON writes them as words.
fn block() -> impl Strategy<Value = BlockKind> {
    let cell = (text(), 0..3i32, any::<u32>()).prop_map(|(text, align, weight)| Cell {
        text,
        align,
        weight,
    });
    prop_oneof![
        (text(), 0..3i32, any::<bool>(), any::<u32>()).prop_map(|(text, align, bold, size)| {
            BlockKind::Text(Text { text, align, bold, size })
        }),
        (vec(cell, 0..4), any::<bool>(), any::<u32>())
            .prop_map(|(cells, bold, size)| BlockKind::Columns(Columns { cells, bold, size })),
        any::<bool>().prop_map(|double| BlockKind::Rule(Rule { double })),
        any::<u32>().prop_map(|lines| BlockKind::Feed(Feed { lines })),
        text().prop_map(|data| BlockKind::Qr(Qr { data })),
        text().prop_map(|data| BlockKind::Barcode(Barcode { data })),
        (any::<u32>(), vec(any::<u8>(), 0..64), 0..3i32).prop_map(|(width_dots, rows, align)| {
            BlockKind::Picture(Picture { width_dots, rows, align })
        }),
    ]
}

pub(crate) fn document() -> impl Strategy<Value = Document> {
    let block =
        (option::of(block()), 0..3i32, text()).prop_map(|(kind, direction, language)| match kind {
            None => Block::default(),
            kind => Block { kind, direction, language },
        });
    (text(), text(), vec(block, 0..6)).prop_map(|(language, title, blocks)| Document {
        language,
        title,
        blocks,
    })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    let body = prop_oneof![
        (document(), bytes())
            .prop_map(|(document, copy_of)| Order::Print(Print { document, copy_of })),
        any::<u32>().prop_map(|pin| Order::OpenDrawer(OpenDrawer { pin })),
        read_clock().prop_map(Order::ReadClock),
        Just(Order::SetClockTime(SetClockTime {})),
        (text(), vec(clock_user_change(), 0..3)).prop_map(|(clock_serial, changes)| {
            Order::WriteClockUsers(WriteClockUsers { clock_serial, changes })
        }),
        (text(), any::<u32>()).prop_map(|(clock_serial, records)| {
            Order::ClearClockLog(ClearClockLog { clock_serial, records })
        }),
        Just(Order::ReadStatus(ReadStatus {})),
        bytes().prop_map(|command_id| Order::Cancel(Cancel { command_id })),
        any::<u64>().prop_map(|bytes_max| Order::SendDiagnostics(SendDiagnostics { bytes_max })),
    ];
    (any::<u64>(), bytes(), any::<i32>(), any::<i64>(), text(), option::of(body)).prop_map(
        |(seq, command_id, policy, not_after_ms, device, body)| Command {
            seq,
            command_id,
            policy,
            not_after_ms,
            device,
            body,
        },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let up = (any::<u64>(), any::<u64>(), any::<u64>(), bytes(), any::<u64>()).prop_map(
        |(epoch, first_kept, last, head_hash, acked)| UpHead {
            epoch,
            first_kept,
            last,
            head_hash,
            acked,
        },
    );
    let down =
        (any::<u64>(), any::<u64>()).prop_map(|(epoch, durable)| DownHead { epoch, durable });
    let numbers = (any::<u32>(), any::<u64>(), any::<i64>(), any::<u32>(), any::<u32>());
    (numbers, (bytes(), bytes(), bytes()), (text(), text()), up, down).prop_map(
        |(numbers, blobs, names, up, down)| Hello {
            version: numbers.0,
            incarnation: numbers.1,
            wall_ms: numbers.2,
            down_window_commands: numbers.3,
            down_window_bytes: numbers.4,
            gateway_id: blobs.0,
            signature: blobs.1,
            boot_id: blobs.2,
            server_name: names.0,
            software: names.1,
            up,
            down,
        },
    )
}

fn welcome() -> impl Strategy<Value = Welcome> {
    let small =
        (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<i32>(), any::<u32>());
    let large = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (small, large, any::<i64>()).prop_map(|(small, large, server_time_ms)| Welcome {
        version: small.0,
        heartbeat_ms: small.1,
        up_window_events: small.2,
        up_window_bytes: small.3,
        mode: small.4,
        transfers_max: small.5,
        session_generation: large.0,
        up_epoch: large.1,
        up_durable: large.2,
        down_epoch: large.3,
        down_resume_from: large.4,
        server_time_ms,
    })
}

fn transfer() -> impl Strategy<Value = Kind> {
    let numbers = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>());
    prop_oneof![
        (bytes(), any::<u64>(), bytes()).prop_map(|(transfer_id, total_bytes, sha256)| {
            Kind::Offer(Offer { transfer_id, total_bytes, sha256 })
        }),
        (bytes(), numbers).prop_map(|(transfer_id, numbers)| Kind::Grant(Grant {
            transfer_id,
            durable_bytes: numbers.0,
            window_chunks: numbers.1,
            window_bytes: numbers.2,
            held_us: numbers.3,
        })),
        (bytes(), any::<u64>(), vec(any::<u8>(), 0..400), any::<bool>()).prop_map(
            |(transfer_id, offset, bytes, is_last)| {
                Kind::Chunk(Chunk { transfer_id, offset, bytes, is_last })
            }
        ),
        (bytes(), text())
            .prop_map(|(transfer_id, reason)| Kind::Stop(Stop { transfer_id, reason })),
    ]
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let challenge = (bytes(), any::<u32>(), any::<u32>(), any::<i64>()).prop_map(
        |(nonce, version_min, version_max, server_time_ms)| {
            Kind::Challenge(Challenge { nonce, version_min, version_max, server_time_ms })
        },
    );
    let events = (any::<u64>(), vec(event(), 0..4)).prop_map(|(epoch, events)| {
        let events = events.iter().map(Message::encode_to_vec).collect();
        Kind::Events(Events { epoch, events })
    });
    let commands = (any::<u64>(), vec(command(), 0..4))
        .prop_map(|(epoch, commands)| Kind::Commands(Commands { epoch, commands }));
    let ack = (option::of(any::<u64>()), option::of(any::<u64>()))
        .prop_map(|(up_durable, down_durable)| Kind::Ack(Ack { up_durable, down_durable }));
    let pong = (any::<i64>(), any::<i64>(), any::<i64>())
        .prop_map(|(t0_ms, t1_ms, t2_ms)| Kind::Pong(Pong { t0_ms, t1_ms, t2_ms }));
    let goodbye =
        (any::<u32>(), text(), any::<u32>()).prop_map(|(code, reason, retry_after_ms)| {
            Kind::Goodbye(Goodbye { code, reason, retry_after_ms })
        });
    let inquiry = (any::<u32>(), bytes(), bytes(), text()).prop_map(
        |(version, gateway_id, signature, server_name)| {
            Kind::Inquiry(Inquiry { version, gateway_id, signature, server_name })
        },
    );
    let standing = (any::<u32>(), text(), text()).prop_map(|(code, reason, server_name)| {
        Kind::Standing(Standing { code, reason, server_name })
    });
    let kind = prop_oneof![
        inquiry,
        standing,
        challenge,
        hello().prop_map(Kind::Hello),
        welcome().prop_map(Kind::Welcome),
        events,
        commands,
        ack,
        any::<i64>().prop_map(|t0_ms| Kind::Ping(Ping { t0_ms })),
        pong,
        goodbye,
        transfer(),
    ];
    option::of(kind).prop_map(|kind| Frame { kind })
}
