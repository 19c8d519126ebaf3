//! The positions a checkpoint keeps, whoever wrote them: delta-rs only answers for a name it is given.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::{DeltaTableError, Path};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// Returns the newest checkpoint's version up to `last`, and every position in it; `None` without one.
pub(crate) async fn in_checkpoint(
    log: &LogStoreRef,
    last: u64,
) -> Result<Option<(u64, BTreeMap<String, i64>)>, DeltaTableError> {
    let store = log.object_store(None);
    let (version, files) = match newest(log, last).await? {
        (Some(version), files) => (version, files),
        (None, _) => return Ok(None),
    };
    let mut positions = BTreeMap::new();
    for path in &files {
        let bytes = store.get(path).await?.bytes().await?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["txn"]);
        for batch in reader.with_projection(mask).build()? {
            let batch = batch.map_err(ParquetError::from)?;
            let Some(column) = batch.column_by_name("txn") else {
                continue;
            };
            let of = column.as_struct();
            let (Some(names), Some(versions)) =
                (of.column_by_name("appId"), of.column_by_name("version"))
            else {
                continue;
            };
            let (names, versions) = (
                names.as_string::<i32>(),
                versions.as_primitive::<Int64Type>(),
            );
            let there = (0..of.len()).filter(|row| of.is_valid(*row) && names.is_valid(*row));
            positions.extend(there.map(|row| (names.value(row).to_owned(), versions.value(row))));
        }
    }
    Ok(Some((version, positions)))
}

/// Returns the newest checkpoint up to a version, and the files it consists of.
async fn newest(log: &LogStoreRef, last: u64) -> Result<(Option<u64>, Vec<Path>), DeltaTableError> {
    let store = log.object_store(None);
    let listed: Vec<_> = store.list(Some(log.log_path())).try_collect().await?;
    let mut newest = (None, Vec::new());
    for file in listed {
        let name = file.location.filename().unwrap_or_default();
        let version = name.split_once(".checkpoint.").and_then(|(version, rest)| {
            let version = version.parse::<u64>().ok()?;
            (rest.ends_with("parquet") && version <= last).then_some(version)
        });
        if version.is_some() && version > newest.0 {
            newest = (version, vec![file.location]);
        } else if version.is_some() && version == newest.0 {
            newest.1.push(file.location);
        }
    }
    Ok(newest)
}
