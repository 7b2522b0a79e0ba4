//! Pages that a printer has no letters for: what comes out of a printer that knows nothing of
//! Arabic is, dot for dot, what the preview shows.

use fournil_gateway::printer::profile::Profile;
use fournil_protocol::command::{Body, Policy, Print};

use super::*;

fn gallery() -> Vec<(String, Document)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/gallery");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), serde_json::from_str(&text).unwrap())
    };
    files.map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_gallery_comes_out_as_the_preview_shows_it() {
    for profile in ["epson-58", "epson-80", "generic-80", "simple-58"] {
        let width_dots = Profile::named(profile).unwrap().width_dots();
        let sim = PrinterSim::start(Args { width_dots, ..Args::for_tests() }).await.unwrap();
        let mut shop = Shop::at(&sim, profile);
        for (name, document) in gallery() {
            let printed = sim.receipts().len();
            let print = Print { document: document.clone(), copy_of: Vec::new() };
            let job = job(Policy::Ask, Body::Print(print));
            shop.send(job.clone()).await;
            let report = shop.outcome(job.id).await;
            assert_eq!(
                (report.state(), report.detail.as_str()),
                (CommandState::Done, ""),
                "{name}"
            );
            assert!(sim.until(SOON, |sim| sim.receipts().len() > printed).await, "{name}");
            let receipt = sim.receipts().pop().unwrap();
            assert_eq!(receipt.errors, Vec::<String>::new(), "{name} on {profile}");
            let profile = Profile::named(profile).unwrap();
            let expected = preview::draw(&render(&document, &profile, false), &profile);
            assert!(
                receipt.png == expected.to_png().unwrap(),
                "{name} on {}: the paper differs from the preview",
                profile.name
            );
        }
        shop.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_broken_off_in_the_middle_leaves_no_trace_on_the_next_page() {
    let sim = PrinterSim::start(Args::for_tests()).await.unwrap();
    let mut shop = Shop::at(&sim, "epson-58");
    let (_, arabic) =
        gallery().into_iter().find(|(name, _)| name.ends_with("ticket-ar.json")).unwrap();
    sim.switch(|switches| switches.drop_after_bytes = Some(9_000));
    let first = job(Policy::Ask, Body::Print(Print { document: arabic, copy_of: Vec::new() }));
    shop.send(first.clone()).await;
    let report = shop.outcome(first.id).await;
    assert_eq!(report.state(), CommandState::InDoubt, "{report:?}");
    let second = print(2);
    shop.send(second.clone()).await;
    let report = shop.outcome(second.id).await;
    assert_eq!(outcome_of(&report), (CommandState::Done, Evidence::TagReturned, ""));
    let receipts = sim.receipts();
    let last = receipts.last().unwrap();
    assert!(last.text.contains("TOTAL                1 490,00 DA"), "{}", last.text);
    assert_eq!(last.errors, Vec::<String>::new());
    shop.close().await;
}
