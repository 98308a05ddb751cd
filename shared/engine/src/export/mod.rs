//! The access package: everything we hold about one person, in one ZIP that opens offline.
//!
//! A pure function of its input: no I/O, no clock. The same input gives the same bytes, because
//! entries are sorted, times are fixed and the deflate level is set. What must never be disclosed
//! is taken out first ([`never_disclose`]), in one place; the writers of JSON, CSV and HTML only
//! ever see what is left ([`shown`]). Reading stores, encrypting and storing the package are
//! elsewhere; the layout and its conventions are told in `README.txt` inside each package.

mod archive;
mod json;
mod manifest;
mod media;
mod never_disclose;
mod pages;
mod shown;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quittance_core::data_map::{About, Controller};
use quittance_core::digest::Digest;
use quittance_core::fault::{BlockReason, Fault};
use quittance_core::id::Reference;

pub use never_disclose::{Kind, Notice};

use crate::record::Record;
use shown::{Body, ShownRecord, ShownStore};

/// The most bytes a package may hold before compression: it is composed in memory.
pub const MAX_PACKAGE_BYTES: u64 = 512 * 1024 * 1024;

/// What goes into a package.
#[derive(Clone, Debug)]
pub struct Package<'a> {
    /// The request's public name.
    pub reference: &'a Reference,
    /// Who answers.
    pub controller: &'a Controller,
    /// The date the pages show.
    pub generated_on: Timestamp,
    /// The language of the pages.
    pub locale: Locale,
    /// A part per store, in any order: they are sorted by name.
    pub stores: Vec<StoreExport>,
}

/// A language the pages exist in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English.
    En,
}

impl Locale {
    /// Returns the BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
        }
    }
}

/// What one store holds about the person.
#[derive(Clone, Debug)]
pub struct StoreExport {
    /// The store's public name; internal ids stay inside.
    pub public_name: String,
    /// Why we hold it.
    pub about: About,
    /// Where in the world it is.
    pub residency: Option<String>,
    /// What we hold, in the store's order.
    pub records: Vec<Record>,
    /// What is not here, and why.
    pub missing: Vec<Missing>,
}

/// Why something is not in the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Kept outside our systems; a team confirmed in writing what it did with the request.
    Attested,
    /// Fields that are left out on purpose, such as internal keys.
    Excluded {
        /// Their names.
        fields: Vec<String>,
    },
    /// A law says that we must not, or need not, disclose it.
    Exempt {
        /// Which, in words.
        reason: String,
        /// How many records.
        records: u64,
    },
    /// We looked, and found nothing.
    NothingFound,
    /// We could not read it in time; it is still owed.
    Unreadable,
}

/// A package and what is known about it.
#[derive(Debug)]
pub struct Composed {
    /// The archive: personal data.
    pub zip: Vec<u8>,
    /// The digest of `manifest.json`, which names the digests of everything else.
    pub manifest_sha256: Digest,
    /// Every file, sorted by path; the manifest itself is last and not listed in itself.
    pub files: Vec<PackagedFile>,
    /// What was withheld, counted.
    pub withheld: Vec<Withheld>,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedFile {
    /// Its path inside the archive; never made from personal data.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// The public name of the store it came from.
    pub store: Option<String>,
    /// How many records it holds.
    pub records: u64,
}

/// How often one kind of data was withheld in one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The store's public name.
    pub store: String,
    /// What was withheld.
    pub notice: Notice,
    /// How many values.
    pub count: u64,
}

/// Why no package can be composed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The archive could not be written.
    #[error("the archive could not be written: {0}")]
    Archive(String),
    /// A page could not be written.
    #[error("a page could not be written: {0}")]
    Page(String),
    /// A table could not be written.
    #[error("a table could not be written: {0}")]
    Table(String),
    /// More data than one package holds.
    #[error("the package would hold {bytes} bytes, more than {MAX_PACKAGE_BYTES}")]
    TooLarge {
        /// At least so many.
        bytes: u64,
    },
}

impl From<ExportError> for Fault {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::TooLarge { .. } => Self::Block(BlockReason::TooLarge),
            ExportError::Archive(_) | ExportError::Page(_) | ExportError::Table(_) => {
                Self::reject(error.to_string())
            }
        }
    }
}

