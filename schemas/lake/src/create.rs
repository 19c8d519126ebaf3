//! A table as its contract says: made where there is none, held against it where there is one.

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{Snapshot, StructType};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::SaveMode;
use h3o::Resolution;
use schemas::Table;
use url::Url;

/// Creates a table. With [`SaveMode::Ignore`] the second of two that do so at once takes what is
/// there; with [`SaveMode::Overwrite`] the table begins anew.
pub(crate) async fn create(
    table: Table,
    location: &Url,
    partition_resolution: Resolution,
    mode: SaveMode,
) -> Result<LogStoreRef, DeltaTableError> {
    let columns: StructType = table.schema().as_ref().try_into_kernel()?;
    let properties = table.properties(partition_resolution);
    let created = CreateBuilder::new()
        .with_location(location.as_str())
        .with_table_name(table.name())
        .with_comment(table.doc())
        .with_columns(columns.fields().cloned())
        .with_partition_columns(table.partition_columns().iter().copied())
        .with_configuration(
            properties
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )
        .with_raise_if_key_not_exists(false)
        .with_save_mode(mode)
        .await?;
    Ok(created.log_store())
}

/// Returns what the table lacks of its contract; columns of a later build may stand beside.
pub(crate) fn first_difference(table: Table, found: &Snapshot) -> Option<String> {
    let expected: StructType = table.schema().as_ref().try_into_kernel().ok()?;
    let found = found.schema();
    for field in expected.fields() {
        match found.field(field.name()) {
            None => return Some(format!("column {} is missing", field.name())),
            Some(there) if there.data_type() != field.data_type() => {
                return Some(format!(
                    "column {} is {}, expected {}",
                    field.name(),
                    there.data_type(),
                    field.data_type()
                ));
            }
            Some(_) => {}
        }
    }
    None
}
