//! Whose rights count: those of the account the service runs under, which are not those
//! of a person who runs this with sudo.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Groups that the packaged unit gives on top of the account's own.
const UNIT_GROUPS: &[&str] = &["dialout"];

/// An account and its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    uid: u32,
    groups: Vec<u32>,
}

impl Account {
    /// The running daemon's own, else the owner of the state folder, else who runs this.
    pub(super) fn of_service(state_dir: &Path, pid: Option<u32>) -> Self {
        if let Some(account) = pid.and_then(of_process) {
            return account;
        }
        let me = rustix::process::geteuid().as_raw();
        let owner = std::fs::metadata(state_dir).map(|found| found.uid());
        of_uid(owner.unwrap_or(me))
    }

    /// Whether the mode bits let it read and write.
    pub(super) fn may_use(&self, found: &Metadata) -> bool {
        let shift = if found.uid() == self.uid {
            6
        } else if self.groups.contains(&found.gid()) {
            3
        } else {
            0
        };
        self.uid == 0 || (found.mode() >> shift) & 0o6 == 0o6
    }
}

fn of_process(pid: u32) -> Option<Account> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>())
    };
    let uid = *numbers("Uid:")?.get(1)?;
    let mut groups = numbers("Groups:")?;
    groups.extend(numbers("Gid:")?.get(1));
    Some(Account { name: user_name(uid), uid, groups })
}

fn of_uid(uid: u32) -> Account {
    let name = user_name(uid);
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let own = user_fields(uid).and_then(|fields| fields.get(3)?.parse().ok());
    let listed = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (group, gid) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        let is_member = fields.next()?.split(',').any(|member| member == name);
        (is_member || UNIT_GROUPS.contains(&group)).then_some(gid)
    });
    Account { groups: own.into_iter().chain(listed).collect(), name, uid }
}

/// The name of a group, or its number.
pub(super) fn group_name(gid: u32) -> String {
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid.to_string()).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| gid.to_string())
}

fn user_name(uid: u32) -> String {
    let name = user_fields(uid).and_then(|fields| fields.first().cloned());
    name.unwrap_or_else(|| uid.to_string())
}

fn user_fields(uid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    text.lines().map(fields).find(|fields| fields.get(2) == Some(&uid.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn owner_group_and_others_have_their_own_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node");
        std::fs::write(&path, "").unwrap();
        let found = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            std::fs::metadata(&path).unwrap()
        };
        let (uid, gid) = (found(0o600).uid(), found(0o600).gid());
        let account = |uid, groups| Account { name: "x".into(), uid, groups };
        let (stranger, member) = (account(77_777, vec![]), account(77_777, vec![gid]));
        assert!(!stranger.may_use(&found(0o660)) && member.may_use(&found(0o660)));
        assert!(stranger.may_use(&found(0o666)) && !member.may_use(&found(0o646)));
        assert!(account(uid, vec![]).may_use(&found(0o600)));
    }

    #[test]
    fn this_very_process_is_found_in_proc() {
        let me = of_process(std::process::id()).unwrap();
        assert_eq!(me.uid, rustix::process::geteuid().as_raw());
    }
}
