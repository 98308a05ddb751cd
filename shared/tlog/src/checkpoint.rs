//! Checkpoints: a log's size and root under its name (C2SP `tlog-checkpoint`).
//!
//! The text is the origin, the size and the root, a line each. The extension lines that C2SP allows
//! are refused: our logs write none, and nobody here could say what they mean. Who signed it is the
//! business of [`crate::note`]; who had to sign it, of [`crate::policy`].

use std::fmt;

use crate::hash::Hash;
use crate::note::{Note, NoteError, VerifierKey};

/// A log's head: this many leaves have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

impl Checkpoint {
    /// Makes a checkpoint.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`] if the origin is empty or has control characters.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let checkpoint = Self {
            origin: origin.to_owned(),
            size,
            root,
        };
        // Whatever cannot be read back must not be signed.
        Self::parse(&checkpoint.to_string())
    }

    /// Parses a note's text; exactly one text stands for each checkpoint.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`] if it is not exactly of the format,
    /// [`CheckpointError::Extension`] if there are further lines.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let (checkpoint, more) = Self::parse_text(text).ok_or(CheckpointError::Malformed)?;
        if more == 0 {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Extension)
        }
    }

    /// Parses a signed checkpoint, verifies the log's signature and that the origin is the log's.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Note`] if the note is malformed or not signed by `log`,
    /// [`CheckpointError::Origin`] if it is another log's, [`CheckpointError::Malformed`].
    pub fn open(bytes: &[u8], log: &VerifierKey) -> Result<(Self, Note), CheckpointError> {
        Self::open_any(bytes, std::slice::from_ref(log))
            .map(|(checkpoint, note, _)| (checkpoint, note))
    }

    /// As [`Self::open`], for a log that has changed its key: one of these must have signed under its own
    /// name. Returns which.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_any<'k>(
        bytes: &[u8],
        logs: &'k [VerifierKey],
    ) -> Result<(Self, Note, &'k VerifierKey), CheckpointError> {
        let note = Note::parse(bytes)?;
        let signed = note.verify(logs)?;
        let checkpoint = Self::parse(note.text())?;
        let mut keys = signed.iter().map(|verified| verified.key);
        let log = keys.find(|key| key.name() == checkpoint.origin);
        let log = log.ok_or(CheckpointError::Origin)?;
        Ok((checkpoint, note, log))
    }

    /// Returns the note to sign.
    ///
    /// # Errors
    ///
    /// Never for a checkpoint that was made or parsed here; the type says so to avoid a panic.
    pub fn to_note(&self) -> Result<Note, CheckpointError> {
        Ok(Note::unsigned(self.to_string())?)
    }

    /// Returns the log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns how many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the tree's root.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Parses the three lines, and counts those that follow.
    fn parse_text(text: &str) -> Option<(Self, usize)> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size_text, root) = (lines.next()?, lines.next()?, lines.next()?);
        let size: u64 = size_text.parse().ok()?;
        let more: Vec<&str> = lines.collect();
        let is_legal = !origin.is_empty()
            && !text.chars().any(|c| c < ' ' && c != '\n')
            && size.to_string() == size_text
            && more.iter().all(|line| !line.is_empty());
        let root = Hash::parse(root)?;
        let is_empty_right = size > 0 || root == Hash::EMPTY_ROOT;
        let checkpoint = Self {
            origin: origin.to_owned(),
            size,
            root,
        };
        (is_legal && is_empty_right).then_some((checkpoint, more.len()))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// What can be wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// There are lines after the root.
    #[error("the checkpoint has more lines than name, size and root")]
    Extension,
    /// Not a checkpoint.
    #[error("not a checkpoint")]
    Malformed,
    /// The note is malformed or not signed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed with the log's key, but under another origin.
    #[error("the checkpoint is of another log")]
    Origin,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Ed25519Signer, KeyKind};

    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_specifications_example_survives_its_text() {
        let checkpoint = Checkpoint::parse(TEXT).unwrap();
        assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size(), 20_852_163);
        assert_eq!(checkpoint.to_string(), TEXT);
    }

    #[test]
    fn extension_lines_are_refused_even_when_they_are_signed() {
        for more in ["more\n", "more\nand more\n"] {
            let extended = format!("{TEXT}{more}");
            assert_eq!(
                Checkpoint::parse(&extended),
                Err(CheckpointError::Extension)
            );
            let name = "example.com/behind-the-sofa";
            let log = Ed25519Signer::from_seed(name, KeyKind::Ed25519, &[1; 32]).unwrap();
            let signed = log.sign(Note::unsigned(extended).unwrap()).unwrap();
            let opened = Checkpoint::open(signed.to_string().as_bytes(), log.verifier());
            assert_eq!(opened, Err(CheckpointError::Extension));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for bad in [
            String::new(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n1\n{}\n", root.trim_end_matches('=')),
            format!("a\n1\n{root}\n\n"),
            format!("a\n1\n{root}\n\nx\n"),
            format!("a\r\n1\n{root}\n"),
            format!("a\n0\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
        ] {
            assert_eq!(
                Checkpoint::parse(&bad),
                Err(CheckpointError::Malformed),
                "{bad:?}"
            );
        }
        assert!(Checkpoint::new("", 1, Hash::EMPTY_ROOT).is_err());
        assert!(Checkpoint::new("a\nb", 1, Hash::EMPTY_ROOT).is_err());
    }

    #[test]
    fn a_checkpoint_opens_only_under_its_logs_name_and_key() {
        let log = Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[1; 32]).unwrap();
        let signed = |origin: &str| {
            let checkpoint = Checkpoint::new(origin, 0, Hash::EMPTY_ROOT).unwrap();
            log.sign(checkpoint.to_note().unwrap()).unwrap().to_string()
        };
        let good = signed("example.com/log");
        assert_eq!(
            Checkpoint::open(good.as_bytes(), log.verifier())
                .unwrap()
                .0
                .size(),
            0
        );
        let foreign = signed("example.com/other");
        assert_eq!(
            Checkpoint::open(foreign.as_bytes(), log.verifier()),
            Err(CheckpointError::Origin)
        );
        let other =
            Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[2; 32]).unwrap();
        assert_eq!(
            Checkpoint::open(good.as_bytes(), other.verifier()),
            Err(CheckpointError::Note(NoteError::NoKnownSignature))
        );
        // A log that has changed its key: either opens, and it is told which.
        let both = [other.verifier().clone(), log.verifier().clone()];
        let opened = Checkpoint::open_any(good.as_bytes(), &both).unwrap();
        assert_eq!(opened.2, log.verifier());
        assert_eq!(
            Checkpoint::open_any(foreign.as_bytes(), &both),
            Err(CheckpointError::Origin)
        );
    }
}
