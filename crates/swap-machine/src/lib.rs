//! The executor's decisions: recorded events of a swap in, the next effect out. Pure.
