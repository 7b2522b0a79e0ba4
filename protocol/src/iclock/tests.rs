//! The dialect by its examples, and by anything at all.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::ask::{Ask, AskError, Wanted};
use super::body::{self, BodyError, lines};
use super::commands::{Command, CommandResult};
use super::options::{self, Options};
use super::told::{self, Setting, Told};
use super::{LINES_MAX, PLAIN_BYTES_MAX, accepted};
use crate::clock::ClockTime;
use crate::words::anomaly;

/// Every real time of 2026 is one and the same instant; the rest is none.
fn instant(wall: ClockTime) -> told::Instant {
    if wall.month == 2 && wall.day > 29 {
        (None, Some(anomaly::IMPOSSIBLE_DATE))
    } else if wall.year > 2026 {
        (Some(9_000), None)
    } else {
        (Some(1_000), None)
    }
}

fn setting() -> Setting<'static> {
    Setting { serial: "CKUL18", zone: "Africa/Algiers", now_ms: 0, instant: &instant }
}

fn wanted(method: &str, path: &str, query: &str) -> Result<Wanted, AskError> {
    Ask::read(method, path, query).map(|ask| ask.wanted)
}

#[test]
fn every_address_is_known_in_any_capitals_and_with_its_old_ending() {
    let hello = Ask::read(
        "GET",
        "/iclock/cdata",
        "SN=CKUL18&options=all&pushver=2.4.1&DeviceType=att&language=69&pushcommkey=s%20e+k",
    );
    let wanted_hello = Wanted::Hello { key: Some("s e k".to_owned()) };
    assert_eq!(hello, Ok(Ask { serial: "CKUL18".into(), wanted: wanted_hello }));
    let mark = Some("42".to_owned());
    for (query, expected) in [
        ("SN=CKUL18&table=ATTLOG&Stamp=42", Wanted::Punches { mark: mark.clone() }),
        ("sn=CKUL18&TABLE=attlog&stamp=42", Wanted::Punches { mark: mark.clone() }),
        ("SN=CKUL18&table=OPERLOG&OpStamp=42", Wanted::Operations { mark }),
        ("SN=CKUL18&table=options", Wanted::Properties),
        ("SN=CKUL18&table=ATTPHOTO&Stamp=1", Wanted::Dropped),
        ("SN=CKUL18&table=BIODATA", Wanted::Dropped),
        ("SN=CKUL18&table=rtlog", Wanted::Unspoken { table: "rtlog".into() }),
        ("SN=CKUL18", Wanted::Unspoken { table: String::new() }),
    ] {
        assert_eq!(wanted("POST", "/iclock/cdata", query), Ok(expected.clone()), "{query}");
        assert_eq!(wanted("POST", "/iClock/CDATA.aspx", query), Ok(expected), "{query}");
    }
    let sn = "SN=CKUL18";
    for (method, path, expected) in [
        ("GET", "/iclock/getrequest", Wanted::Commands { info: None }),
        ("POST", "/iclock/devicecmd", Wanted::Results),
        ("GET", "/iclock/ping", Wanted::Ping),
        ("POST", "/iclock/fdata", Wanted::Dropped),
        ("POST", "/iclock/registry", Wanted::Registry),
        ("GET", "/iclock/push", Wanted::Configuration),
        ("POST", "/iclock/push", Wanted::Configuration),
        ("GET", "/iclock/rtdata", Wanted::Time),
        ("POST", "/iclock/exchange", Wanted::Exchange),
        ("POST", "/iclock/querydata", Wanted::Answers { table: String::new() }),
    ] {
        assert_eq!(wanted(method, path, sn), Ok(expected), "{path}");
    }
}

