//! Safe names for files: generated here, never taken from personal data.

use std::collections::BTreeSet;

/// Makes a folder or file name from a store's public name, different from those taken.
pub(super) fn slug(public_name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut slug = String::new();
    for word in super::never_disclose::names::words(public_name) {
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        if !word.is_empty() && slug.len() + word.len() < LONGEST_SLUG {
            if !slug.is_empty() {
                slug.push('-');
            }
            slug.push_str(&word);
        }
    }
    if slug.is_empty() {
        slug.push_str("store");
    }
    if RESERVED.contains(&slug.trim_end_matches(|c: char| c.is_ascii_digit())) {
        slug.insert_str(0, "store-");
    }
    let mut unique = slug.clone();
    let mut number = 2_u32;
    while !taken.insert(unique.clone()) {
        unique = format!("{slug}-{number}");
        number += 1;
    }
    unique
}

/// Returns the file name of the `number`-th object (from 1).
pub(super) fn file_name(number: usize, media_type: &str) -> String {
    format!("{number:04}.{}", extension(media_type))
}

/// Whether a body of this type is text, in which numbers can be found and masked.
pub(super) fn is_text(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || TEXTS.contains(&essence.as_str())
}

/// The extension decides what opens the file, therefore nothing here runs script: pages, drawings
/// with script and programs become `.txt` or `.bin`.
fn extension(media_type: &str) -> &'static str {
    let essence = essence(media_type);
    let known = EXTENSIONS.iter().find(|(name, _)| *name == essence);
    match known {
        Some((_, extension)) => extension,
        None if is_text(media_type) => "txt",
        None => "bin",
    }
}

fn essence(media_type: &str) -> String {
    media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

const LONGEST_SLUG: usize = 40;
/// Device names that some systems refuse as file names.
const RESERVED: &[&str] = &["aux", "com", "con", "lpt", "nul", "prn"];
const TEXTS: &[&str] = &[
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
];
const EXTENSIONS: &[(&str, &str)] = &[
    ("application/gzip", "gz"),
    ("application/json", "json"),
    ("application/pdf", "pdf"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/x-ndjson", "jsonl"),
    ("application/zip", "zip"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/wav", "wav"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/heic", "heic"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/tiff", "tiff"),
    ("image/webp", "webp"),
    ("text/calendar", "ics"),
    ("text/csv", "csv"),
    ("text/plain", "txt"),
    ("text/vcard", "vcf"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_plain_and_never_taken_twice() {
        let mut taken = BTreeSet::new();
        let mut of = |name: &str| slug(name, &mut taken);
        assert_eq!(of("Customer account"), "customer-account");
        assert_eq!(of("customer  Account!"), "customer-account-2");
        assert_eq!(of("../../etc/passwd"), "etc-passwd");
        assert_eq!(of("Größe & Ärger"), "grosse-arger");
        assert_eq!(of("日本"), "store");
        assert_eq!(of("CON"), "store-con");
        assert_eq!(of("com1"), "store-com1");
        assert!(of(&"long ".repeat(60)).len() <= LONGEST_SLUG);
    }

    #[test]
    fn nothing_that_runs_keeps_its_extension() {
        for (media_type, name) in [
            ("image/png", "0007.png"),
            ("IMAGE/JPEG; q=1", "0007.jpg"),
            ("text/html", "0007.txt"),
            ("image/svg+xml", "0007.txt"),
            ("application/javascript", "0007.txt"),
            ("application/x-msdownload", "0007.bin"),
            ("../../x", "0007.bin"),
            ("", "0007.bin"),
        ] {
            assert_eq!(file_name(7, media_type), name);
        }
    }
}
