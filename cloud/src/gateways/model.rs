//! Words and rules of gateways, without I/O: what states a command has and which may
//! follow which, and where two logs resume when a gateway comes back.

use fournil_protocol::event;
use fournil_protocol::hello::Hello;
use uuid::Uuid;

use crate::db::{Actor, ActorKind, CompanyId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
        impl $name {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// The word the database and machines use.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
            /// The one behind a word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What a command asks for.
    Kind {
        Print = "print",
        Drawer = "drawer",
        ReadClock = "read_clock",
        ReadStatus = "read_status",
        Cancel = "cancel",
        Diagnostics = "diagnostics",
        SetClockTime = "set_clock_time",
        WriteClockUsers = "write_clock_users",
        ClearClockLog = "clear_clock_log",
    }
}

words! {
    /// What to do when a crash leaves it open whether a command happened.
    Policy {
        AtMostOnce = "at_most_once",
        Ask = "ask",
        Repeatable = "repeatable",
    }
}

words! {
    /// Where a command stands.
    State {
        /// Nobody took it yet.
        Queued = "queued",
        /// Given to a session.
        Leased = "leased",
        /// In the shop's journal; a reason says what it waits for.
        Delivered = "delivered",
        /// The first byte may have left.
        Started = "started",
        Done = "done",
        Failed = "failed",
        Expired = "expired",
        Cancelled = "cancelled",
        /// Only a person, or evidence that comes later, can tell.
        InDoubt = "in_doubt",
        /// The gateway does not know the kind.
        Unsupported = "unsupported",
    }
}

impl State {
    /// True when nothing more can happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Failed | Self::Expired | Self::Cancelled | Self::Unsupported
        )
    }

    /// The same rule as `command_may_pass` in the database; a test compares the two.
    #[must_use]
    pub fn may_pass(self, to: Self, policy: Policy) -> bool {
        use State::{
            Cancelled, Delivered, Done, Expired, Failed, InDoubt, Leased, Queued, Started,
            Unsupported,
        };
        let may_repeat = policy == Policy::Repeatable;
        // What was lost in the air is asked again, or wondered about.
        let lost = if may_repeat { Queued } else { InDoubt };
        match self {
            _ if self == to => true,
            Queued => matches!(to, Leased | Expired | Cancelled),
            Leased => to != InDoubt || !may_repeat,
            Delivered => {
                to == lost
                    || matches!(to, Started | Done | Failed | Expired | Cancelled | Unsupported)
            }
            Started => to == lost || matches!(to, Done | Failed | Expired | Cancelled),
            InDoubt => {
                !may_repeat && matches!(to, Done | Failed | Expired | Cancelled | Unsupported)
            }
            Done | Failed | Expired | Cancelled | Unsupported => false,
        }
    }

    /// The state a report leads to from this one; `None` when the report changes nothing.
    #[must_use]
    pub fn after_report(self, told: event::CommandState, policy: Policy) -> Option<Self> {
        use event::CommandState as Told;
        let to = match told {
            Told::Unknown => return None,
            // An attempt that began and now waits has still begun.
            Told::Waiting if self == Self::Started => Self::Started,
            Told::Waiting => Self::Delivered,
            Told::Started => Self::Started,
            Told::Done => Self::Done,
            Told::Failed => Self::Failed,
            Told::Expired => Self::Expired,
            Told::Cancelled => Self::Cancelled,
            // The shop has settled it and will not try that id again.
            Told::InDoubt if policy == Policy::Repeatable => Self::Failed,
            Told::InDoubt => Self::InDoubt,
            Told::Unsupported => Self::Unsupported,
        };
        // A report on a queued command: the shop has it, so this cloud was set back.
        let from = if self == Self::Queued { Self::Leased } else { self };
        (!self.is_final() && from.may_pass(to, policy)).then_some(to)
    }

    /// Where a command stands that a person no longer waits for; `None` when that is for
    /// the shop to say, or was said.
    #[must_use]
    pub const fn given_up(self, policy: Policy) -> Option<Self> {
        match (self, policy) {
            (Self::Queued, _)
            | (Self::Leased | Self::Delivered | Self::Started, Policy::Repeatable) => {
                Some(Self::Cancelled)
            }
            (Self::Leased | Self::Delivered | Self::Started, _) => Some(Self::InDoubt),
            _ => None,
        }
    }
}

