//! The directory of a `dsr local`: whose it is, who works on it, and what it tells other commands.
//!
//! Invariant: one process works on a directory, from before its first write until it ends, and
//! `running.json` speaks of that process only.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use quittance_aws::clock::SystemClock;
use quittance_aws::provision::{self, KEY_FILES};
use quittance_aws::settings::{Setting, Settings, SettingsError};
use serde::{Deserialize, Serialize};

use crate::printing::Failure;

/// A directory that this process works on.
#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    // Held until the end; the operating system lets go of it even after `kill -9`.
    _lock: File,
}

/// What a running `dsr local` tells `dsr request` and the like.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) api: String,
    pub(crate) aws_endpoint: String,
    /// By the names that the environment would have.
    settings: BTreeMap<String, String>,
}

impl Home {
    /// Takes a directory: a new or empty one, or one that was a `dsr local`'s before. `reset` forgets
    /// what was in it.
    pub(crate) fn open(dir: &Path, reset: bool) -> Result<Self, Failure> {
        if dir.exists() && !dir.join(LOCK).exists() && !is_empty(dir)? {
            return Err(Failure::conflict(format!(
                "{} was not made by `dsr local`: choose a new or an empty --dir",
                dir.display()
            )));
        }
        fs::create_dir_all(dir).map_err(|error| cannot("make", dir, &error))?;
        let dir = dir
            .canonicalize()
            .map_err(|error| cannot("open", dir, &error))?;
        let lock = lock(&dir)?;
        if reset {
            clear(&dir)?;
        }
        remove_if_there(&dir.join(RUNNING))?;
        let home = Self { dir, _lock: lock };
        for part in [AWS, MAILBOX] {
            let path = home.dir.join(part);
            fs::create_dir_all(&path).map_err(|error| cannot("make", &path, &error))?;
        }
        home.make_keys()?;
        Ok(home)
    }

    /// Where it is, as an absolute path.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the embedded backends keep their state.
    pub(crate) fn aws(&self) -> PathBuf {
        self.dir.join(AWS)
    }

    /// Where mails end up.
    pub(crate) fn mailbox(&self) -> PathBuf {
        self.dir.join(MAILBOX)
    }

    /// Where the key files are, as settings.
    pub(crate) fn keys(&self) -> Vec<(Setting, String)> {
        provision::key_files(&self.dir.join(KEYS))
    }

    /// Tells other commands how to reach this process.
    pub(crate) fn tell(
        &self,
        api: &str,
        aws_endpoint: &str,
        settings: &[(Setting, String)],
    ) -> Result<(), Failure> {
        let running = Running {
            api: api.to_owned(),
            aws_endpoint: aws_endpoint.to_owned(),
            settings: settings
                .iter()
                .map(|(setting, value)| (setting.variable(), value.clone()))
                .collect(),
        };
        // Whole or not at all: somebody may be reading.
        let draft = self.dir.join(format!("{RUNNING}.draft"));
        fs::write(&draft, serde_json::to_vec_pretty(&running)?)?;
        Ok(fs::rename(draft, self.dir.join(RUNNING))?)
    }

    /// Makes the keys of a new directory, all of them or none. Where there is state already, new keys
    /// would make it unreadable: then what is missing is told.
    fn make_keys(&self) -> Result<(), Failure> {
        let keys = self.dir.join(KEYS);
        if keys.exists() {
            return check_keys(&self.dir);
        }
        if !is_empty(&self.aws())? {
            return Err(missing(&keys));
        }
        let draft = self.dir.join(format!("{KEYS}.draft"));
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        provision::make_keys(&draft, &SystemClock)?;
        Ok(fs::rename(draft, keys)?)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Left behind it does no harm: whoever reads it looks at the lock first.
        drop(remove_if_there(&self.dir.join(RUNNING)));
    }
}

impl Running {
    /// Looks for the process that works on a directory now.
    pub(crate) fn find(dir: &Path) -> Result<Self, Failure> {
        let start = || format!("start it with `dsr local --dir {}`", dir.display());
        let lock = File::open(dir.join(LOCK)).map_err(|_| {
            Failure::not_found(format!(
                "there is no `dsr local` in {}: {}",
                dir.display(),
                start()
            ))
        })?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(cannot("look at", dir, &error)),
            Ok(()) => {
                return Err(Failure::not_found(format!(
                    "the `dsr local` in {} is not running: {}",
                    dir.display(),
                    start()
                )));
            }
        }
        let text = match fs::read(dir.join(RUNNING)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::later(format!(
                    "the `dsr local` in {} is starting: try again in a moment",
                    dir.display()
                )));
            }
            Err(error) => return Err(cannot("read", &dir.join(RUNNING), &error)),
        };
        check_keys(dir)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The settings that process works with.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let known = Setting::ALL.into_iter().filter_map(|setting| {
            let value = self.settings.get(&setting.variable())?;
            Some((setting, value.clone()))
        });
        Settings::new(known)
    }
}

/// Takes the lock. A command that only looks holds it for a moment.
fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| cannot("write", &path, &error))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
        }
    }
    Err(Failure::conflict(format!(
        "another `dsr local` works on {}: stop it first, or choose another --dir",
        dir.display()
    )))
}

/// Forgets everything but the lock.
fn clear(dir: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name() == LOCK {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|error| cannot("delete", &path, &error))?;
    }
    Ok(())
}

fn check_keys(dir: &Path) -> Result<(), Failure> {
    let mut files = KEY_FILES.iter().map(|(_, name)| dir.join(KEYS).join(name));
    files
        .find(|file| !file.exists())
        .map_or(Ok(()), |file| Err(missing(&file)))
}

fn missing(path: &Path) -> Failure {
    Failure::failed(format!(
        "{} is missing, and the state beside it cannot be read without: put it back, or forget everything with --reset",
        path.display()
    ))
}

fn is_empty(dir: &Path) -> Result<bool, Failure> {
    let mut entries = fs::read_dir(dir).map_err(|error| cannot("read", dir, &error))?;
    Ok(entries.next().is_none())
}

fn remove_if_there(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(cannot("delete", path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

const LOCK: &str = "dsr-local.lock";
const RUNNING: &str = "running.json";
const KEYS: &str = "keys";
const AWS: &str = "aws";
const MAILBOX: &str = "mailbox";
const LOCK_TRIES: usize = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
