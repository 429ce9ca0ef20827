//! Health as users feel it: the questions, and what the answers mean. `/ready`, the metrics, the page and
//! `fillstream doctor` ask and judge here, so that they never contradict each other.

pub(crate) mod appends;
pub(crate) mod judge;
pub(crate) mod restart;
pub(crate) mod room;
pub(crate) mod waiting;