#[test]
fn what_no_clock_asks_is_refused() {
    assert_eq!(wanted("GET", "/iclock/shell", "SN=CKUL18"), Err(AskError::Path));
    assert_eq!(wanted("GET", "/login", "SN=CKUL18"), Err(AskError::Path));
    assert_eq!(wanted("PUT", "/iclock/cdata", "SN=CKUL18"), Err(AskError::Method));
    assert_eq!(wanted("GET", "/iclock/devicecmd", "SN=CKUL18"), Err(AskError::Method));
    for query in ["", "SN=", "SN=CKUL1", "SN=CK-UL18", "SN=%00%00%00%00%00%00", "SN=%F"] {
        assert_eq!(wanted("GET", "/iclock/ping", query), Err(AskError::Serial), "{query}");
    }
}

#[test]
fn punches_are_read_whatever_columns_follow() {
    let block = b"1001\t2026-11-23 08:01:02\t0\t15\t\t0\t0\n\
                  1001\t2026-11-23 08:01:02\t0\t15\r\n\
                  A7\t2026-11-23 17:00:00\n\
                  1\t2026-02-30 08:00:00\t1\t1\n\
                  2\t2027-01-01 00:00:00\t9\t1\n\
                  3\tnever\tx\t1\n\
                  4\t2000-01-01 00:00:05\t0\t1\n";
    let told = Told::punches(block, &setting());
    let short: Vec<_> = told
        .punches
        .iter()
        .map(|p| (p.user_id.as_str(), p.local_time.as_str(), p.state, p.verify, p.occurrence))
        .collect();
    assert_eq!(
        short,
        [
            ("1001", "2026-11-23T08:01:02", 0, 15, 0),
            ("1001", "2026-11-23T08:01:02", 0, 15, 1),
            ("A7", "2026-11-23T17:00:00", 255, 0, 0),
            ("1", "2026-02-30T08:00:00", 1, 1, 0),
            ("2", "2027-01-01T00:00:00", 9, 1, 0),
            ("3", "never", 255, 1, 0),
            ("4", "2000-01-01T00:00:05", 0, 1, 0),
        ]
    );
    let odd: Vec<_> = told.punches.iter().map(|punch| punch.anomalies.join(" ")).collect();
    assert_eq!(
        odd,
        ["", "", "", "impossible-date", "odd-state", "odd-form impossible-date", "clock-reset"]
    );
    assert_eq!(told.punches[0].raw, b"1001\t2026-11-23 08:01:02\t0\t15\t\t0\t0");
    assert_eq!((told.lines(), accepted(told.lines()).as_str()), (7, "OK: 7"));
    let ahead = Setting { now_ms: -3_600_000, ..setting() };
    let told = Told::punches(b"1\t2026-11-23 08:01:02\t0\t1", &ahead);
    assert_eq!(told.punches[0].anomalies, ["future"]);
}

#[test]
fn a_user_id_that_is_no_text_is_the_same_as_when_it_is_read() {
    let told =
        Told::punches(b"\xcd\xf5\t2026-11-23 08:01:02\n\xcd\xf6\t2026-11-23 08:01:02", &setting());
    let ids: Vec<_> = told.punches.iter().map(|punch| punch.user_id.as_str()).collect();
    assert_eq!(ids, [r"\xcd\xf5", r"\xcd\xf6"]);
    assert_eq!(told.punches[0].anomalies, ["odd-user-id"]);
}

#[test]
fn operations_and_users_are_told_apart_and_templates_dropped() {
    let block = b"OPLOG 21\t0\t2026-11-23 08:00:00\t0\t0\t0\t0\n\
                  USER PIN=7\tName=Amine\tPri=14\tPasswd=1234\tCard=[15CD5B07]\tGrp=1\tTZ=0001\n\
                  USER PIN=8\tName=\xcd\xf5\tPri=0\tPasswd=\tCard=42\n\
                  USER Name=nobody\n\
                  FP PIN=7\tFID=1\tSize=4\tValid=1\tTMP=AAAA\n\
                  oplog 4\t7\t2026-11-23 08:00:01\t0\t0\t0\t0\n";
    let told = Told::operations(block, &setting());
    let operations: Vec<_> = told
        .operations
        .iter()
        .map(|line| (line.operation, line.admin.as_str(), line.local_time.as_str()))
        .collect();
    assert_eq!(operations, [(21, "0", "2026-11-23T08:00:00"), (4, "7", "2026-11-23T08:00:01")]);
    assert_eq!(told.operations[0].parameters, ["0", "0", "0", "0"]);
    let amine = &told.users[0];
    assert_eq!(
        (amine.user_id.as_str(), amine.name.as_str(), amine.card),
        ("7", "Amine", 123_456_789)
    );
    assert_eq!((amine.privilege, amine.group, amine.is_name_garbled), (14, 1, false));
    assert!(told.users[1].is_name_garbled && told.users[1].card == 42);
    assert_eq!((told.users.len(), told.dropped, told.lines()), (2, 2, 6));
    let shown = format!("{told:?}");
    assert!(!shown.contains("AAAA"), "no template is kept");
}

