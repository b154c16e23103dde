//! Safetensors and their indices.

#![no_main]

use strait_data::Format;

libfuzzer_sys::fuzz_target!(|data: &[u8]| strait_fuzz::read(data, Some(Format::Safetensors)));
