//! The few things a session may change on a clock, each behind what allows it.

use super::{ClientError, Session, Step, unless_refused};
use crate::clock::wire::code;

/// Leave to empty the clock's log. Only the guards of `poll::orders` make one, after the
/// cloud has confirmed every record.
#[derive(Debug)]
pub(in crate::clock) struct ClearPermit(());

impl ClearPermit {
    /// Every guard has been passed.
    pub(in crate::clock) fn after_all_guards() -> ClearPermit {
        ClearPermit(())
    }
}

impl Session {
    /// How many letters or digits a user id may have; 0 when the clock does not say.
    pub(in crate::clock) async fn pin_width(&mut self) -> Result<u32, ClientError> {
        let told = self.option("~PIN2Width").await?.and_then(|width| width.parse().ok());
        if let Some(width) = told {
            return Ok(width);
        }
        let answer = unless_refused(self.command(Step::Option, code::PIN_WIDTH, vec![]).await)?;
        Ok(answer.and_then(|answer| answer.data.first().copied()).unwrap_or_default().into())
    }

    /// Writes one user record in the clock's own width.
    pub(in crate::clock) async fn write_user(
        &mut self,
        record: Vec<u8>,
    ) -> Result<(), ClientError> {
        self.command(Step::WriteUser, code::USER_WRITE, record).await.map(drop)
    }

    /// Has the clock take up what was written.
    pub(in crate::clock) async fn refresh(&mut self) -> Result<(), ClientError> {
        let refreshed = self.command(Step::WriteUser, code::REFRESH, Vec::new()).await;
        unless_refused(refreshed).map(drop)
    }

    /// Empties the log of attendance. An error other than a refusal leaves it open whether
    /// it happened.
    pub(in crate::clock) async fn clear_log(
        &mut self,
        _permit: ClearPermit,
    ) -> Result<(), ClientError> {
        let answer = self.send_and_hear(Step::ClearLog, code::LOG_CLEAR, Vec::new()).await?;
        match answer.command {
            code::ACK_OK => Ok(()),
            other => Err(ClientError::Refused { step: Step::ClearLog, answer: other }),
        }
    }
}
