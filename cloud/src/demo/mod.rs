//! The demonstration company: invented, complete, loaded once. Wiring without an area:
//! it fills a database through the same doors as people do.
//!
//! Two acts, each whole or not at all: the company with its goods, people and opening
//! entry; then a week of sales. Loading again changes nothing.

mod goods;
mod history;
mod sql;

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::db::{Actor, ActorKind, Begun, CompanyId, Db, IdempotencyKey};
use crate::i18n::Texts;
use crate::identity::{self, Email, NewCompany, NewUser};
use crate::people::{attendance, employees};
use crate::stock::{self, LocationKind, NewLocation};
use crate::till::{self, NewTill};
use crate::{accounting, time};

/// The name it is known by; a second load finds it.
pub const COMPANY: &str = "Boulangerie El Baraka (démonstration)";
/// Everybody's password, printed at loading: never load this into a real shop's database.
pub const PASSWORD: &str = "fournil-demo";
const STORE: &str = "Magasin Birkhadem";
const CASHIER: &str = "Nadia Cherif";

/// Who signs in, as what.
pub const USERS: &[(&str, &str, &str)] = &[
    ("admin@elbaraka.example", "Karim Haddad", "owner"),
    ("gerante@elbaraka.example", "Samia Benali", "manager"),
    ("caisse@elbaraka.example", CASHIER, "cashier"),
    ("production@elbaraka.example", "Mourad Ziani", "production"),
    ("stock@elbaraka.example", "Yacine Saadi", "stock_keeper"),
    ("compta@elbaraka.example", "Lynda Meziane", "accountant"),
];

/// Who works there; the number is their user id on the clock.
const EMPLOYEES: &[(&str, &str, &str)] = &[
    ("1", "Nadia Cherif", "Vendeuse"),
    ("2", "Mourad Ziani", "Chef boulanger"),
    ("3", "Amel Bouzid", "Pâtissière"),
    ("4", "Farid Khelifi", "Boulanger"),
    ("5", "Houria Slimani", "Vendeuse"),
    ("6", "Yacine Saadi", "Magasinier"),
];

/// What loading did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub company: CompanyId,
    /// False when the company was there already.
    pub is_new: bool,
    pub tickets: u64,
}

/// The places goods lie in.
#[derive(Debug, Clone, Copy)]
struct Places {
    counter: Uuid,
    reserve: Uuid,
    lab: Uuid,
    till: Uuid,
}

/// Loads what is missing. `clock_serial` names the clock whose users 1 to 6 are the
/// employees; `now` says where the week of history ends.
pub async fn load(
    db: &Db,
    texts: &Texts,
    now: DateTime<Utc>,
    clock_serial: Option<&str>,
) -> Result<Loaded> {
    let known = identity::companies(db).await?;
    let known = known.into_iter().find(|(_, name)| name == COMPANY).map(|(id, _)| id);
    let company = match known {
        Some(company) => company,
        None => make_company(db, now, clock_serial).await.context("make the company")?,
    };
    let tickets = make_history(db, texts, company, now).await.context("make the history")?;
    Ok(Loaded { company, is_new: known.is_none(), tickets })
}

async fn make_company(
    db: &Db,
    now: DateTime<Utc>,
    clock_serial: Option<&str>,
) -> Result<CompanyId> {
    // Slow by design, so before the transaction.
    let hash = identity::hash_password(PASSWORD.to_owned()).await?;
    let company = CompanyId(Uuid::now_v7());
    let mut act = db.begin(&Actor::system(company, "demo-data")).await?;
    let new = NewCompany { name: COMPANY.to_owned(), store_name: STORE.to_owned() };
    identity::create_company(&mut act, &new).await?;
    sql::describe_company(act.connection(), company).await?;
    let store_id = sql::first_store(act.connection(), company).await?;
    for (email, name, role) in USERS {
        let email = Email::parse(email).ok_or_else(|| anyhow!("{email} is not an e-mail"))?;
        let (name, role) = ((*name).to_owned(), (*role).to_owned());
        let user = NewUser { email, name, role, password_hash: hash.clone() };
        identity::create_user(&mut act, &user).await?;
    }
    for (user_id, name, job) in EMPLOYEES {
        let employee = employees::add(&mut act, name, job).await?;
        if let Some(serial) = clock_serial {
            let (clock_serial, user_id) = (serial.to_owned(), (*user_id).to_owned());
            let user = attendance::ClockUser { clock_serial, user_id };
            attendance::assign(&mut act, &user, employee).await?;
        }
    }
    accounting::ensure_chart(&mut act).await?;
    let places = make_places(&mut act, store_id).await?;
    // The goods were there before the week began.
    goods::make(&mut act, &places, now - history::WEEK - chrono::TimeDelta::days(1)).await?;
    act.commit().await?;
    Ok(company)
}

