//! Who must have signed a checkpoint (C2SP `tlog-policy`).
//!
//! A policy names logs, witnesses, groups of witnesses and the quorum. Parsing refuses whatever the
//! specification forbids; comment lines are kept aside for callers that put something of their own
//! there. Keys that sign what is *inside* a log are out of scope, here as in the specification.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{KeyKind, Note, NoteError, VerifierKey};

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: BTreeMap<String, Group>,
    quorum: Quorum,
    comments: Vec<String>,
}

/// A witness and its name within the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The name that groups and the quorum use.
    pub name: String,
    /// Its cosignature key.
    pub key: VerifierKey,
    /// Where it answers logs, if the policy says so: `/add-checkpoint` comes after it.
    pub url: Option<String>,
}

/// What the quorum line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// No cosignature at all.
    None,
    /// This witness or group.
    Of(String),
}

/// A checkpoint whose log signature, and every known cosignature, was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The log that signed it.
    pub log: VerifierKey,
    /// The policy's names of the witnesses that cosigned it, and when (seconds since 1970).
    pub cosigned: BTreeMap<String, u64>,
    /// How many signature lines are of keys that the policy does not know.
    pub unknown_lines: usize,
}

impl Policy {
    /// Parses a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with the number of the first line that is not right.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong);
        }
        let mut draft = Draft::default();
        let mut rest = text;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let at = |fault| PolicyError::Line { number, fault };
            let (line, after) = rest
                .split_once('\n')
                .ok_or_else(|| at(LineFault::LineEnd))?;
            rest = after;
            draft.take(line).map_err(at)?;
        }
        let quorum = draft.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Self {
            logs: draft.logs,
            witnesses: draft.witnesses,
            groups: draft.groups,
            quorum,
            comments: draft.comments,
        })
    }

    /// Returns the logs' keys.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Returns the same policy, with more logs that it trusts.
    #[must_use]
    pub fn trusting(mut self, logs: &[VerifierKey]) -> Self {
        self.logs.extend_from_slice(logs);
        self
    }

    /// Returns the witnesses.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Returns the quorum line's meaning.
    pub const fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Returns the comment lines without surrounding blanks, from their `#` on.
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// Verifies a checkpoint's signatures: one of the logs', under its own name, and every
    /// cosignature of a known witness. Whether the quorum is met is [`Self::is_quorum`]'s.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Note`] if no log signed it or a known key's signature is wrong,
    /// [`PolicyError::Checkpoint`] if the text is not a checkpoint, or one of another log.
    pub fn open(&self, note: &Note) -> Result<Opened, PolicyError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let signed = note.verify(&self.logs)?;
        let log = signed
            .iter()
            .find(|verified| verified.key.name() == checkpoint.origin())
            .ok_or(CheckpointError::Origin)?
            .key
            .clone();
        let mut cosigned = BTreeMap::new();
        let mut known_lines = signed.len();
        for witness in &self.witnesses {
            match note.verify(std::slice::from_ref(&witness.key)) {
                Ok(lines) => {
                    known_lines += lines.len();
                    let latest = lines.iter().filter_map(|line| line.timestamp).max();
                    cosigned.insert(witness.name.clone(), latest.unwrap_or(0));
                }
                Err(NoteError::NoKnownSignature) => {}
                Err(broken) => return Err(broken.into()),
            }
        }
        let unknown_lines = note.signatures().len().saturating_sub(known_lines);
        Ok(Opened {
            checkpoint,
            log,
            cosigned,
            unknown_lines,
        })
    }

    /// Whether the witnesses that cosigned are enough.
    pub fn is_quorum(&self, opened: &Opened) -> bool {
        match &self.quorum {
            Quorum::None => true,
            Quorum::Of(name) => self.has_witnessed(name, &opened.cosigned),
        }
    }

    /// Verifies a checkpoint's signatures and that the quorum is met.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and [`PolicyError::Quorum`] if too few witnesses cosigned.
    pub fn evaluate(&self, note: &Note) -> Result<Opened, PolicyError> {
        let opened = self.open(note)?;
        if self.is_quorum(&opened) {
            Ok(opened)
        } else {
            Err(PolicyError::Quorum)
        }
    }

    /// Groups name only what stands before them, so this ends.
    fn has_witnessed(&self, name: &str, cosigned: &BTreeMap<String, u64>) -> bool {
        match self.groups.get(name) {
            None => cosigned.contains_key(name),
            Some(group) => {
                let members = group.members.iter();
                members
                    .filter(|member| self.has_witnessed(member, cosigned))
                    .count()
                    >= group.threshold
            }
        }
    }
}

