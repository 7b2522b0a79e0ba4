//! Who may read and write what: the state folder, the key, the daemon's socket, the
//! serial lines of printers.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::account::{Account, group_name};
use super::finding::Finding;
use crate::app::status::Status;
use crate::config::Config;
use crate::printer::config::Target;
use crate::tunnel::identity::{Identity, IdentityError};

const CHECK: &str = "permissions";

/// Whether this person cannot look into the state folder at all.
pub(super) fn is_closed(state_dir: &Path) -> bool {
    std::fs::read_dir(state_dir).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// The one line about such a folder.
pub(super) fn closed(state_dir: &Path) -> Finding {
    let owner = Account::of_service(state_dir, None).name;
    Finding::new(CHECK, "state-foreign").with("path", state_dir.display()).with("owner", owner)
}

pub(super) fn examine(
    config: &Config,
    status: &io::Result<Status>,
    identity: &Result<Identity, IdentityError>,
) -> Vec<Finding> {
    let pid = status.as_ref().ok().map(|status| status.pid);
    let account = Account::of_service(&config.state_dir, pid);
    let mut findings: Vec<Finding> = folder(&config.state_dir).into_iter().collect();
    findings.extend(key(identity));
    if status.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        findings.push(Finding::new(CHECK, "socket-forbidden"));
    }
    for printer in &config.printers {
        if let Target::Serial { path, .. } = &printer.to {
            findings.extend(line(path, &account).map(|finding| finding.of(&printer.name)));
        }
    }
    if findings.is_empty() {
        let whole = Finding::new(CHECK, "private");
        findings.push(whole.with("path", config.state_dir.display()).with("account", account.name));
    }
    findings
}

fn folder(path: &Path) -> Option<Finding> {
    let shown = path.display();
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(Finding::new(CHECK, "state-missing").with("path", shown));
        }
        Err(error) => {
            return Some(
                Finding::new(CHECK, "state-unreadable").with("path", shown).with("why", error),
            );
        }
    };
    if !found.is_dir() {
        return Some(Finding::new(CHECK, "state-not-a-folder").with("path", shown));
    }
    let mode = found.mode() & 0o777;
    (mode & 0o022 != 0).then(|| {
        let mode = format!("{mode:03o}");
        Finding::new(CHECK, "state-open-to-others").with("path", shown).with("mode", mode)
    })
}

fn key(identity: &Result<Identity, IdentityError>) -> Option<Finding> {
    match identity {
        Err(IdentityError::Loose { path, mode, wanted }) => Some(
            Finding::new(CHECK, "key-open-to-others")
                .with("path", path.display())
                .with("mode", format!("{mode:03o}"))
                .with("wanted", format!("{wanted:03o}")),
        ),
        Err(IdentityError::Foreign { path, owner, me }) => Some(
            Finding::new(CHECK, "key-foreign")
                .with("path", path.display())
                .with("owner", owner)
                .with("me", me),
        ),
        _ => None,
    }
}

fn line(path: &str, account: &Account) -> Option<Finding> {
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Some(Finding::new(CHECK, "device-missing").with("path", path));
        }
        Err(error) => {
            return Some(
                Finding::new(CHECK, "device-unreadable").with("path", path).with("why", error),
            );
        }
    };
    (!account.may_use(&found)).then(|| {
        Finding::new(CHECK, "device-forbidden")
            .with("path", path)
            .with("account", &account.name)
            .with("group", group_name(found.gid()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_line_and_one_of_others_are_told_apart() {
        let me = Account::of_service(Path::new("/nonexistent"), None);
        assert_eq!(line("/nonexistent/tty", &me).unwrap().code, "device-missing");
        assert!(line("/dev/null", &me).is_none());
    }
}
