//! The line parser against the whole-stream reference.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_nat_fuzz::line::run(bytes));
