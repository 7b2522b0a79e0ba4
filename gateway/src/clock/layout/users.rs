//! The clock's user table: who stands behind a slot or an id.
//!
//! Passwords and templates pass by unread: attendance has no use for them.

use std::collections::HashMap;

use fournil_protocol::clock::identity_text;

use super::until_nul;
use crate::clock::wire::{u16_at, u32_at};

/// How user records are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsersLayout {
    SeventyTwo,
    TwentyEight,
}

/// One user of the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Slot in the clock; reused after deletions.
    pub uid: u16,
    pub user_id: String,
    pub name: String,
    pub privilege: u8,
    pub card: u32,
    pub group: u8,
    /// The id or the name holds bytes that are no text.
    pub is_odd: bool,
    /// The name is not in UTF-8.
    pub is_name_foreign: bool,
}

/// All users, by slot and by id.
#[derive(Debug, Clone, Default)]
pub struct UserTable {
    users: Vec<User>,
    by_uid: HashMap<u16, usize>,
    by_user_id: HashMap<String, usize>,
}

impl UserTable {
    pub fn new(users: Vec<User>) -> UserTable {
        let by_uid = users.iter().enumerate().map(|(at, user)| (user.uid, at)).collect();
        let by_user_id =
            users.iter().enumerate().map(|(at, user)| (user.user_id.clone(), at)).collect();
        UserTable { users, by_uid, by_user_id }
    }

    pub fn users(&self) -> &[User] {
        &self.users
    }

    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub fn by_uid(&self, uid: u16) -> Option<&User> {
        self.by_uid.get(&uid).and_then(|at| self.users.get(*at))
    }

    pub fn by_user_id(&self, user_id: &str) -> Option<&User> {
        self.by_user_id.get(user_id).and_then(|at| self.users.get(*at))
    }
}

impl UsersLayout {
    pub fn stride(self) -> usize {
        match self {
            UsersLayout::SeventyTwo => 72,
            UsersLayout::TwentyEight => 28,
        }
    }

    pub fn decode_all(self, table: &[u8]) -> Vec<User> {
        table.chunks_exact(self.stride()).filter_map(|raw| self.decode(raw)).collect()
    }

    /// `None` only when `raw` is shorter than a record.
    pub fn decode(self, raw: &[u8]) -> Option<User> {
        match self {
            UsersLayout::SeventyTwo => decode_72(raw),
            UsersLayout::TwentyEight => decode_28(raw),
        }
    }
}

fn decode_72(raw: &[u8]) -> Option<User> {
    let (user_id, is_id_odd) = identity_text(raw.get(48..72)?);
    let (name, is_name_odd) = name_text(raw.get(11..35)?);
    Some(User {
        uid: u16_at(raw, 0)?,
        user_id,
        name,
        privilege: *raw.get(2)?,
        card: u32_at(raw, 35)?,
        group: *raw.get(39)?,
        is_odd: is_id_odd || is_name_odd,
        is_name_foreign: is_name_odd,
    })
}

fn decode_28(raw: &[u8]) -> Option<User> {
    let (name, is_odd) = name_text(raw.get(8..16)?);
    Some(User {
        uid: u16_at(raw, 0)?,
        user_id: u32_at(raw, 24)?.to_string(),
        name,
        privilege: *raw.get(2)?,
        card: u32_at(raw, 16)?,
        group: *raw.get(21)?,
        is_odd,
        is_name_foreign: is_odd,
    })
}

/// Names come in the clock's code page, which it does not name. UTF-8 is tried first because
/// nothing else looks like it; then Windows-1256, which Arabic firmware uses; then GBK, of
/// Chinese firmware, when what Windows-1256 makes of the bytes is no name.
fn name_text(bytes: &[u8]) -> (String, bool) {
    let bytes = until_nul(bytes);
    let (text, is_odd) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(error) => match cut_character(bytes, &error) {
            // A full field may end in the middle of a character.
            Some(text) => (text, false),
            None => (foreign_text(bytes), true),
        },
    };
    let is_odd = is_odd || text.chars().any(char::is_control);
    (text.chars().filter(|letter| !letter.is_control()).collect(), is_odd)
}

fn foreign_text(bytes: &[u8]) -> String {
    let (arabic, _) = encoding_rs::WINDOWS_1256.decode_without_bom_handling(bytes);
    let is_name = |letter: char| {
        letter.is_ascii()
            // Arabic letters, four that Persian adds, and those of French.
            || matches!(letter, '\u{621}'..='\u{64a}' | '\u{67e}' | '\u{686}' | '\u{698}' | '\u{6af}')
            || matches!(letter, '\u{e0}' | '\u{e2}' | '\u{e7}'..='\u{eb}' | '\u{ee}' | '\u{ef}')
            || matches!(letter, '\u{f4}' | '\u{f9}' | '\u{fb}' | '\u{fc}' | '\u{153}')
    };
    if arabic.chars().all(is_name) {
        return arabic.into_owned();
    }
    let chinese = encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes);
    chinese.unwrap_or(arabic).into_owned()
}

fn cut_character(bytes: &[u8], error: &std::str::Utf8Error) -> Option<String> {
    if error.error_len().is_some() {
        return None;
    }
    let whole = bytes.get(..error.valid_up_to())?;
    std::str::from_utf8(whole).ok().map(str::to_owned)
}

/// The layout of a user table: by the count when it divides, by content otherwise.
/// `None` when neither settles it.
pub fn choose_users_layout(table: &[u8], count: u32) -> Option<UsersLayout> {
    let count = usize::try_from(count).unwrap_or_default();
    let both = [UsersLayout::SeventyTwo, UsersLayout::TwentyEight];
    if let Some(layout) = both
        .into_iter()
        .find(|layout| count > 0 && layout.stride().checked_mul(count) == Some(table.len()))
    {
        return Some(layout);
    }
    let mut likely = both
        .into_iter()
        .filter(|layout| table.len().is_multiple_of(layout.stride()) && looks_like(*layout, table));
    match (likely.next(), likely.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn looks_like(layout: UsersLayout, table: &[u8]) -> bool {
    layout
        .decode_all(table)
        .iter()
        .all(|user| !user.is_odd && user.uid != 0 && user.group < 100 && user.privilege < 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_the_code_page_they_can_be_in() {
        let read = |bytes: &[u8]| name_text(bytes);
        assert_eq!(read("Leïla\0rest".as_bytes()), ("Leïla".to_owned(), false));
        let arabic = |text| encoding_rs::WINDOWS_1256.encode(text).0.into_owned();
        for name in ["محمد", "فاطمة الزهراء", "Amélie", "عبد القادر"] {
            assert_eq!(read(&arabic(name)), (name.to_owned(), true));
        }
        let chinese = |text| encoding_rs::GBK.encode(text).0.into_owned();
        for name in ["王伟", "张三", "李娜"] {
            assert_eq!(read(&chinese(name)), (name.to_owned(), true));
        }
        // Neither: kept as something, and said to be odd.
        let (text, is_odd) = read(&[0xff, 0x80, 0xff]);
        assert!(is_odd && !text.is_empty(), "{text}");
    }
}