/// A gateway whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) company: CompanyId,
    pub(super) gateway_id: Uuid,
    pub(super) name: String,
}

impl Identity {
    pub(super) fn actor(&self) -> Actor {
        Actor {
            company: self.company,
            kind: ActorKind::Gateway(self.gateway_id),
            label: self.name.clone(),
        }
    }
}

/// What a report changed, for the area whose document it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub command_id: Uuid,
    pub kind: Kind,
    pub state: State,
    pub source_kind: String,
    pub source_id: Uuid,
    pub purpose: String,
}

/// What the cloud has recorded of a gateway's logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) incarnation: u64,
    pub(super) boot_id: Vec<u8>,
    pub(super) head: Head,
    /// The up log being followed.
    pub(super) up: Option<KnownUp>,
    /// The epoch the gateway names was followed once and closed.
    pub(super) is_closed_epoch: bool,
    /// This boot was here before, and another one since.
    pub(super) is_boot_back: bool,
    /// A person enrolled or cleared this gateway since its last Hello: what it says now
    /// is how it is.
    pub(super) is_trusted: bool,
    pub(super) down_epoch: u64,
    pub(super) down_next: u64,
    pub(super) down_durable: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) hash: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KnownUp {
    pub(super) epoch: u64,
    pub(super) durable: u64,
}

