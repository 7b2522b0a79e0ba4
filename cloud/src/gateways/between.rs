//! What a simulation puts between a hub and its database: time, faults, and a world that
//! stands still while PostgreSQL works.

use std::pin::{Pin, pin};

use crate::db::DbError;

/// A future of the simulation's own.
pub type Passing<'a> = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'a>>;

/// Stands around every piece of work.
pub trait Between: Send + Sync {
    /// Before it begins; an error means that it never did. `what` is the type of its answer.
    fn before(&self, what: &'static str) -> Passing<'_>;
    /// Drives the work to its end without letting anything else happen.
    fn run(&self, work: Pin<&mut (dyn Future<Output = ()> + Send)>);
    /// After it ended; an error means that its answer was lost, whatever it did.
    fn after(&self) -> Passing<'_>;
}

pub(super) async fn work<T, E>(
    between: &dyn Between,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E>
where
    T: Send,
    E: From<DbError> + Send,
{
    between.before(std::any::type_name::<T>()).await?;
    let mut result = None;
    {
        let storing = pin!(async { result = Some(work.await) });
        between.run(storing);
    }
    between.after().await?;
    result.unwrap_or_else(|| Err(crate::db::testing::away().into()))
}
