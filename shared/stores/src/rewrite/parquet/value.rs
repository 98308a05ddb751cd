//! What a column's values mean: as a text that identifiers are compared with, and in JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::data_type::{AsBytes as _, ByteArray, FixedLenByteArray, Int96};
use parquet::schema::types::ColumnDescriptor;

/// What the values of one column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What they are stored as.
    Plain,
    /// Days since 1970.
    Date,
    /// A number with so many digits behind the point.
    Decimal { scale: i32 },
    /// A number of 16 bits.
    Float16,
    /// A whole number without sign, of 32 or of 64 bits.
    Unsigned,
    /// A time of day.
    Time { nanos: i64 },
    /// A moment, or a date and time of no known zone.
    Timestamp { nanos: i64, utc: bool },
    /// 16 bytes.
    Uuid,
}

impl Kind {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        match column.logical_type_ref() {
            Some(LogicalType::Date) => Self::Date,
            Some(LogicalType::Decimal(decimal)) => Self::Decimal {
                scale: decimal.scale,
            },
            Some(LogicalType::Float16) => Self::Float16,
            Some(LogicalType::Integer(int)) if !int.is_signed => Self::Unsigned,
            Some(LogicalType::Time(time)) => Self::Time {
                nanos: nanos(time.unit),
            },
            Some(LogicalType::Timestamp(time)) => Self::Timestamp {
                nanos: nanos(time.unit),
                utc: time.is_adjusted_to_u_t_c,
            },
            Some(LogicalType::Uuid) => Self::Uuid,
            Some(_) | None => Self::converted(column),
        }
    }

    /// What files say that were written before there were logical types.
    fn converted(column: &ColumnDescriptor) -> Self {
        match column.converted_type() {
            ConvertedType::DATE => Self::Date,
            ConvertedType::DECIMAL => Self::Decimal {
                scale: column.type_scale(),
            },
            ConvertedType::TIME_MILLIS => Self::Time { nanos: 1_000_000 },
            ConvertedType::TIME_MICROS => Self::Time { nanos: 1_000 },
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp {
                nanos: 1_000_000,
                utc: true,
            },
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp {
                nanos: 1_000,
                utc: true,
            },
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Self::Unsigned,
            ConvertedType::NONE
            | ConvertedType::UTF8
            | ConvertedType::MAP
            | ConvertedType::MAP_KEY_VALUE
            | ConvertedType::LIST
            | ConvertedType::ENUM
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64
            | ConvertedType::JSON
            | ConvertedType::BSON
            | ConvertedType::INTERVAL => Self::Plain,
        }
    }
}

/// Whether the fixed mask, a text, can stand in a column.
pub(super) fn holds_texts(column: &ColumnDescriptor) -> bool {
    column.physical_type() == Type::BYTE_ARRAY
        && matches!(
            column.logical_type_ref(),
            None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Unknown)
        )
        && matches!(
            column.converted_type(),
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM
        )
}

const fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

/// A value as it is stored.
#[derive(Clone, Copy)]
pub(super) enum Stored<'a> {
    Bool(bool),
    Bytes(&'a [u8]),
    Double(f64),
    Float(f32),
    Int(i32),
    Long(i64),
    Int96(Int96),
}

/// A value that is stored in a column.
pub(super) trait Cell: Sized {
    fn stored(&self) -> Stored<'_>;

    /// The value of a text, where a text can stand.
    fn of_text(_: &str) -> Option<Self> {
        None
    }
}

impl Cell for bool {
    fn stored(&self) -> Stored<'_> {
        Stored::Bool(*self)
    }
}

impl Cell for i32 {
    fn stored(&self) -> Stored<'_> {
        Stored::Int(*self)
    }
}

impl Cell for i64 {
    fn stored(&self) -> Stored<'_> {
        Stored::Long(*self)
    }
}

impl Cell for Int96 {
    fn stored(&self) -> Stored<'_> {
        Stored::Int96(*self)
    }
}

impl Cell for f32 {
    fn stored(&self) -> Stored<'_> {
        Stored::Float(*self)
    }
}

impl Cell for f64 {
    fn stored(&self) -> Stored<'_> {
        Stored::Double(*self)
    }
}

impl Cell for ByteArray {
    fn stored(&self) -> Stored<'_> {
        Stored::Bytes(self.as_bytes())
    }

    fn of_text(text: &str) -> Option<Self> {
        Some(Self::from(text))
    }
}

impl Cell for FixedLenByteArray {
    fn stored(&self) -> Stored<'_> {
        Stored::Bytes(self.as_bytes())
    }
}

