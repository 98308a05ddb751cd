//! What every format's tests need: Python, a rewriter, somebody to look for.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use quittance_core::data_map::{FieldPath, Find, FindHow, IdentifierRule, Line};
use quittance_core::matching::{MatchSet, MatchSetBuilder};
use quittance_core::subject::{IdentifierKind, Normalise};
use quittance_stores::rewrite::{Action, Limits, Output, Report, RewriteError, Rewriter, Source};

pub(crate) const ANN: &str = "ann@example.test";

/// Runs a script of this folder with a folder as its only argument, and returns what it says.
pub(crate) fn python(script: &str, verb: &str, folder: &Path) -> String {
    let python = quittance_tests::lake_python().unwrap();
    let script = Path::new("lake").join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(verb)
        .arg(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Ann, found by one field.
pub(crate) fn ann(field: &str) -> Arc<MatchSet> {
    let kind = IdentifierKind::parse("email").unwrap();
    let rule = IdentifierRule {
        normalise: Normalise::Email,
        asked: true,
        many: false,
        region: None,
        line: Line(1),
    };
    let find = Find {
        kind: kind.clone(),
        how: FindHow::Field(FieldPath::parse(field).unwrap()),
        line: Line(1),
    };
    let rules = BTreeMap::from([(kind.clone(), rule)]);
    let mut builder = MatchSetBuilder::new(&[find], &rules, 1).unwrap();
    builder.add_texts(0, &[kind], &[ANN]).unwrap();
    Arc::new(builder.build())
}

/// Takes Ann's rows out of a file, found by one field.
pub(crate) fn without_ann(
    source: Source,
    field: &str,
    object: &[u8],
) -> Result<(Vec<u8>, Report), RewriteError> {
    let limits = Limits::default();
    let mut rewriter = Rewriter::new(source, ann(field), Action::Drop, limits)?;
    let mut out = Output::default();
    for mut piece in object.chunks(10_007) {
        while !piece.is_empty() {
            let took = rewriter.push(piece, &mut out)?;
            piece = &piece[took..];
        }
    }
    let report = rewriter.finish(&mut out)?;
    Ok((out.bytes, report))
}
