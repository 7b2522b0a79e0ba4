//! What a receipt says. Pure: facts and texts in, a document out; the shop's printer
//! decides what it looks like. Amounts use plain spaces, which every code page has.

use fournil_protocol::document::{Align, Cell, Columns, Document, Feed, Kind, Qr, Rule};

use crate::i18n::{Message, Texts};
use crate::money::Money;

/// The facts of one receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub company: String,
    /// One paragraph per line.
    pub address: String,
    pub legal_ids: String,
    pub store: String,
    /// Printed at the foot, under the thanks.
    pub footer: String,
    pub code: String,
    /// `24/11/2026 08:05` in the shop's zone.
    pub sold_at: String,
    pub cashier: String,
    pub lines: Vec<ReceiptLine>,
    pub total: Money,
    pub received: Money,
    pub change: Money,
    /// Pieces, and one for each thing weighed.
    pub articles: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptLine {
    pub name: String,
    /// `8` or `0,5 kg`.
    pub quantity: String,
    pub unit_price: Money,
    pub total: Money,
}

/// Makes the page of a receipt.
pub(super) fn document(receipt: &Receipt, texts: &Texts) -> Document {
    let mut page = Document {
        language: texts.language.to_owned(),
        title: receipt.code.clone(),
        blocks: Vec::new(),
    };
    page = page.heading(receipt.company.clone());
    for line in receipt.address.lines().chain(receipt.legal_ids.lines()) {
        page = page.text(line, Align::Centre);
    }
    page = page
        .rule()
        .pair(texts.get("till-receipt-ticket"), receipt.code.clone(), true)
        .pair(receipt.store.clone(), receipt.sold_at.clone(), false)
        .pair(texts.get("till-receipt-cashier"), receipt.cashier.clone(), false)
        .rule();
    for line in &receipt.lines {
        let detail = format!("  {} × {}", line.quantity, amount(line.unit_price));
        page = page.text(line.name.clone(), Align::Start).pair(detail, amount(line.total), false);
    }
    page = page
        .with(Kind::Rule(Rule { double: true }))
        .with(total(&texts.get("till-receipt-total"), receipt.total))
        .pair(texts.get("till-receipt-cash"), amount(receipt.received), false)
        .pair(texts.get("till-receipt-change"), amount(receipt.change), false);
    let articles = Message::new("till-receipt-articles").with("count", receipt.articles);
    page = page.text(texts.say(&articles), Align::Start).rule();
    page = page.text(texts.get("till-receipt-thanks"), Align::Centre);
    for line in receipt.footer.lines() {
        page = page.text(line, Align::Centre);
    }
    page.with(Kind::Feed(Feed { lines: 1 })).with(Kind::Qr(Qr { data: receipt.code.clone() }))
}

fn total(label: &str, amount_due: Money) -> Kind {
    let cell = |text: String, align: Align, weight| Cell { text, align: align as i32, weight };
    Kind::Columns(Columns {
        cells: vec![
            cell(label.to_owned(), Align::Start, 1),
            cell(amount(amount_due), Align::End, 0),
        ],
        bold: true,
        size: 2,
    })
}

/// `1 234,50` with a plain space.
fn amount(money: Money) -> String {
    money.french().replace('\u{202f}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Catalogue;

    fn receipt() -> Receipt {
        Receipt {
            company: "Boulangerie El Baraka".into(),
            address: "12, rue des Frères Bouadou\nBirkhadem, Alger".into(),
            legal_ids: "RC 16/00-0000000 B 00".into(),
            store: "Magasin".into(),
            footer: "Échange le jour même".into(),
            code: "T-2026-000123".into(),
            sold_at: "24/11/2026 08:05".into(),
            cashier: "Nadia".into(),
            lines: vec![
                ReceiptLine {
                    name: "Msemen".into(),
                    quantity: "8".into(),
                    unit_price: Money::whole(50),
                    total: Money::whole(400),
                },
                ReceiptLine {
                    name: "Baklawa aux amandes".into(),
                    quantity: "0,5 kg".into(),
                    unit_price: Money::whole(2_800),
                    total: Money::whole(1_400),
                },
            ],
            total: Money::whole(1_800),
            received: Money::whole(2_000),
            change: Money::whole(200),
            articles: 9,
        }
    }

    #[test]
    fn the_receipt_reads_as_the_golden_page() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let page = document(&receipt(), &texts);
        let json = serde_json::to_string_pretty(&page).expect("a document is JSON") + "\n";
        let golden = include_str!("golden/receipt.json");
        assert_eq!(json, golden, "if the change is meant, put this into golden/receipt.json");
    }
}