/// What can be wrong with a policy, or with a checkpoint under it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a checkpoint, or of another log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A line of the policy file is wrong.
    #[error("policy line {number}: {fault}")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// In what way.
        fault: LineFault,
    },
    /// The policy file has no quorum line.
    #[error("the policy has no quorum line: it is not a policy, or was cut off")]
    NoQuorum,
    /// The checkpoint is not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Too few witnesses cosigned.
    #[error("too few witnesses cosigned the checkpoint")]
    Quorum,
    /// The policy file is too long.
    #[error("the policy is longer than {MAX_POLICY_BYTES} bytes")]
    TooLong,
}

/// In what way a policy's line is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It ends in CR LF.
    #[error("ends in CR LF: save the file with LF line ends")]
    CarriageReturn,
    /// This key, name or quorum stands there already.
    #[error("stands there twice")]
    Duplicate,
    /// Not a usable key.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// The last line is not ended.
    #[error("has no line end: put a newline after the last line")]
    LineEnd,
    /// Not a line of a policy.
    #[error("not a line of a policy")]
    Syntax,
    /// A threshold is not between 1 and the number of members.
    #[error("the threshold is not between 1 and the number of members")]
    Threshold,
    /// A name is not defined before.
    #[error("the name is not defined before")]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

/// What the lines so far say.
#[derive(Default)]
struct Draft {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: BTreeMap<String, Group>,
    quorum: Option<Quorum>,
    comments: Vec<String>,
    /// Names that are a member of some group: each may be in one only.
    members: BTreeSet<String>,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), LineFault> {
        if line.ends_with('\r') {
            return Err(LineFault::CarriageReturn);
        }
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(LineFault::Syntax);
        }
        let trimmed = line.trim_matches(BLANKS);
        if trimmed.starts_with('#') {
            self.comments.push(trimmed.to_owned());
            return Ok(());
        }
        let words: Vec<&str> = trimmed
            .split(BLANKS)
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            ["log", vkey] | ["log", vkey, _] => self.take_log(vkey),
            ["witness", name, vkey] => self.take_witness(name, vkey, None),
            ["witness", name, vkey, url] => self.take_witness(name, vkey, Some(url)),
            ["group", name, threshold, members @ ..] => self.take_group(name, threshold, members),
            ["quorum", name] => self.take_quorum(name),
            _ => Err(LineFault::Syntax),
        }
    }

    fn take_log(&mut self, vkey: &str) -> Result<(), LineFault> {
        let key = VerifierKey::parse(vkey)?;
        if key.kind() != KeyKind::Ed25519 {
            return Err(NoteError::KeyKind.into());
        }
        if self
            .logs
            .iter()
            .any(|log| log.public_key() == key.public_key())
        {
            return Err(LineFault::Duplicate);
        }
        self.logs.push(key);
        Ok(())
    }

    fn take_witness(
        &mut self,
        name: &str,
        vkey: &str,
        url: Option<&&str>,
    ) -> Result<(), LineFault> {
        let key = VerifierKey::parse(vkey)?;
        if !key.kind().is_cosigner() {
            return Err(NoteError::KeyKind.into());
        }
        if self
            .witnesses
            .iter()
            .any(|witness| witness.key.public_key() == key.public_key())
        {
            return Err(LineFault::Duplicate);
        }
        self.check_new(name)?;
        self.witnesses.push(Witness {
            name: name.to_owned(),
            key,
            url: url.map(|url| (*url).to_owned()),
        });
        Ok(())
    }

    fn take_group(
        &mut self,
        name: &str,
        threshold: &str,
        members: &[&str],
    ) -> Result<(), LineFault> {
        self.check_new(name)?;
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| LineFault::Threshold)?
            }
            _ => return Err(LineFault::Syntax),
        };
        if !(1..=members.len()).contains(&threshold) {
            return Err(LineFault::Threshold);
        }
        for member in members {
            if !self.is_defined(member) {
                return Err(LineFault::Unknown);
            }
            if !self.members.insert((*member).to_owned()) {
                return Err(LineFault::Duplicate);
            }
        }
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups
            .insert(name.to_owned(), Group { threshold, members });
        Ok(())
    }

    fn take_quorum(&mut self, name: &str) -> Result<(), LineFault> {
        if self.quorum.is_some() {
            return Err(LineFault::Duplicate);
        }
        self.quorum = Some(match name {
            NONE => Quorum::None,
            _ if self.is_defined(name) => Quorum::Of(name.to_owned()),
            _ => return Err(LineFault::Unknown),
        });
        Ok(())
    }

    fn check_new(&self, name: &str) -> Result<(), LineFault> {
        if name == NONE || self.is_defined(name) {
            Err(LineFault::Duplicate)
        } else {
            Ok(())
        }
    }

    fn is_defined(&self, name: &str) -> bool {
        self.groups.contains_key(name) || self.witnesses.iter().any(|witness| witness.name == name)
    }
}

