//! Where a path leads in a file's schema, and how deep everything stands in it.
//!
//! Lists and maps are groups around a repeated group (of one name or another, as writers had it over
//! the years); a path says `[]` for all of that.

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type, TypePtr};
use quittance_core::data_map::{FieldPath, Segment};

use super::problem::TableProblem;

/// A node of a schema.
#[derive(Clone, Debug)]
pub(super) struct Node<'s> {
    pub(super) ty: &'s Type,
    /// The first column below it, or it.
    pub(super) first: usize,
    /// The definition level at which it is there.
    pub(super) def: i16,
    /// The repetition level at which it goes on.
    pub(super) rep: i16,
    /// Whether it is repeated and all of its repetitions are meant together.
    pub(super) is_many: bool,
}

/// What stands in a node.
pub(super) enum Inside<'s> {
    /// A value.
    Value,
    /// Fields, each with a name.
    Fields(Vec<Node<'s>>),
    /// Elements of this kind; the node that repeats, and what each is.
    Elements { repeats: Node<'s>, each: Node<'s> },
}

impl<'s> Node<'s> {
    /// The row as a whole.
    pub(super) const fn root(schema: &'s Type) -> Self {
        Self {
            ty: schema,
            first: 0,
            def: 0,
            rep: 0,
            is_many: false,
        }
    }

    /// Which columns are in it.
    pub(super) fn columns(&self) -> Range<usize> {
        self.first..self.first.saturating_add(width(self.ty))
    }

    /// Whether it may be null.
    pub(super) fn is_optional(&self) -> bool {
        repetition(self.ty) == Some(Repetition::OPTIONAL)
    }

    pub(super) fn inside(&self) -> Inside<'s> {
        if self.is_many {
            let each = Node {
                is_many: false,
                ..self.clone()
            };
            return Inside::Elements {
                repeats: each.clone(),
                each,
            };
        }
        if self.ty.is_primitive() {
            return Inside::Value;
        }
        let fields = self.fields();
        let [only] = fields.as_slice() else {
            return Inside::Fields(fields);
        };
        if !only.is_many {
            return Inside::Fields(fields);
        }
        let repeats = Node {
            is_many: false,
            ..only.clone()
        };
        if is_map(self.ty) {
            return Inside::Elements {
                each: repeats.clone(),
                repeats,
            };
        }
        if !is_list(self.ty) {
            return Inside::Fields(fields);
        }
        let inner = if only.ty.is_primitive() {
            Vec::new()
        } else {
            repeats.fields()
        };
        // The format's rules for lists of former writers: where the repeated group is itself the
        // element.
        let name = only.ty.name();
        let each = match inner.as_slice() {
            [element]
                if !element.is_many
                    && name != "array"
                    && name != format!("{}_tuple", self.ty.name()) =>
            {
                element.clone()
            }
            _ => repeats.clone(),
        };
        Inside::Elements { repeats, each }
    }

    fn fields(&self) -> Vec<Self> {
        let mut first = self.first;
        let fields = self.ty.get_fields().iter().map(|ty| {
            let is_many = repetition(ty) == Some(Repetition::REPEATED);
            let is_optional = repetition(ty) == Some(Repetition::OPTIONAL);
            let node = Node {
                ty: ty.as_ref(),
                first,
                def: self.def.saturating_add(i16::from(is_many || is_optional)),
                rep: self.rep.saturating_add(i16::from(is_many)),
                is_many,
            };
            first = first.saturating_add(width(ty));
            node
        });
        fields.collect()
    }
}

/// Finds what a path names.
pub(super) fn find<'s>(schema: &'s Type, path: &FieldPath) -> Result<Node<'s>, TableProblem> {
    let missing = || TableProblem::MissingColumn(path.clone());
    let root = Node::root(schema);
    // Some writers flatten: a column's name may itself have dots.
    if let Inside::Fields(fields) = root.inside()
        && let Some(spelled) = fields.iter().find(|field| field.ty.name() == path.as_str())
    {
        return Ok(spelled.clone());
    }
    let mut at = root;
    for segment in path.segments() {
        at = match (segment, at.inside()) {
            (Segment::Name(name), Inside::Fields(fields)) => {
                let mut named = fields.into_iter().filter(|field| field.ty.name() == name);
                match (named.next(), named.next()) {
                    (Some(field), None) => field,
                    (None, _) | (Some(_), Some(_)) => return Err(missing()),
                }
            }
            (Segment::Each, Inside::Elements { repeats: _, each }) => each,
            (Segment::Name(_) | Segment::Each | Segment::At(_), _) => return Err(missing()),
        };
    }
    Ok(at)
}

