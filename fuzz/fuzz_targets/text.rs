//! Tables, SVMlight, bags of words, Matrix Market and ratings, told apart by their content.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::read(data, None));
