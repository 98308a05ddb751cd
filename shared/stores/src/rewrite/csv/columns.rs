//! Which column is which: by the header's names, or by position.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quittance_core::data_map::{Dialect, FieldPath, Mask, Segment};
use quittance_core::matching::MatchSet;

use super::super::error::{RewriteError, RowProblem};
use super::super::report::Opening;
use super::scan::Field;

/// The columns of one object.
#[derive(Debug)]
pub(super) struct Columns {
    has_header: bool,
    /// The header's names, without blanks around them; none without a header, or in the middle.
    names: Option<Vec<String>>,
    pub(super) opening: Opening,
    /// What becomes of which column, from left to right.
    pub(super) masks: Vec<(usize, Mask)>,
}

impl Columns {
    /// Reads the first record of an object.
    ///
    /// # Errors
    /// [`RowProblem::MissingColumn`] and [`RowProblem::DuplicateColumn`] for a column that is
    /// compared or masked: without it nothing could be said.
    pub(super) fn new(
        record: &str,
        fields: &[Field],
        dialect: Dialect,
        matches: &MatchSet,
        masks: &BTreeMap<FieldPath, Mask>,
    ) -> Result<Self, RowProblem> {
        let name = |field: &Field| field.text(record).trim().to_owned();
        let names = dialect.header.then(|| fields.iter().map(name).collect());
        let names: Option<Vec<String>> = names;
        let place = |path| place(path, names.as_deref(), fields.len());
        let rules = matches.rules().iter().map(|rule| {
            let columns = rule.columns().iter();
            columns.map(|column| place(&column.field)).collect()
        });
        let opening = Opening {
            width: fields.len(),
            rules: rules.collect::<Result<_, _>>()?,
            masks: masks.keys().map(place).collect::<Result<_, _>>()?,
        };
        let mut columns = Self::known(opening, dialect, masks);
        columns.names = names;
        Ok(columns)
    }

    /// Takes what is known of an object's beginning.
    pub(super) fn known(
        opening: Opening,
        dialect: Dialect,
        masks: &BTreeMap<FieldPath, Mask>,
    ) -> Self {
        let places = opening.masks.iter().copied();
        let mut masks: Vec<(usize, Mask)> = places.zip(masks.values().copied()).collect();
        masks.sort_unstable_by_key(|(place, _)| *place);
        Self {
            has_header: dialect.header,
            names: None,
            opening,
            masks,
        }
    }

    /// Checks that a record has as many fields as the first one.
    pub(super) const fn check(&self, fields: usize) -> Result<(), RowProblem> {
        if fields == self.opening.width {
            return Ok(());
        }
        Err(RowProblem::Ragged {
            fields,
            expected: self.opening.width,
            first: if self.has_header {
                "the header"
            } else {
                "the first row"
            },
        })
    }

    /// How many there are.
    pub(super) const fn width(&self) -> usize {
        self.opening.width
    }

    /// Returns the name of a column; its position, from 1, without a header.
    pub(super) fn name(&self, at: usize) -> Cow<'_, str> {
        match &self.names {
            Some(names) => Cow::Borrowed(names.get(at).map_or("", String::as_str)),
            None => Cow::Owned(at.saturating_add(1).to_string()),
        }
    }
}

/// Finds a column by its name or, without names, by its position.
fn place(path: &FieldPath, names: Option<&[String]>, width: usize) -> Result<usize, RowProblem> {
    let missing = || RowProblem::MissingColumn(path.clone());
    let Some(names) = names else {
        let place = position(path).and_then(|position| position.checked_sub(1));
        return place.filter(|at| *at < width).ok_or_else(missing);
    };
    let places = names.iter().enumerate();
    let mut places = places.filter(|(_, name)| *name == path.as_str());
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => Err(RowProblem::DuplicateColumn(path.clone())),
        (None, _) => Err(missing()),
    }
}

/// Refuses paths that can be no column.
pub(super) fn check<'p>(
    paths: impl IntoIterator<Item = &'p FieldPath>,
    dialect: Dialect,
) -> Result<(), RewriteError> {
    let is_column = |path: &FieldPath| {
        let mut segments = path.segments().iter();
        segments.all(|segment| matches!(segment, Segment::Name(_)))
            && (dialect.header || position(path).is_some())
    };
    match paths.into_iter().find(|path| !is_column(path)) {
        Some(path) => Err(RewriteError::Column(path.clone())),
        None => Ok(()),
    }
}

fn position(path: &FieldPath) -> Option<usize> {
    let position: usize = path.as_str().parse().ok()?;
    (position > 0).then_some(position)
}
