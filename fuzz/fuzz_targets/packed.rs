//! gzip, Zstandard, bzip2 and xz around any format.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::read(data, None));
