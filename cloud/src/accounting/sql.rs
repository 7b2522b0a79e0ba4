//! Every statement of the books.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Party, Posting};
use crate::db::{Actor, CompanyId, DbError};
use crate::money::Money;

/// Entries on one page of the journal.
pub(super) const PAGE_ENTRIES: i64 = 30;

/// An entry with its number and hash.
pub(super) struct NewEntry<'p> {
    pub(super) id: Uuid,
    pub(super) posting: &'p Posting,
    pub(super) number: i64,
    pub(super) total: Money,
    pub(super) previous: &'p [u8],
    pub(super) hash: &'p [u8],
}

pub(super) async fn insert_accounts(
    connection: &mut PgConnection,
    company: CompanyId,
    codes: &[String],
    names: &[String],
) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into accounts (company_id, code, name)
         select $1, wanted.code, wanted.name
         from unnest($2::text[], $3::text[]) as wanted (code, name)
         order by wanted.code
         on conflict do nothing",
        company.0,
        codes,
        names
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn find_by_source(
    connection: &mut PgConnection,
    company: CompanyId,
    posting: &Posting,
) -> Result<Option<Uuid>, DbError> {
    let id = sqlx::query_scalar!(
        "select entry_id from journal_entries
         where company_id = $1 and source_kind = $2 and source_id = $3 and rule = $4",
        company.0,
        posting.source_kind,
        posting.source_id,
        posting.rule
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

pub(super) async fn hash_before(
    connection: &mut PgConnection,
    company: CompanyId,
    posting: &Posting,
    number: i64,
) -> Result<Option<Vec<u8>>, DbError> {
    let hash = sqlx::query_scalar!(
        "select hash from journal_entries
         where company_id = $1 and journal = $2 and year = $3 and number = $4",
        company.0,
        posting.journal.as_str(),
        posting.year(),
        number - 1
    )
    .fetch_optional(connection)
    .await?;
    Ok(hash)
}

pub(super) async fn insert_entry(
    connection: &mut PgConnection,
    actor: &Actor,
    at: DateTime<Utc>,
    entry: &NewEntry<'_>,
) -> Result<(), DbError> {
    let posting = entry.posting;
    sqlx::query!(
        "insert into journal_entries
             (company_id, entry_id, journal, year, number, entry_date, label, source_kind,
              source_id, rule, total, line_count, actor_id, actor_label, posted_at,
              previous_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        actor.company.0,
        entry.id,
        posting.journal.as_str(),
        posting.year(),
        entry.number,
        posting.date,
        posting.label,
        posting.source_kind,
        posting.source_id,
        posting.rule,
        entry.total.decimal(),
        i16::try_from(posting.lines.len()).unwrap_or(i16::MAX),
        actor.user_id(),
        actor.label,
        at,
        entry.previous,
        entry.hash
    )
    .execute(&mut *connection)
    .await?;
    insert_lines(connection, actor.company, entry).await
}

async fn insert_lines(
    connection: &mut PgConnection,
    company: CompanyId,
    entry: &NewEntry<'_>,
) -> Result<(), DbError> {
    let lines = &entry.posting.lines;
    let accounts: Vec<String> = lines.iter().map(|line| line.account.to_owned()).collect();
    let parties: Vec<Option<(&str, Uuid)>> =
        lines.iter().map(|line| line.party.map(Party::kind_and_id)).collect();
    let party_kinds: Vec<String> =
        parties.iter().map(|party| party.map_or("", |(kind, _)| kind).to_owned()).collect();
    let party_ids: Vec<Option<Uuid>> =
        parties.iter().map(|party| party.map(|(_, id)| id)).collect();
    let debits: Vec<Decimal> = lines.iter().map(|line| line.debit.decimal()).collect();
    let credits: Vec<Decimal> = lines.iter().map(|line| line.credit.decimal()).collect();
    sqlx::query!(
        "insert into journal_lines
             (company_id, entry_id, line, account, party_kind, party_id, debit, credit)
         select $1, $2, given.line, given.account, given.party_kind, given.party_id,
                given.debit, given.credit
         from unnest($3::text[], $4::text[], $5::uuid[], $6::numeric[], $7::numeric[])
             with ordinality as given (account, party_kind, party_id, debit, credit, line)",
        company.0,
        entry.id,
        &accounts,
        &party_kinds,
        &party_ids as &[Option<Uuid>],
        &debits,
        &credits
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A line as the journal page shows it.
#[derive(Debug, Clone)]
pub(super) struct ShownLine {
    pub(super) entry_id: Uuid,
    pub(super) account: String,
    pub(super) account_name: String,
    pub(super) debit: Money,
    pub(super) credit: Money,
}

/// The head of an entry as the journal page shows it.
#[derive(Debug, Clone)]
pub(super) struct ShownEntry {
    pub(super) id: Uuid,
    pub(super) journal: String,
    pub(super) year: i32,
    pub(super) number: i64,
    pub(super) date: NaiveDate,
    pub(super) label: String,
    pub(super) total: Money,
}

/// A page of entries, newest first, after the last of the page before.
pub(super) async fn list_entries(
    connection: &mut PgConnection,
    company: CompanyId,
    journal: &str,
    before: Option<(NaiveDate, Uuid)>,
) -> Result<Vec<ShownEntry>, DbError> {
    let (before_date, before_id) = before.unzip();
    let rows = sqlx::query!(
        "select entry_id, journal, year, number, entry_date, label, total
         from journal_entries
         where company_id = $1 and ($2 = '' or journal = $2)
           and ($3::date is null or (entry_date, entry_id) < ($3, $4::uuid))
         order by entry_date desc, entry_id desc
         limit $5",
        company.0,
        journal,
        before_date,
        before_id,
        PAGE_ENTRIES + 1
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ShownEntry {
            id: row.entry_id,
            journal: row.journal,
            year: row.year,
            number: row.number,
            date: row.entry_date,
            label: row.label,
            total: Money::rounded(row.total),
        })
        .collect())
}

pub(super) async fn lines_of(
    connection: &mut PgConnection,
    company: CompanyId,
    entries: &[Uuid],
) -> Result<Vec<ShownLine>, DbError> {
    let rows = sqlx::query!(
        "select l.entry_id, l.account, a.name, l.debit, l.credit
         from journal_lines l
         join accounts a on a.company_id = l.company_id and a.code = l.account
         where l.company_id = $1 and l.entry_id = any($2)
         order by l.entry_id, l.line",
        company.0,
        entries
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ShownLine {
            entry_id: row.entry_id,
            account: row.account,
            account_name: row.name,
            debit: Money::rounded(row.debit),
            credit: Money::rounded(row.credit),
        })
        .collect())
}