#[test]
fn a_newer_clocks_users_come_with_their_tables_name_or_without() {
    let told = Told::users(b"user pin=7\tname=Amine\tcardno=5\tprivilege=0\ruser pin=8\tname=B\n");
    let users: Vec<_> = told.users.iter().map(|user| (user.user_id.as_str(), user.card)).collect();
    assert_eq!(users, [("7", 5), ("8", 0)]);
    let told = Told::users(b"PIN=7\tName=Amine");
    assert_eq!(told.users.len(), 1);
}

#[test]
fn the_options_block_asks_for_no_templates() {
    let options = Options {
        serial: "CKUL18",
        punches_mark: "0",
        operations_mark: "9999",
        minutes_east: 60,
        error_delay_s: 60,
        delay_s: 10,
    };
    let block = options.block();
    assert!(block.starts_with("GET OPTION FROM: CKUL18\nATTLOGStamp=0\nOPERLOGStamp=9999\n"));
    assert!(block.contains("\nTimeZone=1\n") && block.contains("\nRealtime=1\n"));
    for unwanted in ["FP", "Photo", "FACE", "UserPic"] {
        assert!(!block.contains(unwanted), "{unwanted} is asked for");
    }
    assert!(Options { minutes_east: 330, ..options.clone() }.block().contains("\nTimeZone=330\n"));
    assert!(Options { minutes_east: -180, ..options.clone() }.block().contains("\nTimeZone=-3\n"));
    let configuration = options.configuration();
    assert!(configuration.starts_with("registry=ok\nRegistryCode=CKUL18\n"), "{configuration}");
    assert!(configuration.contains("\nRequestDelay=10\n"), "{configuration}");
    assert_eq!(options::registry("CKUL18"), "RegistryCode=CKUL18");
    let capture = ClockTime::read("2018-06-25 17:41:05").unwrap();
    assert_eq!(options::time(capture, 330), "DateTime=594063665,ServerTZ=+0530");
}

#[test]
fn commands_fit_in_their_line() {
    let time = |text| ClockTime::read(text).unwrap();
    let (from, to) = (time("2026-11-01T00:00:00"), time("2026-11-02T23:59:59"));
    assert_eq!(
        Command::ReadPunches { from, to }.line("12"),
        "C:12:DATA QUERY ATTLOG StartTime=2026-11-01 00:00:00\tEndTime=2026-11-02 23:59:59\n"
    );
    assert_eq!(Command::ReadUsers.line("a"), "C:a:DATA QUERY USERINFO\n");
    assert_eq!(Command::Information.line("1"), "C:1:INFO\n");
}

#[test]
fn results_are_read_in_both_forms() {
    let expected = [("1", 0), ("2", -1002)].map(|(id, code)| (id.to_owned(), code));
    for body in [
        "ID=1&Return=0&CMD=DATA\nID=2&Return=-1002&CMD=INFO\n",
        "ID=1&Return=0&CMD=DATA&ID=2&Return=-1002&CMD=INFO",
        "id=1&return=0\r\nID=2&Return=-1002",
    ] {
        let read = CommandResult::read_all(body.as_bytes());
        let read: Vec<_> = read.into_iter().map(|result| (result.id, result.code)).collect();
        assert_eq!(read, expected, "{body}");
    }
    assert!(CommandResult::read_all(b"Return=0&ID=1\nID=&Return=0\nID=2&Return=x").is_empty());
}

