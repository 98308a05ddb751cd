//! The bag's page for people: figures, findings, register. No script, nothing from elsewhere.

use std::fmt::{self, Write as _};

use super::register::Row;
use super::{Contents, tenths};
use crate::audit::Figures;
use crate::receipt::Day;

/// Writes the page.
pub(super) fn render(contents: &Contents<'_>, rows: &[Row]) -> String {
    let mut page = String::from(HEAD);
    // Writing to a text never fails.
    let _written = body(&mut page, contents, rows);
    page
}

fn body(page: &mut String, contents: &Contents<'_>, rows: &[Row]) -> fmt::Result {
    let audit = contents.audit;
    let day = |day: Option<Day>| day.map_or_else(|| "-".to_owned(), |day| day.to_string());
    writeln!(
        page,
        "<h1>Evidence about data-subject requests</h1>\n<p>Accepted from {} to {}, as of the end of {}. \
         Packed on {} by {}.</p>",
        day(audit.from),
        day(audit.to),
        day(audit.as_of),
        contents.packed_on,
        Escaped(contents.software),
    )?;
    writeln!(
        page,
        "<p>This page proves nothing: it was made by whoever packed the bag. \
         <a href=\"VERIFY.md\">VERIFY.md</a> tells how to check everything with tools that others made.</p>"
    )?;
    let verdict = match (audit.ok, audit.on_time) {
        (false, _) => "The log's manifests do <strong>not</strong> account for every request.",
        (true, false) => "Every request is accounted for; not everything was in time.",
        (true, true) => {
            "Every request is accounted for: it has its outcome, or is open and not overdue."
        }
    };
    writeln!(page, "<h2>Figures</h2>\n<p>{verdict}</p>")?;
    figures(page, contents)?;
    if !audit.findings.is_empty() {
        writeln!(page, "<h2>Findings</h2>\n<ul>")?;
        for finding in &audit.findings {
            let at = finding
                .leaf_index
                .map(|index| format!(" entry {index}:"))
                .unwrap_or_default();
            let (kind, told) = (finding.kind.code(), Escaped(&finding.explanation));
            writeln!(page, "<li>{kind}:{at} {told}</li>")?;
        }
        writeln!(page, "</ul>")?;
    }
    register(page, contents, rows)?;
    writeln!(page, "</main></body></html>")
}

fn figures(page: &mut String, contents: &Contents<'_>) -> fmt::Result {
    writeln!(
        page,
        "<table><caption>What 11 CCR 7102(a) asks for, and what was in time</caption><thead><tr>\
         <th scope=\"col\">Right</th><th scope=\"col\">Received</th><th scope=\"col\">Complied in whole</th>\
         <th scope=\"col\">In part</th><th scope=\"col\">Denied</th><th scope=\"col\">Withdrawn</th>\
         <th scope=\"col\">Open</th><th scope=\"col\">Overdue</th><th scope=\"col\">Answered late</th>\
         <th scope=\"col\">Median days</th><th scope=\"col\">Mean days</th></tr></thead><tbody>"
    )?;
    let audit = contents.audit;
    for (name, figures) in audit.by_right.iter().chain([(&"all", &audit.all)]) {
        let Figures {
            received,
            completed,
            partial,
            denied,
            revoked,
            open,
            overdue,
            late,
            median_tenths,
            mean_tenths,
            ..
        } = figures;
        let (median, mean) = (tenths(*median_tenths), tenths(*mean_tenths));
        writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{received}</td><td>{completed}</td><td>{partial}</td>\
             <td>{denied}</td><td>{revoked}</td><td>{open}</td><td>{overdue}</td><td>{late}</td>\
             <td>{median}</td><td>{mean}</td></tr>"
        )?;
    }
    writeln!(page, "</tbody></table>")
}

fn register(page: &mut String, contents: &Contents<'_>, rows: &[Row]) -> fmt::Result {
    writeln!(
        page,
        "<h2>Register</h2>\n<table><caption>One row a request; times in UTC</caption><thead><tr>\
         <th scope=\"col\">Reference</th><th scope=\"col\">Law</th><th scope=\"col\">Request</th>\
         <th scope=\"col\">Accepted</th><th scope=\"col\">Due</th><th scope=\"col\">Answered</th>\
         <th scope=\"col\">Answer</th><th scope=\"col\">Basis of denial</th></tr></thead><tbody>"
    )?;
    for row in rows {
        let reference = Escaped(&row.reference);
        let file = format!("{}.receipt.json", row.reference);
        let name = if contents.receipts.contains_key(&file) {
            format!("<a href=\"receipts/{file}\">{reference}</a>")
        } else {
            reference.to_string()
        };
        writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>",
            Escaped(&row.law),
            Escaped(&row.nature_of_request),
            Escaped(&row.date_of_request),
            Escaped(&row.due),
            Escaped(&row.date_of_response),
            Escaped(&row.nature_of_response),
            Escaped(&row.basis_for_denial.join(", ")),
        )?;
    }
    writeln!(page, "</tbody></table>")
}

/// A text as HTML.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

const HEAD: &str = include_str!("head.html");
