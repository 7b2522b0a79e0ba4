//! The shape of a business act: one transaction, one actor, one idempotency key.
//!
//! A service function takes `&mut Act` and never commits; the caller commits once,
//! and hints (who should look again) go out after the commit, because a NOTIFY
//! inside the transaction would make commits queue behind each other.

use chrono::{DateTime, Utc};
use ring::digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{CompanyId, Db, DbError, Hint, enter_company};

/// A key chosen by the one who asks: asked twice, done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub Uuid);

/// Who acts, for which company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub company: CompanyId,
    pub kind: ActorKind,
    /// A name people recognise in the audit log.
    pub label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    User(Uuid),
    Gateway(Uuid),
    System,
}

impl Actor {
    /// The program itself, for jobs and set-up; `label` says which part.
    #[must_use]
    pub fn system(company: CompanyId, label: &str) -> Self {
        Self { company, kind: ActorKind::System, label: label.to_owned() }
    }

    /// The acting user, where one acts.
    #[must_use]
    pub const fn user_id(&self) -> Option<Uuid> {
        match self.kind {
            ActorKind::User(id) => Some(id),
            ActorKind::Gateway(_) | ActorKind::System => None,
        }
    }

    const fn kind_and_id(&self) -> (&'static str, Option<Uuid>) {
        match self.kind {
            ActorKind::User(id) => ("user", Some(id)),
            ActorKind::Gateway(id) => ("gateway", Some(id)),
            ActorKind::System => ("system", None),
        }
    }
}

/// A business act in progress. Dropped without [`Act::commit`], nothing happened.
#[derive(Debug)]
pub struct Act {
    tx: Transaction<'static, Postgres>,
    db: Db,
    actor: Actor,
    key: Option<IdempotencyKey>,
    hints: Vec<Hint>,
    started_at: DateTime<Utc>,
}

/// What [`Db::begin_once`] found.
#[derive(Debug)]
pub enum Begun<T> {
    /// The first time: do it, then [`Act::commit_with`] the answer.
    Fresh(Act),
    /// It was done: this was the answer.
    Replayed(T),
}

impl Act {
    pub(super) async fn begin(db: &Db, actor: &Actor) -> Result<Self, DbError> {
        let mut tx = db.pool.begin().await?;
        let started_at = enter_company(&mut tx, actor.company).await?;
        Ok(Self {
            tx,
            db: db.clone(),
            actor: actor.clone(),
            key: None,
            hints: Vec::new(),
            started_at,
        })
    }

    pub(super) async fn begin_once<I, T>(
        db: &Db,
        actor: &Actor,
        key: IdempotencyKey,
        name: &'static str,
        input: &I,
    ) -> Result<Begun<T>, DbError>
    where
        I: Serialize + Sync,
        T: DeserializeOwned,
    {
        let input = serde_json::to_vec(input).map_err(|e| DbError::Other(codec(e)))?;
        let digest = digest::digest(&digest::SHA256, &input);
        let mut act = Self::begin(db, actor).await?;
        // A second asker waits here until the first commits or gives up.
        let inserted = sqlx::query!(
            "insert into idempotency_keys (company_id, key, act, input_digest)
             values ($1, $2, $3, $4)
             on conflict do nothing",
            actor.company.0,
            key.0,
            name,
            digest.as_ref(),
        )
        .execute(act.connection())
        .await?;
        if inserted.rows_affected() == 1 {
            act.key = Some(key);
            return Ok(Begun::Fresh(act));
        }
        let known = sqlx::query!(
            "select act, input_digest, answer from idempotency_keys
             where company_id = $1 and key = $2",
            actor.company.0,
            key.0,
        )
        .fetch_one(act.connection())
        .await?;
        if known.act != name || known.input_digest != digest.as_ref() {
            return Err(DbError::KeyReused);
        }
        let answer = serde_json::from_value(known.answer.unwrap_or_default())
            .map_err(|e| DbError::Other(codec(e)))?;
        Ok(Begun::Replayed(answer))
    }

    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    #[must_use]
    pub const fn company(&self) -> CompanyId {
        self.actor.company
    }

    /// The transaction's own time, the same for all its rows.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// The connection to run `sqlx` statements on.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Remembers whom to wake once this is committed.
    pub fn hint(&mut self, topic: &'static str, subject: Option<Uuid>) {
        let hint = Hint { company: self.actor.company, topic, subject };
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    /// Writes a line of the audit log in this transaction. `details` holds ids and
    /// figures, never secrets.
    pub async fn audit(
        &mut self,
        act: &'static str,
        subject_kind: &'static str,
        subject_id: &str,
        details: serde_json::Value,
    ) -> Result<(), DbError> {
        let (kind, id) = self.actor.kind_and_id();
        sqlx::query!(
            "insert into audit_log
                 (company_id, actor_kind, actor_id, actor_label, act, subject_kind, subject_id, details)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self.actor.company.0,
            kind,
            id,
            self.actor.label,
            act,
            subject_kind,
            subject_id,
            details,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// The next number of a series, without gaps: the row stays locked until the
    /// transaction ends, so take it last.
    pub async fn next_number(&mut self, series: &'static str, year: i32) -> Result<i64, DbError> {
        let number = sqlx::query_scalar!(
            "insert into document_series (company_id, series, year, last_number)
             values ($1, $2, $3, 1)
             on conflict (company_id, series, year)
             do update set last_number = document_series.last_number + 1
             returning last_number",
            self.actor.company.0,
            series,
            year,
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(number)
    }

    /// Makes it so, then wakes those who should look.
    pub async fn commit(self) -> Result<(), DbError> {
        let Self { tx, db, hints, .. } = self;
        tx.commit().await?;
        db.hints.send_after_commit(&db.pool, hints).await;
        Ok(())
    }

    /// Commits and keeps the answer for whoever asks again with the same key.
    pub async fn commit_with<T: Serialize + Sync>(mut self, answer: &T) -> Result<(), DbError> {
        if let Some(key) = self.key {
            let answer = serde_json::to_value(answer).map_err(|e| DbError::Other(codec(e)))?;
            sqlx::query!(
                "update idempotency_keys set answer = $3 where company_id = $1 and key = $2",
                self.actor.company.0,
                key.0,
                answer,
            )
            .execute(&mut *self.tx)
            .await?;
        }
        self.commit().await
    }
}

fn codec(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}