async fn make_places(act: &mut crate::db::Act, store_id: Uuid) -> Result<Places> {
    let places = Places {
        counter: Uuid::now_v7(),
        reserve: Uuid::now_v7(),
        lab: Uuid::now_v7(),
        till: Uuid::now_v7(),
    };
    for (id, kind, name) in [
        (places.counter, LocationKind::Counter, "Comptoir"),
        (places.reserve, LocationKind::Store, "Réserve"),
        (places.lab, LocationKind::Lab, "Laboratoire"),
    ] {
        let location = NewLocation { id, store_id, kind, name: name.to_owned() };
        stock::add_location(act, &location).await?;
    }
    let name = "Caisse 1".to_owned();
    let new = NewTill { id: places.till, store_id, name, location_id: places.counter };
    till::add_till(act, &new).await?;
    Ok(places)
}

/// A week of sales by the cashier, in one act that happens once.
async fn make_history(
    db: &Db,
    texts: &Texts,
    company: CompanyId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let cashier = USERS.iter().find(|(_, name, _)| *name == CASHIER).map(|(email, ..)| *email);
    let email = cashier.and_then(Email::parse).context("the cashier has an e-mail")?;
    let (_, user_id) = identity::find_user(db, &email).await?.context("the cashier is gone")?;
    let actor = Actor { company, kind: ActorKind::User(user_id), label: CASHIER.to_owned() };
    let key = IdempotencyKey(company.0);
    match db.begin_once(&actor, key, "demo.history", &"a week").await? {
        Begun::Replayed(tickets) => Ok(tickets),
        Begun::Fresh(mut act) => {
            // The key is forgotten after a while; the tickets are not.
            let known = sql::count_tickets(act.connection(), company).await?;
            if known > 0 {
                return Ok(known);
            }
            let till = sql::first_till(act.connection(), company).await?;
            let today = time::business_date(now, time::DEFAULT_ZONE);
            let tickets = history::make(&mut act, texts, till, today).await?;
            act.commit_with(&tickets).await?;
            Ok(tickets)
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::db::testing::TestDb;
    use crate::i18n::Catalogue;

    #[tokio::test]
    async fn the_demonstration_loads_once_and_its_books_agree() {
        let test = TestDb::new().await;
        let texts = Catalogue::load().expect("texts").in_language("fr");
        let now = time::instant(1_795_500_000_000);
        let loaded = load(&test.db, &texts, now, Some("SIM0001")).await.expect("load");
        assert!(loaded.is_new && loaded.tickets > 100, "{loaded:?}");
        let again = load(&test.db, &texts, now + history::WEEK, None).await.expect("load");
        assert_eq!(again, Loaded { is_new: false, ..loaded.clone() });
        let mut act = test.db.begin(&Actor::system(loaded.company, "test")).await.expect("act");
        sqlx::query!("delete from idempotency_keys").execute(act.connection()).await.expect("keys");
        act.commit().await.expect("commit");
        let later = load(&test.db, &texts, now + history::WEEK * 5, None).await.expect("load");
        assert_eq!(later, Loaded { is_new: false, ..loaded.clone() }, "the keys are forgotten");
        let mut scope = test.db.read(loaded.company).await.expect("read");
        let row = sqlx::query!(
            r#"select (select count(*) from products where sold) as "sold!",
                      (select count(*) from recipes) as "recipes!",
                      (select count(*) from tickets) as "tickets!",
                      (select count(distinct business_date) from tickets) as "days!",
                      (select sum(value) from stock_values) as "stock!",
                      (select sum(debit - credit) from journal_lines
                       where account in ('30', '31', '326', '351', '355')) as "books!",
                      (select count(*) from cash_sessions where closed_at is null) as "open!",
                      (select sum(total) from tickets) as "income!",
                      (select sum(credit) from journal_lines where account like '70%') as "credit!""#
        )
        .fetch_one(scope.connection())
        .await
        .expect("figures");
        assert_eq!((row.sold, row.days, row.open), (40, 7, 0));
        assert!(row.recipes >= 6);
        assert_eq!(u64::try_from(row.tickets), Ok(loaded.tickets));
        assert_eq!(row.stock, row.books, "value of stock and class 3");
        assert_eq!(row.income, row.credit, "sales and class 7");
        assert!(row.income > Decimal::from(50_000));
    }
}
