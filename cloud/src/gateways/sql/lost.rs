//! Statements for commands that were in the air when the journal that had them was lost:
//! what may happen twice is asked again, the rest is doubtful.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::db::{CompanyId, DbError};

/// The part of the down log that was lost; all of it when the journal itself is gone.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateways) enum Lost {
    Everything,
    After { epoch: u64, durable: u64 },
}

impl Lost {
    const fn place(self) -> (Option<i64>, i64) {
        match self {
            Self::Everything => (None, 0),
            Self::After { epoch, durable } => (Some(epoch.cast_signed()), durable.cast_signed()),
        }
    }
}

/// Settles what becomes of commands that were lost in the air.
pub(in crate::gateways) async fn settle(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    lost: Lost,
) -> Result<(), DbError> {
    let (epoch, durable) = lost.place();
    sqlx::query!(
        "update commands
         set state = 'in_doubt', reason = 'journal-lost', touched_by = 'cloud'
         where company_id = $1 and gateway_id = $2 and policy <> 'repeatable'
           and state in ('leased', 'delivered', 'started')
           and ($3::bigint is null or (down_epoch = $3 and down_seq > $4))",
        company.0,
        gateway_id,
        epoch,
        durable
    )
    .execute(&mut *connection)
    .await?;
    give_up_repeating(connection, company, gateway_id, epoch, durable).await?;
    // 5, 10, 20, 40, 80 seconds between the askings.
    sqlx::query!(
        "update commands
         set state = 'queued', reason = 'journal-lost', detail = '', evidence = 0, attempt = 0,
             down_epoch = null, down_seq = null, lease_generation = null, told_unasked = false,
             not_before = now() + interval '5 seconds' * power(2, requeued), touched_by = 'cloud'
         where company_id = $1 and gateway_id = $2 and policy = 'repeatable'
           and state in ('delivered', 'started')
           and ($3::bigint is null or (down_epoch = $3 and down_seq > $4))",
        company.0,
        gateway_id,
        epoch,
        durable
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A command that five journals lost is not asked a sixth time.
async fn give_up_repeating(
    connection: &mut PgConnection,
    company: CompanyId,
    gateway_id: Uuid,
    epoch: Option<i64>,
    durable: i64,
) -> Result<(), DbError> {
    sqlx::query!(
        "update commands
         set state = 'failed', reason = 'journal-lost', touched_by = 'cloud'
         where company_id = $1 and gateway_id = $2 and policy = 'repeatable' and requeued >= 5
           and state in ('delivered', 'started')
           and ($3::bigint is null or (down_epoch = $3 and down_seq > $4))",
        company.0,
        gateway_id,
        epoch,
        durable
    )
    .execute(connection)
    .await?;
    Ok(())
}
