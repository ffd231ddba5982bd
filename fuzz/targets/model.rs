//! A whole connection whose schedule the fuzzer chooses.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_nat_fuzz::model::run(bytes));
