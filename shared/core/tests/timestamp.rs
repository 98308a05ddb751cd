//! Time stamps by `openssl ts` as the authority, and `openssl ts` as the reader beside us.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it stands"
)]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the fixture serves several test programs"
)]

mod receipt_fixture;

use std::path::{Path, PathBuf};
use std::process::Command;

use quittance_core::digest::Digest;
use quittance_core::receipt::{
    Anchors, ReceiptFile, Stamped, TimestampError, TimestampQuery, verify_timestamp,
};
use receipt_fixture::{Witnesses, receipt};

/// How an authority signs, and whom its readers trust.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    /// Its key, as `openssl req -newkey` makes it.
    key: &'static [&'static str],
    digest: &'static str,
    /// How its tokens name its certificate: `sha1` is the older way.
    naming: &'static str,
    issued: IssuedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IssuedBy {
    Itself,
    Anchor,
    /// One certificate between anchor and signer, sent along.
    Between,
}

const RSA: &[&str] = &["rsa:2048"];
const P_256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P_384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];

const KINDS: [Kind; 5] = [
    kind("rsa-pinned", RSA, "sha256", "sha1", IssuedBy::Itself),
    kind("rsa-issued", RSA, "sha512", "sha256", IssuedBy::Anchor),
    kind("p256-pinned", P_256, "sha256", "sha256", IssuedBy::Itself),
    kind("p256-issued", P_256, "sha384", "sha512", IssuedBy::Anchor),
    kind("p384-far", P_384, "sha384", "sha256", IssuedBy::Between),
];

const fn kind(
    name: &'static str,
    key: &'static [&'static str],
    digest: &'static str,
    naming: &'static str,
    issued: IssuedBy,
) -> Kind {
    Kind {
        name,
        key,
        digest,
        naming,
        issued,
    }
}

