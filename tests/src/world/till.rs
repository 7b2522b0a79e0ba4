//! A cashier without a screen: reads the till's page, sells through the same route the
//! page's script uses.

use std::collections::HashMap;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::browse::{Answer, Browser};

/// The till as its page shows it.
#[derive(Debug)]
pub struct Till {
    pub browser: Browser,
    csrf: String,
    session: String,
    goods: Vec<Good>,
    /// How often each product was sold here.
    sold: HashMap<String, i64>,
}

/// A product in the grid.
#[derive(Debug, Clone)]
pub struct Good {
    pub product_id: String,
    pub price: String,
    pub available: String,
}

impl Till {
    /// Opens the till's page, and the till itself when it is closed.
    pub async fn open(mut browser: Browser) -> anyhow::Result<Self> {
        let mut page = browser.get("/till").await?;
        if let Some(path) = attribute_near(&page.body, "data-open-till", "href") {
            open_session(&mut browser, &path).await?;
            page = browser.get("/till").await?;
        }
        let body = &page.body;
        let session = attribute_near(body, "data-session=", "data-session").context("a session")?;
        let csrf = attribute_near(body, "data-csrf=", "data-csrf").context("a token")?;
        let goods = body
            .split("<button")
            .filter(|tag| tag.contains("data-product="))
            .filter_map(|tag| {
                Some(Good {
                    product_id: attribute(tag, "data-product")?,
                    price: attribute(tag, "data-price")?,
                    available: attribute(tag, "data-available")?,
                })
            })
            .collect::<Vec<_>>();
        if goods.is_empty() {
            bail!("the till shows no goods: {body}");
        }
        Ok(Self { browser, csrf, session, goods, sold: HashMap::new() })
    }

    /// The product of which most is left, what was sold here taken off.
    pub fn plenty(&self) -> anyhow::Result<Good> {
        let whole = |text: &str| text.split('.').next().and_then(|n| n.parse::<i64>().ok());
        let left = |good: &Good| {
            let sold = self.sold.get(&good.product_id).copied().unwrap_or(0);
            whole(&good.available).unwrap_or(0) - sold
        };
        let most = self.goods.iter().max_by_key(|good| left(good)).context("no goods")?;
        ensure!(left(most) > 0, "everything is sold out");
        Ok(most.clone())
    }

    /// The body of a sale of one piece, with the ticket's own id.
    pub fn sale_of_one(&self, ticket_id: Uuid, good: &Good) -> Value {
        json!({
            "ticket_id": ticket_id,
            "session_id": self.session,
            "lines": [{"product_id": good.product_id, "quantity": "1", "price": good.price}],
            "received": good.price,
        })
    }

    /// Asks for a sale; asking again with the same body is the same sale.
    pub async fn sell(&mut self, sale: &Value) -> anyhow::Result<Answer> {
        let answer = self.browser.post_json("/till/sell", &self.csrf, sale).await?;
        // A sale asked for twice counts twice here: less is left than there is, never more.
        if let (200, Some(sold)) = (answer.status, sale["lines"][0]["product_id"].as_str()) {
            *self.sold.entry(sold.to_owned()).or_default() += 1;
        }
        Ok(answer)
    }
}

async fn open_session(browser: &mut Browser, path: &str) -> anyhow::Result<()> {
    let form = browser.get(path).await?;
    let mut fields = Vec::new();
    for tag in form.body.split('<').filter(|tag| tag.starts_with("input")) {
        let Some(name) = attribute(tag, "name") else { continue };
        // The drawer is found empty; whoever opens says why that is not what was left.
        let value = if name == "reason" { Some("Essai".to_owned()) } else { None };
        let value = value.or_else(|| attribute(tag, "value"));
        fields.push((name, value.unwrap_or_default()));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post(path, &fields).await?;
    if answer.status != 303 {
        bail!("opening the till answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}

/// The value of an attribute inside the tag that holds `marker`.
fn attribute_near(html: &str, marker: &str, name: &str) -> Option<String> {
    let tag = html.split('<').find(|tag| tag.contains(marker))?;
    attribute(tag, name)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?;
    Some(value.split('"').next()?.to_owned())
}
