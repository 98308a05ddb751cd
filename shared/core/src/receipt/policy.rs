//! What a verifier trusts: logs, witnesses and quorum (C2SP `tlog-policy`), and the receipts' signers.
//!
//! C2SP leaves keys for what is inside a log to others and ignores comments, so the signers' keys
//! travel as comment lines, `# quittance-signer <name> ecdsa-p256 <Base64 SPKI DER>`: one file
//! serves any C2SP tool and this verifier. Keys that a log had before, and that prove nothing any more,
//! stand in lines `# quittance-withdrawn-log <vkey>`: whoever looks through the whole log meets what they
//! signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::policy as tlog;
use quittance_tlog::{KeyKind, VerifierKey};

use super::dsse::{DsseError, ReceiptKey};
use super::words::Slug;

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    rules: tlog::Policy,
    signers: Vec<PolicySigner>,
    withdrawn: Vec<VerifierKey>,
}

/// A key that may sign statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySigner {
    /// Its name within the policy.
    pub name: Slug,
    /// The key.
    pub key: ReceiptKey,
}

impl Policy {
    /// Parses a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if C2SP's rules are broken, or a line of ours is malformed or stands there twice.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let rules = tlog::Policy::parse(text)?;
        let mut signers: Vec<PolicySigner> = Vec::new();
        let mut withdrawn: Vec<VerifierKey> = Vec::new();
        for comment in rules.comments() {
            let Some(line) = comment.strip_prefix('#') else {
                continue;
            };
            let line = line.trim_start_matches(BLANKS);
            let words: Vec<&str> = line.split(BLANKS).filter(|word| !word.is_empty()).collect();
            if line.starts_with(WITHDRAWN) {
                let key = parse_withdrawn(&words, &rules, &withdrawn);
                withdrawn.push(key.ok_or(PolicyError::Withdrawn)?);
                continue;
            }
            if !line.starts_with(SIGNER) {
                continue;
            }
            let [SIGNER, name, ALGORITHM, key] = words.as_slice() else {
                return Err(PolicyError::Signer);
            };
            let signer = parse_signer(name, key)?;
            if signers
                .iter()
                .any(|s| s.name == signer.name || s.key == signer.key)
            {
                return Err(PolicyError::Signer);
            }
            signers.push(signer);
        }
        Ok(Self {
            rules,
            signers,
            withdrawn,
        })
    }

    /// Returns the C2SP part.
    pub const fn log_policy(&self) -> &tlog::Policy {
        &self.rules
    }

    /// Returns the keys that may sign statements.
    pub fn signers(&self) -> &[PolicySigner] {
        &self.signers
    }

    /// Returns the keys that logs of this policy had before.
    pub fn withdrawn(&self) -> &[VerifierKey] {
        &self.withdrawn
    }

    /// Returns this policy for files that are found in a log whose checkpoint was opened under it: there
    /// withdrawn keys count as the log's, because each file is compared with the tree.
    #[must_use]
    pub fn looking_back(&self) -> Self {
        Self {
            rules: self.rules.clone().trusting(&self.withdrawn),
            ..self.clone()
        }
    }

    /// Finds a signer by its key id.
    pub fn signer(&self, keyid: &str) -> Option<&PolicySigner> {
        self.signers.iter().find(|signer| signer.key.id() == keyid)
    }
}

/// Writes a policy for one log with one key: all of these witnesses must have cosigned, or none is asked
/// for if there are none. Its text is a function of the keys.
///
/// # Errors
///
/// [`PolicyError`] if the keys do not make a valid policy: of the wrong kind, or the same twice.
pub fn policy_text(
    log: &VerifierKey,
    witnesses: &[VerifierKey],
    signers: &[PolicySigner],
) -> Result<String, PolicyError> {
    policy_text_of(std::slice::from_ref(log), &[], witnesses, signers)
}

