//! Reading the table of laws: rows into regimes, or everything that is wrong, by line.
//!
//! Invariant: of a parsed table at most one row applies to a law, a right and a day.

use jiff::civil::Date;

use super::{Confidence, Extension, PauseReason, Regime, Rolling, Start};
use crate::calendar::{Period, Zone};
use crate::holidays::Calendar;
use crate::request::Right;
use crate::table::{self, Row, TableProblem};

/// Reads a table of laws.
///
/// # Errors
/// Everything that is wrong, by line.
pub fn parse(text: &str) -> Result<Vec<Regime>, Vec<TableProblem>> {
    let mut regimes: Vec<Regime> = Vec::new();
    let mut problems = Vec::new();
    for row in table::rows(text, COLUMNS)? {
        let regime = match regime(&row) {
            Ok(regime) => regime,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if regimes.iter().any(|other| overlap(other, &regime)) {
            problems.push(row.wrong("an earlier row is about the same law, right and days"));
        }
        regimes.push(regime);
    }
    if problems.is_empty() {
        Ok(regimes)
    } else {
        Err(problems)
    }
}

fn regime(row: &Row) -> Result<Regime, TableProblem> {
    let regime = Regime {
        id: row.read("id", id, "use a-z 0-9 _, at most 40")?,
        right: row.read("right", Right::parse, "use access, deletion or opt_out")?,
        name: row.text("name")?,
        from: row.read("from", date, DATE)?,
        until: row.read_if("until", date, DATE)?,
        zone: row.read("zone", Zone::parse, "use a name such as Europe/Brussels")?,
        calendar: row.read_if("calendar", calendar, "use one of data/holidays.csv")?,
        starts: row.read("starts", start, "use received or verified")?,
        respond: row.read("respond", Period::parse, PERIOD)?,
        rolls: row.read("rolls", rolling, "use next_working_day, or leave it empty")?,
        extension: extension(row)?,
        pauses: row.read("pauses", pauses, "use clarification and identity")?,
        confirm: row.read_if("confirm", Period::parse, PERIOD)?,
        appeal: row.read_if("appeal", Period::parse, PERIOD)?,
        appeal_extension: row.read_if("appeal_extension", Period::parse, PERIOD)?,
        confidence: row.read("confidence", confidence, "use read, secondary, unverified")?,
        citation: row.text("citation")?,
    };
    check(&regime).map_err(|message| row.wrong(message))?;
    Ok(regime)
}

/// What the cells must be to each other.
fn check(regime: &Regime) -> Result<(), &'static str> {
    if regime.until.is_some_and(|until| until < regime.from) {
        return Err("until is before from");
    }
    if regime.rolls == Rolling::NextWorkingDay && regime.calendar.is_none() {
        return Err("the next working day needs a calendar");
    }
    if let Some(extension) = regime.extension
        && regime.respond.and(extension.by).is_none()
    {
        return Err("an extension is of the same kind as the time to respond");
    }
    if regime.appeal_extension.is_some() && regime.appeal.is_none() {
        return Err("appeal_extension without appeal");
    }
    Ok(())
}

fn extension(row: &Row) -> Result<Option<Extension>, TableProblem> {
    let by = row.read_if("extension", Period::parse, PERIOD)?;
    let notice = row.read_if("notice", Period::parse, PERIOD)?;
    match (by, notice) {
        (Some(by), Some(notice)) => Ok(Some(Extension { by, notice })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            Err(row.wrong("extension and notice: both, or neither"))
        }
    }
}

fn overlap(a: &Regime, b: &Regime) -> bool {
    let ends_before = |a: &Regime, b: &Regime| a.until.is_some_and(|until| until < b.from);
    a.id == b.id && a.right == b.right && !ends_before(a, b) && !ends_before(b, a)
}

fn id(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let fits = (1..=40).contains(&text.len()) && text.bytes().all(plain);
    fits.then(|| text.to_owned())
}

fn date(text: &str) -> Option<Date> {
    // `20260101` is a date for the parser, and a slip for a reader.
    text.parse().ok().filter(|_| text.len() == 10)
}

fn calendar(text: &str) -> Option<String> {
    Calendar::find(text).map(|calendar| calendar.id.clone())
}

fn start(text: &str) -> Option<Start> {
    match text {
        "received" => Some(Start::Received),
        "verified" => Some(Start::Verified),
        _ => None,
    }
}

