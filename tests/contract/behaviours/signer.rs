//! Signers: whoever has the public keys can check.

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use quittance_engine::ports::Signer;
use quittance_tlog::{Note, VerifierKey};

pub(crate) async fn statements_verify_under_the_public_key(signer: &dyn Signer) {
    let key = VerifyingKey::from_public_key_pem(signer.statement_key_pem()).unwrap();
    // Longer than what KMS takes as it is.
    let long = format!("DSSEv1 {}", "x".repeat(10_000));
    for bytes in [b"DSSEv1 ".as_slice(), long.as_bytes()] {
        let signature = signer.sign_statement(bytes).await.unwrap();
        let signature = DerSignature::try_from(signature.as_slice()).unwrap();
        assert!(key.verify(bytes, &signature).is_ok());
        assert!(key.verify(b"something else", &signature).is_err());
    }
}

pub(crate) async fn checkpoints_verify_under_the_logs_key(signer: &dyn Signer) {
    let key = VerifierKey::parse(signer.log_vkey()).unwrap();
    assert_eq!(key.name(), "log.test/dsr");
    let text = "log.test/dsr\n1\nqgfKoWqzmKXcP1ZzZ9kmHJDbjBkCNMVXHGRnpTsw0jk=\n";
    let signature = signer.sign_checkpoint(text.as_bytes()).await.unwrap();
    let signature: [u8; 64] = signature.try_into().unwrap();
    let note = |text: &str| Note::unsigned(text).unwrap();
    let noted = note(text).with_ed25519_signature(&key, &signature).unwrap();
    assert_eq!(noted.verify(std::slice::from_ref(&key)).unwrap().len(), 1);
    assert!(
        note("another text\n")
            .with_ed25519_signature(&key, &signature)
            .is_err()
    );
}