/// As [`policy_text`], for a log that changes its key: any of `logs` may have signed, and those in
/// `withdrawn` count only for whoever looks through the whole log.
///
/// # Errors
///
/// As [`policy_text`].
pub fn policy_text_of(
    logs: &[VerifierKey],
    withdrawn: &[VerifierKey],
    witnesses: &[VerifierKey],
    signers: &[PolicySigner],
) -> Result<String, PolicyError> {
    let mut lines: Vec<String> = logs.iter().map(|log| format!("log {log}")).collect();
    let mut quorum = "none";
    if !witnesses.is_empty() {
        let mut group = format!("group {WITNESSES} all");
        for witness in witnesses {
            lines.push(format!("witness {} {witness}", witness.name()));
            group.push(' ');
            group.push_str(witness.name());
        }
        lines.push(group);
        quorum = WITNESSES;
    }
    lines.push(format!("quorum {quorum}"));
    for signer in signers {
        let key = STANDARD.encode(signer.key.spki_der());
        lines.push(format!("# {SIGNER} {} {ALGORITHM} {key}", signer.name));
    }
    lines.extend(withdrawn.iter().map(|key| format!("# {WITHDRAWN} {key}")));
    let text = lines.join("\n") + "\n";
    Policy::parse(&text)?;
    Ok(text)
}

/// What can be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a C2SP policy.
    #[error(transparent)]
    Log(#[from] tlog::PolicyError),
    /// A signer line is malformed or stands there twice.
    #[error("a quittance-signer line is malformed or stands there twice")]
    Signer,
    /// A line of a withdrawn key is malformed, stands there twice, or is of no log of the policy.
    #[error(
        "a quittance-withdrawn-log line is malformed, is a key that stands there already, or is of no \
         log of the policy"
    )]
    Withdrawn,
}

fn parse_withdrawn(
    words: &[&str],
    policy: &tlog::Policy,
    before: &[VerifierKey],
) -> Option<VerifierKey> {
    let [WITHDRAWN, vkey] = words else {
        return None;
    };
    let key = VerifierKey::parse(vkey).ok()?;
    let mut known = policy.logs().iter().chain(before);
    let is_new = known.all(|log| log.public_key() != key.public_key());
    let is_ours = policy.logs().iter().any(|log| log.name() == key.name());
    (key.kind() == KeyKind::Ed25519 && is_new && is_ours).then_some(key)
}

fn parse_signer(name: &str, key: &str) -> Result<PolicySigner, PolicyError> {
    let name = Slug::parse(name).ok_or(PolicyError::Signer)?;
    let der = STANDARD.decode(key).map_err(|_| PolicyError::Signer)?;
    let key = ReceiptKey::from_spki_der(&der).map_err(|_: DsseError| PolicyError::Signer)?;
    Ok(PolicySigner { name, key })
}

