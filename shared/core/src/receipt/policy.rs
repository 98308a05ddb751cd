//! What a verifier trusts: logs, witnesses and quorum (C2SP `tlog-policy`), and the receipts' signers.
//!
//! C2SP leaves keys for what is inside a log to others and ignores comments, so the signers' keys
//! travel as comment lines, `# quittance-signer <name> ecdsa-p256 <Base64 SPKI DER>`: one file
//! serves any C2SP tool and this verifier.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quittance_tlog::VerifierKey;
use quittance_tlog::policy as tlog;

use super::dsse::{DsseError, ReceiptKey};
use super::words::Slug;

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    log_policy: tlog::Policy,
    signers: Vec<PolicySigner>,
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
    /// [`PolicyError`] if C2SP's rules are broken, or a signer line is malformed or stands there twice.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let log_policy = tlog::Policy::parse(text)?;
        let mut signers: Vec<PolicySigner> = Vec::new();
        for comment in log_policy.comments() {
            let Some(line) = comment.strip_prefix('#') else {
                continue;
            };
            let line = line.trim_start_matches(BLANKS);
            if !line.starts_with(SIGNER) {
                continue;
            }
            let words: Vec<&str> = line.split(BLANKS).filter(|word| !word.is_empty()).collect();
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
            log_policy,
            signers,
        })
    }

    /// Returns the C2SP part.
    pub const fn log_policy(&self) -> &tlog::Policy {
        &self.log_policy
    }

    /// Returns the keys that may sign statements.
    pub fn signers(&self) -> &[PolicySigner] {
        &self.signers
    }

    /// Finds a signer by its key id.
    pub fn signer(&self, keyid: &str) -> Option<&PolicySigner> {
        self.signers.iter().find(|signer| signer.key.id() == keyid)
    }
}

/// Writes a policy for one log: all of these witnesses must have cosigned, or none is asked for if
/// there are none. Its text is a function of the keys.
///
/// # Errors
///
/// [`PolicyError`] if the keys do not make a valid policy: of the wrong kind, or the same twice.
pub fn policy_text(
    log: &VerifierKey,
    witnesses: &[VerifierKey],
    signers: &[PolicySigner],
) -> Result<String, PolicyError> {
    let mut lines = vec![format!("log {log}")];
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
}

fn parse_signer(name: &str, key: &str) -> Result<PolicySigner, PolicyError> {
    let name = Slug::parse(name).ok_or(PolicyError::Signer)?;
    let der = STANDARD.decode(key).map_err(|_| PolicyError::Signer)?;
    let key = ReceiptKey::from_spki_der(&der).map_err(|_: DsseError| PolicyError::Signer)?;
    Ok(PolicySigner { name, key })
}

const BLANKS: [char; 2] = [' ', '\t'];
const SIGNER: &str = "quittance-signer";
const ALGORITHM: &str = "ecdsa-p256";
const WITNESSES: &str = "witnesses";

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::pkcs8::EncodePublicKey as _;
    use quittance_tlog::{Ed25519Signer, KeyKind};

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
