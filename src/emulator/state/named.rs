//! Things in their order that are found by their names, however many there are.

use std::collections::HashMap;
use std::ops::Deref;

/// A list whose items have one name each.
pub(crate) struct Named<T> {
    all: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named { all: Vec::new(), places: HashMap::new() }
    }
}

impl<T> Named<T> {
    /// Puts an item at the end. Of two with one name the first is found.
    pub(crate) fn push(&mut self, name: impl Into<String>, item: T) {
        self.places.entry(name.into()).or_insert(self.all.len());
        self.all.push(item);
    }

    pub(crate) fn named(&self, name: &str) -> Option<&T> {
        self.all.get(*self.places.get(name)?)
    }

    pub(crate) fn named_mut(&mut self, name: &str) -> Option<&mut T> {
        self.all.get_mut(*self.places.get(name)?)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.iter_mut()
    }
}

impl<T> Deref for Named<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all
    }
}