/// Composes the package.
///
/// # Errors
/// [`ExportError::TooLarge`] beyond [`MAX_PACKAGE_BYTES`]; the other variants do not happen with
/// writers in memory, and are reported rather than ignored.
pub fn compose(package: &Package<'_>) -> Result<Composed, ExportError> {
    let stores = show(&package.stores);
    let withheld = count_withheld(&stores);
    let mut parts = Parts::default();

    for store in &stores {
        add_store(&mut parts, store)?;
    }
    parts.add(
        "index.html",
        HTML,
        None,
        0,
        pages::index(package, &stores, &withheld)?,
    )?;
    parts.add(
        "about-processing.html",
        HTML,
        None,
        0,
        pages::about_processing(package, &stores)?,
    )?;
    parts.add(
        "README.txt",
        TEXT,
        None,
        0,
        pages::readme(package, &stores, &withheld)?,
    )?;

    let mut files = parts.files();
    let manifest = manifest::write(package, &stores, &files, &withheld);
    let manifest_sha256 = Digest::of(manifest.as_bytes());
    parts.add("manifest.json", JSON, None, 0, manifest.into_bytes())?;
    files.extend(
        parts
            .files()
            .into_iter()
            .filter(|file| file.path == "manifest.json"),
    );

    let zip = archive::write(
        parts
            .by_path
            .iter()
            .map(|(path, part)| (path.as_str(), &*part.body)),
    )?;
    Ok(Composed {
        zip,
        manifest_sha256,
        files,
        withheld,
    })
}

/// Sorts the stores, gives each a folder name, and takes out what must never be disclosed.
fn show(stores: &[StoreExport]) -> Vec<ShownStore<'_>> {
    let mut sorted: Vec<&StoreExport> = stores.iter().collect();
    sorted.sort_by(|a, b| a.public_name.cmp(&b.public_name));
    let mut taken = BTreeSet::new();
    sorted
        .into_iter()
        .map(|store| {
            let slug = media::slug(&store.public_name, &mut taken);
            ShownStore::of(store, slug)
        })
        .collect()
}

fn count_withheld(stores: &[ShownStore<'_>]) -> Vec<Withheld> {
    let counts = |store: &ShownStore<'_>| {
        let name = store.source.public_name.clone();
        let of = move |(notice, count): (&Notice, &u64)| Withheld {
            store: name.clone(),
            notice: *notice,
            count: *count,
        };
        store.withheld.iter().map(of).collect::<Vec<_>>()
    };
    stores.iter().flat_map(counts).collect()
}

fn add_store<'a>(parts: &mut Parts<'a>, store: &'a ShownStore<'_>) -> Result<(), ExportError> {
    let name = Some(store.source.public_name.as_str());
    let records = u64::try_from(store.records.len()).unwrap_or(u64::MAX);
    for record in &store.records {
        if let ShownRecord::Object(object) = record
            && let Body::File { path, bytes } = &object.body
        {
            parts.add_borrowed(path, object.media_type, name, 1, bytes)?;
        }
    }
    if records > 0 {
        let json = json::store_document(store).into_bytes();
        parts.add(&store.json_path(), JSON, name, records, json)?;
        parts.add(
            &store.csv_path(),
            CSV,
            name,
            records,
            table::csv(&store.rows(usize::MAX))?,
        )?;
    }
    Ok(())
}

/// The files so far, by path, and their size together.
#[derive(Default)]
struct Parts<'a> {
    by_path: BTreeMap<String, Part<'a>>,
    bytes: u64,
}

struct Part<'a> {
    body: std::borrow::Cow<'a, [u8]>,
    media_type: &'a str,
    store: Option<&'a str>,
    records: u64,
}

impl<'a> Parts<'a> {
    fn add(
        &mut self,
        path: &str,
        media_type: &'a str,
        store: Option<&'a str>,
        records: u64,
        body: Vec<u8>,
    ) -> Result<(), ExportError> {
        self.insert(
            path,
            Part {
                body: body.into(),
                media_type,
                store,
                records,
            },
        )
    }

    fn add_borrowed(
        &mut self,
        path: &str,
        media_type: &'a str,
        store: Option<&'a str>,
        records: u64,
        body: &'a [u8],
    ) -> Result<(), ExportError> {
        self.insert(
            path,
            Part {
                body: body.into(),
                media_type,
                store,
                records,
            },
        )
    }

    fn insert(&mut self, path: &str, part: Part<'a>) -> Result<(), ExportError> {
        self.bytes += u64::try_from(part.body.len()).unwrap_or(u64::MAX);
        if self.bytes > MAX_PACKAGE_BYTES {
            return Err(ExportError::TooLarge { bytes: self.bytes });
        }
        self.by_path.insert(path.to_owned(), part);
        Ok(())
    }

    fn files(&self) -> Vec<PackagedFile> {
        let file = |(path, part): (&String, &Part<'_>)| PackagedFile {
            path: path.clone(),
            sha256: Digest::of(&part.body),
            bytes: u64::try_from(part.body.len()).unwrap_or(u64::MAX),
            media_type: part.media_type.to_owned(),
            store: part.store.map(str::to_owned),
            records: part.records,
        };
        self.by_path.iter().map(file).collect()
    }
}

const CSV: &str = "text/csv; charset=utf-8; header=present";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests;
