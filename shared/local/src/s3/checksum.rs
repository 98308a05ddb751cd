//! The checksums S3 keeps beside an object, and how a request says which one it wants.
//!
//! Invariant: a checksum sent by a client is compared before anything is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::{S3Result, TrailingHeaders, s3_error};
use serde::{Deserialize, Serialize};

/// The five algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> S3Result<Self> {
        ALL.into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| s3_error!(InvalidRequest, "unknown checksum algorithm {name}"))
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }
}

/// What a request says about the checksum of its body.
pub(super) struct Claim {
    pub(super) algorithm: Algorithm,
    header: Option<String>,
    trailers: Option<TrailingHeaders>,
}

impl Claim {
    /// Reads header, announced trailer or named algorithm; S3's own default otherwise.
    pub(super) fn of(headers: &HeaderMap, trailers: Option<&TrailingHeaders>) -> S3Result<Self> {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        for algorithm in ALL {
            if let Some(value) = text(algorithm.header()) {
                return Ok(Self {
                    algorithm,
                    header: Some(value),
                    trailers: None,
                });
            }
        }
        let announced = text("x-amz-trailer").unwrap_or_default();
        let trailing = ALL.into_iter().find(|a| {
            announced
                .split(',')
                .any(|name| name.trim().eq_ignore_ascii_case(a.header()))
        });
        if let Some(algorithm) = trailing {
            return Ok(Self {
                algorithm,
                header: None,
                trailers: trailers.cloned(),
            });
        }
        let named =
            text("x-amz-sdk-checksum-algorithm").or_else(|| text("x-amz-checksum-algorithm"));
        let algorithm = named.map_or(Ok(Algorithm::Crc64Nvme), |name| Algorithm::parse(&name))?;
        Ok(Self {
            algorithm,
            header: None,
            trailers: None,
        })
    }

    /// Compares the claim, complete once the body has been read, with what was computed.
    pub(super) fn check(&self, computed: &Checksums) -> S3Result<()> {
        let name = self.algorithm.header();
        let trailing = self.trailers.as_ref().and_then(|trailers| {
            trailers
                .read(|map| {
                    map.get(name)
                        .and_then(|value| value.to_str().ok())
                        .map(str::to_owned)
                })
                .flatten()
        });
        match (
            self.header.as_ref().or(trailing.as_ref()),
            computed.value(self.algorithm),
        ) {
            (Some(claimed), Some(value)) if claimed != value => Err(s3_error!(
                BadDigest,
                "The {} you specified did not match.",
                self.algorithm.as_str()
            )),
            _ => Ok(()),
        }
    }
}

/// Checks a `Content-MD5` header.
pub(super) fn check_md5(claimed: Option<&str>, md5: [u8; 16]) -> S3Result<()> {
    let Some(claimed) = claimed else {
        return Ok(());
    };
    let bytes = STANDARD
        .decode(claimed)
        .map_err(|error| s3_error!(error, InvalidDigest))?;
    if bytes == md5 {
        Ok(())
    } else {
        Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match."
        ))
    }
}

/// Base64 values by algorithm. Composite ones of multipart objects end in `-N`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Checksums {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32c: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc64nvme: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
}

impl Checksums {
    pub(super) fn value(&self, algorithm: Algorithm) -> Option<&String> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_ref(),
            Algorithm::Crc32c => self.crc32c.as_ref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_ref(),
            Algorithm::Sha1 => self.sha1.as_ref(),
            Algorithm::Sha256 => self.sha256.as_ref(),
        }
    }

    /// The checksum of the parts' checksums, as S3 computes it for `COMPOSITE` uploads.
    pub(super) fn composite(algorithm: Algorithm, parts: &[Self]) -> S3Result<Self> {
        let mut hasher = Hasher::new(Some(algorithm));
        for part in parts {
            let value = part
                .value(algorithm)
                .ok_or_else(|| s3_error!(InvalidPart, "a part has no checksum"))?;
            let raw = STANDARD
                .decode(value)
                .map_err(|error| s3_error!(error, InternalError))?;
            hasher.update(&raw);
        }
        let mut sums = hasher.finish();
        let count = parts.len();
        for value in [
            &mut sums.crc32,
            &mut sums.crc32c,
            &mut sums.crc64nvme,
            &mut sums.sha1,
            &mut sums.sha256,
        ] {
            *value = value.take().map(|value| format!("{value}-{count}"));
        }
        Ok(sums)
    }
}

/// Computes at most one checksum.
pub(super) struct Hasher(ChecksumHasher);

impl Hasher {
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        let mut hasher = ChecksumHasher::default();
        match algorithm {
            None => {}
            Some(Algorithm::Crc32) => hasher.crc32 = Some(Crc32::new()),
            Some(Algorithm::Crc32c) => hasher.crc32c = Some(Crc32c::new()),
            Some(Algorithm::Crc64Nvme) => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Some(Algorithm::Sha1) => hasher.sha1 = Some(Sha1::new()),
            Some(Algorithm::Sha256) => hasher.sha256 = Some(Sha256::new()),
        }
        Self(hasher)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> Checksums {
        let sums = self.0.finalize();
        Checksums {
            crc32: sums.checksum_crc32,
            crc32c: sums.checksum_crc32c,
            crc64nvme: sums.checksum_crc64nvme,
            sha1: sums.checksum_sha1,
            sha256: sums.checksum_sha256,
        }
    }
}

/// Writes checksums into an answer; the protocol crate spells them out in every type.
macro_rules! echo_checksums {
    ($output:expr, $sums:expr) => {{
        let sums = $sums;
        $output.checksum_crc32.clone_from(&sums.crc32);
        $output.checksum_crc32c.clone_from(&sums.crc32c);
        $output.checksum_crc64nvme.clone_from(&sums.crc64nvme);
        $output.checksum_sha1.clone_from(&sums.sha1);
        $output.checksum_sha256.clone_from(&sums.sha256);
    }};
}
pub(super) use echo_checksums;

const ALL: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];
