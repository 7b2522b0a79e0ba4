//! A user record to write: the clock's own record with name and card changed, or a new one
//! in a free slot. Pure. Every other byte stays as the clock had it: passwords, groups,
//! time zones; biometric templates are elsewhere and are never touched.

use super::users::{User, UsersLayout};

/// Bytes a name may have, the field's closing NUL left out where there is one.
const NAME_72_BYTES: usize = 23;
const NAME_28_BYTES: usize = 8;
const USER_ID_72_BYTES: usize = 23;
/// The group everybody is in unless somebody is put elsewhere.
const GROUP_DEFAULT: u8 = 1;

/// What a user should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserWish<'w> {
    pub user_id: &'w str,
    pub name: &'w str,
    /// 0: none.
    pub card: u64,
}

/// Why a clock cannot hold a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WishFault {
    /// Letters it does not take, or more than `max`.
    UserId {
        max: usize,
    },
    /// Longer than so many bytes in the clock's code page.
    NameLong {
        max: usize,
    },
    /// Letters that its code page does not have.
    NameLetters,
    Card,
    /// Every slot is taken.
    Full,
}

/// The record to send for a wish, from the table as it was just read. `pin_width` is how many
/// letters or digits a user id may have, 0 when the clock does not say.
pub fn user_record(
    layout: UsersLayout,
    table: &[u8],
    wish: &UserWish<'_>,
    pin_width: u32,
) -> Result<Vec<u8>, WishFault> {
    let users = layout.decode_all(table);
    let card = u32::try_from(wish.card).map_err(|_| WishFault::Card)?;
    let name = name_bytes(wish.name, &users, layout)?;
    let found = users.iter().position(|user| user.user_id == wish.user_id);
    let mut record = match found {
        Some(at) => table.chunks_exact(layout.stride()).nth(at).unwrap_or_default().to_vec(),
        None => new_record(layout, &users, wish.user_id, pin_width)?,
    };
    let (name_at, name_bytes, card_at) = match layout {
        UsersLayout::SeventyTwo => (11, 24, 35),
        UsersLayout::TwentyEight => (8, 8, 16),
    };
    put(&mut record, name_at, &vec![0; name_bytes]);
    put(&mut record, name_at, &name);
    put(&mut record, card_at, &card.to_le_bytes());
    Ok(record)
}

fn new_record(
    layout: UsersLayout,
    users: &[User],
    user_id: &str,
    pin_width: u32,
) -> Result<Vec<u8>, WishFault> {
    let told = usize::try_from(pin_width).unwrap_or(usize::MAX);
    let most = match layout {
        UsersLayout::SeventyTwo => USER_ID_72_BYTES,
        // A number of 32 bits.
        UsersLayout::TwentyEight => 10,
    };
    let max = if told == 0 { most } else { told.min(most) };
    let is_fit = (1..=max).contains(&user_id.len())
        && user_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_fit {
        return Err(WishFault::UserId { max });
    }
    let is_free = |slot: &u16| users.iter().all(|user| user.uid != *slot);
    let slot = (1..=u16::MAX).find(is_free).ok_or(WishFault::Full)?;
    let mut record = vec![0; layout.stride()];
    put(&mut record, 0, &slot.to_le_bytes());
    match layout {
        UsersLayout::SeventyTwo => {
            put(&mut record, 39, &[GROUP_DEFAULT]);
            put(&mut record, 48, user_id.as_bytes());
        }
        UsersLayout::TwentyEight => {
            let number: u32 = user_id.parse().map_err(|_| WishFault::UserId { max })?;
            put(&mut record, 21, &[GROUP_DEFAULT]);
            put(&mut record, 24, &number.to_le_bytes());
        }
    }
    Ok(record)
}

/// A name in the code page in which the clock keeps those it has: Windows-1256 when one of
/// them can be nothing else, UTF-8 otherwise.
fn name_bytes(name: &str, users: &[User], layout: UsersLayout) -> Result<Vec<u8>, WishFault> {
    if name.chars().any(char::is_control) {
        return Err(WishFault::NameLetters);
    }
    let bytes = if users.iter().any(|user| user.is_name_foreign) {
        let (bytes, _, is_lossy) = encoding_rs::WINDOWS_1256.encode(name);
        if is_lossy {
            return Err(WishFault::NameLetters);
        }
        bytes.into_owned()
    } else {
        name.as_bytes().to_vec()
    };
    let max = match layout {
        UsersLayout::SeventyTwo => NAME_72_BYTES,
        UsersLayout::TwentyEight => NAME_28_BYTES,
    };
    if bytes.len() > max { Err(WishFault::NameLong { max }) } else { Ok(bytes) }
}

