//! An allocator that counts, for each thread by itself.
//!
//! Endpoints have no threads of their own, so what a thread counts between two points is what the
//! calls between them took, whatever the rest of the process does meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a piece of work took from the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How often it asked for memory, growing included.
    pub(crate) allocations: u64,
    /// The most bytes it held at a time, beyond those held before.
    pub(crate) peak: usize,
}

/// Runs `work` and counts what it takes on this thread.
pub(crate) fn count<R>(work: impl FnOnce() -> R) -> (R, Taken) {
    let before = COUNTS.with(Cell::get);
    COUNTS.with(|counts| counts.set(Counts { peak: before.live, ..before }));
    let answer = work();
    let after = COUNTS.with(Cell::get);
    let taken = Taken {
        allocations: after.allocations - before.allocations,
        peak: usize::try_from(after.peak - before.live).unwrap(),
    };
    COUNTS.with(|counts| counts.set(Counts { peak: after.peak.max(before.peak), ..after }));
    (answer, taken)
}

/// How often this thread has asked for memory so far.
pub(crate) fn allocations() -> u64 {
    COUNTS.with(Cell::get).allocations
}

#[derive(Clone, Copy)]
struct Counts {
    allocations: u64,
    live: isize,
    peak: isize,
}

thread_local! {
    // Of a constant and without a destructor: using it allocates nothing.
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { allocations: 0, live: 0, peak: 0 }) };
}

/// The bytes that this thread holds have changed; `asked` is how often it asked for that.
fn changed(by: isize, asked: u64) {
    // A thread that ends may free memory after its counts have gone.
    let _ = COUNTS.try_with(|counts| {
        let Counts { allocations, live, peak } = counts.get();
        let live = live + by;
        counts.set(Counts { allocations: allocations + asked, live, peak: peak.max(live) });
    });
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed to the system's allocator unchanged; counting touches a cell of the
// thread and no memory of the caller.
#[allow(unsafe_code)] // An allocator cannot be written without it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        changed(layout.size() as isize, 1);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        changed(layout.size() as isize, 1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        changed(-(layout.size() as isize), 0);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as asking even where it shrinks: a steady stream does neither.
        changed(size as isize - layout.size() as isize, 1);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[test]
fn what_is_taken_and_given_back_is_counted() {
    let ((), taken) = count(|| {
        let first = vec![0_u8; 1000];
        drop(first);
        let mut second = Vec::<u8>::with_capacity(2000);
        second.reserve_exact(3000);
        drop(second);
    });
    assert_eq!(taken, Taken { allocations: 3, peak: 3000 });
    assert_eq!(count(|| [0_u8; 1000]).1, Taken { allocations: 0, peak: 0 });
}
