//! The one function that writes the books.

use uuid::Uuid;

use super::chart::CHART;
use super::model::{NO_HASH, Posting, PostingError, Seal};
use super::sql;
use crate::db::{Act, Actor, CompanyId, Db, DbError};

/// Brings the charts of these companies to this release; run when serving begins, because
/// an act that posts to an account that is not there cannot be done.
pub async fn sync_charts(db: &Db, companies: &[CompanyId]) -> Result<(), DbError> {
    for company in companies {
        let mut act = db.begin(&Actor::system(*company, "accounts")).await?;
        if ensure_chart(&mut act).await? {
            act.commit().await?;
        }
    }
    Ok(())
}

/// Gives a company the accounts it lacks; true when there were any.
pub async fn ensure_chart(act: &mut Act) -> Result<bool, DbError> {
    let company = act.company();
    let (codes, names): (Vec<_>, Vec<_>) =
        CHART.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned())).unzip();
    sql::insert_accounts(act.connection(), company, &codes, &names).await
}

/// Writes an entry in the act's transaction. The same fact and rule asked twice gives
/// the entry of the first time; an entry of nothing gives `None`.
///
/// Takes the journal's number and so holds its row until the act ends: call it last.
pub async fn post(act: &mut Act, posting: Posting) -> Result<Option<Uuid>, PostingError> {
    let Some((posting, total)) = posting.checked()? else { return Ok(None) };
    let company = act.company();
    let known = sql::find_by_source(act.connection(), company, &posting).await?;
    if known.is_some() {
        return Ok(known);
    }
    let number = act.next_number(posting.journal.as_str(), posting.year()).await?;
    // The series row is locked now: the entry before this one is final.
    let previous = sql::hash_before(act.connection(), company, &posting, number).await?;
    let previous = previous.unwrap_or_else(|| NO_HASH.to_vec());
    let (actor, at) = (act.actor().clone(), act.now());
    let seal = Seal { previous: &previous, number, total, actor: &actor, posted_at: at };
    let hash = posting.hash(&seal);
    let entry = sql::NewEntry {
        id: Uuid::now_v7(),
        posting: &posting,
        number,
        total,
        previous: &previous,
        hash: &hash,
    };
    sql::insert_entry(act.connection(), &actor, at, &entry).await?;
    Ok(Some(entry.id))
}
