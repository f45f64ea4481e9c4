//! The kinds of values that one call fetches for many, one file a kind: its key, its life, and what fetches it.

mod own;

pub(crate) use own::{Own, own_at_hand};
