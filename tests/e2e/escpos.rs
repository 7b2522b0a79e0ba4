//! The simulated printer judged by python-escpos, a separate program by other people:
//! it must parse its stream without an error and answer its questions sanely.
//!
//! The interpreter comes from `FOURNIL_PYTHON` (a virtual environment with python-escpos).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fournil_tests::printer_sim::{Args, PrinterSim};
use tokio::process::Command;

const JUDGE_TIMEOUT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn python_escpos_prints_on_the_simulated_printer_and_reads_its_status() {
    let python = std::env::var("FOURNIL_PYTHON")
        .expect("FOURNIL_PYTHON is not set: `make test` makes an interpreter with python-escpos");
    let sim = PrinterSim::start(Args { width_dots: 576, ..Args::for_tests() }).await.unwrap();
    let said = judge(&python, &sim).await;
    assert_eq!(said, serde_json::json!({"online": true, "paper": 2, "paper_after": 2}));

    assert!(sim.until(Duration::from_secs(5), |sim| sim.kicks().len() == 1).await);
    let receipts = sim.receipts();
    assert_eq!(receipts.len(), 1, "{receipts:?}");
    assert_eq!(receipts[0].errors, Vec::<String>::new());
    let text = &receipts[0].text;
    for part in [
        "FOURNIL",
        "Pâte à crêpes, œuf, thé glacé",
        "[QR https://fournil.example/t/1]",
        "[barcode 5901234123457]",
        "[image]",
        "Merci",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }

    sim.switch(|switches| switches.paper_low = true);
    assert_eq!(judge(&python, &sim).await["paper"], 1);
}

async fn judge(python: &str, sim: &PrinterSim) -> serde_json::Value {
    let address = sim.address().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/escpos_judge.py");
    let running = Command::new(python)
        .arg(script)
        .args([address.ip().to_string(), address.port().to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(JUDGE_TIMEOUT, running).await.unwrap().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    // The library prints remarks of its own before our line.
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}
