//! One page of keys or versions: where it starts, what it groups, where it ends.
//!
//! Invariant: a page costs what it shows: groups are skipped, not read.

use std::collections::BTreeSet;

use data_encoding::BASE32HEX_NOPAD;
use s3s::{S3Result, s3_error};

use super::store::{Txn, broken};
use super::version::{Version, VersionId};

/// What a listing asks for.
pub(super) struct Ask {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) max: usize,
    pub(super) after: Option<Place>,
}

impl Ask {
    pub(super) fn new(
        prefix: Option<&str>,
        delimiter: Option<&str>,
        max: Option<i32>,
        after: Option<Place>,
    ) -> Self {
        Self {
            prefix: prefix.unwrap_or_default().to_owned(),
            delimiter: delimiter.filter(|d| !d.is_empty()).map(str::to_owned),
            max: usize::try_from(max.unwrap_or(MOST).clamp(0, MOST)).unwrap_or(0),
            after,
        }
    }

    /// The common prefix a key is shown under, if any.
    fn group(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end).map(str::to_owned)
    }

    pub(super) fn place_of_marker(&self, marker: &str) -> Place {
        let is_group = self.group(marker).as_deref() == Some(marker);
        Place {
            name: marker.to_owned(),
            is_group,
            before_seq: None,
            version_id: None,
        }
    }
}

/// Where a page ended: after a key, after a whole group, or among the versions of a key.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) is_group: bool,
    /// Older versions of the key are still to come.
    pub(super) before_seq: Option<i64>,
    pub(super) version_id: Option<String>,
}

impl Place {
    pub(super) fn after_key(key: &str) -> Self {
        Self {
            name: key.to_owned(),
            is_group: false,
            before_seq: None,
            version_id: None,
        }
    }

    pub(super) fn token(&self) -> String {
        let kind = if self.is_group { 'g' } else { 'k' };
        BASE32HEX_NOPAD.encode(format!("{kind}{}", self.name).as_bytes())
    }

    pub(super) fn of_token(token: &str) -> S3Result<Self> {
        let bytes = BASE32HEX_NOPAD.decode(token.as_bytes()).ok();
        let text = bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        let wrong = || {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        };
        let (is_group, name) = match (text.strip_prefix('g'), text.strip_prefix('k')) {
            (Some(name), _) => (true, name),
            (_, Some(name)) => (false, name),
            (None, None) => return Err(wrong()),
        };
        Ok(Self {
            name: name.to_owned(),
            is_group,
            before_seq: None,
            version_id: None,
        })
    }
}

pub(super) struct Page {
    /// Versions, and whether each is its key's newest.
    pub(super) entries: Vec<(Version, bool)>,
    pub(super) prefixes: Vec<String>,
    pub(super) next: Option<Place>,
}

#[derive(Clone, Copy)]
pub(super) enum Rows {
    AllVersions,
    NewestObjects,
}

