//! A receipt to a printer's bytes: as text, and in Arabic as dots; beside python-escpos making
//! the like.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use fournil_gateway::printer::escpos;
use fournil_gateway::printer::profile::Profile;
use fournil_gateway::printer::render::render;
use fournil_protocol::document::Document;

const LINES: usize = 40;
const TIMES: usize = 200;

/// Documents to bytes.
pub(super) async fn rows() -> anyhow::Result<()> {
    let french = receipt("fr", "Fournil", "Pâte d'amande à l'œuf");
    let arabic = receipt("ar", "المخبزة", "خبز الريف");
    let (text_s, text_bytes) = bytes(&french)?;
    let (raster_s, raster_bytes) = bytes(&arabic)?;
    for (what, seconds, count) in
        [("as text", text_s, text_bytes), ("in Arabic, as dots", raster_s, raster_bytes)]
    {
        println!(
            "a receipt of {LINES} lines {what}: {:.3} ms, {:.0} a second, {count} bytes",
            seconds * 1_000.0,
            1.0 / seconds
        );
    }
    match by_python().await {
        Ok((text, raster)) => {
            let (text, raster) = (text / text_s, raster / raster_s);
            println!("python-escpos takes {text:.0} times as long for text, {raster:.1} for dots");
        }
        Err(error) => println!("the same by python-escpos: not measured ({error:#})"),
    }
    Ok(())
}

fn receipt(language: &str, heading: &str, product: &str) -> Document {
    let start = Document { language: language.to_owned(), ..Document::default() };
    (0..LINES).fold(start.heading(heading), |document, number| {
        document.pair(format!("{number} x {product}"), format!("{number}0,00"), false)
    })
}

/// Seconds for one, the best of many, and its bytes.
fn bytes(document: &Document) -> anyhow::Result<(f64, usize)> {
    let profile = Profile::named("epson-80").context("a profile")?;
    let mut best = f64::INFINITY;
    let mut count = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        let segments = escpos::encode(&render(document, &profile, false), &profile, None);
        best = best.min(began.elapsed().as_secs_f64());
        count = segments.iter().map(|segment| segment.bytes.len()).sum();
    }
    Ok((best, count))
}

async fn by_python() -> anyhow::Result<(f64, f64)> {
    let python = std::env::var("FOURNIL_PYTHON").context("FOURNIL_PYTHON is not set")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/escpos_receipt.py");
    let mut command = tokio::process::Command::new(python);
    let said = command.arg(script).arg(LINES.to_string()).output().await?;
    if !said.status.success() {
        bail!("{}", String::from_utf8_lossy(&said.stderr).trim());
    }
    // python-escpos warns on the same stream.
    let said = String::from_utf8_lossy(&said.stdout);
    let said: serde_json::Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let value = |name: &str| said.get(name).and_then(serde_json::Value::as_f64);
    let seconds = |name: &str| value(name).with_context(|| format!("no {name}"));
    Ok((seconds("text_s")?, seconds("raster_s")?))
}
