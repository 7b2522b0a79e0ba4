//! The goods of the demonstration: what is sold, bought and used, the recipes, and what
//! lay in stock on the first day, with its entry.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::Places;
use crate::accounting::{self, Journal, Line, Posting, account, goods_accounts};
use crate::catalog::{self, NewCategory, NewProduct, ProductKind, Unit};
use crate::db::Act;
use crate::money::Money;
use crate::quantity::Quantity;
use crate::recipes::{self, NewRecipe, NewRecipeLine};
use crate::stock::{self, Receipt, Source};
use crate::time;

/// (name, emoji, colour, at the till)
const CATEGORIES: &[(&str, &str, &str, bool)] = &[
    ("Pains", "🥖", "amber", true),
    ("Viennoiseries", "🥐", "sand", true),
    ("Pâtes et galettes", "🫓", "olive", true),
    ("Gâteaux", "🍯", "rose", true),
    ("Salés", "🥟", "violet", true),
    ("Boissons", "🥤", "sky", true),
    ("Ingrédients", "🌾", "slate", false),
    ("Emballages", "📦", "slate", false),
];

/// What is sold: (code, name, category, unit, price, cost, on the counter).
type Sold = (&'static str, &'static str, usize, Unit, i64, i64, i64);
const FINISHED: &[Sold] = &[
    ("BAG", "Baguette", 0, Unit::Piece, 15, 9, 900),
    ("PAM", "Pain amélioré", 0, Unit::Piece, 20, 11, 500),
    ("PCO", "Pain complet", 0, Unit::Piece, 35, 19, 200),
    ("POR", "Pain d'orge", 0, Unit::Piece, 40, 22, 200),
    ("KES", "Kesra", 0, Unit::Piece, 50, 24, 200),
    ("MAT", "Matlouh", 0, Unit::Piece, 40, 20, 300),
    ("CRO", "Croissant", 1, Unit::Piece, 40, 21, 400),
    ("CRA", "Croissant aux amandes", 1, Unit::Piece, 90, 48, 150),
    ("PCH", "Pain au chocolat", 1, Unit::Piece, 50, 27, 300),
    ("BRI", "Brioche", 1, Unit::Piece, 60, 31, 200),
    ("MIL", "Mille-feuille", 1, Unit::Piece, 80, 42, 150),
    ("ECL", "Éclair au chocolat", 1, Unit::Piece, 80, 40, 150),
    ("BEI", "Beignet au sucre", 1, Unit::Piece, 30, 14, 250),
    ("MSE", "Msemen", 2, Unit::Piece, 50, 18, 300),
    ("BGH", "Baghrir", 2, Unit::Piece, 30, 11, 300),
    ("TRI", "Trid", 2, Unit::Kg, 480, 230, 60),
    ("REC", "Rechta", 2, Unit::Kg, 400, 190, 80),
    ("COU", "Couscous roulé main", 2, Unit::Kg, 520, 260, 80),
    ("CHK", "Chakhchoukha", 2, Unit::Kg, 480, 240, 60),
    ("BAK", "Baklawa aux amandes", 3, Unit::Kg, 2_800, 1_450, 40),
    ("MAK", "Makrout au miel", 3, Unit::Kg, 1_600, 780, 50),
    ("GRI", "Griwech", 3, Unit::Kg, 1_400, 650, 40),
    ("TCH", "Tcharek el ariane", 3, Unit::Kg, 2_400, 1_200, 30),
    ("DZI", "Dziriette", 3, Unit::Piece, 120, 64, 200),
    ("KAL", "Kalb el louz", 3, Unit::Piece, 80, 37, 250),
    ("ZLA", "Zlabia", 3, Unit::Kg, 600, 250, 60),
    ("GHR", "Ghribia", 3, Unit::Kg, 1_200, 560, 40),
    ("SAB", "Sablé confiture", 3, Unit::Piece, 50, 22, 250),
    ("PIZ", "Part de pizza", 4, Unit::Piece, 100, 48, 250),
    ("BOU", "Bourek viande hachée", 4, Unit::Piece, 120, 63, 200),
    ("MHJ", "Mhadjeb", 4, Unit::Piece, 60, 27, 250),
    ("QUI", "Quiche au fromage", 4, Unit::Piece, 180, 92, 100),
    ("COC", "Coca (chausson poivron)", 4, Unit::Piece, 70, 33, 200),
];
const RESALE: &[Sold] = &[
    ("EAU", "Eau minérale 50 cl", 5, Unit::Piece, 30, 20, 240),
    ("EA1", "Eau minérale 1,5 l", 5, Unit::Piece, 45, 31, 180),
    ("JUS", "Jus d'orange 1 l", 5, Unit::Piece, 140, 104, 90),
    ("LIM", "Limonade 1 l", 5, Unit::Piece, 100, 72, 120),
    ("LBN", "Lben 1 l", 5, Unit::Piece, 80, 58, 90),
    ("LAI", "Lait en sachet", 5, Unit::Piece, 25, 23, 150),
    ("CAF", "Café moulu 250 g", 5, Unit::Piece, 320, 262, 60),
];

