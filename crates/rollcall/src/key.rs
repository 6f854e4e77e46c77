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
            Ok(Sealer::new(key))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(path, randomness),
        Err(error) => Err(unreadable(path, &error).into()),
    }
}

fn make(path: &Path, randomness: &dyn Randomness) -> anyhow::Result<Sealer> {
    let mut key = Zeroizing::new([0; 32]);
    randomness.fill(&mut *key);
    // whole or not at all: a command and a server may both be the first
    let unfinished = path.with_extension(format!("key.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| {
            file.write_all(&*key)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::hard_link(&unfinished, path));
    drop(std::fs::remove_file(&unfinished));
    match written {
        Ok(()) => Ok(Sealer::new(&key)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => sealer(path, randomness),
        Err(error) => Err(unreadable(path, &error).into()),
    }
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
