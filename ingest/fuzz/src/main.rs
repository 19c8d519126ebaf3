//! Coverage-guided fuzzing of what payloads go through, see `../run`.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        // A decoder's panic is caught and refuses the message; libFuzzer's hook would end the process.
        std::panic::set_hook(Box::new(|_| {}));
        if let Some(folder) = std::env::var_os("NOTSPOT_FUZZ_SEEDS") {
            fuzz::write_seeds(&PathBuf::from(folder)).expect("the folder of seeds can be written");
        }
    },
    |input: &[u8]| fuzz::check(input)
);
