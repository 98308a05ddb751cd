//! Files that only their owner may read.
//!
//! Written whole or not at all: first under another name in the same folder, then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("{path} can be read by others (mode {mode:o}): run `chmod 600 {path}`")]
    Open {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not contain what it should.
    #[error("{path} is not {expected}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl SecretFileError {
    pub(crate) fn unreadable(path: &Path, expected: &'static str) -> Self {
        Self::Unreadable {
            path: path.display().to_string(),
            expected,
        }
    }

    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

/// Reads a secret; when there is none, stores what `make` makes. Two processes that start at once
/// end up with the same secret.
pub(crate) fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Vec<u8>,
) -> Result<Vec<u8>, SecretFileError> {
    match read(path) {
        Err(SecretFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        there => return there,
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| SecretFileError::io(path, e))?;
    }
    match write_new(path, &make()) {
        // Somebody was faster: theirs counts.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        done => done.map_err(|e| SecretFileError::io(path, e))?,
    }
    read(path)
}

/// Reads a secret that only its owner may read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SecretFileError> {
    let meta = fs::metadata(path).map_err(|e| SecretFileError::io(path, e))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Open {
            path: path.display().to_string(),
            mode,
        });
    }
    fs::read(path).map_err(|e| SecretFileError::io(path, e))
}

/// Writes a private file, in place of an earlier one if there is one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    write_private(&draft, bytes)?;
    fs::rename(&draft, path)
}

/// Writes a private file that must not exist yet.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    write_private(&draft, bytes)?;
    // A hard link fails when the name is taken; a rename would silently replace.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A draft left by a crash may still be a second name of the finished file: unlink it, never
    // write through it.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn draft_of(path: &Path) -> PathBuf {
    let n = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{n}.draft", std::process::id()));
    path.with_file_name(name)
}

/// Keeps drafts of this process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/one");
        assert_eq!(
            read_or_create(&path, || b"first".to_vec()).unwrap(),
            b"first"
        );
        assert_eq!(
            read_or_create(&path, || b"second".to_vec()).unwrap(),
            b"first"
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn replacing_leaves_one_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
