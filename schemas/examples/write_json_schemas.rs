//! Writes `schemas/contracts/*.schema.json` anew from the Avro contracts.

use std::path::Path;

use schemas::EventKind;
use schemas::json_schema::json_schema_text;

fn main() -> std::io::Result<()> {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts");
    for kind in EventKind::ALL {
        let path = contracts.join(format!("{kind}.schema.json"));
        std::fs::write(&path, json_schema_text(kind.contract()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
