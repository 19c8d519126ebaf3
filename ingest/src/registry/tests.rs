//! Loads of small files into lakes of their own.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use schemas::lake::cell_from_i64;

use super::store::Existing;
use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/registry")
        .join(name)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).expect("in range")
}

struct TestLake(tempfile::TempDir);

impl TestLake {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn path(&self) -> String {
        self.0.path().join("lake").display().to_string()
    }

    fn options(&self, table: RegistryTable, input: PathBuf) -> LoadOptions {
        LoadOptions {
            lake: self.path(),
            table,
            inputs: vec![input],
            mode: LoadMode::Replace,
            bad_rows: BadRows::RefuseAll,
        }
    }

    async fn load(
        &self,
        table: RegistryTable,
        input: PathBuf,
    ) -> Result<LoadReport, RegistryError> {
        load(&self.options(table, input), now()).await
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("the folder is writable");
        path
    }

    async fn rows(&self, table: RegistryTable) -> RecordBatch {
        let existing = Existing::open(&self.path(), table.table())
            .await
            .expect("the table opens");
        let schema = table.table().schema();
        let with_schema = |batch: &RecordBatch| batch.clone().with_schema(schema.clone());
        let batches: Result<Vec<_>, _> = existing.rows.iter().map(with_schema).collect();
        concat_batches(&schema, &batches.expect("columns are those of the table"))
            .expect("one schema")
    }

    async fn ids(&self, table: RegistryTable) -> Vec<String> {
        texts(&self.rows(table).await, table.id_column())
    }
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    rows[column]
        .as_string::<i32>()
        .iter()
        .map(|text| text.unwrap_or("-").to_owned())
        .collect()
}

#[tokio::test]
async fn good_files_are_loaded_whole_with_their_places_on_wgs84() {
    let lake = TestLake::new();
    let merchants = lake
        .load(RegistryTable::Merchants, data("merchants.csv"))
        .await;
    assert_eq!(merchants.expect("the file is good").rows_in_table, 3);
    let report = lake
        .load(RegistryTable::Terminals, data("terminals.csv"))
        .await
        .expect("the file is good");
    assert_eq!(
        (report.rows_read, report.rows_loaded, report.rows_bad),
        (3, 3, 0)
    );
    let warned: Vec<(u64, &str)> = report
        .warnings
        .iter()
        .map(|w| (w.line, w.value.as_str()))
        .collect();
    assert_eq!(warned, [(4, "m-9")]);

    let rows = lake.rows(RegistryTable::Terminals).await;
    assert_eq!(texts(&rows, "terminal_id"), ["t-1", "t-2", "t-3"]);
    assert_eq!(texts(&rows, "sim_plmn"), ["460-00", "262-01", "608-01"]);
    let degrees = |column: &str, row: usize| rows[column].as_primitive::<Float64Type>().value(row);
    assert_eq!(degrees("lat_declared", 0), 22.5431);
    // Shenzhen in GCJ-02 lies several hundred metres from WGS-84; Dortmund is not moved.
    assert!((degrees("lat", 0) - 22.5431).abs() > 0.001);
    assert_eq!(degrees("lon", 1), 7.4653);
    let cells = rows["cell_r9"].as_primitive::<Int64Type>();
    let place = schemas::LatLon::new(degrees("lat", 0), degrees("lon", 0)).expect("on the globe");
    assert_eq!(cell_from_i64(cells.value(0)), Some(place.cell_r9()));
    for column in ["lat", "lat_declared", "cell_r9", "datum", "installed_on"] {
        assert!(rows[column].is_null(2), "{column}");
    }
    assert_eq!(
        rows["installed_on"].as_primitive::<Date32Type>().value(0),
        19_782
    );
    let loaded = rows["loaded_at"].as_primitive::<TimestampMicrosecondType>();
    assert!(
        loaded
            .iter()
            .all(|time| time == Some(now().timestamp_micros()))
    );

    let merchants = lake.rows(RegistryTable::Merchants).await;
    assert_eq!(texts(&merchants, "name")[1], "Bakery \"Zum Ofen\", Nord");
    assert_eq!(texts(&merchants, "region_code")[2], "-");
}