const BLANKS: [char; 2] = [' ', '\t'];
const SIGNER: &str = "quittance-signer";
const WITHDRAWN: &str = "quittance-withdrawn-log";
const ALGORITHM: &str = "ecdsa-p256";
const WITNESSES: &str = "witnesses";

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::pkcs8::EncodePublicKey as _;
    use quittance_tlog::Ed25519Signer;

    use super::*;

    fn signer(name: &str, seed: u8) -> PolicySigner {
        let signing = SigningKey::from_slice(&[seed; 32]).unwrap();
        let der = signing.verifying_key().to_public_key_der().unwrap();
        let key = ReceiptKey::from_spki_der(der.as_bytes()).unwrap();
        PolicySigner {
            name: Slug::parse(name).unwrap(),
            key,
        }
    }

    fn key(name: &str, kind: KeyKind) -> VerifierKey {
        Ed25519Signer::from_seed(name, kind, &[1; 32])
            .unwrap()
            .verifier()
            .clone()
    }

    #[test]
    fn a_written_policy_is_read_back_and_asks_for_every_witness() {
        let log = key("example.com/log", KeyKind::Ed25519);
        let witness = key("example.com/w", KeyKind::CosignatureV1);
        let signers = [signer("receipts", 1), signer("receipts-2", 2)];
        let text = policy_text(&log, &[witness], &signers).unwrap();
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(policy.signers(), signers);
        assert_eq!(policy.log_policy().logs(), std::slice::from_ref(&log));
        assert_eq!(
            *policy.log_policy().quorum(),
            tlog::Quorum::Of("witnesses".to_owned())
        );
        assert_eq!(policy.signer(&signers[1].key.id()), Some(&signers[1]));
        let plain = policy_text(&log, &[], &signers[..1]).unwrap();
        assert!(
            plain.contains("\nquorum none\n# quittance-signer receipts ecdsa-p256 M"),
            "{plain}"
        );
    }

    fn log_key(seed: u8) -> VerifierKey {
        let key = Ed25519Signer::from_seed("example.com/log", KeyKind::Ed25519, &[seed; 32]);
        key.unwrap().verifier().clone()
    }

    #[test]
    fn a_log_that_changes_its_key_stands_there_with_both_and_a_withdrawn_one_only_looks_back() {
        let (old, new, older) = (log_key(1), log_key(2), log_key(3));
        let both = [new.clone(), old.clone()];
        let signers = [signer("receipts", 1), signer("receipts-2", 2)];
        let text = policy_text_of(&both, &[], &[], &signers).unwrap();
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(policy.log_policy().logs(), both);
        assert_eq!(policy.looking_back(), policy);
        let withdrawn = [old.clone(), older];
        let text = policy_text_of(&both[..1], &withdrawn, &[], &signers).unwrap();
        assert!(text.ends_with(&format!(
            "# quittance-withdrawn-log {}\n# quittance-withdrawn-log {}\n",
            withdrawn[0], withdrawn[1]
        )));
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(policy.log_policy().logs(), &both[..1]);
        assert_eq!(policy.withdrawn(), withdrawn);
        let back = policy.looking_back();
        assert_eq!(back.log_policy().logs().len(), 3);
        assert_eq!(back.signers(), signers);
        let other = key("example.com/other", KeyKind::Ed25519);
        let witness = key("example.com/log", KeyKind::CosignatureV1);
        let good = policy_text_of(&both[..1], &[], &[], &signers).unwrap();
        for bad in [
            format!("# quittance-withdrawn-log {new}"),
            format!("# quittance-withdrawn-log {other}"),
            format!("# quittance-withdrawn-log {witness}"),
            format!("# quittance-withdrawn-log {old} more"),
            format!("# quittance-withdrawn-logs {old}"),
            format!("# quittance-withdrawn-log {old}\n# quittance-withdrawn-log {old}"),
            "# quittance-withdrawn-log".to_owned(),
        ] {
            let refused = Policy::parse(&format!("{good}{bad}\n"));
            assert_eq!(refused, Err(PolicyError::Withdrawn), "{bad}");
        }
    }

    #[test]
    fn a_malformed_or_repeated_signer_is_refused() {
        let good = signer("receipts", 1);
        let log = key("example.com/log", KeyKind::Ed25519);
        let text = policy_text(&log, &[], std::slice::from_ref(&good)).unwrap();
        let line = text.lines().last().unwrap();
        for bad in [
            line.to_owned(),
            line.replace("receipts", "other"),
            line.replace("ecdsa-p256", "ed25519"),
            line.replace(" M", " N").replace("receipts", "other"),
            format!("{line} more").replace("receipts", "other"),
            "# quittance-signer".to_owned(),
            "#quittance-signers".to_owned(),
            line.replace("signer receipts", "signer\u{a0}other"),
            line.replace("receipts ", "other\u{3000}"),
            line.replace("receipts ", "other\u{2003}"),
        ] {
            let text = format!("{text}{bad}\n");
            assert_eq!(Policy::parse(&text), Err(PolicyError::Signer), "{bad}");
        }
        assert!(Policy::parse(&format!("{text}# any other comment\n")).is_ok());
        // Exactly one `#`, and blanks are spaces and tabs: everything else is a comment like any other.
        for ignored in ["##", "# #", "#\u{a0}"] {
            let other = text.replace("# quittance", &format!("{ignored} quittance"));
            assert_eq!(Policy::parse(&other).unwrap().signers(), [], "{ignored}");
        }
        for accepted in ["#", " \t#\t \t"] {
            let other = text.replace("# quittance", &format!("{accepted}quittance"));
            let other = other.replace("receipts ecdsa", "receipts \t ecdsa");
            assert_eq!(
                Policy::parse(&other).unwrap().signers().len(),
                1,
                "{accepted}"
            );
        }
        let wrong = key("example.com/w", KeyKind::CosignatureV1);
        assert!(policy_text(&wrong, &[], &[good]).is_err());
    }
}