fn rolling(text: &str) -> Option<Rolling> {
    match text {
        "" => Some(Rolling::Never),
        "next_working_day" => Some(Rolling::NextWorkingDay),
        _ => None,
    }
}

fn pauses(text: &str) -> Option<Vec<PauseReason>> {
    text.split_whitespace().map(PauseReason::parse).collect()
}

fn confidence(text: &str) -> Option<Confidence> {
    match text {
        "read" => Some(Confidence::Read),
        "secondary" => Some(Confidence::Secondary),
        "unverified" => Some(Confidence::Unverified),
        _ => None,
    }
}

const COLUMNS: &[&str] = &[
    "id",
    "right",
    "name",
    "from",
    "until",
    "zone",
    "calendar",
    "starts",
    "respond",
    "rolls",
    "extension",
    "notice",
    "pauses",
    "confirm",
    "appeal",
    "appeal_extension",
    "confidence",
    "citation",
];
const DATE: &str = "write a date such as 2026-12-25";
const PERIOD: &str = "write 45d, 15bd or 1m";

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "x,access,X,2020-01-01,,Europe/Brussels,eu_common,received,1m,,2m,1m,,,,,read,law";

    /// The problems of a right row after this change, and of the row as it is.
    fn problems_after(from: &str, to: &str) -> Vec<String> {
        assert!(GOOD.contains(from), "{from}");
        let text = format!("{}\n{}\n", COLUMNS.join(","), GOOD.replacen(from, to, 1));
        let found = parse(&text).err().unwrap_or_default();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_right_row_is_read() {
        assert_eq!(problems_after("law", "law"), Vec::<String>::new());
    }

    #[test]
    fn every_cell_is_checked_and_its_line_told() {
        for (from, to, problem) in [
            (
                "x,access",
                "X,access",
                "id `X` cannot be read; use a-z 0-9 _, at most 40",
            ),
            (
                "access",
                "erasure",
                "right `erasure` cannot be read; use access, deletion or opt_out",
            ),
            (",X,", ",,", "name `` cannot be read; it must not be empty"),
            (
                "2020-01-01,",
                "2020-13-01,",
                "from `2020-13-01` cannot be read; write a date such as 2026-12-25",
            ),
            (
                "2020-01-01,",
                "20200101,",
                "from `20200101` cannot be read; write a date such as 2026-12-25",
            ),
            (
                "2020-01-01,",
                "2020-01-01,2019-01-01",
                "until is before from",
            ),
            (
                "Brussels",
                "Atlantis",
                "zone `Europe/Atlantis` cannot be read; use a name such as Europe/Brussels",
            ),
            (
                "eu_common",
                "moon",
                "calendar `moon` cannot be read; use one of data/holidays.csv",
            ),
            (
                "received",
                "sent",
                "starts `sent` cannot be read; use received or verified",
            ),
            (
                "1m,,2m",
                "1y,,2m",
                "respond `1y` cannot be read; write 45d, 15bd or 1m",
            ),
            (
                "1m,,2m",
                "1m,monday,2m",
                "rolls `monday` cannot be read; use next_working_day, or leave it empty",
            ),
            ("2m,1m", "2m,", "extension and notice: both, or neither"),
            (
                "2m,1m",
                "60d,1m",
                "an extension is of the same kind as the time to respond",
            ),
            (
                "1m,,,,,read",
                "1m,holiday,,,,read",
                "pauses `holiday` cannot be read; use clarification and identity",
            ),
            (
                "1m,,,,,read",
                "1m,,,,60d,read",
                "appeal_extension without appeal",
            ),
            (
                "read",
                "sure",
                "confidence `sure` cannot be read; use read, secondary, unverified",
            ),
            (
                ",law",
                ",",
                "citation `` cannot be read; it must not be empty",
            ),
            (
                "eu_common,received,1m,",
                ",received,1m,next_working_day",
                "the next working day needs a calendar",
            ),
        ] {
            assert_eq!(problems_after(from, to), [format!("line 2: {problem}")]);
        }
    }

    #[test]
    fn two_rows_about_the_same_days_are_found() {
        let header = COLUMNS.join(",");
        let ended = GOOD.replacen("2020-01-01,", "2020-01-01,2020-06-30", 1);
        let later = GOOD.replacen("2020-01-01", "2020-07-01", 1);
        assert!(parse(&format!("{header}\n{ended}\n{later}\n")).is_ok());
        let problems = parse(&format!("{header}\n{GOOD}\n{later}\n")).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "line 3: an earlier row is about the same law, right and days"
        );
    }
}
