#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::run("evidence_file", input));
