//! Arbitrary segments and acknowledgements through the engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_nat_fuzz::stream::run(bytes));