/// How the logs go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) up: UpResume,
    pub(super) down: DownResume,
    pub(super) suspicion: Option<Suspicion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpResume {
    /// Same log: from the one after `durable`.
    Follow { durable: u64 },
    /// Same log, but the gateway no longer has what comes next.
    Gap { first_lost: u64, last_lost: u64 },
    /// A new log. `lost_after` names where the old one was left, if there was one.
    NewJournal { lost_after: Option<u64>, first_kept: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DownResume {
    /// Same log; the gateway has everything up to here.
    Follow { durable: u64 },
    /// A new epoch, from 1.
    Begin,
}

words! {
    /// Why a gateway is thought to be a copy.
    Suspicion {
        /// The start counter went back.
        IncarnationBack = "incarnation-back",
        /// One start counter, two boots of a machine.
        TwoBoots = "two-boots",
        /// A boot came back after another one: two machines take each other's place.
        BootBack = "boot-back",
        /// A journal that was given up came back.
        OldJournal = "old-journal",
        /// The cloud has more events than the journal ever held.
        JournalBehind = "journal-behind",
        /// Same place in the journal, other content.
        Fork = "journal-fork",
    }
}

/// Decides how a session resumes. Never partial, never silent.
pub(super) fn resume(known: &Known, hello: &Hello) -> Resume {
    let up = resume_up(known, hello);
    // A new journal that never held a command has no memory of those the old one held.
    let is_memory_lost =
        matches!(up, UpResume::NewJournal { lost_after: Some(_), .. }) && hello.down.epoch == 0;
    let down = if is_memory_lost { DownResume::Begin } else { resume_down(known, hello) };
    let suspicion = if known.is_trusted { None } else { suspect(known, hello) };
    Resume { up, down, suspicion }
}

fn resume_up(known: &Known, hello: &Hello) -> UpResume {
    let first_kept = hello.up.first_kept.max(1);
    match known.up {
        Some(up) if up.epoch == hello.up.epoch => {
            if first_kept > up.durable + 1 {
                UpResume::Gap { first_lost: up.durable + 1, last_lost: first_kept - 1 }
            } else {
                UpResume::Follow { durable: up.durable }
            }
        }
        other => UpResume::NewJournal { lost_after: other.map(|up| up.durable), first_kept },
    }
}

fn resume_down(known: &Known, hello: &Hello) -> DownResume {
    let told = hello.down;
    let is_same_log = known.down_epoch != 0
        && (told.epoch == known.down_epoch || (told.epoch == 0 && known.down_durable == 0));
    let fits = told.durable >= known.down_durable && told.durable < known.down_next;
    if is_same_log && fits {
        DownResume::Follow { durable: told.durable }
    } else {
        DownResume::Begin
    }
}

fn suspect(known: &Known, hello: &Hello) -> Option<Suspicion> {
    if known.is_closed_epoch {
        return Some(Suspicion::OldJournal);
    }
    let followed = known.up.filter(|up| up.epoch == hello.up.epoch);
    // A journal that was replaced counts its starts anew, under another epoch.
    if followed.is_some() && hello.incarnation < known.incarnation {
        return Some(Suspicion::IncarnationBack);
    }
    let is_same_start = known.incarnation != 0 && hello.incarnation == known.incarnation;
    if is_same_start && hello.boot_id != known.boot_id {
        return Some(Suspicion::TwoBoots);
    }
    if known.is_boot_back {
        return Some(Suspicion::BootBack);
    }
    if followed.is_some_and(|up| up.durable > hello.up.last) {
        return Some(Suspicion::JournalBehind);
    }
    let head = &known.head;
    let is_same_place = head.epoch == hello.up.epoch && head.seq == hello.up.last;
    let is_told = !head.hash.is_empty() && !hello.up.head_hash.is_empty();
    (is_same_place && is_told && head.hash != hello.up.head_hash).then_some(Suspicion::Fork)
}

#[cfg(test)]
mod tests {
    use fournil_protocol::hello::{DownHead, UpHead};

    use super::*;

    fn hello() -> Hello {
        Hello {
            incarnation: 5,
            boot_id: vec![1; 16],
            up: UpHead { epoch: 7, first_kept: 1, last: 100, head_hash: vec![3; 32], acked: 90 },
            down: DownHead { epoch: 9, durable: 4 },
            ..Hello::default()
        }
    }

    fn known() -> Known {
        Known {
            incarnation: 5,
            boot_id: vec![1; 16],
            head: Head { epoch: 7, seq: 100, hash: vec![3; 32] },
            up: Some(KnownUp { epoch: 7, durable: 90 }),
            is_closed_epoch: false,
            is_boot_back: false,
            is_trusted: false,
            down_epoch: 9,
            down_next: 6,
            down_durable: 4,
        }
    }

    #[test]
    fn matching_logs_go_on_where_they_stand() {
        let resume = resume(&known(), &hello());
        assert_eq!(resume.up, UpResume::Follow { durable: 90 });
        assert_eq!(resume.down, DownResume::Follow { durable: 4 });
        assert_eq!(resume.suspicion, None);
    }

    #[test]
    fn a_cloud_set_back_makes_the_gateway_rewind() {
        let known = Known { up: Some(KnownUp { epoch: 7, durable: 40 }), ..known() };
        assert_eq!(resume(&known, &hello()).up, UpResume::Follow { durable: 40 });
    }

    #[test]
    fn events_that_are_nowhere_any_more_are_told_as_a_gap() {
        let mut hello = hello();
        hello.up.first_kept = 95;
        assert_eq!(resume(&known(), &hello).up, UpResume::Gap { first_lost: 91, last_lost: 94 });
    }

    #[test]
    fn a_new_journal_is_followed_and_the_old_place_is_told() {
        let mut hello = hello();
        hello.up.epoch = 8;
        let resume = resume(&known(), &hello);
        assert_eq!(resume.up, UpResume::NewJournal { lost_after: Some(90), first_kept: 1 });
        assert_eq!(resume.suspicion, None);
    }

    #[test]
    fn a_down_log_that_does_not_fit_begins_anew() {
        let told = |epoch, durable| Hello { down: DownHead { epoch, durable }, ..hello() };
        assert_eq!(resume(&known(), &told(8, 4)).down, DownResume::Begin);
        // More than was ever sent: this cloud was restored.
        assert_eq!(resume(&known(), &told(9, 6)).down, DownResume::Begin);
        // Less than was acknowledged: the journal was set back.
        assert_eq!(resume(&known(), &told(9, 3)).down, DownResume::Begin);
        assert_eq!(resume(&known(), &told(0, 0)).down, DownResume::Begin);
        let fresh = Known { down_durable: 0, ..known() };
        assert_eq!(resume(&fresh, &told(0, 0)).down, DownResume::Follow { durable: 0 });
        let never = Known { down_epoch: 0, down_next: 1, down_durable: 0, ..known() };
        assert_eq!(resume(&never, &told(0, 0)).down, DownResume::Begin);
    }

    #[test]
    fn a_new_journal_without_memory_of_commands_gets_a_new_down_log() {
        // One command sent, none confirmed: the old journal may hold it all the same.
        let known = Known { down_durable: 0, down_next: 2, ..known() };
        let mut hello = hello();
        hello.down = DownHead { epoch: 0, durable: 0 };
        assert_eq!(resume(&known, &hello).down, DownResume::Follow { durable: 0 });
        hello.up.epoch = 8;
        assert_eq!(resume(&known, &hello).down, DownResume::Begin);
    }

    #[test]
    fn copies_of_a_disk_betray_themselves() {
        let suspicion = |known: &Known, hello: &Hello| resume(known, hello).suspicion;
        let back = Hello { incarnation: 4, ..hello() };
        assert_eq!(suspicion(&known(), &back), Some(Suspicion::IncarnationBack));
        let replaced = Hello { up: UpHead { epoch: 8, ..hello().up }, ..back.clone() };
        assert_eq!(suspicion(&known(), &replaced), None, "a new journal counts anew");
        let cleared = Known { is_trusted: true, ..known() };
        assert_eq!(suspicion(&cleared, &back), None);
        let boots = Hello { boot_id: vec![2; 16], ..hello() };
        assert_eq!(suspicion(&known(), &boots), Some(Suspicion::TwoBoots));
        let restarted = Hello { incarnation: 6, boot_id: vec![2; 16], ..hello() };
        assert_eq!(suspicion(&known(), &restarted), None);
        let alternating = Known { is_boot_back: true, ..known() };
        assert_eq!(suspicion(&alternating, &restarted), Some(Suspicion::BootBack));
        let closed = Known { is_closed_epoch: true, ..known() };
        assert_eq!(suspicion(&closed, &hello()), Some(Suspicion::OldJournal));
        let ahead = Known { up: Some(KnownUp { epoch: 7, durable: 101 }), ..known() };
        assert_eq!(suspicion(&ahead, &hello()), Some(Suspicion::JournalBehind));
        let mut forked = hello();
        forked.up.head_hash = vec![4; 32];
        assert_eq!(suspicion(&known(), &forked), Some(Suspicion::Fork));
    }

    #[test]
    fn reports_move_a_command_forward_only() {
        use event::CommandState as Told;
        let after = |from: State, told| from.after_report(told, Policy::Ask);
        assert_eq!(after(State::Leased, Told::Waiting), Some(State::Delivered));
        assert_eq!(after(State::Started, Told::Waiting), Some(State::Started));
        assert_eq!(after(State::Queued, Told::Done), Some(State::Done));
        assert_eq!(after(State::Done, Told::InDoubt), None);
        assert_eq!(after(State::InDoubt, Told::Started), None);
        assert_eq!(after(State::InDoubt, Told::Done), Some(State::Done));
        assert_eq!(after(State::InDoubt, Told::Expired), Some(State::Expired));
        assert_eq!(after(State::Started, Told::Unknown), None);
        let doubted = State::Started.after_report(Told::InDoubt, Policy::Repeatable);
        assert_eq!(doubted, Some(State::Failed), "no doubt about what may happen twice");
    }

    #[test]
    fn what_is_given_up_ends_as_is_true() {
        for policy in Policy::ALL {
            for state in State::ALL {
                if let Some(to) = state.given_up(*policy) {
                    assert!(state.may_pass(to, *policy), "{state:?} to {to:?}");
                }
            }
        }
        assert_eq!(State::Delivered.given_up(Policy::AtMostOnce), Some(State::InDoubt));
        assert_eq!(State::Delivered.given_up(Policy::Repeatable), Some(State::Cancelled));
        assert_eq!(State::InDoubt.given_up(Policy::Ask), None);
    }
}
