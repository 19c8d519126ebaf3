//! The mappings shipped with the program, and the samples of recordings that may be shipped.
//! Provenance, licence and cutting of every sample: `samples/README.md`.

/// A mapping shipped with the program.
#[derive(Debug)]
pub struct BuiltinMapping {
    /// Name, as `Mapping::load` takes it.
    pub name: &'static str,
    /// The mapping file.
    pub toml: &'static str,
    pub(super) samples: &'static [SampleFile],
}

impl BuiltinMapping {
    /// Says whether a sample of the recording is inside the program.
    pub const fn has_sample(&self) -> bool {
        !self.samples.is_empty()
    }
}

/// A recorded file inside the program.
#[derive(Debug)]
pub(super) struct SampleFile {
    pub(super) file_name: &'static str,
    pub(super) bytes: &'static [u8],
}

macro_rules! mapping {
    ($name:literal $(, $sample:literal)*) => {
        BuiltinMapping {
            name: $name,
            toml: include_str!(concat!("../../mappings/", $name, ".toml")),
            samples: &[$(SampleFile {
                file_name: $sample,
                bytes: include_bytes!(concat!("../../samples/", $sample)),
            }),*],
        }
    };
}

static BUILTIN: [BuiltinMapping; 7] = [
    mapping!("trai-mycall", "mycall-sample.csv.zst"),
    mapping!(
        "cn-bandwidth",
        "4G.csv.zst",
        "5G.csv.zst",
        "4G-2023.csv.zst",
        "5G-2023.csv.zst"
    ),
    mapping!(
        "dakar-gnettrack",
        "Orange_log.txt.zst",
        "Orange_log_events.txt.zst",
        "Orange_log_datatest.txt.zst",
        "Yas_log.txt.zst",
        "Yas_log_events.txt.zst",
        "Yas_log_datatest.txt.zst",
        "expresso_log.txt.zst",
        "expresso_log_events.txt.zst",
        "expresso_log_datatest.txt.zst"
    ),
    mapping!("tehran-fieldtest", "cellular_data.csv.zst"),
    mapping!("us-drive"),
    mapping!("dortmund-lte"),
    mapping!("cork-5g"),
];

/// Returns the mappings shipped with the program; those with a sample first.
pub fn builtin_mappings() -> &'static [BuiltinMapping] {
    &BUILTIN
}

pub(super) fn find(name: &str) -> Option<&'static BuiltinMapping> {
    BUILTIN.iter().find(|ready| ready.name == name)
}
