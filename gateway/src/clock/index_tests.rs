//! The index is there again after a restart, and is never believed where it may be wrong.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::*;

const SERIAL: &str = "CKJ1";

fn punch(number: u32) -> Punch {
    Punch {
        clock_serial: SERIAL.to_owned(),
        user_id: number.to_string(),
        local_time: "2026-11-24T08:01:03".to_owned(),
        ..Punch::default()
    }
}

/// A store whose journal holds the punches `held`.
struct Bench {
    folder: tempfile::TempDir,
    generation: Arc<AtomicU64>,
    recalls: Arc<AtomicUsize>,
    held: Vec<u32>,
}

impl Bench {
    fn new(held: &[u32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (generation, recalls) = (Arc::new(AtomicU64::new(1)), Arc::default());
        Self { folder, generation, recalls, held: held.to_vec() }
    }

    fn store(&self, is_tail_doubtful: bool) -> PunchStore {
        let (generation, recalls) = (self.generation.clone(), self.recalls.clone());
        let held = self.held.clone();
        PunchStore {
            folder: self.folder.path().to_owned(),
            generation: Arc::new(move || generation.load(Ordering::Relaxed)),
            recall: Arc::new(move |serial, each| {
                assert_eq!(serial, SERIAL);
                recalls.fetch_add(1, Ordering::Relaxed);
                for number in &held {
                    each(&punch(*number));
                }
                Ok(())
            }),
            is_tail_doubtful,
        }
    }

    fn open(&self) -> (Index, Known) {
        Index::open(&self.store(false), SERIAL).unwrap()
    }

    fn recalls(&self) -> usize {
        self.recalls.load(Ordering::Relaxed)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("punches-{}.idx", short_digest(SERIAL)))
    }
}

fn number(number: u32) -> (Key, u32) {
    (key_of(&punch(number)), 1)
}

#[test]
fn what_was_noted_is_there_again_without_asking_the_journal() {
    let bench = Bench::new(&[]);
    let (mut index, known) = bench.open();
    assert_eq!(known, Known::default());
    index.add(&[number(1), number(2)]).unwrap();
    index.add(&[(number(2).0, 3)]).unwrap();
    index.set_trust(Trust::Trusted).unwrap();
    let (_, known) = bench.open();
    assert_eq!(known.recorded, HashMap::from([number(1), (number(2).0, 3)]));
    assert_eq!(known.trust, Trust::Trusted);
    assert_eq!(bench.recalls(), 1, "only when there was no file");
}

#[test]
fn a_missing_or_damaged_file_is_made_again_from_the_journal() {
    let bench = Bench::new(&[7, 8]);
    let (mut index, known) = bench.open();
    assert_eq!(known.recorded, HashMap::from([number(7), number(8)]));
    index.add(&[number(9)]).unwrap();
    let mut bytes = std::fs::read(bench.path()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(bench.path(), &bytes).unwrap();
    let (_, known) = bench.open();
    assert_eq!(known.recorded, HashMap::from([number(7), number(8)]));
    assert_eq!(bench.recalls(), 2);
    bytes.truncate(last - 3);
    std::fs::write(bench.path(), &bytes).unwrap();
    assert_eq!(bench.open().1.recorded.len(), 2);
    assert_eq!((bench.recalls(), bench.open().1.recorded.len()), (3, 2));
    assert_eq!(bench.recalls(), 3, "mended");
}

#[test]
fn a_new_up_log_and_a_cut_journal_ask_what_is_really_there() {
    let bench = Bench::new(&[1]);
    let (mut index, _) = bench.open();
    index.add(&[number(2)]).unwrap();
    assert!(index.is_of(SERIAL, 1) && !index.is_of(SERIAL, 2) && !index.is_of("other", 1));
    let (_, known) = Index::open(&bench.store(true), SERIAL).unwrap();
    assert_eq!(known.recorded, HashMap::from([number(1)]), "2 was cut from the journal");
    bench.generation.store(2, Ordering::Relaxed);
    let (mut index, _) = bench.open();
    index.add(&[number(3)]).unwrap();
    assert_eq!(bench.open().1.recorded.len(), 2);
}

#[test]
fn the_serial_number_of_a_clock_is_remembered() {
    let bench = Bench::new(&[]);
    let store = bench.store(false);
    assert_eq!(store.last_serial("entree"), None);
    store.remember_serial("entree", SERIAL).unwrap();
    assert_eq!(store.last_serial("entree").as_deref(), Some(SERIAL));
    assert_eq!(store.last_serial("sortie"), None);
}
