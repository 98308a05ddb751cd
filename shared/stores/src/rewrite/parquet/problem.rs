//! Why an object cannot be read as Parquet, or not written anew.

use quittance_core::data_map::FieldPath;
use quittance_core::fault::BlockReason;

/// What is wrong with an object of Parquet, or cannot be done in it. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableProblem {
    /// A part contradicts itself or the rest.
    #[error("the Parquet data is damaged ({part}); replace the object with a good copy")]
    Damaged {
        /// What does not fit.
        part: &'static str,
    },
    /// It is encrypted inside.
    #[error(
        "is encrypted inside (Parquet modular encryption), and its keys are not ours; decrypt it, \
         or handle the store by hand"
    )]
    Encrypted,
    /// A text by which somebody is found stands in the file's own metadata.
    #[error(
        "repeats an identifier of somebody who is to be erased in its key-value metadata, which is \
         kept as it is; write the file without it"
    )]
    InMetadata,
    /// The group is larger than what is taken into memory.
    #[error(
        "row group {group} has more than {limit} bytes; write the object in smaller row groups"
    )]
    LargeGroup {
        /// Which one, from 0.
        group: usize,
        /// How many bytes are allowed.
        limit: u64,
    },
    /// A column that is compared or masked is not there, or is no single value.
    #[error(
        "has no column {0} that holds a value, so nobody can be looked for; correct the data map \
         (lists are written with []), or the object"
    )]
    MissingColumn(FieldPath),
    /// No footer.
    #[error("is not Parquet; correct format in the data map, or move the object away")]
    NotParquet,
    /// A mask that the column's type cannot hold.
    #[error("{field} cannot be masked so: {why}")]
    NotMaskable {
        /// Which column.
        field: FieldPath,
        /// What to do instead.
        why: &'static str,
    },
    /// Something that the format allows and this version does not write.
    #[error("uses {0}, which is not rewritten by this version; handle the store by hand")]
    Unsupported(&'static str),
    /// More columns or nesting than any real table has.
    #[error("has more than {limit} {what}; split the table")]
    Wide {
        /// How many are allowed.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
}

impl TableProblem {
    /// Returns why a task that meets it is blocked.
    pub const fn block_reason(&self) -> BlockReason {
        match self {
            Self::Damaged { .. } | Self::NotParquet => BlockReason::UnreadableData,
            Self::Encrypted | Self::Unsupported(_) => BlockReason::UnsupportedStore,
            Self::LargeGroup { .. } | Self::Wide { .. } => BlockReason::TooLarge,
            Self::InMetadata | Self::MissingColumn(_) | Self::NotMaskable { .. } => {
                BlockReason::SchemaMismatch
            }
        }
    }
}

/// Makes an error of a part that does not fit.
pub(super) const fn damaged(part: &'static str) -> TableProblem {
    TableProblem::Damaged { part }
}

/// Runs what the format's library decodes. It answers some damage with a panic, which is damage too;
/// its messages are not told, for they may quote values.
pub(super) fn guarded<T>(
    part: &'static str,
    decode: impl FnOnce() -> Result<T, parquet::errors::ParquetError>,
) -> Result<T, TableProblem> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(parquet::errors::ParquetError::NYI(_))) => Err(TableProblem::Unsupported(part)),
        Ok(Err(_)) | Err(_) => Err(damaged(part)),
    }
}