/// An authority: a directory with its keys and certificates.
struct Authority {
    at: PathBuf,
    kind: Kind,
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.at) {
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

impl Authority {
    fn new(test: &str, kind: Kind) -> Self {
        let name = format!("quittance-tsa-{test}-{}-{}", kind.name, std::process::id());
        let at = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&at).unwrap();
        let it = Self { at, kind };
        let naming = format!("ess_cert_id_alg = {}\n", kind.naming);
        let signing = format!("signer_digest = {}\n", kind.digest);
        it.write("cnf", [CONFIG, &naming, &signing].concat().as_bytes());
        it.write("index", b"");
        it.write("serial", b"01");
        it.make("anchor", kind.key, "/O=Example/CN=anchor", "authority");
        match kind.issued {
            IssuedBy::Itself => {
                it.make("signer", kind.key, "/O=Example/CN=stamps", "stamps");
                std::fs::copy(it.at.join("signer.pem"), it.at.join("anchor.pem")).unwrap();
            }
            IssuedBy::Anchor => {
                it.issue("signer", "/O=Example/CN=stamps", "stamps", "anchor", NOW);
            }
            IssuedBy::Between => {
                it.issue("sent", "/O=Example/CN=between", "authority", "anchor", NOW);
                it.issue("signer", "/O=Example/CN=stamps", "stamps", "sent", NOW);
            }
        }
        it
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.at.join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.at.join(name)).unwrap()
    }

    /// Runs `openssl` in the directory; returns whether it was content, and what it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.at)
            .env("OPENSSL_CONF", self.at.join("cnf"))
            .output()
            .unwrap_or_else(|error| panic!("openssl: {error}: {ADVICE}"));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    fn must(&self, arguments: &[&str]) {
        let (done, said) = self.run(arguments);
        assert!(done, "openssl {arguments:?}: {said}");
    }

    /// A certificate that a new key gives itself.
    fn make(&self, name: &str, key: &[&str], subject: &str, extensions: &str) {
        let (pem, key_pem) = (format!("{name}.pem"), format!("{name}.key"));
        let start = ["req", "-x509", "-nodes", "-days", "30", "-newkey"];
        let rest = [
            "-keyout",
            &key_pem,
            "-out",
            &pem,
            "-subj",
            subject,
            "-config",
            "cnf",
            "-extensions",
            extensions,
        ];
        self.must(&[&start[..], key, &rest].concat());
    }

    /// A certificate for a new key, by another's.
    fn issue(&self, name: &str, subject: &str, extensions: &str, by: &str, valid: [&str; 2]) {
        let (pem, key_pem) = (format!("{name}.pem"), format!("{name}.key"));
        let (by_pem, by_key) = (format!("{by}.pem"), format!("{by}.key"));
        let start = ["req", "-nodes", "-newkey"];
        let rest = [
            "-keyout", &key_pem, "-out", "csr", "-subj", subject, "-config", "cnf",
        ];
        self.must(&[&start[..], self.kind.key, &rest].concat());
        let [from, to] = valid;
        self.must(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "cnf",
            "-in",
            "csr",
            "-cert",
            &by_pem,
            "-keyfile",
            &by_key,
            "-startdate",
            from,
            "-enddate",
            to,
            "-extfile",
            "cnf",
            "-extensions",
            extensions,
            "-out",
            &pem,
        ]);
    }

    /// Answers a question, as the authority does.
    fn answer(&self, query: &[u8]) -> Vec<u8> {
        self.write("query.tsq", query);
        let mut arguments = vec!["ts", "-reply", "-config", "cnf", "-section", "tsa"];
        arguments.extend(["-queryfile", "query.tsq", "-out", "answer.tsr"]);
        arguments.extend(["-signer", "signer.pem", "-inkey", "signer.key"]);
        if self.kind.issued == IssuedBy::Between {
            arguments.extend(["-chain", "sent.pem"]);
        }
        self.must(&arguments);
        self.read("answer.tsr")
    }

    /// What an answer says, signed by another certificate of this directory and wrapped again.
    fn signed_by(&self, answer: &[u8], name: &str) -> Vec<u8> {
        self.write("answer.tsr", answer);
        let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
        self.must(&[
            "ts",
            "-reply",
            "-in",
            "answer.tsr",
            "-token_out",
            "-out",
            "token",
        ]);
        self.must(&[
            "cms",
            "-verify",
            "-inform",
            "DER",
            "-in",
            "token",
            "-noverify",
            "-nosigs",
            "-out",
            "info",
        ]);
        self.must(&[
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-cades",
            "-nosmimecap",
            "-in",
            "info",
            "-econtent_type",
            "id-smime-ct-TSTInfo",
            "-signer",
            &pem,
            "-inkey",
            &key,
            "-md",
            "sha256",
            "-outform",
            "DER",
            "-out",
            "token",
        ]);
        let token = self.read("token");
        let length = u16::try_from(token.len() + 5).unwrap().to_be_bytes();
        [
            &[0x30, 0x82],
            &length[..],
            &[0x30, 0x03, 0x02, 0x01, 0x00],
            &token,
        ]
        .concat()
    }

    fn anchors(&self) -> Anchors {
        let pem = self.read("anchor.pem");
        Anchors::parse(str::from_utf8(&pem).unwrap()).unwrap()
    }

    /// Whether `openssl` believes an answer: about these bytes, and to our question.
    fn openssl_accepts(&self, answer: &[u8], signature: &[u8], query: &[u8]) -> bool {
        self.write("judged.tsr", answer);
        self.write("signature", signature);
        self.write("query.tsq", query);
        let start = [
            "ts",
            "-verify",
            "-in",
            "judged.tsr",
            "-CAfile",
            "anchor.pem",
        ];
        let [data, question] = [["-data", "signature"], ["-queryfile", "query.tsq"]]
            .map(|about| self.run(&[&start[..], &about].concat()));
        assert_eq!(data.0, question.0, "{data:?} {question:?}");
        data.0
    }
}

fn file() -> ReceiptFile {
    ReceiptFile::parse(&receipt(Witnesses::Two).file).unwrap()
}

fn query() -> TimestampQuery {
    TimestampQuery::of(file().envelope()).unwrap()
}

fn signature() -> Vec<u8> {
    file().envelope().opened().unwrap().signature
}

fn judge(answer: &[u8], authority: &Authority) -> Result<Stamped, TimestampError> {
    verify_timestamp(&file(), answer, &authority.anchors())
}

