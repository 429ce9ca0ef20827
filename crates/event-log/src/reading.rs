//! Readings of a payload, made once for all that read the same record.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

/// Clones share what the first of them made of the payload. Kept as long as one of them is.
#[derive(Clone, Default)]
pub(crate) struct Reading(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl Reading {
    pub(crate) fn get<T: Any + Send + Sync>(&self, read: impl FnOnce() -> T) -> Arc<T> {
        let mut read = Some(read);
        let mut make = || Arc::new(read.take().expect("it is read once")());
        let kept = self.0.get_or_init(|| make());
        // Whoever makes something else of it makes that for itself.
        Arc::clone(kept).downcast().unwrap_or_else(|_| make())
    }
}

/// Two records are the same by what is stored, whoever has read them.
impl PartialEq for Reading {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reading {}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "read" } else { "unread" })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn clones_read_once() {
        let (reading, reads) = (Reading::default(), Cell::new(0));
        let read = || {
            reads.set(reads.get() + 1);
            7_u8
        };
        let clone = reading.clone();
        assert_eq!((*clone.get(read), *reading.get(read), reads.get()), (7, 7, 1));
        assert_eq!((*reading.get(|| "seven"), *reading.get(read), reads.get()), ("seven", 7, 1));
        assert_eq!((*Reading::default().get(read), reads.get()), (7, 2));
    }
}
