//! What the targets share: the rewriters as they are, people to look for, and limits that small inputs reach.

/// The rewriters' own sources: through their crate every SDK would have to be built with sanitizers too.
#[path = "../../../shared/stores/src/rewrite/mod.rs"]
pub mod rewrite;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use quittance_core::data_map::{FieldPath, Find, FindHow, IdentifierRule, Line, Mask};
use quittance_core::matching::{MatchSet, MatchSetBuilder};
use quittance_core::subject::{IdentifierKind, Normalise};

use self::rewrite::{Action, Limits};

/// Whom every target looks for.
pub const ANN: &str = "ann@x.test";

/// Rows in which one of these columns names Ann.
pub fn who(fields: &[&str]) -> Arc<MatchSet> {
    let kind = IdentifierKind::parse("email").expect("a kind");
    let rule = IdentifierRule {
        normalise: Normalise::Lower,
        asked: true,
        many: true,
        region: None,
        line: Line(1),
    };
    let find = |field: &&str| Find {
        kind: kind.clone(),
        how: FindHow::Field(FieldPath::parse(field).expect("a path")),
        line: Line(1),
    };
    let finds: Vec<Find> = fields.iter().map(find).collect();
    let rules = BTreeMap::from([(kind.clone(), rule)]);
    let mut builder = MatchSetBuilder::new(&finds, &rules, 1).expect("rules");
    builder.add_texts(0, &[kind], &[ANN]).expect("texts");
    Arc::new(builder.build())
}

/// What is done with Ann's rows, and what finds what is left to do.
pub fn actions(choice: u8, field: &str) -> (Action, Action) {
    let mask = match choice % 4 {
        0 => return (Action::Drop, Action::Find),
        1 => Mask::Fixed,
        2 => Mask::Null,
        _ => Mask::Remove,
    };
    let fields = BTreeMap::from([(FieldPath::parse(field).expect("a path"), mask)]);
    (
        Action::Redact(fields.clone().into()),
        Action::Unmasked(fields.into()),
    )
}

/// Limits that inputs of some kilobytes reach.
pub fn limits() -> Limits {
    Limits {
        row_bytes: 16 * 1024,
        depth: 16,
        ratio: 50,
        window_bytes: 1 << 23,
        untouched_bytes: 1024,
        group_bytes: 1 << 20,
    }
}

/// Lets code that expects panics of a library catch them: by itself libFuzzer would end at the first. The
/// last one is remembered, for [`or_die`].
pub fn panics_may_be_caught() {
    std::panic::set_hook(Box::new(|panic| {
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
}

/// Runs a check, and ends the program with what it said when it panics.
pub fn or_die(check: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
        eprintln!("{}", LAST.lock().unwrap_or_else(PoisonError::into_inner));
        resume_unwind(panic);
    }
}

static LAST: Mutex<String> = Mutex::new(String::new());
