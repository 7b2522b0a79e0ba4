//! What the fuzz targets share: the seeds of their corpora, and an allocator that gives no
//! decoder more memory than the largest thing it is allowed to read can need.

mod seeds;

use std::alloc::{GlobalAlloc, Layout, System};

/// The largest thing anybody may send is a job of 8 MiB; twice that, doubled by a vector that
/// grows, is still below.
const ALLOCATION_BYTES_MAX: usize = 48 * 1024 * 1024;

/// Passes on to the system what is not absurd.
struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        refuse_absurd(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        refuse_absurd(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        refuse_absurd(bytes);
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

fn refuse_absurd(bytes: usize) {
    if bytes > ALLOCATION_BYTES_MAX {
        // Nothing may be allocated here, so no message with a number in it.
        std::process::abort();
    }
}

/// Called by every target before its first input: links the allocator in, and writes the seeds
/// below the folder in `FUZZ_SEEDS`, if it is set.
pub fn begin() {
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        seeds::write_all(folder.as_ref()).expect("seeds can be written");
    }
}
