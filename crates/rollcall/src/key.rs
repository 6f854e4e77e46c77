//! The master keys, which seal the keys that seal what is in the store: a file beside the store, made when it is first needed, or a variable.
//!
//! They are kept out of the store so that a copy of the store alone opens nothing. The file holds 32 bytes for each key, the one that seals
//! first.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollcall_app::Failure;
use rollcall_app::sealing::master::{KeyId, MasterKeys, key_id};
use rollcall_app::sealing::{NotOpened, Sealer};
use rollcall_model::{Randomness, Secret};
use rollcall_store::Store;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::outcome::Trouble;

/// How many bytes a key has.
const LEN: usize = 32;
/// More keys than this are a file of another kind.
const MOST: usize = 16;

/// Where the keys are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    /// In base64, separated by commas.
    Variable(Secret),
}

impl Place {
    pub(crate) fn of(config: &Config) -> Self {
        match &config.key.value {
            Some(keys) => Self::Variable(keys.clone()),
            None => Self::File(config.key_file.value.clone()),
        }
    }

    /// Reads the keys; absent: there is no file.
    fn read(&self) -> anyhow::Result<Option<Keys>> {
        match self {
            Self::File(path) => read(path),
            Self::Variable(keys) => typed(keys).map(Some),
        }
    }
}

/// Keys, the one that seals first.
type Keys = Zeroizing<Vec<[u8; LEN]>>;

/// Makes what seals and opens, with the keys of the store. They are made when neither they nor anything that they seal is there.
pub(crate) async fn sealer(
    config: &Config,
    store: &Store,
    randomness: &dyn Randomness,
) -> anyhow::Result<Sealer> {
    if let Some(sealer) = existing(config, store, randomness).await? {
        return Ok(sealer);
    }
    let keys = make(&config.key_file.value, randomness)?;
    begin(store, Place::of(config), &keys, randomness).await
}

/// Makes what seals and opens, with the keys of the store; absent: neither they nor anything that they seal is there.
pub(crate) async fn existing(
    config: &Config,
    store: &Store,
    randomness: &dyn Randomness,
) -> anyhow::Result<Option<Sealer>> {
    let place = Place::of(config);
    let keys = match (place.read()?, &place) {
        (None, Place::File(path)) => {
            if !store.installation_secrets().await?.is_empty() {
                return Err(Trouble::wrong(format!(
                    "{}, the key of the store, is not there",
                    path.display()
                ))
                .hint("name it with ROLLCALL_KEY_FILE, or bring it back from where you keep it apart from the store: what is sealed in the store cannot be opened without it")
                .into());
            }
            return Ok(None);
        }
        (keys, _) => keys.unwrap_or_default(),
    };
    begin(store, place, &keys, randomness).await.map(Some)
}

async fn begin(
    store: &Store,
    place: Place,
    keys: &Keys,
    randomness: &dyn Randomness,
) -> anyhow::Result<Sealer> {
    let first = masters(keys).ok_or_else(|| Trouble::wrong("there is no key".to_owned()))?;
    let source = Box::new(move || masters(&place.read().ok()??));
    match Sealer::begin(store, first, source, randomness).await {
        Err(Failure::Internal(error)) if error.is::<NotOpened>() => {
            Err(Trouble::wrong(error.to_string())
                .hint("name the right file with ROLLCALL_KEY_FILE; nothing was changed")
                .into())
        }
        other => Ok(other?),
    }
}

fn masters(keys: &[[u8; LEN]]) -> Option<MasterKeys> {
    let (first, before) = keys.split_first()?;
    Some(MasterKeys::new(first, before))
}

/// Reads the keys in a file; absent: there is none.
fn read(path: &Path) -> anyhow::Result<Option<Keys>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error).into()),
    };
    let metadata = std::fs::metadata(path)?;
    if is_open_to_others(metadata.mode(), metadata.uid()) {
        return Err(Trouble::wrong(format!(
            "{} can be read by other users of this machine",
            path.display()
        ))
        .hint(format!(
            "chmod {:o} {}",
            widest_mode(metadata.uid()),
            path.display()
        ))
        .into());
    }
    let (keys, rest) = bytes.as_chunks::<LEN>();
    if keys.is_empty() || keys.len() > MOST || !rest.is_empty() {
        return Err(Trouble::wrong(format!(
            "{} is not a key: it must hold exactly 32 bytes for each key",
            path.display()
        ))
        .hint("name another file with ROLLCALL_KEY_FILE, or bring the key back from your backup")
        .into());
    }
    let keys = Zeroizing::new(keys.to_vec());
    refuse_samples(&keys, &path.display().to_string())?;
    Ok(Some(keys))
}