impl Txn<'_> {
    /// Reads rows in order and skips from group to group, so a page costs what it shows.
    pub(super) fn page(&self, bucket: &str, ask: &Ask, rows: Rows) -> S3Result<Page> {
        let mut page = Page {
            entries: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let mut groups = BTreeSet::new();
        if ask.max == 0 {
            return Ok(page);
        }
        let Some(mut cursor) = Cursor::start(ask) else {
            return Ok(page);
        };
        let mut last: Option<Place> = None;
        'reading: loop {
            let wanted = ask.max - page.entries.len() - groups.len() + 1;
            let found = self.rows(bucket, ask, &cursor, rows, wanted)?;
            let was_last = found.len() < wanted;
            for (version, is_latest) in found {
                if page.entries.len() + groups.len() == ask.max {
                    page.next = last;
                    break 'reading;
                }
                if let Some(group) = ask.group(&version.key) {
                    last = Some(Place {
                        name: group.clone(),
                        is_group: true,
                        before_seq: None,
                        version_id: None,
                    });
                    let beyond = successor(&group);
                    groups.insert(group);
                    let Some(beyond) = beyond else { break 'reading };
                    cursor = Cursor {
                        from: beyond,
                        is_exclusive: false,
                        before_seq: None,
                    };
                    continue 'reading;
                }
                cursor = Cursor {
                    from: version.key.clone(),
                    is_exclusive: true,
                    before_seq: Some(version.seq),
                };
                last = Some(Place {
                    name: version.key.clone(),
                    is_group: false,
                    before_seq: None,
                    version_id: Some(version.id.as_str().to_owned()),
                });
                page.entries.push((version, is_latest));
            }
            if was_last {
                break;
            }
        }
        page.prefixes = groups.into_iter().collect();
        Ok(page)
    }

    fn rows(
        &self,
        bucket: &str,
        ask: &Ask,
        cursor: &Cursor,
        rows: Rows,
        count: usize,
    ) -> S3Result<Vec<(Version, bool)>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let beyond = successor(&ask.prefix).unwrap_or_else(|| char::MAX.to_string());
        // Versions of the cursor's own key that are still to come.
        let before_seq = cursor.before_seq.unwrap_or(0);
        let first_key = if cursor.is_exclusive {
            format!("{}\0", cursor.from)
        } else {
            cursor.from.clone()
        };
        match rows {
            Rows::NewestObjects => {
                let query = "SELECT seq, key, version_id, detail FROM versions AS v
                     WHERE bucket = ?1 AND key >= ?2 AND key < ?3 AND marker = 0
                       AND seq = (SELECT max(seq) FROM versions WHERE bucket = ?1 AND key = v.key)
                     ORDER BY key LIMIT ?4";
                let found = self.many_versions(query, &[&bucket, &first_key, &beyond, &count])?;
                Ok(found.into_iter().map(|version| (version, true)).collect())
            }
            Rows::AllVersions => {
                let query = "SELECT seq, key, version_id, detail FROM versions
                     WHERE bucket = ?1 AND key = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4";
                let mut found =
                    self.many_versions(query, &[&bucket, &cursor.from, &before_seq, &count])?;
                let left = count - i64::try_from(found.len()).unwrap_or(0);
                let query = "SELECT seq, key, version_id, detail FROM versions
                     WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key, seq DESC LIMIT ?4";
                found.extend(self.many_versions(query, &[&bucket, &first_key, &beyond, &left])?);
                let mut shown = Vec::with_capacity(found.len());
                for version in found {
                    let newest = self.newest_seq(bucket, &version.key)?;
                    shown.push((version.clone(), newest == Some(version.seq)));
                }
                Ok(shown)
            }
        }
    }

    fn newest_seq(&self, bucket: &str, key: &str) -> S3Result<Option<i64>> {
        self.sql
            .prepare_cached("SELECT max(seq) FROM versions WHERE bucket = ?1 AND key = ?2")
            .and_then(|mut s| s.query_row([bucket, key], |row| row.get(0)))
            .map_err(broken)
    }

    /// The place of a version marker, also when that version is gone: its id remembers. A `null` version
    /// that is gone makes the listing start again at its key, which shows nothing twice that is still there
    /// but entries the caller chose to keep.
    pub(super) fn seq_of(&self, bucket: &str, key: &str, id: &VersionId) -> S3Result<i64> {
        let row = self.exact(bucket, key, id)?.map(|version| version.seq);
        Ok(row.or_else(|| id.seq()).unwrap_or(i64::MAX))
    }
}

/// Where reading goes on.
struct Cursor {
    from: String,
    is_exclusive: bool,
    before_seq: Option<i64>,
}

impl Cursor {
    fn start(ask: &Ask) -> Option<Self> {
        let prefix = Self {
            from: ask.prefix.clone(),
            is_exclusive: false,
            before_seq: None,
        };
        let after = match &ask.after {
            None => return Some(prefix),
            Some(place) if place.is_group => Self {
                from: successor(&place.name)?,
                is_exclusive: false,
                before_seq: None,
            },
            Some(place) => Self {
                from: place.name.clone(),
                is_exclusive: true,
                before_seq: place.before_seq,
            },
        };
        Some(if after.from < prefix.from {
            prefix
        } else {
            after
        })
    }
}

/// The least string above every string that starts with `prefix`; none if there is no such string.
fn successor(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

/// The most entries of one page.
pub(super) const MOST: i32 = 1000;