#[test]
fn openssl_stamps_what_we_ask_and_both_of_us_believe_it() {
    for kind in KINDS {
        let authority = Authority::new("asked", kind);
        let answer = authority.answer(query().as_bytes());
        let stamped = query().judge(&answer, &authority.anchors()).unwrap();
        assert_eq!(judge(&answer, &authority), Ok(stamped.clone()));
        assert_eq!(stamped.authority, "CN=stamps,O=Example", "{kind:?}");
        let accuracy = jiff::SignedDuration::from_micros(1_500_100);
        assert_eq!(stamped.accuracy, Some(accuracy));
        assert!(
            authority.openssl_accepts(&answer, &signature(), query().as_bytes()),
            "{kind:?}"
        );
        // Somebody else's question has another nonce, and asks for no certificates.
        authority.write("signature", &signature());
        authority.must(&[
            "ts",
            "-query",
            "-data",
            "signature",
            "-sha256",
            "-out",
            "query.tsq",
        ]);
        let answer = authority.answer(&authority.read("query.tsq"));
        let expected = match kind.issued {
            IssuedBy::Itself => None,
            IssuedBy::Anchor | IssuedBy::Between => Some(TimestampError::Stranger(None)),
        };
        assert_eq!(judge(&answer, &authority).err(), expected, "{kind:?}");
        authority.must(&[
            "ts",
            "-query",
            "-data",
            "signature",
            "-sha256",
            "-cert",
            "-out",
            "query.tsq",
        ]);
        let answer = authority.answer(&authority.read("query.tsq"));
        assert!(judge(&answer, &authority).is_ok(), "{kind:?}");
        let ours = query().judge(&answer, &authority.anchors());
        assert_eq!(ours, Err(TimestampError::Nonce), "{kind:?}");
    }
}

#[test]
fn flipped_bits_are_refused_or_change_nothing_that_is_told() {
    let file = file();
    for kind in KINDS {
        let authority = Authority::new("flipped", kind);
        let anchors = authority.anchors();
        let answer = authority.answer(query().as_bytes());
        let good = verify_timestamp(&file, &answer, &anchors);
        assert!(good.is_ok());
        for (at, byte) in answer.iter().enumerate() {
            let mut bent = answer.clone();
            if let Some(bent) = bent.get_mut(at) {
                *bent = byte ^ (1 << (at % 8));
            }
            let found = verify_timestamp(&file, &bent, &anchors);
            assert!(found.is_err() || found == good, "{kind:?} {at}: {found:?}");
        }
    }
}

#[test]
fn another_signatures_stamp_is_refused() {
    let authority = Authority::new("other", KINDS[2]);
    let other = [
        query().as_bytes()[..40].to_vec(),
        vec![7; 16],
        query().as_bytes()[56..].to_vec(),
    ];
    let answer = authority.answer(&other.concat());
    assert_eq!(judge(&answer, &authority), Err(TimestampError::OtherData));
    assert!(!authority.openssl_accepts(&answer, &signature(), query().as_bytes()));
}

#[test]
fn another_authority_is_a_stranger() {
    for kind in KINDS {
        let authority = Authority::new("trusted", kind);
        let stranger = Authority::new("stranger", kind);
        let answer = stranger.answer(query().as_bytes());
        let found = judge(&answer, &authority);
        assert!(
            matches!(found, Err(TimestampError::Stranger(Some(_)))),
            "{kind:?}: {found:?}"
        );
        assert!(!authority.openssl_accepts(&answer, &signature(), query().as_bytes()));
    }
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let authority = Authority::new("purpose", KINDS[3]);
    let answer = authority.answer(query().as_bytes());
    // Signed by `openssl cms` in its place, a good certificate's stamp is as good.
    let again = authority.signed_by(&answer, "signer");
    let (found, first) = (judge(&again, &authority), judge(&answer, &authority));
    assert_eq!(found, first);
    assert!(found.is_ok());
    for extensions in ["code", "two", "optional", "nothing", "encrypts"] {
        authority.issue("wrong", "/CN=wrong", extensions, "anchor", NOW);
        let wrong = authority.signed_by(&answer, "wrong");
        let found = judge(&wrong, &authority);
        let expected = TimestampError::Purpose("CN=wrong".to_owned());
        assert_eq!(found, Err(expected), "{extensions}");
        let accepted = authority.openssl_accepts(&wrong, &signature(), query().as_bytes());
        assert!(!accepted, "{extensions}");
    }
    // One that is for time stamps, issued by one that may issue nothing.
    authority.issue("below", "/CN=below", "stamps", "signer", NOW);
    let below = authority.signed_by(&answer, "below");
    let found = judge(&below, &authority);
    assert!(
        matches!(found, Err(TimestampError::Stranger(Some(_)))),
        "{found:?}"
    );
}

#[test]
fn a_certificate_that_was_not_valid_then_is_refused() {
    let authority = Authority::new("expired", KINDS[1]);
    let answer = authority.answer(query().as_bytes());
    for valid in [
        ["20200101000000Z", "20210101000000Z"],
        ["20990101000000Z", "20991231000000Z"],
    ] {
        authority.issue("old", "/CN=old", "stamps", "anchor", valid);
        let found = judge(&authority.signed_by(&answer, "old"), &authority);
        assert!(
            matches!(&found, Err(TimestampError::Expired(name, _)) if name == "CN=old"),
            "{found:?}"
        );
    }
    // An issuer's own time counts as well.
    authority.issue(
        "late",
        "/CN=late",
        "authority",
        "anchor",
        ["20200101000000Z", "20210101000000Z"],
    );
    authority.issue("under", "/CN=under", "stamps", "late", NOW);
    let found = judge(&authority.signed_by(&answer, "under"), &authority);
    assert!(
        matches!(found, Err(TimestampError::Stranger(_))),
        "{found:?}"
    );
}