fn put(record: &mut [u8], at: usize, part: &[u8]) {
    record.iter_mut().skip(at).zip(part).for_each(|(place, byte)| *place = *byte);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish<'w>(user_id: &'w str, name: &'w str, card: u64) -> UserWish<'w> {
        UserWish { user_id, name, card }
    }

    /// Two users in slots 1 and 3, every byte that is not looked at full of something.
    fn table(layout: UsersLayout) -> Vec<u8> {
        let mut table = Vec::new();
        for (slot, id) in [(1, "7"), (3, "1001")] {
            let mut record = new_record(layout, &[], id, 9).unwrap();
            put(&mut record, 0, &u16::to_le_bytes(slot));
            put(&mut record, 2, &[14, 0x34, 0x34, 0, 0xc6]);
            if layout == UsersLayout::SeventyTwo {
                put(&mut record, 40, &[1, 0, 2, 0, 3, 0, 4, 0]);
            }
            table.extend(record);
        }
        table
    }

    #[test]
    fn a_known_user_keeps_every_byte_but_name_and_card() {
        for layout in [UsersLayout::SeventyTwo, UsersLayout::TwentyEight] {
            let table = table(layout);
            let record = user_record(layout, &table, &wish("1001", "Samira", 77), 9).unwrap();
            let user = layout.decode(&record).unwrap();
            assert_eq!((user.uid, user.name.as_str(), user.card), (3, "Samira", 77));
            let before = &table[layout.stride()..];
            let changed: Vec<usize> =
                (0..record.len()).filter(|at| record[*at] != before[*at]).collect();
            let (name, card) = match layout {
                UsersLayout::SeventyTwo => (11..35, 35..39),
                UsersLayout::TwentyEight => (8..16, 16..20),
            };
            assert!(changed.iter().all(|at| name.contains(at) || card.contains(at)), "{changed:?}");
        }
    }

    #[test]
    fn somebody_new_gets_the_lowest_free_slot() {
        let layout = UsersLayout::SeventyTwo;
        let record = user_record(layout, &table(layout), &wish("22", "Nadia", 0), 9).unwrap();
        let user = layout.decode(&record).unwrap();
        assert_eq!((user.uid, user.user_id.as_str(), user.group), (2, "22", 1));
        assert_eq!((user.privilege, user.card), (0, 0));
    }

    #[test]
    fn what_a_clock_cannot_hold_is_refused_with_its_bound() {
        let layout = UsersLayout::SeventyTwo;
        let table = table(layout);
        let fault = |wish: UserWish<'_>| user_record(layout, &table, &wish, 4).unwrap_err();
        assert_eq!(fault(wish("12345", "A", 0)), WishFault::UserId { max: 4 });
        assert_eq!(fault(wish("1 2", "A", 0)), WishFault::UserId { max: 4 });
        assert_eq!(fault(wish("", "A", 0)), WishFault::UserId { max: 4 });
        assert_eq!(fault(wish("7", &"é".repeat(12), 0)), WishFault::NameLong { max: 23 });
        assert_eq!(fault(wish("7", "a\tb", 0)), WishFault::NameLetters);
        assert_eq!(fault(wish("7", "A", 1 << 32)), WishFault::Card);
        let small = UsersLayout::TwentyEight;
        let letters = user_record(small, &[], &wish("A1", "A", 0), 0).unwrap_err();
        assert_eq!(letters, WishFault::UserId { max: 10 });
    }

    #[test]
    fn a_clock_that_keeps_arabic_names_in_its_own_page_gets_them_so() {
        let layout = UsersLayout::SeventyTwo;
        let mut table = table(layout);
        let (kept, _, _) = encoding_rs::WINDOWS_1256.encode("سميرة");
        put(&mut table, 11, &kept);
        let record = user_record(layout, &table, &wish("1001", "أمين", 0), 9).unwrap();
        assert_eq!(layout.decode(&record).unwrap().name, "أمين");
        assert_eq!(record[11..15], encoding_rs::WINDOWS_1256.encode("أمين").0[..]);
        let fault = user_record(layout, &table, &wish("1001", "李", 0), 9);
        assert_eq!(fault, Err(WishFault::NameLetters));
    }

    proptest! {
        #[test]
        fn a_written_user_reads_back_as_it_was_meant(
            ids in proptest::collection::btree_set(1_u32..100_000, 0..30),
            id in 1_u32..100_000,
            name in "[a-zA-Zéà ]{0,11}",
            card in 0_u64..=u64::from(u32::MAX),
        ) {
            let layout = UsersLayout::SeventyTwo;
            let mut table = Vec::new();
            for other in &ids {
                table.extend(user_record(layout, &table, &wish(&other.to_string(), "x", 1), 9).unwrap());
            }
            let id = id.to_string();
            let name = name.trim_matches(' ');
            let record = user_record(layout, &table, &wish(&id, name, card), 9).unwrap();
            let user = layout.decode(&record).unwrap();
            prop_assert_eq!((&user.user_id, user.name.as_str(), u64::from(user.card)), (&id, name, card));
            let others = layout.decode_all(&table);
            let taken = others.iter().find(|other| other.uid == user.uid);
            prop_assert!(taken.is_none_or(|other| other.user_id == id), "a slot of somebody else");
        }
    }
}
