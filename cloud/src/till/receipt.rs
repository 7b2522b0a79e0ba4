//! What a receipt says. Pure: facts and texts in, a document out; the shop's printer
//! decides what it looks like. Amounts use plain spaces, which every code page has.

use fournil_protocol::document::{Align, Cell, Columns, Document, Feed, Kind, Qr, Rule};

use crate::catalog::Unit;
use crate::i18n::{Message, Texts};
use crate::money::Money;
use crate::quantity::Quantity;

/// The facts of one receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Of the company: the paper is the customer's, whoever sells.
    pub language: String,
    pub company: String,
    /// One paragraph per line.
    pub address: String,
    pub legal_ids: String,
    pub store: String,
    pub till: String,
    /// Printed at the foot, under the thanks.
    pub footer: String,
    pub code: String,
    /// `24/11/2026 08:05` in the shop's zone.
    pub sold_at: String,
    pub cashier: String,
    pub lines: Vec<ReceiptLine>,
    pub total: Money,
    /// What rounding the cash to whole dinars added.
    pub rounding: Money,
    pub received: Money,
    pub change: Money,
    /// Pieces, and one for each thing weighed.
    pub articles: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptLine {
    pub name: String,
    /// In the sale unit.
    pub quantity: Quantity,
    pub unit: Unit,
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
        .pair(texts.get("till-receipt-till"), receipt.till.clone(), false)
        .pair(texts.get("till-receipt-cashier"), receipt.cashier.clone(), false)
        .rule();
    for line in &receipt.lines {
        let quantity = quantity(line, texts);
        let detail = format!("  {quantity} × {}", amount(line.unit_price));
        page = page.text(line.name.clone(), Align::Start).pair(detail, amount(line.total), false);
    }
    page = page
        .with(Kind::Rule(Rule { double: true }))
        .with(total(&texts.get("till-receipt-total"), receipt.total));
    if !receipt.rounding.is_zero() {
        let due = receipt.total + receipt.rounding;
        page = page.pair(texts.get("till-receipt-rounding"), amount(receipt.rounding), false).pair(
            texts.get("till-receipt-due"),
            amount(due),
            true,
        );
    }
    page = page.pair(texts.get("till-receipt-cash"), amount(receipt.received), false).pair(
        texts.get("till-receipt-change"),
        amount(receipt.change),
        false,
    );
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

/// `8` or `0,5 kg`: on narrow paper a bare number is a number of pieces.
fn quantity(line: &ReceiptLine, texts: &Texts) -> String {
    let shown = if line.unit.is_counted() {
        line.quantity.french()
    } else {
        texts.say(&line.unit.quantity(line.quantity))
    };
    shown.replace('\u{202f}', " ")
}

/// `1 234,50` with a plain space.
fn amount(money: Money) -> String {
    money.french().replace('\u{202f}', " ")
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::i18n::Catalogue;

    fn receipt() -> Receipt {
        Receipt {
            language: "fr".into(),
            company: "Boulangerie El Baraka".into(),
            address: "12, rue des Frères Bouadou\nBirkhadem, Alger".into(),
            legal_ids: "RC 16/00-0000000 B 00\nNIF 000000000000000".into(),
            store: "Magasin".into(),
            till: "Caisse 1".into(),
            footer: "Échange le jour même".into(),
            code: "T-2026-000123".into(),
            sold_at: "24/11/2026 08:05".into(),
            cashier: "Nadia".into(),
            lines: vec![
                ReceiptLine {
                    name: "Msemen".into(),
                    quantity: Quantity::whole(8),
                    unit: Unit::Piece,
                    unit_price: Money::whole(50),
                    total: Money::whole(400),
                },
                ReceiptLine {
                    name: "Baklawa aux amandes".into(),
                    quantity: Quantity::rounded(Decimal::new(333, 3)),
                    unit: Unit::Kg,
                    unit_price: Money::whole(2_800),
                    total: Money::rounded(Decimal::new(93_240, 2)),
                },
            ],
            total: Money::rounded(Decimal::new(133_240, 2)),
            rounding: Money::rounded(Decimal::new(-40, 2)),
            received: Money::whole(2_000),
            change: Money::whole(668),
            articles: 9,
        }
    }

    #[test]
    fn the_receipt_reads_as_the_golden_page() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let page = document(&receipt(), &texts);
        let json = serde_json::to_string_pretty(&page).expect("a document is JSON") + "\n";
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/till/golden/receipt.json");
        if std::env::var_os("FOURNIL_WRITE_GOLDEN").is_some() {
            std::fs::write(file, &json).expect("the golden page can be written");
        }
        let golden = std::fs::read_to_string(file).expect("the golden page");
        assert_eq!(json, golden, "if the change is meant, write it with FOURNIL_WRITE_GOLDEN=1");
    }

    #[test]
    fn rounding_is_on_the_paper_only_where_there_is_any() {
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let said = |rounding| {
            let page = document(&Receipt { rounding, ..receipt() }, &texts);
            serde_json::to_string(&page).expect("a document is JSON")
        };
        assert!(said(receipt().rounding).contains("Arrondi"));
        assert!(!said(Money::ZERO).contains("Arrondi"));
    }
}
