//! The kinds of clocks that the simulated one can be, each as met in the field.

use std::str::FromStr;

use fournil_gateway::clock::layout::{AttendanceLayout, ClockTime, UsersLayout};

use super::store::{SimPunch, fitting, put};

/// What a kind of clock is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub name: &'static str,
    pub device_name: &'static str,
    pub platform: &'static str,
    pub firmware: &'static str,
    pub users: UsersLayout,
    pub layout: AttendanceLayout,
    /// Data bytes of a frame.
    pub packet_bytes: usize,
    /// Length of the answer about sizes.
    pub sizes_bytes: usize,
    /// Says how many it holds; some say zero.
    pub has_counts: bool,
    /// Knows the buffered read; old firmware sends tables as they are.
    pub has_buffer: bool,
    /// Old firmware may speak UDP only.
    pub has_tcp: bool,
    /// Length of a punch told live.
    pub event_bytes: usize,
    /// Records its log holds.
    pub capacity: u32,
}

const TFT40: Model = Model {
    name: "tft40",
    device_name: "FOURNIL-SIM",
    platform: "ZMM220_TFT",
    firmware: "Ver 6.60 Apr 28 2017",
    users: UsersLayout::SeventyTwo,
    layout: AttendanceLayout::FORTY,
    packet_bytes: 1008,
    sizes_bytes: 92,
    has_counts: true,
    has_buffer: true,
    has_tcp: true,
    event_bytes: 32,
    capacity: 50_000,
};

/// Every one, by name.
pub const MODELS: [Model; 7] = [
    TFT40,
    Model { name: "f19", platform: "ZEM760", packet_bytes: 4096, capacity: 100_000, ..TFT40 },
    Model { name: "big", packet_bytes: 1 << 16, event_bytes: 36, capacity: 200_000, ..TFT40 },
    Model {
        name: "speedface",
        platform: "ZAM180_TFT",
        firmware: "Ver 1.0.21-20230615",
        layout: AttendanceLayout::Text { stride: 49 },
        sizes_bytes: 112,
        has_counts: false,
        event_bytes: 52,
        capacity: 200_000,
        ..TFT40
    },
    Model {
        name: "bw28-8A",
        platform: "ZEM560",
        firmware: "Ver 5.20 Jan 12 2009",
        users: UsersLayout::TwentyEight,
        layout: AttendanceLayout::EightA,
        packet_bytes: 1024,
        sizes_bytes: 80,
        event_bytes: 12,
        ..TFT40
    },
    Model {
        name: "zem500-8B",
        platform: "ZEM500",
        firmware: "Ver 4.19 Jul 3 2006",
        users: UsersLayout::TwentyEight,
        layout: AttendanceLayout::EightB,
        packet_bytes: 1024,
        sizes_bytes: 80,
        has_buffer: false,
        has_tcp: false,
        event_bytes: 10,
        ..TFT40
    },
    Model {
        name: "ext16",
        platform: "ZEM300",
        firmware: "Ver 6.21 Nov 16 2010",
        layout: AttendanceLayout::Sixteen,
        packet_bytes: 1024,
        sizes_bytes: 80,
        event_bytes: 14,
        ..TFT40
    },
];

impl Default for Model {
    fn default() -> Model {
        TFT40
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Model, String> {
        let names = || MODELS.map(|model| model.name).join(", ");
        let found = MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| format!("{text:?}: use one of {}", names()))
    }
}

impl Model {
    /// The data of a punch told live.
    pub(super) fn event_data(&self, punch: &SimPunch) -> Vec<u8> {
        let time = ClockTime::decode(punch.encoded_time).to_six();
        let mut data = vec![0; self.event_bytes];
        let number: u32 = punch.user_id.parse().unwrap_or_default();
        let [low, high, ..] = number.to_le_bytes();
        let after_id = match self.event_bytes {
            12 => {
                put(&mut data, 0, &number.to_le_bytes());
                4
            }
            10 | 14 => {
                put(&mut data, 0, &[low, high]);
                2
            }
            _ => {
                put(&mut data, 0, fitting(&punch.user_id, 23));
                24
            }
        };
        put(&mut data, after_id, &[punch.verify, punch.state]);
        put(&mut data, after_id + 2, &time);
        data
    }
}