/// Finds the column of values that a path names; of a list, that of its elements.
pub(super) fn column(schema: &Type, path: &FieldPath) -> Result<usize, TableProblem> {
    let mut at = find(schema, path)?;
    while let Inside::Elements { repeats: _, each } = at.inside() {
        at = each;
    }
    match at.inside() {
        Inside::Value => Ok(at.first),
        Inside::Fields(_) | Inside::Elements { .. } => {
            Err(TableProblem::MissingColumn(path.clone()))
        }
    }
}

/// Returns a schema without the meanings that the library does not know and so cannot write; none
/// when it knows them all.
pub(super) fn known(ty: &Type) -> Result<Option<TypePtr>, ParquetError> {
    let info = ty.get_basic_info();
    let is_known = !matches!(info.logical_type_ref(), Some(LogicalType::_Unknown { .. }));
    let logical = info.logical_type_ref().filter(|_| is_known).cloned();
    let id = info.has_id().then(|| info.id());
    if ty.is_primitive() {
        if is_known {
            return Ok(None);
        }
        let mut builder = Type::primitive_type_builder(ty.name(), ty.get_physical_type())
            .with_converted_type(info.converted_type())
            .with_repetition(info.repetition())
            .with_id(id);
        if let Type::PrimitiveType { type_length, .. } = ty {
            builder = builder.with_length(*type_length);
        }
        return builder.build().map(|ty| Some(Arc::new(ty)));
    }
    let mut is_other = !is_known;
    let fields = ty.get_fields().iter().map(|field| {
        let other = known(field)?;
        is_other |= other.is_some();
        Ok(other.unwrap_or_else(|| Arc::clone(field)))
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    if !is_other {
        return Ok(None);
    }
    let mut builder = Type::group_type_builder(ty.name())
        .with_converted_type(info.converted_type())
        .with_logical_type(logical)
        .with_fields(fields)
        .with_id(id);
    if info.has_repetition() {
        builder = builder.with_repetition(info.repetition());
    }
    builder.build().map(|ty| Some(Arc::new(ty)))
}

/// Refuses a schema that is deeper or wider than any real one.
pub(super) fn check(schema: &Type) -> Result<(), TableProblem> {
    let mut waiting = vec![(schema, 0_usize)];
    let mut columns = 0_usize;
    while let Some((ty, depth)) = waiting.pop() {
        if depth > MAX_DEPTH {
            return Err(TableProblem::Wide {
                limit: MAX_DEPTH,
                what: "levels of nesting",
            });
        }
        if ty.is_primitive() {
            columns = columns.saturating_add(1);
        } else {
            let below = ty.get_fields().iter();
            waiting.extend(below.map(|ty| (ty.as_ref(), depth.saturating_add(1))));
        }
        if columns > MAX_COLUMNS {
            return Err(TableProblem::Wide {
                limit: MAX_COLUMNS,
                what: "columns",
            });
        }
    }
    Ok(())
}

fn width(ty: &Type) -> usize {
    if ty.is_primitive() {
        1
    } else {
        ty.get_fields().iter().map(|ty| width(ty)).sum()
    }
}

fn repetition(ty: &Type) -> Option<Repetition> {
    let info = ty.get_basic_info();
    info.has_repetition().then(|| info.repetition())
}

fn is_list(ty: &Type) -> bool {
    let info = ty.get_basic_info();
    info.logical_type_ref() == Some(&LogicalType::List)
        || info.converted_type() == ConvertedType::LIST
}

fn is_map(ty: &Type) -> bool {
    let info = ty.get_basic_info();
    info.logical_type_ref() == Some(&LogicalType::Map)
        || matches!(
            info.converted_type(),
            ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE
        )
}

const MAX_COLUMNS: usize = 16_384;
const MAX_DEPTH: usize = 64;