impl<'a> Stored<'a> {
    /// Returns the text that identifiers are compared with; none for bytes that are no text. Whole
    /// numbers are written without a point, as they are compared everywhere.
    pub(super) fn text(&self, kind: Kind) -> Option<Cow<'a, str>> {
        match (self, kind) {
            (Self::Bytes(bytes), Kind::Plain) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            (Self::Bytes(bytes), Kind::Uuid) => uuid(bytes).map(Cow::Owned),
            (Self::Bytes(bytes), Kind::Decimal { scale }) => {
                decimal(unscaled(bytes)?, scale).map(Cow::Owned)
            }
            (Self::Bytes(bytes), Kind::Float16) => {
                let bits: [u8; 2] = (*bytes).try_into().ok()?;
                let number = half(u16::from_le_bytes(bits));
                Some(Cow::Owned(number.to_string()))
            }
            (Self::Bytes(_), _) => None,
            (Self::Bool(value), _) => Some(Cow::Owned(value.to_string())),
            (Self::Double(value), _) => Some(Cow::Owned(value.to_string())),
            (Self::Float(value), _) => Some(Cow::Owned(value.to_string())),
            (Self::Int(value), Kind::Unsigned) => {
                Some(Cow::Owned(value.cast_unsigned().to_string()))
            }
            (Self::Long(value), Kind::Unsigned) => {
                Some(Cow::Owned(value.cast_unsigned().to_string()))
            }
            (Self::Int(value), kind) => Some(Cow::Owned(whole(i64::from(*value), kind))),
            (Self::Long(value), kind) => Some(Cow::Owned(whole(*value, kind))),
            (Self::Int96(value), _) => {
                // Such files say nothing of a zone.
                Some(Cow::Owned(moment(i128::from(value.to_nanos()), false)))
            }
        }
    }

    /// Appends the value in JSON: numbers with all their digits, what is neither a number nor a truth
    /// as a text, bytes that are no text in Base64.
    pub(super) fn write_json(&self, kind: Kind, out: &mut Vec<u8>) {
        let bare = match (self, kind) {
            (Self::Double(value), _) => value.is_finite(),
            (Self::Float(value), _) => value.is_finite(),
            (Self::Bool(_), _)
            | (Self::Int(_) | Self::Long(_), Kind::Plain | Kind::Unsigned)
            | (_, Kind::Decimal { .. }) => true,
            (Self::Bytes(bytes), Kind::Float16) => {
                let bits: Option<[u8; 2]> = (*bytes).try_into().ok();
                bits.is_some_and(|bits| half(u16::from_le_bytes(bits)).is_finite())
            }
            (Self::Int(_) | Self::Long(_) | Self::Int96(_) | Self::Bytes(_), _) => false,
        };
        let text = self.text(kind);
        match (&text, self) {
            (Some(text), _) if bare => out.extend_from_slice(text.as_bytes()),
            (Some(text), _) => write_text(text, out),
            (None, Self::Bytes(bytes)) => write_text(&BASE64_STANDARD.encode(bytes), out),
            (None, _) => out.extend_from_slice(b"null"),
        }
    }
}

/// Appends a text in JSON.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    // A text always serialises, into a vector too.
    out.extend(serde_json::to_vec(text).unwrap_or_default());
}

fn whole(value: i64, kind: Kind) -> String {
    match kind {
        Kind::Date => date(value),
        Kind::Time { nanos } => {
            let since = SignedDuration::from_nanos(value.saturating_mul(nanos));
            match Time::midnight().checked_add(since) {
                Ok(time) => time.to_string(),
                Err(_) => value.to_string(),
            }
        }
        Kind::Timestamp { nanos, utc } => {
            moment(i128::from(value).saturating_mul(i128::from(nanos)), utc)
        }
        Kind::Decimal { scale } => {
            decimal(i128::from(value), scale).unwrap_or_else(|| value.to_string())
        }
        Kind::Plain | Kind::Float16 | Kind::Unsigned | Kind::Uuid => value.to_string(),
    }
}

fn date(days: i64) -> String {
    let epoch = Date::constant(1970, 1, 1);
    let date = 0
        .days()
        .try_days(days)
        .and_then(|days| epoch.checked_add(days));
    date.map_or_else(|_| days.to_string(), |date| date.to_string())
}

fn moment(nanos: i128, utc: bool) -> String {
    match Timestamp::from_nanosecond(nanos) {
        Ok(moment) if utc => moment.to_string(),
        Ok(moment) => jiff::tz::Offset::UTC.to_datetime(moment).to_string(),
        Err(_) => nanos.to_string(),
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    Some(parts.join("-"))
}

/// Reads a big-endian number in two's complement of up to 16 bytes, which is 38 digits.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first().is_some_and(|first| *first >= 0x80) {
        -1_i128
    } else {
        0
    };
    if bytes.len() > 16 {
        return None;
    }
    let number = bytes.iter().fold(sign, |number, byte| {
        number.wrapping_shl(8) | i128::from(*byte)
    });
    Some(number)
}

fn decimal(number: i128, scale: i32) -> Option<String> {
    let scale = usize::try_from(scale).ok().filter(|scale| *scale <= 64)?;
    let sign = if number < 0 { "-" } else { "" };
    let digits = number.unsigned_abs().to_string();
    let width = scale.saturating_add(1);
    let digits = format!("{digits:0>width$}");
    let (whole, part) = digits.split_at(digits.len().saturating_sub(scale));
    Some(if part.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    })
}

/// IEEE 754 binary16 in 32 bits.
fn half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let part = f32::from(bits & 0x3ff);
    sign * match exponent {
        0 => part * 2_f32.powi(-24),
        31 if part == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + part) * 2_f32.powi(exponent.saturating_sub(25)),
    }
}
