//! What must be true of the time stamps beside receipts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use quittance_core::receipt::{
    Anchors, Envelope, ReceiptFile, TimestampQuery, timestamp_name, verify_timestamp,
};

use super::check::{Remembered, remembered};
use crate::sequencer::paths;

/// Every time stamp holds, and is about the receipt beside it; while that is not stored, about the
/// envelope that it will be made of.
pub(super) fn check(
    evidence: &BTreeMap<String, Vec<u8>>,
    anchors: Option<&Anchors>,
    complaints: &mut Vec<String>,
) {
    for (path, stamp) in evidence {
        let Some(name) = path.strip_prefix(paths::TIMESTAMPS) else {
            continue;
        };
        let Some(anchors) = anchors else {
            complaints.push(format!("{path}: nobody was asked for time stamps"));
            continue;
        };
        let mut beside = evidence.iter().filter(|(place, _)| {
            let receipt = place.strip_prefix(paths::RECEIPTS);
            let envelope = paths::envelope_owner(place).map(|leaf| leaf.file_name());
            let named = receipt.or(envelope.as_deref()).and_then(timestamp_name);
            named.as_deref() == Some(name)
        });
        let is_beside = beside.clone().count() > 0;
        if !is_beside || !beside.all(|(_, file)| holds(file, stamp, anchors)) {
            complaints.push(format!("{path} is no time stamp of the receipt beside it"));
        }
    }
}

/// Whether a stamp holds for an envelope or a receipt.
fn holds(file: &[u8], stamp: &[u8], anchors: &Anchors) -> bool {
    let both = [file, stamp].concat();
    remembered(&STAMPS, &both, &format!("{anchors:?}"), || {
        let found = match Envelope::parse(file) {
            Ok(envelope) => TimestampQuery::of(&envelope)?.judge(stamp, anchors),
            Err(_) => verify_timestamp(&ReceiptFile::parse(file).ok()?, stamp, anchors),
        };
        Some(found.ok()?.at)
    })
    .is_some()
}

static STAMPS: Remembered<Timestamp> = Mutex::new(BTreeMap::new());