/// Tells whether others than the server may read a key's file of this mode and owner, or write it.
fn is_open_to_others(mode: u32, owner: u32) -> bool {
    mode & 0o077 & !widest_mode(owner) != 0
}

/// Returns how open a key's file of this owner may be. The group may read a file of the system's own: that is how root hands a key to one
/// service, and what a credential of systemd looks like.
pub(crate) fn widest_mode(owner: u32) -> u32 {
    if owner == 0 { 0o640 } else { 0o600 }
}

/// Reads keys that were typed.
fn typed(text: &Secret) -> anyhow::Result<Keys> {
    let mut keys = Zeroizing::new(Vec::new());
    for part in text.expose().split(',') {
        let bytes = STANDARD.decode(part.trim()).ok().map(Zeroizing::new);
        let key = bytes.and_then(|bytes| <[u8; LEN]>::try_from(bytes.as_slice()).ok());
        keys.push(key.ok_or_else(|| {
            Trouble::wrong("ROLLCALL_KEY is not a key in base64".to_owned())
                .hint("`openssl rand -base64 32` makes one; several are separated by commas, the one that seals first")
        })?);
    }
    refuse_samples(&keys, "ROLLCALL_KEY")?;
    Ok(keys)
}

/// Refuses keys that nobody drew.
fn refuse_samples(keys: &[[u8; LEN]], place: &str) -> anyhow::Result<()> {
    let is_sample = |key: &[u8; LEN]| key.iter().all(|byte| Some(byte) == key.first());
    if keys.iter().any(is_sample) {
        return Err(
            Trouble::wrong(format!("{place} holds a key that is one byte repeated"))
                .hint("a key is 32 random bytes: `head -c 32 /dev/urandom` gives some")
                .into(),
        );
    }
    Ok(())
}

/// Puts a new key before those in a file, so that it seals from now on. Returns its id.
pub(crate) fn add(path: &Path, randomness: &dyn Randomness) -> anyhow::Result<KeyId> {
    let mut fresh = Zeroizing::new([0; LEN]);
    randomness.fill(&mut *fresh);
    let mut keys = read(path)?.unwrap_or_default();
    if keys.len() >= MOST {
        return Err(
            Trouble::wrong(format!("{} holds {MOST} keys already", path.display()))
                .hint("`rollcall key prune` takes out those that seal nothing")
                .into(),
        );
    }
    keys.insert(0, *fresh);
    replace(path, &keys)?;
    Ok(key_id(&fresh))
}

/// Takes the keys out of a file that are not to stay; the first always does. Returns the ids of those that went.
pub(crate) fn prune(path: &Path, stays: impl Fn(KeyId) -> bool) -> anyhow::Result<Vec<KeyId>> {
    let mut keys = read(path)?.unwrap_or_default();
    let first = keys.first().map(key_id);
    let mut gone = Vec::new();
    keys.retain(|key| {
        let id = key_id(key);
        let keeps = Some(id) == first || stays(id);
        if !keeps {
            gone.push(id);
        }
        keeps
    });
    if !gone.is_empty() {
        replace(path, &keys)?;
    }
    Ok(gone)
}

/// Writes keys over those in a file: whoever reads sees the old ones or the new ones.
fn replace(path: &Path, keys: &[[u8; LEN]]) -> anyhow::Result<()> {
    let unfinished = unfinished(path);
    let bytes = Zeroizing::new(keys.concat());
    let written = write_new(&unfinished, &bytes).and_then(|()| std::fs::rename(&unfinished, path));
    drop(std::fs::remove_file(&unfinished));
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    written
        .and_then(|()| std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| unreadable(path, &error).into())
}

/// What became of a key that a copy of a store needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It lies there now, and did not before.
    New,
    /// It lay there already.
    Same,
}

/// Puts a copy of the key in `from` where `to` is, unless it lies there already. Another key is never overwritten.
pub(crate) fn place(from: &Path, to: &Path) -> anyhow::Result<Placed> {
    let key = match std::fs::read(from) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Trouble::wrong(format!(
                "{}, the key of the store, is not there",
                from.display()
            ))
            .hint("name it with ROLLCALL_KEY_FILE, or bring it back from your backup: what is sealed in the store cannot be opened without it")
            .into());
        }
        Err(error) => return Err(unreadable(from, &error).into()),
    };
    match std::fs::read(to).map(Zeroizing::new) {
        Ok(there) if *there == *key => return Ok(Placed::Same),
        Ok(_) => return Err(other_key(to).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(to, &error).into()),
    }
    match write(to, &key) {
        Ok(()) => Ok(Placed::New),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(other_key(to).into()),
        Err(error) => Err(unreadable(to, &error).into()),
    }
}

