//! The ways in which the simulated clock misbehaves, by name.
//!
//! Each stands for something met in the field. `NAME=N` strikes N times and then no
//! more, so that recovery can be watched.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// One kind of misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Data frames without a pause between them.
    Burst,
    /// A whole answer in one segment.
    Coalesced,
    /// One to seven bytes at a time.
    Dribble,
    /// The connection ends in the middle of a chunk.
    Cut,
    /// An event between the frames of a chunk.
    EventBetween,
    /// An answer to an earlier request before each answer.
    StaleReply,
    /// The buffer is announced larger than the stream is.
    SizeLarger,
    /// Tables are sent directly whatever their size.
    Direct,
    /// PREPARE_DATA without the packet size.
    ShortPrepare,
    /// Requests are not answered.
    Silent,
    /// The buffered read is unknown, as on old firmware.
    NoBuffer,
    /// The sizes say zero users and records.
    CountZero,
    /// The sizes count one record too few, as when somebody punches meanwhile.
    CountLow,
    /// The first record carries 30 February.
    ImpossibleDate,
    /// Every frame's checksum is wrong.
    BadChecksum,
    /// Everything a clock can do without is refused: time, sizes, events, unlocking, users.
    Stubborn,
    /// The user table is refused.
    NoUsers,
    /// The serial number is refused.
    NoSerial,
    /// The power goes in the middle of a chunk, and comes back.
    Reboot,
    /// The same with a flat battery: the clock begins again with the year 2000.
    Battery,
    /// Over UDP: one datagram of an answer does not arrive.
    Lost,
    /// Over UDP: each datagram arrives twice.
    Doubled,
    /// Over UDP: two data frames of an answer overtake each other.
    Overtaking,
}

const NAMES: [(&str, Fault); 23] = [
    ("burst", Fault::Burst),
    ("coalesced", Fault::Coalesced),
    ("dribble", Fault::Dribble),
    ("cut", Fault::Cut),
    ("event-between", Fault::EventBetween),
    ("stale-reply", Fault::StaleReply),
    ("size-larger", Fault::SizeLarger),
    ("direct", Fault::Direct),
    ("short-prepare", Fault::ShortPrepare),
    ("silent", Fault::Silent),
    ("no-buffer", Fault::NoBuffer),
    ("count-zero", Fault::CountZero),
    ("count-low", Fault::CountLow),
    ("impossible-date", Fault::ImpossibleDate),
    ("bad-checksum", Fault::BadChecksum),
    ("stubborn", Fault::Stubborn),
    ("no-users", Fault::NoUsers),
    ("no-serial", Fault::NoSerial),
    ("reboot", Fault::Reboot),
    ("battery", Fault::Battery),
    ("lost", Fault::Lost),
    ("doubled", Fault::Doubled),
    ("overtaking", Fault::Overtaking),
];

/// A fault and how often it strikes; `None` is always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultSpec {
    pub fault: Fault,
    pub times: Option<u32>,
}

impl FromStr for FaultSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultSpec, String> {
        let (name, times) = match text.split_once('=') {
            Some((name, times)) => {
                let times = times.parse().map_err(|_| format!("{times:?} is no number"))?;
                (name, Some(times))
            }
            None => (text, None),
        };
        let found = NAMES.iter().find(|(known, _)| *known == name);
        let names = || NAMES.map(|(known, _)| known).join(", ");
        let (_, fault) = found.ok_or_else(|| format!("{name:?}: use one of {}", names()))?;
        Ok(FaultSpec { fault: *fault, times })
    }
}

impl From<Fault> for FaultSpec {
    fn from(fault: Fault) -> FaultSpec {
        FaultSpec { fault, times: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, fault)| fault == self).map_or("", |(name, _)| name);
        out.write_str(name)
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    left: HashMap<Fault, Option<u32>>,
}

impl Faults {
    pub(super) fn new(specs: &[FaultSpec]) -> Faults {
        Faults { left: specs.iter().map(|spec| (spec.fault, spec.times)).collect() }
    }

    /// Whether the fault strikes now; counts one of its times.
    pub(super) fn strikes(&mut self, fault: Fault) -> bool {
        match self.left.get_mut(&fault) {
            None | Some(Some(0)) => false,
            Some(None) => true,
            Some(Some(times)) => {
                *times -= 1;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_with_a_number_strikes_that_often() {
        let spec: FaultSpec = "cut=2".parse().unwrap();
        let mut faults = Faults::new(&[spec]);
        let struck = [(); 3].map(|()| faults.strikes(Fault::Cut));
        assert_eq!(struck, [true, true, false]);
        assert!(!faults.strikes(Fault::Silent));
        assert!("cutt".parse::<FaultSpec>().is_err());
        assert_eq!("dribble".parse::<FaultSpec>().unwrap().fault.to_string(), "dribble");
    }
}
