//! Receipts on disk, so that a printer started again shows what it had printed:
//! a PNG, the text, and a line of JSON for each; the drawer's log in one file.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::state::{Kick, Receipt};

#[derive(Serialize, Deserialize)]
struct Facts {
    number: u32,
    at_ms: u64,
    errors: Vec<String>,
    torn: bool,
}

/// Writes a receipt. The picture goes first, so that facts without a picture mean a
/// crash in between and are left out on reading.
pub(super) fn save(folder: Option<&Path>, receipt: &Receipt) {
    let Some(folder) = folder else { return };
    let facts = Facts {
        number: receipt.number,
        at_ms: receipt.at_ms,
        errors: receipt.errors.clone(),
        torn: receipt.torn,
    };
    let stem = format!("receipt-{:06}", receipt.number);
    let written = fs::write(folder.join(format!("{stem}.png")), &receipt.png)
        .and_then(|()| fs::write(folder.join(format!("{stem}.txt")), &receipt.text))
        .and_then(|()| fs::write(folder.join(format!("{stem}.json")), serde_json::to_vec(&facts)?));
    tell(folder, written);
}

/// Writes the drawer's log.
pub(super) fn save_kicks(folder: Option<&Path>, kicks: &[Kick]) {
    let Some(folder) = folder else { return };
    let file = folder.join("drawer.json");
    tell(
        folder,
        serde_json::to_vec(kicks).map_err(io::Error::from).and_then(|b| fs::write(file, b)),
    );
}

fn tell(folder: &Path, written: io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, folder = %folder.display(), "a receipt could not be kept");
    }
}

/// Reads what an earlier run kept; what is broken is left out.
pub(super) fn load(folder: &Path) -> io::Result<(Vec<Receipt>, Vec<Kick>)> {
    fs::create_dir_all(folder)?;
    let mut receipts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let named = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("receipt-"));
        if !named || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        receipts.extend(receipt(&path));
    }
    receipts.sort_by_key(|receipt: &Receipt| receipt.number);
    let kicks = fs::read(folder.join("drawer.json")).unwrap_or_default();
    Ok((receipts, serde_json::from_slice(&kicks).unwrap_or_default()))
}

fn receipt(facts: &Path) -> Option<Receipt> {
    let Facts { number, at_ms, errors, torn } =
        serde_json::from_slice(&fs::read(facts).ok()?).ok()?;
    let text = fs::read_to_string(facts.with_extension("txt")).ok()?;
    let png = fs::read(facts.with_extension("png")).ok()?;
    Some(Receipt { number, at_ms, text, png, errors, torn })
}
