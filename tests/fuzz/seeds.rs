//! The seeds, from what the repository holds: the golden bytes of the protocol and the vectors
//! of the clock, and a good example of what is said at each door.

use std::error::Error;
use std::path::Path;

/// Writes `FOLDER/TARGET/…`.
pub(crate) fn write_all(into: &Path) -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    golden(&here.join("../../protocol/golden"), into)?;
    clock(&here.join("../vectors/zkteco.json"), into)?;
    doors(into)?;
    push(into)?;
    Ok(())
}

/// Every released version's bytes, as frames and as what stands in them.
fn golden(folder: &Path, into: &Path) -> Result<(), Box<dyn Error>> {
    for version in std::fs::read_dir(folder)? {
        for file in std::fs::read_dir(version?.path())? {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = hex(&std::fs::read_to_string(&path)?)?;
            write(into, "wire", &name, &bytes)?;
            // A printer's target takes a byte for the model first.
            let mut printed = vec![0];
            printed.extend_from_slice(&bytes);
            write(into, "printer", &name, &printed)?;
        }
    }
    Ok(())
}

/// Frames, records and tables of real clocks; the target's own fields stand behind the bytes.
fn clock(file: &Path, into: &Path) -> Result<(), Box<dyn Error>> {
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
    for vector in vectors["vectors"].as_array().ok_or("vectors")? {
        let (Some(name), Some(text)) = (vector["name"].as_str(), vector["hex"].as_str()) else {
            continue;
        };
        let mut bytes = vec![16, 1, 0, 0, 0];
        bytes.extend_from_slice(&hex(text)?);
        write(into, "clock", name, &bytes)?;
    }
    Ok(())
}

/// A line of each table.
fn push(into: &Path) -> Result<(), Box<dyn Error>> {
    let lines: [(&str, &str); 5] = [
        ("attlog", "1001\t2026-11-23 08:01:02\t0\t15\t\t0\t0\n"),
        ("oplog", "OPLOG 21\t0\t2026-11-23 08:00:00\t0\t0\t0\t0\n"),
        ("user", "USER PIN=7\tName=Amine\tPri=0\tPasswd=\tCard=[15CD5B07]\tGrp=1\n"),
        ("results", "ID=1&Return=0&CMD=DATA\nID=2&Return=-1002&CMD=INFO\n"),
        ("query", "SN=CKUL18&table=ATTLOG&Stamp=42&pushcommkey=s%20e"),
    ];
    for (name, line) in lines {
        write(into, "push", name, line.as_bytes())?;
    }
    Ok(())
}

fn doors(into: &Path) -> Result<(), Box<dyn Error>> {
    let upgrade = "\0GET\nConnection: keep-alive, Upgrade\nUpgrade: websocket\n\
                   Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: fournil.gateway.v1\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    write(into, "doors", "upgrade", upgrade.as_bytes())?;
    let key = format!("{}=", "A".repeat(43));
    let signature = format!("{}==", "A".repeat(86));
    let request = format!(
        "\u{1}{{\"code\":\"abcd-efgh\",\"public_key\":\"{key}\",\"signature\":\"{signature}\",\
         \"software\":\"0.1.0\",\"hostname\":\"caisse\"}}"
    );
    write(into, "doors", "enrolment", request.as_bytes())?;
    write(into, "doors", "code", "\u{2}il0o 2345".as_bytes())?;
    write(into, "doors", "status", b"\x03{\"software\":\"0.1.0\",\"pid\":1,\"uptime_s\":2}")?;
    Ok(())
}

fn write(into: &Path, target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = into.join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}

fn hex(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.chunks(2).map(pair).collect()
}
