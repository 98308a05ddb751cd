//! What is told about a store, how it is reached and how often it is swept.

use std::collections::BTreeMap;

use super::super::names;
use super::super::reading::{Field, Fields, Reader};
use super::super::rule::RetainUntil;
use super::super::store::{About, Account, Find, Sweep};
use super::places::PlaceKind;
use super::rules::retain_until;
use super::{Noted, optional, optional_text, owned_if};
use crate::outcome::ResidualKind;

pub(super) fn about(reader: &mut Reader, field: &Field<'_>) -> Option<About> {
    let mut fields = reader.fields(field, "{ source: first_party, purposes: [contract] }")?;
    let source = fields
        .required(
            reader,
            "source",
            "source: first_party, or from whom the data come",
        )
        .and_then(|field| reader.text(&field));
    let purposes = optional(&mut fields, "purposes", |field| reader.texts(field));
    let categories = optional(&mut fields, "categories", |field| reader.texts(field));
    let recipients = optional(&mut fields, "recipients", |field| reader.texts(field));
    let retention = optional_text(reader, &mut fields, "retention");
    let transfers = optional_text(reader, &mut fields, "transfers");
    reader.finish(&fields);
    Some(About {
        source: source?,
        purposes: purposes.ok()?.unwrap_or_default(),
        categories: categories.ok()?.unwrap_or_default(),
        recipients: recipients.ok()?.unwrap_or_default(),
        retention: retention.ok()?,
        transfers: transfers.ok()?,
    })
}

pub(super) fn account(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
) -> Result<Option<Account>, Noted> {
    if kind == Some(PlaceKind::Attested) {
        fields.refuse(
            reader,
            "account",
            "nothing is reached there; leave account out",
        );
        return Ok(None);
    }
    optional(fields, "account", |field| way_in(reader, field))
}

/// Reads how another account or region is reached.
fn way_in(reader: &mut Reader, field: &Field<'_>) -> Option<Account> {
    let mut fields = reader.fields(field, "{ role_arn: …, external_id: …, region: … }")?;
    let role_arn = optional(&mut fields, "role_arn", |field| {
        let advice = "write arn:aws:iam::123456789012:role/name";
        reader.parsed(field, |text| owned_if(text, names::is_role), advice)
    });
    let external_id = optional(&mut fields, "external_id", |field| {
        let advice = "an external id is 2 to 1224 of letters, digits and _+=,.@:/-";
        reader.parsed(field, |text| owned_if(text, names::is_external_id), advice)
    });
    let region = optional(&mut fields, "region", |field| {
        let advice = "write a region such as eu-central-1";
        reader.parsed(field, |text| owned_if(text, names::is_region), advice)
    });
    reader.finish(&fields);
    let account = Account {
        role_arn: role_arn.ok()?,
        external_id: external_id.ok()?,
        region: region.ok()?,
    };
    if account.role_arn.is_none() && account.external_id.is_some() {
        reader.wrong(field, "an external id is for a role; add role_arn:");
        return None;
    }
    if account.role_arn.is_none() && account.region.is_none() {
        reader.wrong(
            field,
            "says nothing; add role_arn: or region:, or leave it out",
        );
        return None;
    }
    Some(account)
}

/// Reads which copies of a store's data no effect reaches.
pub(super) fn copies(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
) -> Option<BTreeMap<ResidualKind, RetainUntil>> {
    if kind == Some(PlaceKind::Attested) {
        fields.refuse(
            reader,
            "copies",
            "nothing is deleted there by us; leave copies out",
        );
        return Some(BTreeMap::new());
    }
    let Some(field) = fields.optional("copies") else {
        return Some(BTreeMap::new());
    };
    let mut fields = reader.fields(&field, "{ backup: 35d }")?;
    let mut copies = BTreeMap::new();
    let mut is_right = true;
    for (word, what) in COPIES {
        let Some(field) = fields.optional(word) else {
            continue;
        };
        let advice = "write how long one lasts, such as 35d, 6m or 7y, or indefinite";
        let lasts = |text: &str| match retain_until(text) {
            Some(RetainUntil::Date(_)) | None => None,
            lasts @ Some(RetainUntil::After(_) | RetainUntil::Indefinite) => lasts,
        };
        if let Some(lasts) = reader.parsed(&field, lasts, advice) {
            copies.insert(what, lasts);
        } else {
            is_right = false;
        }
    }
    reader.finish(&fields);
    is_right.then_some(copies)
}

/// The copies that a data map may speak of, as receipts call them.
const COPIES: [(&str, ResidualKind); 7] = [
    ("access_log", ResidualKind::AccessLog),
    ("backup", ResidualKind::Backup),
    ("inventory", ResidualKind::Inventory),
    ("noncurrent", ResidualKind::Noncurrent),
    ("pitr", ResidualKind::Pitr),
    ("replica", ResidualKind::Replica),
    ("stream", ResidualKind::Stream),
];

pub(super) fn sweep(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    kind: Option<PlaceKind>,
    find: &[Find],
) -> Result<Option<Sweep>, Noted> {
    let advice = match kind {
        Some(PlaceKind::Records) | None => None,
        Some(PlaceKind::Table) if find.iter().any(Find::reads_everything) => None,
        Some(PlaceKind::Table) => {
            Some("every subject is found by key or index, so nothing is swept; leave sweep out")
        }
        Some(PlaceKind::Objects | PlaceKind::Attested) => {
            Some("only records and tables are swept; leave sweep out")
        }
    };
    if let Some(advice) = advice {
        fields.refuse(reader, "sweep", advice);
        return Ok(None);
    }
    optional(fields, "sweep", |field| {
        let mut fields = reader.fields(field, "{ every: 6h }")?;
        let every = fields
            .required(reader, "every", "every: 6h")
            .and_then(|field| {
                let advice = "write 15m to 31d, such as 30m, 6h or 1d";
                reader.parsed(&field, names::minutes, advice)
            });
        reader.finish(&fields);
        Some(Sweep {
            every_minutes: every?,
        })
    })
}
