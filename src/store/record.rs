//! What a store gives back: records, their versions, and pages of keys.

use std::fmt;

use zeroize::Zeroizing;

use super::StoreKey;
use crate::error::StoreError;

/// Names one state of one record. The store gives it, and nobody else looks into it: a number, a revision, an entity tag.
///
/// A store **never uses a version twice for one key**, also not after the record was removed and made anew. It is shown in
/// logs, so it must say nothing of the record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    bytes: [u8; Version::LONGEST],
    length: u8,
}

impl Version {
    /// The most bytes that a version has.
    pub const LONGEST: usize = 64;

    /// The version of this number.
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; Version::LONGEST];
        bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
        Version { bytes, length: 8 }
    }

    /// The number of a version that a number made.
    pub fn as_number(&self) -> Option<u64> {
        self.as_bytes().try_into().ok().map(u64::from_be_bytes)
    }

    /// The version of these bytes.
    ///
    /// # Errors
    /// [`StoreError`] if there are more than 64.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let too_long = || StoreError::corrupt("a version has more than 64 bytes");
        let length = u8::try_from(bytes.len()).map_err(|_| too_long())?;
        let mut own = [0; Version::LONGEST];
        own.get_mut(..bytes.len()).ok_or_else(too_long)?.copy_from_slice(bytes);
        Ok(Version { bytes: own, length })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// One record, as a store has it: secret bytes, wiped when they are dropped, and their version.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    bytes: Zeroizing<Vec<u8>>,
    version: Version,
}

impl Record {
    /// These bytes in this version.
    pub fn new(bytes: impl Into<Vec<u8>>, version: Version) -> Self {
        Record { bytes: Zeroizing::new(bytes.into()), version }
    }

    /// The bytes. Every caller of this is a place where a secret could leak.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Which state of the record this is.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record(..)")
    }
}

/// Some of the keys that were asked for, and where to go on.
#[derive(Clone, PartialEq, Eq)]
pub struct Page {
    keys: Vec<StoreKey>,
    next: Option<String>,
}

impl Page {
    /// These keys. If there may be more, `next` is what the store wants to be given as `after`: the last key, a number of
    /// its own, whatever it needs to go on.
    pub fn new(keys: Vec<StoreKey>, next: Option<String>) -> Self {
        Page { keys, next }
    }

    /// The keys. There may be none although there are more on the next page.
    pub fn keys(&self) -> &[StoreKey] {
        &self.keys
    }

    /// What to give as `after` for the next page; none if this is the last one.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// Not where it goes on: that may be the name of a user.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.next.is_some() { ", and more" } else { "" };
        write!(f, "Page({} keys{more})", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_or_bytes() {
        assert_eq!(Version::from_number(7).as_number(), Some(7));
        assert_eq!(Version::from_bytes(&7_u64.to_be_bytes()).unwrap(), Version::from_number(7));
        for length in [0, 1, 7, 9, 64] {
            let bytes = vec![b'x'; length];
            let version = Version::from_bytes(&bytes).unwrap();
            assert_eq!((version.as_bytes(), version.as_number()), (&bytes[..], None));
        }
        assert_ne!(Version::from_bytes(&[0]).unwrap(), Version::from_bytes(&[0, 0]).unwrap());
        for length in [65, 255, 256, 300] {
            assert!(Version::from_bytes(&vec![b'x'; length]).unwrap_err().is_corrupt());
        }
        assert_eq!(format!("{:?}", Version::from_number(258)), "Version(0000000000000102)");
    }

    #[test]
    fn a_page_says_no_name() {
        let keys = vec![StoreKey::new(crate::store::Shelf::Sessions, ["canary"])];
        let page = Page::new(keys, Some("canary".to_owned()));
        assert_eq!(format!("{page:?}"), "Page(1 keys, and more)");
        assert_eq!(format!("{:?}", Page::new(Vec::new(), None)), "Page(0 keys)");
    }

    #[test]
    fn a_record_does_not_print() {
        let record = Record::new(*b"canary", Version::from_number(1));
        assert_eq!(format!("{record:?} {record:#?}"), "Record(..) Record(..)");
        assert_eq!(record.bytes(), b"canary");
    }
}