#[test]
fn a_question_that_the_authority_refuses_is_told_so() {
    let authority = Authority::new("refused", KINDS[2]);
    authority.write("signature", &signature());
    authority.must(&[
        "ts",
        "-query",
        "-data",
        "signature",
        "-sha224",
        "-out",
        "query.tsq",
    ]);
    let answer = authority.answer(&authority.read("query.tsq"));
    assert_eq!(judge(&answer, &authority), Err(TimestampError::Refused(2)));
    assert!(!authority.openssl_accepts(&answer, &signature(), query().as_bytes()));
}

#[test]
fn an_algorithm_that_is_not_known_is_named() {
    let authority = Authority::new("unknown", KINDS[2]);
    let answer = authority.answer(query().as_bytes());
    let weak: &[&str] = &["rsa:1024"];
    authority.make("weak", weak, "/CN=weak", "stamps");
    std::fs::copy(
        authority.at.join("weak.pem"),
        authority.at.join("anchor.pem"),
    )
    .unwrap();
    let found = judge(&authority.signed_by(&answer, "weak"), &authority);
    let expected = TimestampError::Algorithm("RSA below 2048 bits".to_owned());
    assert_eq!(found, Err(expected));
    let p_521: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
    authority.make("odd", p_521, "/CN=odd", "stamps");
    std::fs::copy(
        authority.at.join("odd.pem"),
        authority.at.join("anchor.pem"),
    )
    .unwrap();
    let found = judge(&authority.signed_by(&answer, "odd"), &authority);
    assert_eq!(
        found,
        Err(TimestampError::Algorithm("1.3.132.0.35".to_owned()))
    );
}

/// What docs/RECEIPT.md tells a stranger to type, with the golden receipt and its stamp.
#[test]
fn the_commands_in_the_specification_verify_the_golden_stamp() {
    let golden = Path::new("../../tests/golden");
    let specification = include_str!("../../../docs/RECEIPT.md");
    let (_, commands) = specification.split_once("```sh\nsed -n").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let commands = format!("set -e\nsed -n{commands}")
        .replace("DSR-….receipt", "receipt_v1.receipt")
        .replace("anchors.pem", "receipt_v1.anchors.pem");
    let at = std::env::temp_dir().join(format!("quittance-tsa-typed-{}", std::process::id()));
    std::fs::create_dir_all(&at).unwrap();
    for name in [
        "receipt_v1.receipt.json",
        "receipt_v1.receipt.tsr",
        "receipt_v1.anchors.pem",
    ] {
        std::fs::copy(golden.join(name), at.join(name)).unwrap();
    }
    let output = Command::new("sh")
        .args(["-c", &commands])
        .current_dir(&at)
        .output();
    let output = output.unwrap_or_else(|error| panic!("this test needs sh: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(
        output.status.success() && said.contains("Verification: OK"),
        "{said}"
    );
    let stamp = std::fs::read(at.join("receipt_v1.receipt.tsr")).unwrap();
    assert_eq!(Digest::of(&stamp).to_string(), GOLDEN, "{ADVICE}");
    std::fs::remove_dir_all(&at).unwrap();
}

const GOLDEN: &str = "b1f09a2e4a17c7044443eb484c158fc5258b33dcded40a9b8184a0e578bbc95b";
const NOW: [&str; 2] = ["20260101000000Z", "20460101000000Z"];
const ADVICE: &str =
    "these tests need OpenSSL's program, 3.0 or later, as with: apt-get install openssl";
const CONFIG: &str = "
[req]
distinguished_name = none
[none]
[ca]
default_ca = issuer
[issuer]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
organizationName = optional
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamps]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[code]
extendedKeyUsage = critical,codeSigning
[two]
extendedKeyUsage = critical,timeStamping,codeSigning
[optional]
extendedKeyUsage = timeStamping
[nothing]
basicConstraints = critical,CA:FALSE
[encrypts]
keyUsage = critical,keyEncipherment
extendedKeyUsage = critical,timeStamping
[tsa]
serial = serial
default_policy = 1.3.6.1.4.1.55555.1
digests = sha256
accuracy = secs:1, millisecs:500, microsecs:100
";
