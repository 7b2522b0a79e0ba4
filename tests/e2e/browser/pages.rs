//! Every page of the menu, on the screen of an office and on a phone: it comes, its
//! scripts find nothing wrong, and nothing is wider than the screen.

use fournil_tests::world::chromium::Chromium;
use fournil_tests::world::shop::Shop;
use fournil_tests::world::till::Till;

use super::{click, picture, sign_in, wait_for};

/// Where the menu leads, and what the picture is called. The journey takes better ones of
/// the pages that live.
const PAGES: &[(&str, &str)] = &[
    ("/", "accueil"),
    ("/till", "caisse"),
    ("/tickets", "tickets"),
    ("/punches", "pointages"),
    ("/employees", "employes"),
    ("/catalog", "catalogue"),
    ("/stock", "stock"),
    ("/recipes", "recettes"),
    ("/accounting/journal", "ecritures"),
    ("/gateways", "passerelles"),
    ("/gateways/new", "nouvelle-passerelle"),
    ("/users", "utilisateurs"),
    ("/audit", "activite"),
    ("/account", "compte"),
];

const OF_THE_JOURNEY: &[&str] = &["accueil", "caisse", "pointages", "passerelles"];
const PHONE: &str = "a phone";

/// What is wrong with the page that is shown; nothing when all is well.
const FAULTS: &str = "
    const faults = [];
    const wide = document.documentElement.scrollWidth - window.innerWidth;
    if (wide > 1) faults.push(`wider than the screen by ${wide} px`);
    const status = performance.getEntriesByType('navigation')[0].responseStatus;
    if (status !== 200) faults.push(`status ${status}`);
    if (!document.querySelector('h1')) faults.push('no heading');
    for (const field of document.querySelectorAll('main input:not([type=hidden]):not([hidden]), main select'))
        if (!field.labels?.length && !field.getAttribute('aria-label'))
            faults.push(`a field without a name: ${field.name || field.outerHTML}`);
    return faults;";

async fn look_at_all(browser: &Chromium, base: &str, screen: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, name) in PAGES {
        browser.client.goto(&format!("{base}{path}")).await.unwrap();
        wait_for(&browser.client, "main").await;
        let found = browser.client.execute(FAULTS, vec![]).await.unwrap();
        for fault in found.as_array().unwrap() {
            faults.push(format!("{path} on {screen}: {fault}"));
        }
        for line in browser.errors().await.unwrap() {
            faults.push(format!("{path} on {screen}: {line}"));
        }
        if screen == PHONE {
            picture(browser, &format!("telephone-{name}")).await;
        } else if !OF_THE_JOURNEY.contains(name) {
            picture(browser, name).await;
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_menu_is_whole_on_a_wide_screen_and_on_a_phone() {
    let shop = Shop::open().await.unwrap();
    Till::open(shop.owner().await.unwrap()).await.unwrap();
    let base = format!("https://localhost:{}", shop.address.port());
    let mut faults = Vec::new();
    for (width, height, screen) in [(1366, 768, "a wide screen"), (390, 844, PHONE)] {
        let browser = Chromium::open(width, height).await.unwrap();
        sign_in(&browser, &base, &shop).await;
        faults.extend(look_at_all(&browser, &base, screen).await);
        browser.close().await.unwrap();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn faults_of(browser: &Chromium, what: &str) -> Vec<String> {
    let found = browser.client.execute(FAULTS, vec![]).await.unwrap();
    let found = found.as_array().unwrap().iter().map(|fault| format!("{what}: {fault}"));
    let mut faults: Vec<String> = found.collect();
    faults.extend(browser.errors().await.unwrap().iter().map(|line| format!("{what}: {line}")));
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateways_page_and_its_code_are_whole_on_a_wide_screen_and_on_a_phone() {
    let shop = Shop::open().await.unwrap();
    let base = format!("https://localhost:{}", shop.address.port());
    let mut faults = Vec::new();
    for (width, height, screen, before) in
        [(1366, 768, "a wide screen", ""), (390, 844, PHONE, "telephone-")]
    {
        let browser = Chromium::open(width, height).await.unwrap();
        let page = &browser.client;
        sign_in(&browser, &base, &shop).await;
        page.goto(&format!("{base}/gateways")).await.unwrap();
        click(page, "[data-gateway-live=online] h2 a").await;
        wait_for(page, "#gateway-keys [data-key-state=active]").await;
        faults.extend(faults_of(&browser, &format!("a gateway on {screen}")).await);
        picture(&browser, &format!("{before}passerelle")).await;
        page.execute("document.querySelector('#gateway-keys').scrollIntoView()", vec![])
            .await
            .unwrap();
        picture(&browser, &format!("{before}passerelle-cles")).await;
        page.goto(&format!("{base}/gateways/new")).await.unwrap();
        wait_for(page, "#name").await.send_keys(&format!("Atelier {width}")).await.unwrap();
        click(page, "main form button[type=submit]").await;
        wait_for(page, "[data-authority]").await;
        faults.extend(faults_of(&browser, &format!("a code on {screen}")).await);
        picture(&browser, &format!("{before}code")).await;
        browser.close().await.unwrap();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
