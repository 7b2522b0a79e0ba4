//! The folder of an identity: rights, changes cut half-way, credentials.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn enrolled(key: &PendingKey) -> Enrolled {
    Enrolled {
        gateway_id: Uuid::from_bytes([7; 16]),
        name: "Caisse".into(),
        company: "Boulangerie".into(),
        url: "https://cloud.example".into(),
        fingerprint: key.fingerprint(),
        ca_pem: Some("pem".into()),
    }
}

fn adopt(state: &Path) -> Enrolled {
    let key = PendingKey::take_up(state).unwrap();
    let enrolled = enrolled(&key);
    key.adopt(&enrolled).unwrap();
    enrolled
}

fn state() -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    adopt(state.path());
    state
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_adopted_key_signs_for_its_fingerprint() {
    let state = tempfile::tempdir().unwrap();
    let enrolled = adopt(state.path());
    let identity = Identity::load(state.path()).unwrap();
    assert_eq!(identity.enrolled, enrolled);
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, identity.public_key());
    key.verify(b"said", &identity.sign(b"said")).unwrap();
    assert_eq!(identity.fingerprint().split('-').count(), 4);
}

#[test]
fn the_key_is_written_for_its_owner_only() {
    let state = state();
    let mode = |name: &str| fs::metadata(state.path().join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("identity"), 0o700);
    assert_eq!(mode("identity/key.pk8"), 0o600);
}

#[test]
fn a_readable_key_is_refused_with_the_remedy() {
    let state = state();
    chmod(&state.path().join("identity/key.pk8"), 0o640);
    let message = Identity::load(state.path()).unwrap_err().to_string();
    assert!(message.contains("chmod 600") && message.contains("640"), "{message}");
    chmod(&state.path().join("identity/key.pk8"), 0o600);
    chmod(&state.path().join("identity"), 0o755);
    let message = Identity::load(state.path()).unwrap_err().to_string();
    assert!(message.contains("chmod 700"), "{message}");
}

#[test]
fn an_unanswered_key_is_taken_up_again_and_the_old_identity_stays_good() {
    let state = state();
    let old = Identity::load(state.path()).unwrap().fingerprint();
    let first = PendingKey::take_up(state.path()).unwrap().fingerprint();
    let second = PendingKey::take_up(state.path()).unwrap();
    assert_eq!(first, second.fingerprint());
    assert_ne!(first, old);
    assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), old);
    let enrolled = enrolled(&second);
    second.adopt(&enrolled).unwrap();
    assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), first);
}

#[test]
fn a_change_cut_between_its_two_files_is_finished() {
    let state = state();
    let key = PendingKey::take_up(state.path()).unwrap();
    let text = toml::to_string(&enrolled(&key)).unwrap();
    fs::write(state.path().join("identity/identity.toml"), text).unwrap();
    for _ in 0..2 {
        assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), key.fingerprint());
    }
}

/// Every file of the folder, to go back to the instant before a cut.
fn picture(state: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(state.join(FOLDER)).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn put_back(state: &Path, picture: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(state.join(FOLDER)).unwrap();
    fs::DirBuilder::new().mode(0o700).create(state.join(FOLDER)).unwrap();
    for (path, bytes) in picture {
        write_whole(path, bytes).unwrap();
    }
}

#[test]
fn a_key_that_follows_is_taken_over_whole_wherever_it_was_cut() {
    let state = state();
    let path = |name: &str| state.path().join(FOLDER).join(name);
    let old = Identity::load(state.path()).unwrap();
    let next = PendingKey::next(state.path()).unwrap();
    let (words, before) = (next.fingerprint(), picture(state.path()));
    let enrolled = Enrolled { fingerprint: words.clone(), ..old.enrolled.clone() };
    next.adopt(&enrolled).unwrap();
    let after = picture(state.path());
    assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), words);
    let kept = previous_key(state.path()).unwrap().unwrap();
    assert_eq!(fingerprint_of(kept.public_key().as_ref()), old.fingerprint());
    assert!(!path(KEY_NEXT).exists());
    let content = |name: &str| after.iter().find(|(file, _)| file.ends_with(name)).unwrap();

    // Cut after the copy of the old key.
    put_back(state.path(), &before);
    write_whole(&path(KEY_PREVIOUS), &content(KEY_PREVIOUS).1).unwrap();
    assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), old.fingerprint());
    assert_eq!(PendingKey::next(state.path()).unwrap().fingerprint(), words, "asked again");
    // Cut before the key itself was moved.
    write_whole(&path(ENROLLED), &content(ENROLLED).1).unwrap();
    for _ in 0..2 {
        assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), words);
    }
    assert!(!path(KEY_NEXT).exists());
}

