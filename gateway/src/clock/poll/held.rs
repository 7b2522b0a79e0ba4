//! Which clocks are being read in this process: most serve one session at a time, and two
//! sections that name the same one would push each other out for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Serial numbers and the section that reads each. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HeldClocks(Arc<Mutex<HashMap<String, String>>>);

/// Held as long as the session lasts.
#[derive(Debug)]
pub(super) struct Hold {
    held: HeldClocks,
    serial: String,
}

impl HeldClocks {
    /// Takes a clock for a section, or names the one that has it.
    pub(super) fn take(&self, serial: &str, section: &str) -> Result<Hold, String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = held.get(serial) {
            return Err(other.clone());
        }
        held.insert(serial.to_owned(), section.to_owned());
        Ok(Hold { held: self.clone(), serial: serial.to_owned() })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.serial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_by_one_section_and_free_when_that_leaves() {
        let held = HeldClocks::default();
        let hold = held.take("S1", "front").unwrap();
        assert_eq!(held.take("S1", "back").unwrap_err(), "front");
        assert!(held.take("S2", "back").is_ok());
        drop(hold);
        assert!(held.take("S1", "back").is_ok());
    }
}
