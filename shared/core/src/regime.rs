//! Law as data: a regime is one law's answer for one right.
//!
//! The table is `data/regimes.csv`, pinned in receipts by its digest. What a date is, is in
//! [`crate::calendar`].

use jiff::Timestamp;

use crate::calendar::Period;
use crate::digest::Digest;
use crate::request::Right;

/// One law's rules for one right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regime {
    /// Stable id of the law, as in `eu_gdpr`.
    pub id: String,
    /// The right.
    pub right: Right,
    /// What people call the law.
    pub name: String,
    /// The time to respond.
    pub respond: Period,
    /// The further time that may be taken, if any.
    pub extension: Option<Period>,
    /// Where it is written.
    pub citation: String,
}

impl Regime {
    /// Finds a law's rules for a right.
    pub fn find(id: &str, right: Right) -> Option<Self> {
        all().find(|regime| regime.id == id && regime.right == right)
    }

    /// Lists the laws that know a right.
    pub fn known(right: Right) -> Vec<String> {
        all()
            .filter(|regime| regime.right == right)
            .map(|regime| regime.id)
            .collect()
    }

    /// Returns the digest of the whole table.
    pub fn table_digest() -> Digest {
        Digest::of(TABLE.as_bytes())
    }

    /// Returns the due date of a request received at `received_at`.
    pub fn due(&self, received_at: Timestamp) -> Timestamp {
        self.respond.end(received_at)
    }

    /// Returns the due date after an extension, counted from the first due date.
    pub fn extended_due(&self, received_at: Timestamp) -> Option<Timestamp> {
        let extension = self.extension?;
        Some(match (self.respond, extension) {
            // Months add up on the calendar: one month and two more are three months from receipt,
            // not two months from a clamped date.
            (Period::Months(a), Period::Months(b)) => {
                Period::Months(a.saturating_add(b)).end(received_at)
            }
            (Period::Months(_) | Period::Days(_) | Period::BusinessDays(_), more) => {
                more.end(self.due(received_at))
            }
        })
    }
}

fn all() -> impl Iterator<Item = Regime> {
    TABLE.lines().skip(1).filter_map(parse_row)
}

/// Reads one row; the test below proves that every row of the table can be read.
fn parse_row(row: &str) -> Option<Regime> {
    let mut cells = row.splitn(6, ',');
    Some(Regime {
        id: cells.next()?.to_owned(),
        right: Right::parse(cells.next()?)?,
        name: cells.next()?.to_owned(),
        respond: Period::parse(cells.next()?)?,
        extension: match cells.next()? {
            "" => None,
            text => Some(Period::parse(text)?),
        },
        citation: cells.next()?.to_owned(),
    })
}

/// Version of the table's format and content, written into receipts beside its digest.
pub const TABLE_VERSION: u32 = 1;
const TABLE: &str = include_str!("../data/regimes.csv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        assert_eq!(all().count(), TABLE.lines().count() - 1);
    }

    #[test]
    fn an_extension_under_the_gdpr_is_three_months_from_receipt() {
        let regime = Regime::find("eu_gdpr", Right::Access).unwrap();
        let received_at = "2026-11-30T12:00:00Z".parse().unwrap();
        assert_eq!(regime.due(received_at).to_string(), "2026-12-30T23:59:00Z");
        let extended = regime.extended_due(received_at).unwrap();
        assert_eq!(extended.to_string(), "2027-02-28T23:59:00Z");
    }

    #[test]
    fn the_californian_clock_is_ninety_days_at_most() {
        let regime = Regime::find("us_ca_ccpa", Right::Deletion).unwrap();
        let received_at = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            regime.extended_due(received_at).unwrap().to_string(),
            "2026-04-01T23:59:00Z"
        );
    }

    #[test]
    fn a_law_without_the_right_is_not_found() {
        assert_eq!(Regime::find("br_lgpd", Right::Deletion), None);
        assert_eq!(Regime::find("atlantis", Right::Access), None);
    }
}