const BLANKS: [char; 2] = [' ', '\t'];
const NONE: &str = "none";
/// The longest policy that is parsed.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::note::Ed25519Signer;

    fn log() -> Ed25519Signer {
        Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[1; 32]).unwrap()
    }

    fn witness(n: u8) -> Ed25519Signer {
        let name = format!("example.com/w{n}");
        Ed25519Signer::from_seed(&name, KeyKind::CosignatureV1, &[n; 32]).unwrap()
    }

    fn checkpoint(origin: &str, cosigners: &[u8]) -> Note {
        let checkpoint = Checkpoint::new(origin, 0, Hash::EMPTY_ROOT).unwrap();
        let mut note = log().sign(checkpoint.to_note().unwrap()).unwrap();
        for n in cosigners {
            note = witness(*n).cosign(note, 1_700_000_000).unwrap();
        }
        note
    }

    /// The specification's example: two of X1 X2 X3, and any of Y1 Y2 Y3.
    fn two_levels() -> Policy {
        let w = |n| witness(n).verifier().clone();
        let text = format!(
            "# a comment\nlog {}\n\nwitness X1 {}\nwitness X2 {}\nwitness X3 {}\n\
             group X-witnesses 2 X1 X2 X3\n\
             witness Y1 {}\nwitness Y2 {} https://y2.example/\n \t witness\tY3  {} \n\
             group Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\n\
             quorum X-and-Y\n",
            log().verifier(),
            w(11),
            w(12),
            w(13),
            w(21),
            w(22),
            w(23),
        );
        Policy::parse(&text).unwrap()
    }

    #[test]
    fn the_specifications_example_asks_for_two_of_x_and_one_of_y() {
        let policy = two_levels();
        for (cosigners, expected) in [
            (&[][..], false),
            (&[11, 12], false),
            (&[11, 21], false),
            (&[21, 22, 23], false),
            (&[11, 12, 13], false),
            (&[11, 13, 22], true),
            (&[11, 12, 13, 21, 22, 23], true),
        ] {
            let result = policy.evaluate(&checkpoint("example.com/log", cosigners));
            assert_eq!(result.is_ok(), expected, "{cosigners:?}");
            if !expected {
                assert_eq!(result, Err(PolicyError::Quorum));
            }
        }
        assert_eq!(policy.comments(), ["# a comment"]);
    }

    #[test]
    fn no_quorum_still_asks_for_the_logs_signature_and_name() {
        let policy = Policy::parse(&format!("log {}\nquorum none\n", log().verifier())).unwrap();
        let opened = policy
            .evaluate(&checkpoint("example.com/log", &[11]))
            .unwrap();
        assert_eq!(opened.unknown_lines, 1);
        assert_eq!(opened.log, *log().verifier());
        assert_eq!(
            policy.evaluate(&checkpoint("example.com/other", &[])),
            Err(PolicyError::Checkpoint(CheckpointError::Origin))
        );
        let nobody = Policy::parse("quorum none\n").unwrap();
        assert_eq!(
            nobody.evaluate(&checkpoint("example.com/log", &[])),
            Err(PolicyError::Note(NoteError::NoKnownSignature))
        );
    }

    #[test]
    fn a_broken_cosignature_of_a_known_witness_condemns_the_checkpoint() {
        let good = checkpoint("example.com/log", &[11, 12, 21]).to_string();
        let other = checkpoint("example.com/log", &[]);
        let later = witness(22).cosign(other, 1).unwrap().to_string();
        let foreign = later.lines().last().unwrap();
        // The line of Y2 over this very checkpoint is fine; cut from a different text it is not.
        let swapped = format!("{}{}\n", good.replacen("\n0\n", "\n1\n", 1), foreign);
        let note = Note::parse(swapped.as_bytes()).unwrap();
        assert!(matches!(
            two_levels().evaluate(&note),
            Err(PolicyError::Note(_))
        ));
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        let l = log().verifier().clone();
        let (w1, w2) = (witness(1).verifier().clone(), witness(2).verifier().clone());
        let two = format!("witness A {w1}\nwitness B {w2}\n");
        for (text, fault) in [
            ("quorum none".to_owned(), LineFault::LineEnd),
            (
                "quorum none\nquorum none\n".to_owned(),
                LineFault::Duplicate,
            ),
            ("quorum A\n".to_owned(), LineFault::Unknown),
            ("quorum\n".to_owned(), LineFault::Syntax),
            ("hello\n".to_owned(), LineFault::Syntax),
            ("quorum none\r\n".to_owned(), LineFault::CarriageReturn),
            ("quorum \r none\n".to_owned(), LineFault::Syntax),
            (format!("log {l}\nlog {l}\n"), LineFault::Duplicate),
            (format!("log {w1}\n"), LineFault::Key(NoteError::KeyKind)),
            (
                format!("witness A {l}\n"),
                LineFault::Key(NoteError::KeyKind),
            ),
            ("log x\n".to_owned(), LineFault::Key(NoteError::Key)),
            (format!("witness none {w1}\n"), LineFault::Duplicate),
            (
                format!("witness A {w1}\nwitness A {w2}\n"),
                LineFault::Duplicate,
            ),
            (
                format!("witness A {w1}\nwitness B {w1}\n"),
                LineFault::Duplicate,
            ),
            (format!("{two}group A any B\n"), LineFault::Duplicate),
            (format!("{two}group G any C\n"), LineFault::Unknown),
            (format!("{two}group G any G\n"), LineFault::Unknown),
            (format!("{two}group G any none\n"), LineFault::Unknown),
            (format!("{two}group G any A A\n"), LineFault::Duplicate),
            (
                format!("{two}group G any A\ngroup H any A B\n"),
                LineFault::Duplicate,
            ),
            (format!("{two}group G 0 A\n"), LineFault::Threshold),
            (format!("{two}group G 3 A B\n"), LineFault::Threshold),
            (format!("{two}group G all\n"), LineFault::Threshold),
            (format!("{two}group G +1 A\n"), LineFault::Syntax),
            (format!("{two}group G\n"), LineFault::Syntax),
        ] {
            let number = text.matches('\n').count().max(1);
            let expected = PolicyError::Line { number, fault };
            assert_eq!(Policy::parse(&text), Err(expected), "{text}");
        }
        assert_eq!(Policy::parse(""), Err(PolicyError::NoQuorum));
        assert_eq!(
            Policy::parse(&"#\n".repeat(200_000)),
            Err(PolicyError::TooLong)
        );
    }
}
