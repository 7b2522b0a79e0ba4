//! A journal without a thread, for a simulation: questions are answered one by one where
//! they are asked, so that the order of everything follows from the seed alone.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::writer::{Ask, Writer};
use crate::seam::RecordError;

/// Time that passes around an answer: before it, as in a queue, and after it, as behind a
/// slow disk.
pub type Pace = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Where the writer sits. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    writer: Arc<Mutex<Option<Writer>>>,
    pace: Pace,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { writer: Arc::default(), pace }
    }

    /// The process dies: what is asked from now on finds nobody, and the folder is free.
    pub fn kill(&self) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn seat(&self, writer: Writer) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    }

    pub(super) async fn give(&self, ask: Ask) -> Result<(), RecordError> {
        (self.pace)().await;
        {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let writer = writer.as_mut().ok_or(RecordError::Stopped)?;
            writer.answer_one(ask);
        }
        (self.pace)().await;
        Ok(())
    }
}
