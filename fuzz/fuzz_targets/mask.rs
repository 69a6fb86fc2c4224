#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rundown_fuzz::mask(data));
