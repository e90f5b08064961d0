//! Hyperscan's literal API, as fast as it goes: caseless, one report a pattern and block.
//!
//! Linked when the feature `hyperscan` is on (Debian: libhyperscan-dev). Streams do without "single match", which would
//! be once a stream: what a chunk has shown is counted by a stamp, as ours does.

#![allow(unsafe_code)] // a foreign library; every block says why it is sound

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr::{null, null_mut};

const CASELESS: c_uint = 1;
const SINGLE_MATCH: c_uint = 8;
const MODE_BLOCK: c_uint = 1;
const MODE_STREAM: c_uint = 2;

#[repr(C)]
struct CompileError {
    message: *const c_char,
    expression: c_int,
}

type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

// As hs_compile.h, hs_runtime.h and hs_common.h of version 5.4 declare them.
#[link(name = "hs")]
unsafe extern "C" {
    fn hs_compile_lit_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        lens: *const usize,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        db: *mut *mut c_void,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_free_database(db: *mut c_void) -> c_int;
    fn hs_database_size(db: *const c_void, size: *mut usize) -> c_int;
    fn hs_alloc_scratch(db: *const c_void, scratch: *mut *mut c_void) -> c_int;
    fn hs_free_scratch(scratch: *mut c_void) -> c_int;
    fn hs_scan(
        db: *const c_void,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on_match: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_open_stream(db: *const c_void, flags: c_uint, stream: *mut *mut c_void) -> c_int;
    fn hs_scan_stream(
        stream: *mut c_void,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on_match: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_reset_stream(
        stream: *mut c_void,
        flags: c_uint,
        scratch: *mut c_void,
        on_match: Option<OnMatch>,
        context: *mut c_void,
    ) -> c_int;
    fn hs_close_stream(
        stream: *mut c_void,
        scratch: *mut c_void,
        on_match: Option<OnMatch>,
        context: *mut c_void,
    ) -> c_int;
}

pub struct Hyperscan {
    db: *mut c_void,
    scratch: *mut c_void,
    stream: *mut c_void,
    stamps: Vec<u32>,
    now: u32,
}

impl Hyperscan {
    pub fn build(patterns: &[Vec<u8>], streaming: bool) -> Hyperscan {
        let pointers: Vec<*const c_char> = patterns.iter().map(|p| p.as_ptr().cast()).collect();
        let lens: Vec<usize> = patterns.iter().map(Vec::len).collect();
        let ids: Vec<c_uint> = (0..patterns.len() as c_uint).collect();
        let (mode, flags) =
            if streaming { (MODE_STREAM, CASELESS) } else { (MODE_BLOCK, CASELESS | SINGLE_MATCH) };
        let flags = vec![flags; patterns.len()];
        let (mut db, mut scratch, mut stream, mut error) = (null_mut(), null_mut(), null_mut(), null_mut());
        // SAFETY: four arrays of as many elements as said, pointers to bytes that outlive the call, a null platform for
        // "this one", and places for what is returned; on an error the message is a string of the library's.
        unsafe {
            let count = patterns.len() as c_uint;
            let (pointers, flags, ids, lens) =
                (pointers.as_ptr(), flags.as_ptr(), ids.as_ptr(), lens.as_ptr());
            let code =
                hs_compile_lit_multi(pointers, flags, ids, lens, count, mode, null(), &mut db, &mut error);
            assert!(code == 0, "hyperscan: {:?}", CStr::from_ptr((*error).message));
            assert_eq!(hs_alloc_scratch(db, &mut scratch), 0, "hyperscan: no scratch");
            if streaming {
                assert_eq!(hs_open_stream(db, 0, &mut stream), 0, "hyperscan: no stream");
            }
        }
        Hyperscan { db, scratch, stream, stamps: vec![0; patterns.len()], now: 0 }
    }

    pub fn bytes(&self) -> usize {
        let mut size = 0;
        // SAFETY: a database of ours, and a place for the answer.
        assert_eq!(unsafe { hs_database_size(self.db, &mut size) }, 0);
        size
    }

    pub fn scan<F: FnMut(u32)>(&mut self, block: &[u8], report: &mut F) {
        extern "C" fn on_match<F: FnMut(u32)>(
            id: c_uint,
            _from: c_ulonglong,
            _to: c_ulonglong,
            _flags: c_uint,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: the context of the call below, which is an `F` that nothing else uses meanwhile.
            unsafe { (*context.cast::<F>())(id) };
            0
        }
        let (data, len) = (block.as_ptr().cast(), block.len() as c_uint);
        let context = std::ptr::from_mut(report).cast();
        // SAFETY: database and scratch are ours and belong together; the block has `len` bytes.
        let code = unsafe { hs_scan(self.db, data, len, 0, self.scratch, on_match::<F>, context) };
        assert_eq!(code, 0, "hyperscan: scan");
    }

    /// The next chunk; of a new stream if `fresh`.
    pub fn scan_stream<F: FnMut(u32)>(&mut self, fresh: bool, chunk: &[u8], report: &mut F) {
        struct Context<'a, F> {
            stamps: &'a mut [u32],
            now: u32,
            report: &'a mut F,
        }
        extern "C" fn on_match<F: FnMut(u32)>(
            id: c_uint,
            _from: c_ulonglong,
            _to: c_ulonglong,
            _flags: c_uint,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: the context of the call below, which nothing else uses meanwhile.
            let context = unsafe { &mut *context.cast::<Context<'_, F>>() };
            let stamp = &mut context.stamps[id as usize];
            if *stamp != context.now {
                *stamp = context.now;
                (context.report)(id);
            }
            0
        }
        self.now += 1;
        let mut context = Context { stamps: &mut self.stamps, now: self.now, report };
        let context = std::ptr::from_mut(&mut context).cast();
        let (data, len) = (chunk.as_ptr().cast(), chunk.len() as c_uint);
        // SAFETY: stream and scratch are ours and belong to one database; a reset without a callback reports nothing; the
        // chunk has `len` bytes.
        unsafe {
            if fresh {
                assert_eq!(
                    hs_reset_stream(self.stream, 0, null_mut(), None, null_mut()),
                    0,
                    "hyperscan: reset"
                );
            }
            let code = hs_scan_stream(self.stream, data, len, 0, self.scratch, on_match::<F>, context);
            assert_eq!(code, 0, "hyperscan: scan");
        }
    }
}

impl Drop for Hyperscan {
    fn drop(&mut self) {
        // SAFETY: all three are ours (or null, which the stream may not be), and not used again.
        unsafe {
            if !self.stream.is_null() {
                hs_close_stream(self.stream, null_mut(), None, null_mut());
            }
            hs_free_scratch(self.scratch);
            hs_free_database(self.db);
        }
    }
}