/// What is bought and used: (code, name, unit, cost, in the store room).
type Used = (&'static str, &'static str, Unit, i64, i64);
const INGREDIENTS: &[Used] = &[
    ("I-FAR", "Farine", Unit::Kg, 42, 900),
    ("I-SEM", "Semoule fine", Unit::Kg, 62, 500),
    ("I-SUC", "Sucre", Unit::Kg, 95, 200),
    ("I-BEU", "Beurre", Unit::Kg, 1_030, 60),
    ("I-HUI", "Huile", Unit::L, 125, 120),
    ("I-OEU", "Œufs", Unit::Piece, 18, 900),
    ("I-LEV", "Levure", Unit::Kg, 845, 15),
    ("I-SEL", "Sel", Unit::Kg, 30, 60),
    ("I-LAI", "Lait en poudre", Unit::Kg, 780, 30),
    ("I-AMA", "Amandes", Unit::Kg, 1_650, 45),
    ("I-MIE", "Miel", Unit::Kg, 920, 40),
    ("I-DAT", "Pâte de dattes", Unit::Kg, 360, 60),
    ("I-CHO", "Chocolat", Unit::Kg, 1_480, 20),
    ("I-EFO", "Eau de fleur d'oranger", Unit::L, 340, 20),
    ("I-FRO", "Fromage râpé", Unit::Kg, 1_150, 15),
    ("I-VIA", "Viande hachée", Unit::Kg, 1_900, 20),
];
const CONSUMABLES: &[Used] = &[
    ("E-SAC", "Sachet papier", Unit::Piece, 2, 4_000),
    ("E-B06", "Boîte 1 à 6 pièces", Unit::Piece, 22, 400),
    ("E-B12", "Boîte 7 à 12 pièces", Unit::Piece, 35, 300),
    ("E-B25", "Boîte 13 à 25 pièces", Unit::Piece, 52, 200),
    ("E-PLA", "Plateau carton", Unit::Piece, 30, 250),
    ("E-ROU", "Rouleau de tickets", Unit::Piece, 90, 60),
];