#[test]
fn a_change_that_a_reader_finished_meanwhile_is_a_change() {
    let state = state();
    let folder = state.path().join(FOLDER);
    let next = PendingKey::next(state.path()).unwrap();
    let words = next.fingerprint();
    let text = toml::to_string(&enrolled(&next)).unwrap();
    write_whole(&folder.join(ENROLLED), text.as_bytes()).unwrap();
    // The reader comes between the two files of `adopt`.
    assert_eq!(Identity::load(state.path()).unwrap().fingerprint(), words);
    promote(&folder, KEY_NEXT, &words).unwrap();
    let read = read_enrolled(&folder.join(ENROLLED)).unwrap();
    let key = finish_change(&folder, &read).unwrap();
    assert_eq!(fingerprint_of(key.public_key().as_ref()), words);
    // Another key in its place is none.
    promote(&folder, KEY_NEXT, "a-b-c-d").unwrap_err();
}

#[test]
fn enrolling_again_forgets_the_keys_around_the_old_one() {
    let state = state();
    let first = Identity::load(state.path()).unwrap();
    let next = PendingKey::next(state.path()).unwrap();
    let enrolled = Enrolled { fingerprint: next.fingerprint(), ..first.enrolled.clone() };
    next.adopt(&enrolled).unwrap();
    PendingKey::next(state.path()).unwrap();
    adopt(state.path());
    assert!(previous_key(state.path()).unwrap().is_none());
    assert!(!state.path().join(FOLDER).join(KEY_NEXT).exists());
}

#[test]
fn a_credential_stands_for_the_key_file_and_must_be_the_right_one() {
    let state = state();
    let known = Identity::load(state.path()).unwrap();
    assert!(!known.is_credential);
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join(CREDENTIAL);
    fs::rename(state.path().join("identity/key.pk8"), &credential).unwrap();
    let missing = Identity::load(state.path()).unwrap_err().to_string();
    assert!(missing.contains("credential"), "{missing}");
    assert!(is_enrolled(state.path()));
    let load = || Identity::load_with(state.path(), Some(&credential));
    let identity = load().unwrap();
    assert!(identity.is_credential);
    assert_eq!(identity.fingerprint(), known.fingerprint());
    // By an access list of systemd it shows so.
    chmod(&credential, 0o440);
    load().unwrap();
    chmod(&credential, 0o444);
    let loose = load().unwrap_err().to_string();
    assert!(loose.contains("chmod 400"), "{loose}");
    chmod(&credential, 0o400);
    let other = tempfile::tempdir().unwrap();
    adopt(other.path());
    let wrong = other.path().join("identity/key.pk8");
    let wrong = Identity::load_with(state.path(), Some(&wrong)).unwrap_err().to_string();
    assert!(wrong.contains("c'est la clé"), "{wrong}");
}

#[test]
fn two_do_not_change_an_identity_at_once() {
    let state = state();
    let lock = Lock::take(state.path()).unwrap();
    assert!(matches!(Lock::take(state.path()), Err(IdentityError::Busy)));
    drop(lock);
    Lock::take(state.path()).unwrap();
}

#[test]
fn what_is_shown_of_an_identity_holds_nothing_of_its_key() {
    let state = state();
    let pkcs8 = fs::read(state.path().join("identity/key.pk8")).unwrap();
    let shown = format!("{:?}", Identity::load(state.path()).unwrap());
    // The seed stands after the head of PKCS#8.
    let seed = data_encoding::HEXLOWER.encode(&pkcs8[16..48]);
    assert!(shown.contains("Ed25519") && !shown.to_lowercase().contains(&seed), "{shown}");
    let numbers = format!("{:?}", &pkcs8[16..48]);
    assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn no_identity_says_how_to_get_one() {
    let state = tempfile::tempdir().unwrap();
    let message = Identity::load(state.path()).unwrap_err().to_string();
    assert!(message.contains("enrol --url"), "{message}");
}

#[test]
fn a_damaged_key_says_so() {
    let state = state();
    fs::write(state.path().join("identity/key.pk8"), b"rubbish").unwrap();
    let error = Identity::load(state.path()).unwrap_err();
    assert!(matches!(error, IdentityError::Damaged { .. }));
}
