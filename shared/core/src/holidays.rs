//! Which days are no working days, by calendar: `data/holidays.csv`, with the source of every row.
//!
//! A row names a day, or a weekday that rests every week. Beyond the years of the data holidays are
//! not known: then only the weekly rest counts, which can only make a due date earlier, and
//! [`Calendar::covers`] says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};

use crate::table::{self, TableProblem};

/// The days on which nobody works in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Its name, as in `england_wales`.
    pub id: String,
    rest: Vec<Weekday>,
    holidays: BTreeSet<Date>,
}

impl Calendar {
    /// Finds a calendar by its name.
    pub fn find(id: &str) -> Option<&'static Self> {
        CALENDARS.iter().find(|calendar| calendar.id == id)
    }

    /// Returns Monday to Friday, for laws whose holidays are not looked at.
    pub fn weekdays() -> &'static Self {
        &WEEKDAYS
    }

    /// Whether people work on this day, as far as is known.
    pub fn is_working(&self, day: Date) -> bool {
        !self.rest.contains(&day.weekday()) && !self.holidays.contains(&day)
    }

    /// Whether the holidays of this day's year are known. Without any data none are asked for.
    pub fn covers(&self, day: Date) -> bool {
        match (self.holidays.first(), self.holidays.last()) {
            (Some(first), Some(last)) => (first.year()..=last.year()).contains(&day.year()),
            (None, _) | (_, None) => true,
        }
    }
}

/// Reads a table of holidays.
///
/// # Errors
/// Everything that is wrong, by line.
pub fn parse(text: &str) -> Result<Vec<Calendar>, Vec<TableProblem>> {
    let mut calendars: BTreeMap<String, Calendar> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut last_line = 1;
    for row in table::rows(text, COLUMNS)? {
        last_line = row.line;
        let read = || {
            row.text("name")?;
            row.text("source")?;
            let day = row.read("day", parse_day, "write 2026-12-25, or a weekday's name")?;
            Ok((row.text("calendar")?, day))
        };
        let (id, day) = match read() {
            Ok(read) => read,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let calendar = calendars.entry(id.clone()).or_insert_with(|| Calendar {
            id,
            rest: Vec::new(),
            holidays: BTreeSet::new(),
        });
        let is_new = match day {
            Day::Weekly(weekday) if calendar.rest.contains(&weekday) => false,
            Day::Weekly(weekday) => {
                calendar.rest.push(weekday);
                true
            }
            Day::Once(date) => calendar.holidays.insert(date),
        };
        if !is_new {
            problems.push(row.wrong(format!("{} stands here twice", row.cell("day"))));
        }
    }
    for calendar in calendars.values() {
        if let Err(message) = check_whole(calendar) {
            problems.push(TableProblem {
                line: last_line,
                message: format!("{}: {message}", calendar.id),
            });
        }
    }
    if problems.is_empty() {
        Ok(calendars.into_values().collect())
    } else {
        Err(problems)
    }
}

/// A gap would look like years without holidays.
fn check_whole(calendar: &Calendar) -> Result<(), String> {
    if calendar.rest.is_empty() || calendar.rest.len() == 7 {
        return Err("some days of the week rest, and some do not".to_owned());
    }
    let (Some(first), Some(last)) = (calendar.holidays.first(), calendar.holidays.last()) else {
        return Err("no holiday is given".to_owned());
    };
    let years: BTreeSet<i16> = calendar.holidays.iter().map(|day| day.year()).collect();
    match (first.year()..=last.year()).find(|year| !years.contains(year)) {
        Some(year) => Err(format!("no holiday of {year} is given")),
        None => Ok(()),
    }
}

enum Day {
    Weekly(Weekday),
    Once(Date),
}

fn parse_day(text: &str) -> Option<Day> {
    let weekday = WEEK.iter().find(|(name, _)| *name == text);
    match weekday {
        Some((_, weekday)) => Some(Day::Weekly(*weekday)),
        None => text.parse().ok().map(Day::Once),
    }
}

const WEEK: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];
const COLUMNS: &[&str] = &["calendar", "day", "name", "source"];
/// The built-in table, as it stands in the repository.
pub(crate) const TABLE: &str = include_str!("../data/holidays.csv");
// A test proves that the built-in table can be read.
static CALENDARS: LazyLock<Vec<Calendar>> = LazyLock::new(|| parse(TABLE).unwrap_or_default());
static WEEKDAYS: LazyLock<Calendar> = LazyLock::new(|| Calendar {
    id: "weekdays".to_owned(),
    rest: vec![Weekday::Saturday, Weekday::Sunday],
    holidays: BTreeSet::new(),
});

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn problems(rows: &str) -> Vec<String> {
        let text = format!("calendar,day,name,source\n{rows}");
        let found = parse(&text).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_built_in_table_is_read_and_covers_the_same_years_everywhere() {
        let calendars = parse(TABLE).unwrap();
        assert_eq!(calendars.len(), 6);
        for calendar in calendars {
            for (day, covered) in [
                (date(2023, 12, 31), false),
                (date(2024, 1, 1), true),
                (date(2030, 12, 31), true),
                (date(2031, 1, 1), false),
            ] {
                assert_eq!(calendar.covers(day), covered, "{} {day}", calendar.id);
            }
        }
    }

    #[test]
    fn holidays_are_those_of_their_calendar() {
        let calendar = |id| Calendar::find(id).unwrap();
        // Saturdays are business days in California, Civ. Code 9, and nowhere else here.
        assert!(calendar("us_ca").is_working(date(2026, 11, 28)));
        assert!(!calendar("nz").is_working(date(2026, 11, 28)));
        // Boxing Day 2026 is a Saturday: the Monday after stands in for it.
        assert!(!calendar("england_wales").is_working(date(2026, 12, 28)));
        assert!(calendar("eu_common").is_working(date(2026, 12, 28)));
        assert!(!calendar("nz").is_working(date(2027, 1, 15)));
        assert!(calendar("nz").is_working(date(2027, 1, 18)));
        assert_eq!(Calendar::find("atlantis"), None);
    }

    #[test]
    fn problems_are_told_by_line() {
        let rest = "x,Sunday,Sunday,law\n";
        assert_eq!(
            problems(&format!(
                "{rest}x,2024-02-30,No day,law\nx,2024-01-01,,law\n"
            )),
            [
                "line 3: day `2024-02-30` cannot be read; write 2026-12-25, or a weekday's name",
                "line 4: name `` cannot be read; it must not be empty",
                "line 4: x: no holiday is given",
            ]
        );
        assert_eq!(
            problems(&format!(
                "{rest}x,2024-01-01,A,law\nx,2024-01-01,A,law\nx,2026-01-01,A,law\n"
            )),
            [
                "line 4: 2024-01-01 stands here twice",
                "line 5: x: no holiday of 2025 is given",
            ]
        );
        assert_eq!(
            problems("x,2024-01-01,A,law\n"),
            ["line 2: x: some days of the week rest, and some do not"]
        );
    }
}