#[tokio::test]
async fn every_fault_is_told_with_line_column_value_and_reason() {
    let lake = TestLake::new();
    let error = lake
        .load(RegistryTable::Terminals, data("terminals-bad.csv"))
        .await;
    let Err(RegistryError::BadRows(report)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (report.rows_read, report.rows_bad, report.rows_loaded),
        (13, 11, 0)
    );
    let told: Vec<String> = report
        .faults
        .iter()
        .map(|f| format!("{} {} {:?} {}", f.line, f.column, f.value, f.reason))
        .collect();
    let first = format!("{}:2", data("terminals-bad.csv").display());
    assert_eq!(
        told,
        [
            "3 terminal_id \"\" is missing".to_owned(),
            "4 sim_plmn \"460-1\" is not valid: [0-9]{3}-[0-9]{2,3}".to_owned(),
            "5 lat \"91.5\" is outside -90 to 90 degree".to_owned(),
            "6 datum \"\" is missing: a position needs its datum, it is never guessed".to_owned(),
            "7 datum \"NAD27\" is not valid: WGS84|GCJ02|BD09".to_owned(),
            "8 lon \"\" is missing beside lat".to_owned(),
            format!("9 terminal_id \"good-1\" is already in {first}"),
            "10 terminal_id \"************1111\" looks like a card number, which must not be kept".to_owned(),
            "11 serial_number \"**** **** **** 1111\" looks like a card number, which must not be kept".to_owned(),
            "12 iccid_hash \"XYZ\" is not valid: 16 to 64 of 0-9, a-f".to_owned(),
            "12 allowed_radius_m \"-5\" is outside 0 or more m".to_owned(),
            "12 heartbeat_interval_s \"0\" is outside 1 to 604800 s".to_owned(),
            "12 installed_on \"2024-02-30\" is not a date of the form YYYY-MM-DD".to_owned(),
            "14  \"\" row is not as wide as the header: 2 values, 11 columns".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_refused_load_leaves_the_table_as_it_is_and_the_good_rows_are_kept_if_asked_for() {
    let lake = TestLake::new();
    lake.load(RegistryTable::Terminals, data("terminals.csv"))
        .await
        .expect("the file is good");
    let bad = data("terminals-bad.csv");
    assert!(
        lake.load(RegistryTable::Terminals, bad.clone())
            .await
            .is_err()
    );
    assert_eq!(
        lake.ids(RegistryTable::Terminals).await,
        ["t-1", "t-2", "t-3"]
    );

    let options = LoadOptions {
        bad_rows: BadRows::KeepGood,
        ..lake.options(RegistryTable::Terminals, bad)
    };
    let report = load(&options, now())
        .await
        .expect("good rows are asked for");
    assert_eq!(
        (report.rows_loaded, report.rows_bad, report.rows_in_table),
        (2, 11, 2)
    );
    assert_eq!(
        lake.ids(RegistryTable::Terminals).await,
        ["good-1", "good-2"]
    );
}

#[tokio::test]
async fn merchants_are_checked_too() {
    let lake = TestLake::new();
    let error = lake
        .load(RegistryTable::Merchants, data("merchants-bad.csv"))
        .await;
    let Err(RegistryError::BadRows(report)) = error else {
        panic!("{error:?}")
    };
    let columns: Vec<&str> = report
        .faults
        .iter()
        .map(|fault| fault.column.as_str())
        .collect();
    assert_eq!(
        columns,
        [
            "merchant_category_code",
            "country_code",
            "time_zone",
            "opens_local"
        ]
    );
}

#[tokio::test]
async fn a_merge_replaces_rows_of_the_same_id_and_keeps_the_others() {
    let lake = TestLake::new();
    lake.load(RegistryTable::Merchants, data("merchants.csv"))
        .await
        .expect("the file is good");
    let update = lake.file("update.csv", "merchant_id,name\nm-2,Bakery\nm-4,Kiosk\n");
    let options = LoadOptions {
        mode: LoadMode::Merge,
        ..lake.options(RegistryTable::Merchants, update)
    };
    let report = load(&options, now()).await.expect("the file is good");
    assert_eq!((report.rows_loaded, report.rows_in_table), (2, 4));
    let rows = lake.rows(RegistryTable::Merchants).await;
    assert_eq!(texts(&rows, "merchant_id"), ["m-1", "m-2", "m-3", "m-4"]);
    assert_eq!(texts(&rows, "name")[1..], ["Bakery", "Night bar", "Kiosk"]);
    assert_eq!(texts(&rows, "city")[1], "-");
}

#[tokio::test]
async fn compressed_csv_and_parquet_fill_the_same_rows() {
    let lake = TestLake::new();
    lake.load(RegistryTable::Terminals, data("terminals.csv"))
        .await
        .expect("the file is good");
    let from_csv = lake.rows(RegistryTable::Terminals).await;

    let text = std::fs::read(data("terminals.csv")).expect("the file is there");
    let packed = zstd::encode_all(text.as_slice(), 1).expect("memory can be compressed");
    let zst = lake.file("terminals.csv.zst", packed);
    lake.load(RegistryTable::Terminals, zst)
        .await
        .expect("zstd is read");
    assert_eq!(lake.rows(RegistryTable::Terminals).await, from_csv);

    let parquet = lake.file("terminals.parquet", declared_parquet(&from_csv));
    lake.load(RegistryTable::Terminals, parquet)
        .await
        .expect("parquet is read");
    assert_eq!(lake.rows(RegistryTable::Terminals).await, from_csv);
}

/// Terminals as another system would hand them over: typed columns, declared positions.
fn declared_parquet(rows: &RecordBatch) -> Vec<u8> {
    let listed = schemas::registry::file_columns(Table::Terminals);
    let columns = listed.iter().map(|column| {
        let name = column.column.as_str();
        let stored = match name {
            "lat" => "lat_declared",
            "lon" => "lon_declared",
            other => other,
        };
        (name, rows[stored].clone(), true)
    });
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns).expect("columns are of one length");
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None)
        .expect("the schema can be written");
    writer.write(&batch).expect("memory can be written");
    writer.into_inner().expect("memory can be written")
}

#[tokio::test]
async fn files_of_other_columns_or_without_rows_are_refused_by_name() {
    let lake = TestLake::new();
    for (content, told) in [
        (
            "terminal_id,merchnat_id\nt-1,m-1\n",
            "column \"merchnat_id\" is not one of terminal_id",
        ),
        ("merchant_id\nm-1\n", "column \"terminal_id\" is missing"),
        (
            "terminal_id,terminal_id\nt-1,t-1\n",
            "column \"terminal_id\" is there twice",
        ),
        ("terminal_id\n", "no good row of terminals"),
        (
            "terminal_id,model\nt-1,\"P100\nt-2,P200\n",
            "terminals.csv:2: quote is not closed",
        ),
    ] {
        let file = lake.file("terminals.csv", content);
        let error = lake
            .load(RegistryTable::Terminals, file)
            .await
            .expect_err("it is wrong");
        assert!(error.to_string().contains(told), "{error}");
    }
    let nowhere = lake.0.path().join("nowhere.csv");
    let error = lake
        .load(RegistryTable::Terminals, nowhere)
        .await
        .expect_err("it is missing");
    assert!(error.to_string().contains("nowhere.csv"), "{error}");
}

#[tokio::test]
async fn an_id_in_two_files_is_told_in_the_second() {
    let lake = TestLake::new();
    let one = lake.file("one.csv", "terminal_id\nt-1\n");
    let two = lake.file("two.csv", "terminal_id\nt-2\nt-1\n");
    let mut options = lake.options(RegistryTable::Terminals, one);
    options.inputs.push(two);
    let Err(RegistryError::BadRows(report)) = load(&options, now()).await else {
        panic!("an id is there twice")
    };
    assert_eq!((report.rows_bad, report.faults[0].line), (1, 3));
    assert!(report.faults[0].file.ends_with("two.csv"));
    assert!(report.faults[0].reason.contains("one.csv:2"));
}

#[tokio::test]
async fn ids_and_dates_have_one_spelling_whatever_wrote_the_file() {
    let lake = TestLake::new();
    let csv = "\u{feff}terminal_id;heartbeat_interval_s;installed_on;model\r\n\
        10023.0;3600.0;2026-01-05 00:00:00; A920 Pro\u{a0}\r\n\u{3000}T4\u{200b};;;2.0\r\n";
    let file = lake.file("terminals.csv", csv);
    lake.load(RegistryTable::Terminals, file)
        .await
        .expect("the file is good");
    let rows = lake.rows(RegistryTable::Terminals).await;
    assert_eq!(texts(&rows, "terminal_id"), ["10023", "T4"]);
    assert_eq!(texts(&rows, "model"), ["A920 Pro", "2.0"]);
    let installed = rows["installed_on"].as_primitive::<Date32Type>();
    assert_eq!(installed.value(0), 20_458);

    let ids = arrow::array::Float64Array::from(vec![10_023.0, 10_024.0]);
    let index = arrow::array::Int64Array::from(vec![0, 1]);
    let batch = RecordBatch::try_from_iter([
        (
            "terminal_id",
            std::sync::Arc::new(ids) as arrow::array::ArrayRef,
        ),
        ("__index_level_0__", std::sync::Arc::new(index)),
    ])
    .expect("columns of one length");
    let writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None);
    let mut writer = writer.expect("the schema can be written");
    writer.write(&batch).expect("memory can be written");
    let file = lake.file("t.parquet", writer.into_inner().expect("written"));
    lake.load(RegistryTable::Terminals, file)
        .await
        .expect("the file is good");
    assert_eq!(lake.ids(RegistryTable::Terminals).await, ["10023", "10024"]);
}

