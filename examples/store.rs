//! A store of your own: a table with four columns (shelf, key, version, bytes), and the contract that says it is right.
//!
//! `cargo run --example store --features contract`

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use lumoauth::store::{self, Page, Prefix, Record, Store, StoreError, StoreKey, Version};

/// What a database would hold: rows by shelf and key, a sequence for versions, and a time at which a row may go.
#[derive(Default)]
pub struct Table(Mutex<(Rows, u64)>);
type Rows = BTreeMap<StoreKey, (u64, Vec<u8>)>;

// In SQL: `SELECT version, bytes ..`; `UPDATE .. WHERE version = $v`, or `INSERT .. ON CONFLICT DO NOTHING`;
// `DELETE .. WHERE version = $v`; `SELECT key .. WHERE key > $after ORDER BY key LIMIT 100`.
impl Store for Table {
    fn load(&self, key: &StoreKey, _: Duration) -> Result<Option<Record>, StoreError> {
        let (rows, _) = &*self.0.lock().unwrap();
        let row = rows.get(key);
        Ok(row.map(|(version, bytes)| Record::new(bytes.clone(), Version::from_number(*version))))
    }

    fn save_if(
        &self,
        key: &StoreKey,
        version: Option<Version>,
        bytes: &[u8],
        _keep: Option<Duration>,
        _within: Duration,
    ) -> Result<Option<Version>, StoreError> {
        let (rows, sequence) = &mut *self.0.lock().unwrap();
        if rows.get(key).map(|(held, _)| Version::from_number(*held)) != version {
            return Ok(None);
        }
        *sequence += 1;
        rows.insert(key.clone(), (*sequence, bytes.to_vec()));
        Ok(Some(Version::from_number(*sequence)))
    }

    fn remove_if(&self, key: &StoreKey, version: Version, _: Duration) -> Result<bool, StoreError> {
        let (rows, _) = &mut *self.0.lock().unwrap();
        let fits = rows.get(key).is_some_and(|(held, _)| Version::from_number(*held) == version);
        Ok(fits && rows.remove(key).is_some())
    }

    fn keys(&self, prefix: &Prefix, after: Option<&str>, _: Duration) -> Result<Page, StoreError> {
        let (rows, _) = &*self.0.lock().unwrap();
        let later = |key: &&StoreKey| after.is_none_or(|after| key.as_str() > after);
        let keys = rows.keys().filter(|key| prefix.is_of(key)).filter(later).take(100).cloned();
        let keys: Vec<_> = keys.collect();
        let next = keys.get(99).map(|last| last.as_str().to_owned());
        Ok(Page::new(keys, next))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table::default();
    store::contract(&table)?;
    println!("the table keeps the contract of stores");
    Ok(())
}
