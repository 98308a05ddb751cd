//! The pages for people: `index.html`, `about-processing.html`, `README.txt`.
//!
//! The HTML opens on the person's own disk, so every value is hostile: askama escapes all of them,
//! each stands in a `<bdi>`, controls become visible, there is no script, and the policy in the
//! page allows nothing but its own style sheet, named by digest. Links lead to names that we made.

use askama::Template;
use quittance_core::data_map::Controller;
use quittance_core::digest::Digest;

use super::json;
use super::never_disclose::CITATION;
use super::shown::ShownStore;
use super::table::{self, Cell, Row};
use super::{ExportError, Missing, Package, Withheld};

/// Writes the page that shows everything.
pub(super) fn index(
    package: &Package<'_>,
    stores: &[ShownStore<'_>],
    withheld: &[Withheld],
) -> Result<Vec<u8>, ExportError> {
    let count: u64 = withheld.iter().map(|one| one.count).sum();
    render(&Index {
        lang: package.locale.tag(),
        style: STYLE,
        style_hash: style_hash(),
        reference: package.reference.as_str(),
        generated_on: date(package),
        controller: package.controller,
        stores: stores.iter().map(Section::of).collect(),
        withheld_count: counted(count, "value withheld", "values withheld"),
        withheld: withheld.iter().map(withheld_line).collect(),
        citation: CITATION,
        complaint: complaint(package.controller),
    })
}

/// Writes what Art. 15(1)(a) to (h) GDPR wants told.
pub(super) fn about_processing(
    package: &Package<'_>,
    stores: &[ShownStore<'_>],
) -> Result<Vec<u8>, ExportError> {
    render(&About {
        lang: package.locale.tag(),
        style: STYLE,
        style_hash: style_hash(),
        reference: package.reference.as_str(),
        generated_on: date(package),
        controller: package.controller,
        stores: stores.iter().map(Answers::of).collect(),
        automated_decisions: package.controller.automated_decisions.as_deref().unwrap_or(
            "We have recorded no decision about you that was made by a machine alone. \
             If you believe that there was one, ask us.",
        ),
        complaint: complaint(package.controller),
    })
}

/// Writes the plain text that explains the files.
pub(super) fn readme(
    package: &Package<'_>,
    stores: &[ShownStore<'_>],
    withheld: &[Withheld],
) -> Result<Vec<u8>, ExportError> {
    render(&Readme {
        reference: package.reference.as_str(),
        generated_on: date(package),
        controller: package.controller,
        stores: stores.iter().map(Section::of).collect(),
        withheld: withheld.iter().map(withheld_line).collect(),
        citation: CITATION,
        complaint: complaint(package.controller),
    })
}

#[derive(Template)]
#[template(path = "export/index.html")]
struct Index<'a> {
    lang: &'static str,
    style: &'static str,
    style_hash: String,
    reference: &'a str,
    generated_on: String,
    controller: &'a Controller,
    stores: Vec<Section<'a>>,
    withheld_count: String,
    withheld: Vec<String>,
    citation: &'static str,
    complaint: String,
}

#[derive(Template)]
#[template(path = "export/about.html")]
struct About<'a> {
    lang: &'static str,
    style: &'static str,
    style_hash: String,
    reference: &'a str,
    generated_on: String,
    controller: &'a Controller,
    stores: Vec<Answers<'a>>,
    automated_decisions: &'a str,
    complaint: String,
}

#[derive(Template)]
#[template(path = "export/readme.txt", escape = "none")]
struct Readme<'a> {
    reference: &'a str,
    generated_on: String,
    controller: &'a Controller,
    stores: Vec<Section<'a>>,
    withheld: Vec<String>,
    citation: &'static str,
    complaint: String,
}

/// A store on the index page.
struct Section<'a> {
    slug: String,
    name: &'a str,
    count: String,
    facts: Vec<(&'static str, String)>,
    missing: Vec<String>,
    csv_path: String,
    json_path: String,
    total: usize,
    shown: usize,
    as_grid: bool,
    columns: Vec<Column>,
    rows: Vec<Vec<PageCell>>,
}

