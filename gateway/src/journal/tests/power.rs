//! Power cuts: of what was not synced, any part is on the disk and any part is not, sector
//! by sector, and the last sector may be half written.

use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::Replaced;
use super::crash::{Act, Play, acts};

/// Written at once or not at all, but for the one under the head when the power goes.
const SECTOR_BYTES: usize = 512;

/// Small, seeded, good enough to choose sectors.
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// The current fails: what was replaced comes back where the new did not reach the disk.
fn cut(unsynced: Vec<Replaced>, dice: &mut Dice, keep_of_four: usize) {
    for Replaced { file, offset, before } in unsynced.into_iter().rev() {
        let mut at = offset;
        let end = offset + before.len() as u64;
        while at < end {
            // Sectors begin at multiples, writes do not.
            let sector = SECTOR_BYTES as u64;
            let next = (at / sector * sector + sector).min(end);
            let length = usize::try_from(next - at).unwrap();
            let is_torn = dice.below(16) == 0;
            let lost_from = match dice.below(4) {
                _ if is_torn => dice.below(length),
                part if part < keep_of_four => length,
                _ => 0,
            };
            let start = usize::try_from(at - offset).unwrap();
            let lost = &before[start + lost_from..start + length];
            file.write_all_at(lost, at + lost_from as u64).unwrap();
            at = next;
        }
    }
}

impl Play {
    fn lose_power(&mut self, dice: &mut Dice, keep_of_four: usize) {
        // Part of it is with the system already, as after a commit that nobody awaited.
        if dice.below(2) == 0 {
            self.engine().flush().unwrap();
        }
        drop(self.engine.take());
        let mut unsynced = Vec::new();
        self.bench.disk.set(|faults| unsynced = faults.unsynced.replace(Vec::new()).unwrap());
        cut(unsynced, dice, keep_of_four);
        self.engine = Some(self.bench.open());
        self.compare();
    }
}

/// Everything unsynced is lost, or most, or little of it.
const KEPT: [usize; 3] = [0, 1, 3];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_answered_record_survives_a_power_cut(
        acts in acts(),
        seed in 1..u64::MAX,
        kept in 0..KEPT.len(),
    ) {
        let mut dice = Dice(seed);
        let mut play = Play::new(6_000);
        play.bench.disk.set(|faults| faults.unsynced = Some(Vec::new()));
        for act in acts {
            match act {
                Act::Crash { .. } => play.lose_power(&mut dice, KEPT[kept]),
                other => play.act(other),
            }
        }
        play.lose_power(&mut dice, KEPT[kept]);
    }
}
