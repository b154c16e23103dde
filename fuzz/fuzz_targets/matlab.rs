//! MATLAB's files of the versions 4 to 7.

#![no_main]

use strait_data::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::read(data, Some(Format::Matlab)));
