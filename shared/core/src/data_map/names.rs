//! What AWS accepts as names, and the lengths of time a data map writes.

use super::rule::{Period, PeriodUnit};

/// Whether a text can be the name of a table or of an index.
pub(super) fn is_table(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// Whether a text can be the name of a general purpose bucket.
pub(super) fn is_bucket(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(b))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", "--x-s3", ".mrap", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

/// Whether a text can be the name of a key attribute.
pub(super) fn is_attribute(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a text looks like a region, such as `eu-central-1`.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] => {
            words.len() >= 2
                && words.iter().all(is_word)
                && (1..=2).contains(&number.len())
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        [] => false,
    }
}

/// Whether a text is the ARN of a role.
pub(super) fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    let name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b))
    };
    *prefix == "arn"
        && ["aws", "aws-cn", "aws-us-gov", "aws-eusc"].contains(partition)
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(name)
        && arn.len() <= 2048
}

/// Whether a text can be an external id of a trust policy.
pub(super) fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}

/// Parses `10y`, `6m` or `90d`.
pub(super) fn period(text: &str) -> Option<Period> {
    let (count, unit) = counted(text)?;
    let unit = match unit {
        'y' => PeriodUnit::Years,
        'm' => PeriodUnit::Months,
        'd' => PeriodUnit::Days,
        _ => return None,
    };
    let limit = match unit {
        PeriodUnit::Years => 200,
        PeriodUnit::Months => 2_400,
        PeriodUnit::Days => u16::MAX,
    };
    (count <= limit).then_some(Period { count, unit })
}

/// Parses `10d` or `2w` into days.
pub(super) fn days(text: &str) -> Option<u32> {
    let (count, unit) = counted(text)?;
    match unit {
        'd' => Some(u32::from(count)),
        'w' => Some(u32::from(count) * 7),
        _ => None,
    }
    .filter(|days| *days <= 366)
}

/// Parses `30m`, `6h` or `1d` into minutes: a quarter of an hour to a month.
pub(super) fn minutes(text: &str) -> Option<u32> {
    let (count, unit) = counted(text)?;
    let count = u32::from(count);
    match unit {
        'm' => Some(count),
        'h' => Some(count * 60),
        'd' => Some(count * 24 * 60),
        _ => None,
    }
    .filter(|minutes| (15..=31 * 24 * 60).contains(minutes))
}

/// Splits a positive whole number and a letter.
fn counted(text: &str) -> Option<(u16, char)> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    let count: u16 = digits.parse().ok()?;
    (count > 0 && count.to_string() == digits).then_some((count, unit))
}
