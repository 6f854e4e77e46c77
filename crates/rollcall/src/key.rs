//! The key that seals stored credentials: a file beside the store, made when it is first needed.
//!
//! It is kept out of the store so that a copy of the store alone opens nothing.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rollcall_app::sealing::Sealer;
use rollcall_model::Randomness;
use zeroize::Zeroizing;

use crate::outcome::Trouble;

/// Reads the key, or makes one.
pub(crate) fn sealer(path: &Path, randomness: &dyn Randomness) -> anyhow::Result<Sealer> {
    match existing(path)? {
        Some(sealer) => Ok(sealer),
        None => make(path, randomness),
    }
}

/// Reads the key; absent: there is none.
pub(crate) fn existing(path: &Path) -> anyhow::Result<Option<Sealer>> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let key: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                Trouble::wrong(format!(
                    "{} is not a key: it must hold exactly 32 bytes",
                    path.display()
                ))
                .hint("name another file with ROLLCALL_KEY_FILE, or bring the key back from your backup")
            })?;
            let mode = std::fs::metadata(path)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(Trouble::wrong(format!(
                    "{} can be read by other users of this machine",
                    path.display()
                ))
                .hint(format!("chmod 600 {}", path.display()))
                .into());
            }
            Ok(Some(Sealer::new(key)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error).into()),
    }
}

/// What became of a key that a copy of a store needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It lies there now, and did not before.
    New,
    /// It lay there already.
    Same,
}

/// Puts a copy of the key in `from` where `to` is, unless it lies there already. Another key is never overwritten.
pub(crate) fn place(from: &Path, to: &Path) -> anyhow::Result<Place> {
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
        Ok(there) if *there == *key => return Ok(Place::Same),
        Ok(_) => return Err(other_key(to).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(to, &error).into()),
    }
    match write(to, &key) {
        Ok(()) => Ok(Place::New),
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

fn make(path: &Path, randomness: &dyn Randomness) -> anyhow::Result<Sealer> {
    let mut key = Zeroizing::new([0; 32]);
    randomness.fill(&mut *key);
    match write(path, &*key) {
        Ok(()) => Ok(Sealer::new(&key)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => sealer(path, randomness),
        Err(error) => Err(unreadable(path, &error).into()),
    }
}

/// Writes a key where no file is.
fn write(path: &Path, key: &[u8]) -> std::io::Result<()> {
    // whole or not at all: a command and a server may both be the first
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| {
            file.write_all(key)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::hard_link(&unfinished, path));
    drop(std::fs::remove_file(&unfinished));
    written
}

fn unreadable(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::unreachable(format!("the key file {}: {error}", path.display()))
        .hint("name another file with ROLLCALL_KEY_FILE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_app::SystemRandomness;
    use rollcall_model::Secret;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone_and_read_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.db.key");
        let randomness = SystemRandomness::default();

        let first = sealer(&path, &randomness).unwrap();
        let sealed = first.seal(b"here", &Secret::new("token"), &randomness);
        let second = sealer(&path, &randomness).unwrap();

        assert_eq!(second.open(b"here", &sealed).unwrap().expose(), "token");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_is_placed_beside_a_copy_and_never_over_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("old"), [7; 32]).unwrap();
        std::fs::write(at("other"), [8; 32]).unwrap();

        assert_eq!(place(&at("old"), &at("new")).unwrap(), Place::New);
        assert_eq!(place(&at("old"), &at("new")).unwrap(), Place::Same);
        assert_eq!(place(&at("old"), &at("old")).unwrap(), Place::Same);
        let refused = place(&at("old"), &at("other")).unwrap_err();
        let missing = place(&at("gone"), &at("newer")).unwrap_err();

        assert_eq!(std::fs::read(at("new")).unwrap(), [7; 32]);
        let mode = std::fs::metadata(at("new")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(refused.to_string().contains("another key"), "{refused}");
        assert_eq!(std::fs::read(at("other")).unwrap(), [8; 32]);
        assert!(missing.to_string().contains("not there"), "{missing}");
        assert!(!at("newer").exists());
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let randomness = SystemRandomness::default();
        std::fs::write(&path, [7; 32]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            sealer(&path, &randomness)
                .unwrap_err()
                .to_string()
                .contains("other users")
        );

        std::fs::write(&path, "short").unwrap();
        assert!(
            sealer(&path, &randomness)
                .unwrap_err()
                .to_string()
                .contains("32 bytes")
        );
    }
}
