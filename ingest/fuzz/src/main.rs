//! Coverage-guided fuzzing of what payloads go through, see `../run`.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        // A decoder's panic is caught and refuses the message; libFuzzer's hook would end the process.
        drop(std::panic::take_hook());
        // Without seeds an input is tried alone, and what it panics with is wanted.
        if let Some(folder) = std::env::var_os("NOTSPOT_FUZZ_SEEDS") {
            std::panic::set_hook(Box::new(|_| {}));
            fuzz::write_seeds(&PathBuf::from(folder)).expect("the folder of seeds can be written");
        }
    },
    |input: &[u8]| fuzz::check(input)
);