impl<'a> Section<'a> {
    fn of(store: &'a ShownStore<'_>) -> Self {
        let about = &store.source.about;
        let rows = store.rows(MOST_ROWS);
        let total = store.records.len();
        let columns = table::columns(&rows);
        let as_grid = columns.len() <= WIDEST_GRID;
        let page_row = |row: &Row<'_>| {
            let cell = |column: &&str| match row.get(*column) {
                Some(cell) => Some(PageCell::of(column, cell)),
                None => as_grid.then(|| PageCell::empty(column)),
            };
            columns.iter().filter_map(cell).collect::<Vec<_>>()
        };
        let page_rows: Vec<_> = rows.iter().map(page_row).collect();
        Self {
            slug: format!("store-{}", store.slug),
            name: &store.source.public_name,
            count: counted(
                u64::try_from(total).unwrap_or(u64::MAX),
                "record",
                "records",
            ),
            facts: [
                ("Used for", listed(&about.purposes)),
                ("Kind of data", listed(&about.categories)),
                ("From", source(&about.source)),
            ]
            .into_iter()
            .filter(|(_, answer)| !answer.is_empty())
            .collect(),
            missing: store.source.missing.iter().map(missing_sentence).collect(),
            csv_path: store.csv_path(),
            json_path: store.json_path(),
            total,
            shown: page_rows.len(),
            as_grid,
            columns: columns
                .iter()
                .map(|column| Column::of(column, &rows))
                .collect(),
            rows: page_rows,
        }
    }
}

struct Column {
    label: String,
    class: &'static str,
}

impl Column {
    /// The head stands over its numbers.
    fn of(column: &str, rows: &[Row<'_>]) -> Self {
        let cells = || rows.iter().filter_map(|row| row.get(column));
        let is_number = cells().next().is_some() && cells().all(is_number);
        Self {
            label: label(column),
            class: if is_number { "number" } else { "text" },
        }
    }
}

struct PageCell {
    column: String,
    text: String,
    class: &'static str,
    is_file: bool,
}

impl PageCell {
    fn of(column: &str, cell: &Cell<'_>) -> Self {
        let class = match cell {
            Cell::Plain(_) if is_number(cell) => "number",
            Cell::Plain(_) | Cell::Text(_) => "text",
            Cell::Withheld(_) => "withheld",
            Cell::File(_) => "file",
        };
        Self {
            column: label(column),
            text: shortened(cell.as_str()),
            class,
            is_file: matches!(cell, Cell::File(_)),
        }
    }

    fn empty(column: &str) -> Self {
        Self {
            column: label(column),
            text: String::new(),
            class: "text",
            is_file: false,
        }
    }
}

/// A store on the page about processing.
struct Answers<'a> {
    slug: String,
    name: &'a str,
    facts: Vec<(&'static str, String)>,
}

impl<'a> Answers<'a> {
    fn of(store: &'a ShownStore<'_>) -> Self {
        let about = &store.source.about;
        let or = |answer: String, otherwise: &str| {
            if answer.is_empty() {
                otherwise.to_owned()
            } else {
                answer
            }
        };
        let text = |answer: &Option<String>| answer.clone().unwrap_or_default();
        let facts = vec![
            (
                "What we use it for",
                or(listed(&about.purposes), "Not recorded; please ask us."),
            ),
            (
                "Kinds of data",
                or(listed(&about.categories), "Not recorded; please ask us."),
            ),
            (
                "Who receives it",
                or(listed(&about.recipients), "Nobody outside our company."),
            ),
            (
                "How long we keep it",
                or(
                    text(&about.retention),
                    "As long as the uses above need it; please ask us for dates.",
                ),
            ),
            (
                "Where it comes from",
                or(source(&about.source), "Not recorded; please ask us."),
            ),
            (
                "Where in the world it is",
                or(
                    place(store.source.residency.as_deref()),
                    "Not recorded; please ask us.",
                ),
            ),
            (
                "If it goes to another country",
                or(
                    text(&about.transfers),
                    "No transfer is recorded; ask us if in doubt.",
                ),
            ),
        ];
        Self {
            slug: format!("store-{}", store.slug),
            name: &store.source.public_name,
            facts,
        }
    }
}

fn is_number(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::Plain(text) if json::is_number(text))
}

