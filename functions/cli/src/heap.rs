//! The heap, counted: `dsr rewrite` promises how much memory it takes, and tells how much it took.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// The most that was allocated at once so far.
pub(crate) fn peak_bytes() -> usize {
    HEAP.max_allocated()
}
