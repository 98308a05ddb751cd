//! Reading DER one field after the other, without believing a word of it.
//!
//! Lengths and tags are checked by the `der` crate, strictly: what is not DER is refused. Nothing here
//! recurses, so that depth is as harmless as length.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode as _, Reader as _, SliceReader, Tag, TagNumber};

/// The bytes are not what they must be; why does not matter to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// The fields of one value, in order.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(Option<SliceReader<'a>>);

impl<'a> Fields<'a> {
    /// The fields in these bytes, which may be none.
    pub(super) fn of(contents: &'a [u8]) -> Result<Self, Malformed> {
        if contents.is_empty() {
            return Ok(Self(None));
        }
        Ok(Self(Some(SliceReader::new(contents)?)))
    }

    /// The fields of the one value with this tag that the bytes are.
    pub(super) fn of_one(tag: Tag, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut one = Self::of(bytes)?;
        let contents = one.contents(tag)?;
        one.end()?;
        Self::of(contents)
    }

    /// Reads a field of a known type.
    pub(super) fn read<T: Decode<'a>>(&mut self) -> Result<T, Malformed> {
        let reader = self.0.as_mut().ok_or(Malformed)?;
        reader.decode().map_err(|_| Malformed)
    }

    /// Reads a field with this tag, and returns what is in it.
    pub(super) fn contents(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        let any: AnyRef<'a> = self.read()?;
        if der::Tagged::tag(&any) == tag {
            Ok(any.value())
        } else {
            Err(Malformed)
        }
    }

    /// Reads the next field if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Malformed> {
        if self.next_is(tag)? {
            self.contents(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reads a field of any kind, and returns all of it.
    pub(super) fn whole(&mut self) -> Result<&'a [u8], Malformed> {
        let reader = self.0.as_mut().ok_or(Malformed)?;
        Ok(reader.tlv_bytes()?)
    }

    /// Reads an object identifier.
    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, Malformed> {
        self.read()
    }

    /// Whether there is a next field, and it has this tag.
    pub(super) fn next_is(&self, tag: Tag) -> Result<bool, Malformed> {
        match &self.0 {
            Some(reader) if !reader.is_finished() => Ok(Tag::peek(reader)? == tag),
            Some(_) | None => Ok(false),
        }
    }

    /// Whether everything was read.
    pub(super) fn is_end(&self) -> bool {
        self.0.as_ref().is_none_or(SliceReader::is_finished)
    }

    /// Refuses what was not read.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.is_end() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// Writes contents under a tag.
pub(super) fn tagged(tag: Tag, contents: &[u8]) -> Result<Vec<u8>, Malformed> {
    Ok(AnyRef::new(tag, contents)?.to_der()?)
}

/// The tag `[n]` of a field that holds others.
pub(super) const fn context(n: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(n),
    }
}

/// The tag `[n]` of a field that holds bytes.
pub(super) const fn context_bytes(n: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: false,
        number: TagNumber(n),
    }
}
