//! One journey in a real browser: sign in, see punches appear, sell, see the receipt
//! printed, sell without a mouse, lose an answer. The pictures it takes are those of the
//! README (`make screenshots`).

mod pages;

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::{Client, Locator};
use fournil_tests::world::chromium::Chromium;
use fournil_tests::world::shop::Shop;

const WAIT: Duration = Duration::from_secs(20);

/// Where pictures go, when they are wanted.
fn pictures() -> Option<PathBuf> {
    std::env::var_os("FOURNIL_SCREENSHOTS").map(PathBuf::from)
}

async fn picture(browser: &Chromium, name: &str) {
    if let Some(folder) = pictures() {
        browser.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }
}

async fn wait_for(page: &Client, css: &str) -> fantoccini::elements::Element {
    match page.wait().at_most(WAIT).for_element(Locator::Css(css)).await {
        Ok(element) => element,
        Err(error) => {
            let shown = page.source().await.unwrap_or_default();
            panic!("'{css}' never appeared: {error}\n{shown}");
        }
    }
}

async fn click(page: &Client, css: &str) {
    wait_for(page, css).await.click().await.unwrap();
}

async fn sign_in(browser: &Chromium, base: &str, shop: &Shop) {
    let page = &browser.client;
    page.goto(&format!("{base}/login")).await.unwrap();
    picture(browser, "connexion").await;
    wait_for(page, "input[name=email]").await.send_keys(&shop.owner.email).await.unwrap();
    wait_for(page, "input[name=password]").await.send_keys(&shop.owner.password).await.unwrap();
    click(page, "form button[type=submit], form button:not([type])").await;
    wait_for(page, "nav").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_see_punches_appear_sell_and_see_the_receipt_printed() {
    let shop = Shop::open().await.unwrap();
    let browser = Chromium::open(1366, 768).await.unwrap();
    let page = &browser.client;
    let base = format!("https://localhost:{}", shop.address.port());

    sign_in(&browser, &base, &shop).await;
    picture(&browser, "accueil").await;

    // Punches appear by themselves.
    page.goto(&format!("{base}/punches")).await.unwrap();
    wait_for(page, "main").await;
    let count = "return document.querySelectorAll('[data-punch]').length";
    let before = page.execute(count, vec![]).await.unwrap().as_u64().unwrap();
    shop.clock.punch("2", 0).unwrap();
    shop.clock.punch("5", 0).unwrap();
    let appeared = async {
        while page.execute(count, vec![]).await.unwrap().as_u64().unwrap() < before + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT, appeared).await.expect("the punches appear without a reload");
    picture(&browser, "pointages").await;

    page.goto(&format!("{base}/gateways")).await.unwrap();
    wait_for(page, "main").await;
    picture(&browser, "passerelles").await;

    sell_two(page, &base, &browser).await;
    let number =
        wait_for(page, "dialog[open] [data-ticket-number]:not(:empty)").await.text().await.unwrap();
    assert!(number.starts_with("T-"), "{number}");
    wait_for(page, "dialog[open] [data-print-state=printed]").await;
    picture(&browser, "vendu").await;
    let receipts = shop.printer.receipts();
    let receipt = receipts.iter().find(|receipt| receipt.text.contains(number.trim()));
    let receipt = receipt.expect("the receipt of this ticket is on paper");
    if let Some(folder) = pictures() {
        std::fs::write(folder.join("ticket.png"), &receipt.png).unwrap();
    }
    sell_without_a_mouse(page).await;
    a_lost_answer_is_one_sale(page, &shop).await;
    browser.close().await.unwrap();
}

async fn sell_two(page: &Client, base: &str, browser: &Chromium) {
    page.goto(&format!("{base}/till")).await.unwrap();
    wait_for(page, "main").await;
    if page.find(Locator::Css("[data-session-closed]")).await.is_ok() {
        click(page, "[data-open-till]").await;
        wait_for(page, "[name=pieces-100]").await.send_keys("20").await.unwrap();
        if let Ok(reason) = page.find(Locator::Css("[data-reason]")).await {
            reason.send_keys("Fonds de caisse du jour").await.unwrap();
        }
        click(page, "[data-count] .button--primary").await;
    }
    let goods = "[data-product]:not(.is-out)";
    wait_for(page, "[data-till][data-ready]").await;
    for good in page.find_all(Locator::Css(goods)).await.unwrap().into_iter().take(2) {
        good.click().await.unwrap();
    }
    picture(browser, "caisse").await;
    click(page, "[data-pay]").await;
    click(page, "[data-amount=exact]").await;
    click(page, "[data-validate]").await;
}

const ENTER: &str = "\u{e007}";
const F7: &str = "\u{e037}";

/// Presses keys wherever the focus is; says how many there were.
async fn press(page: &Client, keys: &str) -> usize {
    page.active_element().await.unwrap().send_keys(keys).await.unwrap();
    keys.chars().count()
}

/// Three things, cash, change: nine keys, and the page is ready for the next customer.
async fn sell_without_a_mouse(page: &Client) {
    press(page, ENTER).await;
    wait_for(page, "[data-search]:focus").await;
    let mut pressed = 0;
    for letter in ["b", "m", "k"] {
        pressed += press(page, &format!("{letter}{ENTER}")).await;
    }
    let lines = page.find_all(Locator::Css("[data-line]")).await.unwrap();
    assert_eq!(lines.len(), 3);
    pressed += press(page, ENTER).await;
    wait_for(page, "[data-pay-dialog][open]").await;
    pressed += press(page, F7).await;
    pressed += press(page, ENTER).await;
    wait_for(page, "[data-sold-dialog][open] [data-ticket-number]:not(:empty)").await;
    let received = wait_for(page, "[data-sold-received]").await.text().await.unwrap();
    assert!(received.starts_with("1\u{202f}000"), "{received}");
    assert_eq!(pressed, 9);
    press(page, ENTER).await;
    wait_for(page, "[data-search]:focus").await;
}

/// The server sold, its answer was lost, and the next answer speaks of something else: the
/// sale stays pending under its own id until the ticket itself comes back.
async fn a_lost_answer_is_one_sale(page: &Client, shop: &Shop) {
    const WIRE: &str = "const wire = window.fetch;
        window.answers = ['lost', 'signed-out'];
        window.fetch = async (path, options) => {
            const answer = path === '/till/sell' ? window.answers.shift() : undefined;
            if (answer === 'lost') { await wire(path, options); throw new TypeError('lost'); }
            if (answer !== 'signed-out') return wire(path, options);
            const body = { error: { status: 401, code: 'error-sign-in', message: 'Reconnexion' } };
            return new Response(JSON.stringify(body), { status: 401 });
        };";
    let tickets = "select count(*) from tickets";
    let before = shop.count(tickets).await.unwrap();
    page.execute(WIRE, vec![]).await.unwrap();
    press(page, &format!("b{ENTER}")).await;
    press(page, ENTER).await;
    wait_for(page, "[data-pay-dialog][open]").await;
    press(page, ENTER).await;
    wait_for(page, "[data-unsettled]:not([hidden])").await;
    click(page, "[data-retry]").await;
    let told = "return document.querySelector('[data-message]').textContent";
    let signed_out = async {
        while !page.execute(told, vec![]).await.unwrap().to_string().contains("Reconnexion") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT, signed_out).await.expect("the answer is told");
    wait_for(page, "[data-unsettled]:not([hidden])").await;
    wait_for(page, "[data-pay]:disabled").await;
    click(page, "[data-retry]").await;
    wait_for(page, "[data-sold-dialog][open] [data-ticket-number]:not(:empty)").await;
    assert_eq!(shop.count(tickets).await.unwrap(), before + 1);
}
