//! What a printer can still say of an attempt whose end nobody saw: the daemon was
//! killed, or the connection broke. Prints nothing, ever.

use fournil_protocol::command::Body;
use fournil_protocol::event::{CommandState, Evidence};
use fournil_protocol::words;
use tokio::time::Instant;

use super::{Served, Spool};
use crate::printer::delivery::{Settled, Voice, settle};
use crate::printer::escpos;
use crate::printer::narrator::Told;
use crate::printer::queue::Entry;
use crate::printer::render::render;
use crate::printer::talk::{ANSWER_TIMEOUT, Talk};
use crate::printer::transport::LinkError;

/// The place of the question tag behind an attempt's own tags.
const SETTLE_PLACE: usize = 90;

impl Spool {
    /// Finds out how an attempt ended whose end was not seen. Prints nothing.
    pub(super) async fn settle(&mut self, entry: &mut Entry, why: &str) -> Served {
        let doubt = |reason: &str, detail: String| {
            Served::Settled(Told::new(CommandState::InDoubt, reason, detail))
        };
        if entry.is_drawer() || !matches!(self.voice, None | Some(Voice::Tags)) {
            return doubt(words::INTERRUPTED, why.to_owned());
        }
        let last = self.last_tag(entry);
        let confirmed = || {
            let told = Told::new(CommandState::Done, "", format!("{why}; the printer confirmed"));
            Served::Settled(told.evidence(Evidence::TagReturned))
        };
        if self.heard.contains(&last) {
            return confirmed();
        }
        self.rest().await;
        let since = *entry.settling_since.get_or_insert_with(Instant::now);
        let mut talk = match Talk::open(&self.config.to).await {
            Ok(talk) => talk,
            Err(error) if since.elapsed() < self.patience.settle => {
                self.narrator.unreachable(&error.told());
                return Served::Hold(words::UNREACHABLE.to_owned(), error.told());
            }
            Err(error) => {
                return doubt(
                    words::INTERRUPTED,
                    format!("{why}; the printer did not come back: {}", error.told()),
                );
            }
        };
        let fresh = escpos::tag(entry.job.id, entry.attempt, SETTLE_PLACE);
        let settled = settle(&mut talk, last, fresh).await;
        let condition = talk.condition;
        self.talk = Some(talk);
        match settled {
            Ok(Settled::Printed) => confirmed(),
            Ok(Settled::Unknown) => doubt(
                words::INTERRUPTED,
                format!("{why}; the printer did not confirm the last part"),
            ),
            Ok(Settled::NotYet) => {
                entry.settling_since = None;
                self.narrator.condition(condition);
                Served::Hold(condition.code().to_owned(), String::new())
            }
            Err(error) if since.elapsed() < self.patience.settle => {
                self.drop_link();
                Served::Hold(words::UNREACHABLE.to_owned(), error.told())
            }
            Err(error) => doubt(words::INTERRUPTED, format!("{why}; {}", error.told())),
        }
    }

    /// The tag behind the cut of the attempt that was interrupted.
    fn last_tag(&self, entry: &Entry) -> escpos::Tag {
        let parts = match &entry.job.command.body {
            Some(Body::Print(print)) => {
                let page = render(&print.document, &self.profile, !print.copy_of.is_empty());
                escpos::encode(&page, &self.profile, None).len()
            }
            _ => 1,
        };
        escpos::tag(entry.job.id, entry.attempt, parts.saturating_sub(1))
    }
}

/// Asks once whether the printer returns tags; prints nothing on one that knows them.
pub(super) async fn probe(talk: &mut Talk) -> Result<Voice, LinkError> {
    let tag = *b"frnl";
    talk.say(&escpos::ask_tag(tag), ANSWER_TIMEOUT).await?;
    let answered = talk.listen(ANSWER_TIMEOUT, |talk| talk.returned(tag)).await?;
    Ok(if answered { Voice::Tags } else { Voice::InOrder })
}