#[test]
fn a_clocks_properties_are_found_by_name() {
    let list = b"~DeviceName=SpeedFace-V5L,MAC=00:17,FirmVer=Ver 6.60,~SerialNumber=CKUL18";
    assert_eq!(told::property(list, "FirmVer").as_deref(), Some("Ver 6.60"));
    assert_eq!(told::property(list, "devicename").as_deref(), Some("SpeedFace-V5L"));
    assert_eq!(told::property(list, "IPAddress"), None);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().div_ceil(512) * 512, 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

#[test]
fn packed_bodies_are_unpacked_within_bounds() {
    let block = b"1001\t2026-11-23 08:01:02\t0\t15\n";
    assert_eq!(body::plain(block).unwrap(), block);
    assert_eq!(body::plain(&gzip(block)).unwrap(), block);
    let archive = tar(&[("a", &block[..29]), ("b", block)]);
    let both = [&block[..29], b"\n", &block[..]].concat();
    assert_eq!(body::plain(&archive).unwrap(), both);
    assert_eq!(body::plain(&gzip(&archive)).unwrap(), both);
    assert_eq!(body::plain(&gzip(block)[..20]), Err(BodyError::Packed));
    assert_eq!(body::plain(&gzip(&vec![0; PLAIN_BYTES_MAX + 1])), Err(BodyError::TooLarge));
    assert_eq!(body::plain(&gzip(&b"1\n".repeat(LINES_MAX))).unwrap().len(), 2 * LINES_MAX);
    assert_eq!(body::plain(&b"1\n".repeat(LINES_MAX + 1)), Err(BodyError::TooLarge));
    assert_eq!(body::plain(&archive[..520]), Err(BodyError::Packed), "a file cut short");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(plain) = body::plain(&bytes) {
            let told = Told::punches(&plain, &setting());
            prop_assert_eq!(told.lines(), lines(&plain).count());
            prop_assert_eq!(Told::operations(&plain, &setting()).lines(), lines(&plain).count());
            let _ = (Told::users(&plain), CommandResult::read_all(&plain));
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = Ask::read("GET", &text, &text);
        let _ = Ask::read("POST", "/iclock/cdata", &text);
    }

    #[test]
    fn a_block_reads_the_same_with_any_line_ends_and_packing(
        users in prop::collection::vec(("[0-9A-Z]{1,9}", 0_u8..60, 0_u8..6, 0_u8..30), 1..40),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r"]), 40),
        packed in 0_u8..3,
    ) {
        let block = |ends: &mut dyn Iterator<Item = &str>| -> Vec<u8> {
            let mut block = String::new();
            for (user, second, state, verify) in &users {
                let _ = write!(block, "{user}\t2026-11-23 08:01:{second:02}\t{state}\t{verify}");
                block.push_str(ends.next().unwrap_or("\n"));
            }
            block.into_bytes()
        };
        let plain = Told::punches(&block(&mut std::iter::repeat("\n")), &setting());
        let odd = block(&mut ends.iter().copied());
        let sent = match packed { 0 => odd, 1 => gzip(&odd), _ => gzip(&tar(&[("x", &odd)])) };
        let read = Told::punches(&body::plain(&sent).unwrap(), &setting());
        prop_assert_eq!(&read, &plain);
        // The identities of a block are the same each time it is sent, and all different.
        let mut identities: Vec<_> = read.punches.iter()
            .map(|p| (&p.user_id, &p.local_time, p.state, p.verify, p.occurrence)).collect();
        identities.sort();
        identities.dedup();
        prop_assert_eq!(identities.len(), users.len());
    }
}

#[test]
fn a_mark_that_would_break_the_line_is_not_kept() {
    assert_eq!(options::mark("9999"), Some("9999"));
    assert_eq!(options::mark("None"), Some("None"));
    for bad in ["", "1\nDelay=1", "1;2", "123456789012345678901"] {
        assert_eq!(options::mark(bad), None, "{bad}");
    }
}