/// (code, pieces or kilograms it gives, ingredients in thousandths)
type RecipeOf = (&'static str, i64, &'static [(&'static str, i64, Unit)]);
const RECIPES: &[RecipeOf] = &[
    (
        "BAG",
        120,
        &[("I-FAR", 25_000, Unit::Kg), ("I-LEV", 300_000, Unit::G), ("I-SEL", 400_000, Unit::G)],
    ),
    (
        "CRO",
        90,
        &[
            ("I-FAR", 5_000, Unit::Kg),
            ("I-BEU", 1_200, Unit::Kg),
            ("I-SUC", 600_000, Unit::G),
            ("I-LEV", 120_000, Unit::G),
            ("I-OEU", 10_000, Unit::Piece),
        ],
    ),
    (
        "MSE",
        100,
        &[("I-SEM", 6_000, Unit::Kg), ("I-FAR", 2_000, Unit::Kg), ("I-HUI", 2_500, Unit::L)],
    ),
    ("BGH", 150, &[("I-SEM", 8_000, Unit::Kg), ("I-LEV", 150_000, Unit::G)]),
    ("REC", 11, &[("I-FAR", 6_000, Unit::Kg), ("I-SEM", 5_000, Unit::Kg)]),
    ("COU", 12, &[("I-SEM", 12_000, Unit::Kg), ("I-FAR", 500_000, Unit::G)]),
    (
        "BAK",
        6,
        &[
            ("I-FAR", 1_500, Unit::Kg),
            ("I-AMA", 2_200, Unit::Kg),
            ("I-BEU", 900_000, Unit::G),
            ("I-MIE", 1_600, Unit::Kg),
            ("I-EFO", 100_000, Unit::Ml),
        ],
    ),
    (
        "MAK",
        10,
        &[
            ("I-SEM", 5_000, Unit::Kg),
            ("I-DAT", 3_000, Unit::Kg),
            ("I-BEU", 1_000, Unit::Kg),
            ("I-MIE", 2_000, Unit::Kg),
        ],
    ),
    (
        "KAL",
        60,
        &[("I-SEM", 4_000, Unit::Kg), ("I-AMA", 1_000, Unit::Kg), ("I-SUC", 3_000, Unit::Kg)],
    ),
];

/// What of a product lies where on the first day.
struct Opening {
    kind: ProductKind,
    location: Uuid,
    receipt: Receipt,
}

/// Makes everything, with the opening stock and its entry.
pub(super) async fn make(act: &mut Act, places: &Places, at: DateTime<Utc>) -> Result<()> {
    let categories = make_categories(act).await?;
    let mut ids: HashMap<&str, Uuid> = HashMap::new();
    let mut opening = Vec::new();
    for (kind, list) in [(ProductKind::Finished, FINISHED), (ProductKind::Resale, RESALE)] {
        for &(sku, name, category, unit, price, cost, quantity) in list {
            let product = NewProduct {
                id: Uuid::now_v7(),
                sku: sku.to_owned(),
                name: name.to_owned(),
                kind,
                category_id: *categories.get(category).context("a category of the list")?,
                base_unit: unit,
                sale_unit: unit,
                sale_factor: Quantity::ONE,
                price: Some(Money::whole(price)),
                emoji: String::new(),
            };
            opening.push(add(act, kind, places.counter, &product, cost, quantity, at).await?);
            ids.insert(sku, product.id);
        }
    }
    let used =
        [(ProductKind::Ingredient, 6, INGREDIENTS), (ProductKind::Consumable, 7, CONSUMABLES)];
    for (kind, category, list) in used {
        for &(sku, name, unit, cost, quantity) in list {
            let product = NewProduct {
                id: Uuid::now_v7(),
                sku: sku.to_owned(),
                name: name.to_owned(),
                kind,
                category_id: *categories.get(category).context("a category of the list")?,
                base_unit: unit,
                sale_unit: unit,
                sale_factor: Quantity::ONE,
                price: None,
                emoji: String::new(),
            };
            opening.push(add(act, kind, places.reserve, &product, cost, quantity, at).await?);
            ids.insert(sku, product.id);
        }
    }
    make_recipes(act, places, &ids).await?;
    receive_opening(act, places, &opening, at).await
}

async fn make_categories(act: &mut Act) -> Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for (position, (name, emoji, colour, at_till)) in (1_i32..).zip(CATEGORIES) {
        let category = NewCategory {
            id: Uuid::now_v7(),
            name: (*name).to_owned(),
            position,
            emoji: (*emoji).to_owned(),
            colour: (*colour).to_owned(),
            at_till: *at_till,
        };
        catalog::add_category(act, &category).await?;
        ids.push(category.id);
    }
    Ok(ids)
}

async fn add(
    act: &mut Act,
    kind: ProductKind,
    location: Uuid,
    product: &NewProduct,
    cost: i64,
    quantity: i64,
    at: DateTime<Utc>,
) -> Result<Opening> {
    catalog::add_product(act, product, at).await?;
    let quantity = Quantity::whole(quantity);
    let value = Money::whole(cost).times(quantity);
    Ok(Opening { kind, location, receipt: Receipt { product_id: product.id, quantity, value } })
}

async fn make_recipes(act: &mut Act, places: &Places, ids: &HashMap<&str, Uuid>) -> Result<()> {
    let id = |sku: &str| ids.get(sku).copied().with_context(|| format!("product {sku}"));
    for (sku, gives, ingredients) in RECIPES {
        let mut lines = Vec::new();
        for &(ingredient, thousandths, unit) in *ingredients {
            let quantity = Quantity::rounded(Decimal::new(thousandths, 3));
            lines.push(NewRecipeLine { ingredient_id: id(ingredient)?, quantity, unit });
        }
        let recipe = NewRecipe {
            id: Uuid::now_v7(),
            product_id: id(sku)?,
            lab_id: places.lab,
            yield_quantity: Quantity::whole(*gives),
            lines,
        };
        recipes::add_recipe(act, &recipe).await?;
    }
    Ok(())
}

/// Stock with its value, and the entry that says where it came from.
async fn receive_opening(
    act: &mut Act,
    places: &Places,
    opening: &[Opening],
    at: DateTime<Utc>,
) -> Result<()> {
    let id = Uuid::now_v7();
    let business_date = time::business_date(at, time::DEFAULT_ZONE);
    let source = Source { kind: "opening", id, business_date, at };
    for location in [places.counter, places.reserve] {
        let here = opening.iter().filter(|line| line.location == location);
        let receipts: Vec<Receipt> = here.map(|line| line.receipt).collect();
        stock::receive(act, location, &source, &receipts).await?;
    }
    let mut values: BTreeMap<&'static str, Money> = BTreeMap::new();
    for line in opening {
        *values.entry(goods_accounts(line.kind).stock).or_default() += line.receipt.value;
    }
    let total: Money = values.values().copied().sum();
    let mut lines: Vec<Line> =
        values.into_iter().map(|(code, value)| Line::debit(code, value)).collect();
    lines.push(Line::credit(account::CAPITAL, total));
    let posting = Posting {
        journal: Journal::Miscellaneous,
        date: business_date,
        label: "Stock d'ouverture".to_owned(),
        source_kind: "opening",
        source_id: id,
        rule: "stock",
        lines,
    };
    accounting::post(act, posting).await?;
    Ok(())
}
