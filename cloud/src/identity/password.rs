//! Passwords: argon2id, off the async threads, a few at a time.
//!
//! 19 MiB and two passes cost about 30 ms; with `AT_ONCE` permits a flood of logins
//! waits in line instead of taking the machine's memory. The rate limits before it keep
//! the line short. Work that was begun cannot be taken back: its permit goes with it, so
//! that a caller who hangs up makes no room for another.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const AT_ONCE: usize = 2;
/// No vowels and no look-alikes: read aloud, typed once.
const LETTERS: &[u8] = b"bcdfghjkmnpqrstvwxz23456789";

static LINE: Semaphore = Semaphore::const_new(AT_ONCE);
/// What an unknown e-mail is checked against, so that the answer takes as long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> anyhow::Result<String> {
    let hasher = argon2().map_err(|e| anyhow::anyhow!("argon2 parameters: {e}"))?;
    let hash = hasher.hash_password(password.as_bytes());
    Ok(hash.map_err(|e| anyhow::anyhow!("password could not be hashed: {e}"))?.to_string())
}

fn is_right_now(password: &str, hash: Option<&str>) -> bool {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY.as_str()));
    let (Ok(parsed), Ok(verifier)) = (parsed, argon2()) else { return false };
    let is_right = verifier.verify_password(password.as_bytes(), &parsed).is_ok();
    is_right && hash.is_some()
}

/// The PHC string to store.
pub async fn hash(password: String) -> anyhow::Result<String> {
    in_line(&LINE, move || hash_now(&password)).await?
}

/// True when the password is the one behind `hash`. Without one (no such user) the same
/// work is done and the answer is no.
pub(super) async fn is_right(password: String, hash: Option<String>) -> anyhow::Result<bool> {
    in_line(&LINE, move || is_right_now(&password, hash.as_deref())).await
}

/// Does `work` on a thread of its own once `line` lets it. Dropped while it waits,
/// nothing happens; dropped later, the work goes on and keeps its place to its end.
async fn in_line<T: Send + 'static>(
    line: &'static Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let place = line.acquire().await?;
    let placed = move || {
        let done = work();
        drop(place);
        done
    };
    Ok(tokio::task::spawn_blocking(placed).await?)
}

/// A password for somebody else to change: four groups of four, 76 bits.
pub fn generated() -> anyhow::Result<String> {
    let random = ring::rand::SystemRandom::new();
    let mut password = String::new();
    while password.len() < 19 {
        let mut byte = [0_u8; 1];
        ring::rand::SecureRandom::fill(&random, &mut byte)
            .map_err(|_| anyhow::anyhow!("the machine gives no random bytes"))?;
        let [byte] = byte;
        // 27 letters: what is past the last whole multiple would favour the first ones.
        if usize::from(byte) >= 256 - 256 % LETTERS.len() {
            continue;
        }
        if password.len() % 5 == 4 {
            password.push('-');
        }
        let letter = LETTERS.get(usize::from(byte) % LETTERS.len());
        password.extend(letter.map(|letter| char::from(*letter)));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_only() {
        let hash = hash("quatre chats gris".into()).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_right("quatre chats gris".into(), Some(hash.clone())).await.expect("checked"));
        assert!(!is_right("quatre chats noirs".into(), Some(hash)).await.expect("checked"));
        assert!(!is_right("nobody has this password".into(), None).await.expect("checked"));
    }

    #[tokio::test]
    async fn work_whose_caller_left_keeps_its_place_to_its_end() {
        static ONE: Semaphore = Semaphore::const_new(1);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (let_go, wait) = std::sync::mpsc::channel::<()>();
        let caller = tokio::spawn(in_line(&ONE, move || {
            let _: Result<(), ()> = begun.send(());
            let _: Result<(), _> = wait.recv();
        }));
        has_begun.await.expect("begun");
        caller.abort();
        assert!(caller.await.expect_err("aborted").is_cancelled());
        assert_eq!(ONE.available_permits(), 0, "the work still holds memory");
        let_go.send(()).expect("still at work");
        in_line(&ONE, || ()).await.expect("the place is free at its end");
    }

    #[test]
    fn a_made_up_password_passes_our_own_rule() {
        let password = generated().expect("randomness");
        assert_eq!(password.len(), 19);
        assert_eq!(super::super::model::password_fault(&password, "a@b.dz"), None);
    }
}
