//! What a server says when it does not do what it was asked, in words that hold nothing of what was sent.

use redis::Value;

use super::address::Address;
use crate::error::StoreError;

pub(super) fn unavailable(why: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable(format!("Redis: {why}"))
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// What the server says with an error. Its words are not shown: they may repeat what was sent.
pub(super) fn refused(code: &str, address: &Address) -> StoreError {
    let because = match code {
        "OOM" => return StoreError::full(format!("Redis: {address} has no memory left")),
        "WRONGTYPE" => return StoreError::corrupt("what the server has is no record of this store"),
        "NOAUTH" | "WRONGPASS" => "does not take this user and password",
        "NOPERM" => {
            "does not permit this user what a store needs: GET, SCAN, SET, DEL, GETRANGE, EVAL, EVALSHA, INFO"
        }
        "LOADING" => "is starting",
        "READONLY" => "is a replica, which takes no changes",
        "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => "does not serve this record just now",
        "NOREPLICAS" => "has too few replicas to take changes",
        "MISCONF" => "cannot write to its disk, and takes no changes",
        "BUSY" => "is busy with somebody's script",
        "MOVED" => "belongs to a cluster: open the store as one",
        _ => "refused what it was asked",
    };
    unavailable(format!("{address} {because}"))
}

pub(super) fn evicts(address: &Address, found: Option<bool>) -> StoreError {
    unavailable(match found {
        Some(_) => format!(
            "{address} may drop what must not be lost to make room for others; its maxmemory-policy must be noeviction"
        ),
        None => format!(
            "{address} does not say (INFO memory) whether it drops what must not be lost to make room for others"
        ),
    })
}