#[tokio::test]
async fn what_a_spreadsheet_changed_and_what_nobody_sees_is_told() {
    let lake = TestLake::new();
    let csv = "terminal_id,serial_number,installed_on\n8.6012E+14,1.14002E+11,05.01.2026\n\
        \"=\"\"00123\"\"\",'00456,2026-01-05 08:00:00\nT\u{200b}1,,\nT1,,\nT1\u{a0},,\n";
    let file = lake.file("terminals.csv", csv);
    let Err(RegistryError::BadRows(report)) = lake.load(RegistryTable::Terminals, file).await
    else {
        panic!("rows are bad")
    };
    let last = report.faults.last().expect("there are faults");
    assert_eq!(last.line, 6);
    assert!(last.reason.contains("terminals.csv:5"), "{last}");
    let told: Vec<(u64, &str, &str)> = report.faults[..report.faults.len() - 1]
        .iter()
        .map(|fault| {
            let reason = fault.reason.split([':', ',', '(']).next();
            (
                fault.line,
                fault.column.as_str(),
                reason.unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (2, "terminal_id", "has an exponent"),
            (2, "serial_number", "has an exponent"),
            (2, "installed_on", "is a date with the year last"),
            (3, "terminal_id", "is marked as text for a spreadsheet "),
            (3, "serial_number", "is marked as text for a spreadsheet "),
            (3, "installed_on", "has a time of day"),
            (4, "terminal_id", "holds an invisible character"),
        ]
    );
    let nowhere = lake.file("t.csv", "terminal_id,lat,lon,datum\nT1,0,0.0,WGS84\n");
    let error = lake.load(RegistryTable::Terminals, nowhere).await;
    let told = error.expect_err("no terminal stands there").to_string();
    assert!(
        told.contains("t.csv:2: lat \"0\": is 0 beside lon 0"),
        "{told}"
    );
    let latin1 = lake.file("m.csv", b"merchant_id,name\nM1,Caf\xe9\n");
    let error = lake.load(RegistryTable::Merchants, latin1).await;
    let told = error.expect_err("the row is bad").to_string();
    assert!(
        told.contains("m.csv:2: row is not UTF-8: byte E9 is 'é' in Latin-1"),
        "{told}"
    );
    let quoted = lake.file(
        "m.csv",
        "merchant_id,name\nM1,\"Kiosk\nam Markt\"\nM2,Bar\n",
    );
    let loaded = lake.load(RegistryTable::Merchants, quoted).await;
    assert_eq!(loaded.expect("a value may span lines").rows_loaded, 2);
}