fn render(page: &impl Template) -> Result<Vec<u8>, ExportError> {
    let mut text = page
        .render()
        .map_err(|error| ExportError::Page(error.to_string()))?;
    text.push('\n');
    Ok(text.into_bytes())
}

fn style_hash() -> String {
    format!(
        "sha256-{}",
        data_encoding::BASE64.encode(Digest::of(STYLE.as_bytes()).as_bytes())
    )
}

fn date(package: &Package<'_>) -> String {
    package
        .generated_on
        .strftime("%-d %B %Y, %H:%M UTC")
        .to_string()
}

fn complaint(controller: &Controller) -> String {
    match &controller.authority {
        Some(authority) => format!(
            "If our answer does not satisfy you, you can complain to {authority}, or to the \
             authority where you live or work."
        ),
        None => "If our answer does not satisfy you, you can complain to the data protection \
                 authority (in the United States: the privacy agency or attorney general) where \
                 you live or work."
            .to_owned(),
    }
}

fn missing_sentence(missing: &Missing) -> String {
    match missing {
        Missing::Attested => "This is kept outside our own systems. The team in charge has \
                              confirmed in writing what it did with your request; ask us for \
                              its answer."
            .to_owned(),
        Missing::Excluded { fields } => format!(
            "Left out: {}. These fields serve the system and are not disclosed.",
            fields
                .iter()
                .map(|field| label(field))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        Missing::Exempt { reason, records } => format!(
            "{} not disclosed, because of a legal exemption: {reason}.",
            counted(*records, "record is", "records are")
        ),
        Missing::NothingFound => "We looked here and found nothing about you.".to_owned(),
        Missing::Unreadable => "We could not read this in time. This part of the answer is still \
                                owed to you and will follow."
            .to_owned(),
    }
}

fn withheld_line(withheld: &Withheld) -> String {
    let Withheld {
        store,
        notice,
        count,
    } = withheld;
    let kind = notice.kind.words();
    let what = if kind == notice.what {
        String::new()
    } else {
        format!(" ({})", notice.what)
    };
    format!(
        "{kind}{what}, {} in “{store}”",
        counted(*count, "time", "times")
    )
}

/// Breaks a sentence for the plain text file: lines of at most 86 characters.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut width = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > indent && width + 1 + length > 86 {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            width = indent;
        } else if width > indent {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn listed(codes: &[String]) -> String {
    codes
        .iter()
        .map(|code| code.replace('_', " "))
        .collect::<Vec<_>>()
        .join(", ")
}

fn source(code: &str) -> String {
    match code {
        "first_party" => "you, or your use of our services".to_owned(),
        "third_party" => "somebody else, not you".to_owned(),
        other => other.replace('_', " "),
    }
}

fn place(code: Option<&str>) -> String {
    match code {
        Some("eu") => "European Union".to_owned(),
        Some("uk") => "United Kingdom".to_owned(),
        Some("us") => "United States".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    }
}

/// The columns of stored files have plain names on pages.
fn label(column: &str) -> String {
    match column {
        table::OBJECT_KEY => "original name".to_owned(),
        table::OBJECT_VERSION => "version".to_owned(),
        table::OBJECT_MEDIA_TYPE => "media type".to_owned(),
        table::OBJECT_FILE => "file".to_owned(),
        table::OBJECT_BYTES => "bytes".to_owned(),
        other => shortened(other),
    }
}

/// Cuts what is too long to read on a page and makes control characters visible.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_CHARS).map(visible).collect();
    if text.chars().nth(MOST_CHARS).is_some() {
        short.push_str(" … (cut here; the JSON file has all of it)");
    }
    short
}

/// Unicode has pictures for control characters at U+2400.
fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f'..='\u{9f}' => '\u{fffd}',
        _ => c,
    }
}

const STYLE: &str = include_str!("../../templates/export/style.css");
const MOST_CHARS: usize = 2_000;
const MOST_ROWS: usize = 500;
/// Wider tables do not fit a page: their records are shown one below the other.
const WIDEST_GRID: usize = 8;
