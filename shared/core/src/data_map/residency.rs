//! Where in the world AWS keeps what it keeps in a region.

/// Whether a region lies where a store's `residency` says; none when one of the two is not known
/// here. `residency` is a region (`eu-central-1`), a country (`de`), `eu` or `eea`.
pub fn agrees(residency: &str, region: &str) -> Option<bool> {
    let wanted = residency.trim().to_ascii_lowercase();
    if country(&wanted).is_some() {
        return Some(wanted == region);
    }
    let here = country(region)?;
    match wanted.as_str() {
        // All members of the EEA with a region are members of the EU.
        "eu" | "eea" => Some(EU.contains(&here)),
        "uk" => Some(here == "gb"),
        country => COUNTRIES
            .iter()
            .any(|(_, known)| *known == country)
            .then_some(here == country),
    }
}

/// Returns the country of a region, ISO 3166 in lower case.
fn country(region: &str) -> Option<&'static str> {
    let is_it = |known: &&(&str, &str)| known.0 == region;
    COUNTRIES.iter().find(is_it).map(|(_, country)| *country)
}

/// The member states of the European Union that have a region.
const EU: [&str; 6] = ["de", "es", "fr", "ie", "it", "se"];

/// The regions of AWS, as its documentation places them.
const COUNTRIES: [(&str, &str); 39] = [
    ("af-south-1", "za"),
    ("ap-east-1", "hk"),
    ("ap-east-2", "tw"),
    ("ap-northeast-1", "jp"),
    ("ap-northeast-2", "kr"),
    ("ap-northeast-3", "jp"),
    ("ap-south-1", "in"),
    ("ap-south-2", "in"),
    ("ap-southeast-1", "sg"),
    ("ap-southeast-2", "au"),
    ("ap-southeast-3", "id"),
    ("ap-southeast-4", "au"),
    ("ap-southeast-5", "my"),
    ("ap-southeast-6", "nz"),
    ("ap-southeast-7", "th"),
    ("ca-central-1", "ca"),
    ("ca-west-1", "ca"),
    ("cn-north-1", "cn"),
    ("cn-northwest-1", "cn"),
    ("eu-central-1", "de"),
    ("eu-central-2", "ch"),
    ("eu-north-1", "se"),
    ("eu-south-1", "it"),
    ("eu-south-2", "es"),
    ("eu-west-1", "ie"),
    ("eu-west-2", "gb"),
    ("eu-west-3", "fr"),
    ("eusc-de-east-1", "de"),
    ("il-central-1", "il"),
    ("me-central-1", "ae"),
    ("me-south-1", "bh"),
    ("mx-central-1", "mx"),
    ("sa-east-1", "br"),
    ("us-east-1", "us"),
    ("us-east-2", "us"),
    ("us-gov-east-1", "us"),
    ("us-gov-west-1", "us"),
    ("us-west-1", "us"),
    ("us-west-2", "us"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn london_and_zurich_are_not_in_the_union() {
        for (residency, region, expected) in [
            ("eu", "eu-central-1", Some(true)),
            ("EU", "eu-west-2", Some(false)),
            ("eu", "eu-central-2", Some(false)),
            ("uk", "eu-west-2", Some(true)),
            ("de", "eu-central-1", Some(true)),
            ("us", "eu-central-1", Some(false)),
            ("us-east-1", "us-east-1", Some(true)),
            ("us-east-1", "us-east-2", Some(false)),
            ("our cellar", "eu-central-1", None),
            ("eu", "moon-1", None),
        ] {
            assert_eq!(agrees(residency, region), expected, "{residency} {region}");
        }
    }
}