fn other_key(path: &Path) -> Trouble {
    Trouble::wrong(format!(
        "{} holds another key than the store has",
        path.display()
    ))
    .hint("move it away when no other store needs it, or run this in another folder; nothing was changed")
}

fn make(path: &Path, randomness: &dyn Randomness) -> anyhow::Result<Keys> {
    let mut key = Zeroizing::new([0; LEN]);
    randomness.fill(&mut *key);
    match write(path, &*key) {
        Ok(()) => Ok(Zeroizing::new(vec![*key])),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(read(path)?.unwrap_or_default())
        }
        Err(error) => Err(unreadable(path, &error).into()),
    }
}

/// Writes a key where no file is.
fn write(path: &Path, key: &[u8]) -> std::io::Result<()> {
    // whole or not at all: a command and a server may both be the first
    let unfinished = unfinished(path);
    let written = write_new(&unfinished, key).and_then(|()| std::fs::hard_link(&unfinished, path));
    drop(std::fs::remove_file(&unfinished));
    written
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(format!("key.{}", std::process::id()))
}

/// Writes a file that only its owner can read, to disk.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::unreachable(format!("the key file {}: {error}", path.display()))
        .hint("name another file with ROLLCALL_KEY_FILE")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use rollcall_app::SystemRandomness;

    /// Bytes that somebody may have drawn.
    fn drawn(seed: u8) -> [u8; LEN] {
        std::array::from_fn(|place| seed.wrapping_add(u8::try_from(place).unwrap()))
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_alone_and_read_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db.key");
        let randomness = SystemRandomness::default();

        let first = make(&path, &randomness).unwrap();
        let second = make(&path, &randomness).unwrap();

        assert_eq!(*first, *second);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_key_comes_first_and_those_that_seal_nothing_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let randomness = SystemRandomness::default();
        let old = make(&path, &randomness).unwrap();

        let fresh = add(&path, &randomness).unwrap();

        let both = read(&path).unwrap().unwrap();
        assert_eq!((key_id(&both[0]), &both[1..]), (fresh, &old[..]));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(prune(&path, |_| true).unwrap(), []);
        assert_eq!(prune(&path, |_| false).unwrap(), [key_id(&old[0])]);
        assert_eq!(*read(&path).unwrap().unwrap(), both[..1]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_is_placed_beside_a_copy_and_never_over_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("old"), drawn(7)).unwrap();
        std::fs::write(at("other"), drawn(8)).unwrap();

        assert_eq!(place(&at("old"), &at("new")).unwrap(), Placed::New);
        assert_eq!(place(&at("old"), &at("new")).unwrap(), Placed::Same);
        assert_eq!(place(&at("old"), &at("old")).unwrap(), Placed::Same);
        let refused = place(&at("old"), &at("other")).unwrap_err();
        let missing = place(&at("gone"), &at("newer")).unwrap_err();

        assert_eq!(std::fs::read(at("new")).unwrap(), drawn(7));
        assert_eq!(mode(&at("new")), 0o600);
        assert!(refused.to_string().contains("another key"), "{refused}");
        assert_eq!(std::fs::read(at("other")).unwrap(), drawn(8));
        assert!(missing.to_string().contains("not there"), "{missing}");
        assert!(!at("newer").exists());
    }

    #[test]
    fn a_key_is_its_owners_alone_unless_root_hands_it_to_one_group() {
        for (mode, owner, expected) in [
            (0o100_600, 1_000, false),
            (0o100_400, 1_000, false),
            (0o100_640, 1_000, true),
            (0o100_604, 1_000, true),
            (0o100_640, 0, false),
            (0o100_440, 0, false),
            (0o100_660, 0, true),
            (0o100_644, 0, true),
        ] {
            assert_eq!(is_open_to_others(mode, owner), expected, "{mode:o} {owner}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let refused = |bytes: &[u8], mode: u32, words: &str| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let told = read(&path).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        };

        refused(&drawn(1), 0o644, "other users");
        refused(b"short", 0o600, "32 bytes");
        refused(&[], 0o600, "32 bytes");
        refused(&[drawn(1).as_slice(), b"x"].concat(), 0o600, "32 bytes");
        refused(&[0; LEN], 0o600, "repeated");
        refused(&[drawn(1), [9; LEN]].concat(), 0o600, "repeated");
    }

    #[test]
    fn keys_can_be_typed() {
        let text = [drawn(1), drawn(2)].map(|key| STANDARD.encode(key));

        let keys = typed(&Secret::new(text.join(", "))).unwrap();

        assert_eq!(*keys, [drawn(1), drawn(2)]);
        let wrong = [
            String::new(),
            "x".to_owned(),
            STANDARD.encode([0; LEN]),
            text.join(",,"),
        ];
        for wrong in wrong {
            typed(&Secret::new(wrong)).unwrap_err();
        }
    }
}
