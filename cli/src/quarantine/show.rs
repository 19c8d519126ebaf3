//! `notspot quarantine show`: one message, as it was kept.

use std::io::Write;

use analytics::Answer;
use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use clap::Args;

use crate::exit::{Exit, UsageError};
use crate::lake::LakeArgs;
use crate::predicate::quoted;
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  notspot quarantine show terminal.decline/3/1042
  notspot quarantine show terminal.decline/3/1042 --payload > message.bin

Where the payload is no text it is shown in hexadecimal. Card data was taken out before it was kept.";

/// Bytes in a line of a payload that is no text.
const LINE_BYTES: usize = 16;

/// Arguments of `notspot quarantine show`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// Topic, partition and offset of the message
    #[arg(value_name = "TOPIC/PARTITION/OFFSET", value_parser = read_place)]
    place: Place,
    /// Print the payload alone, byte by byte
    #[arg(long)]
    payload: bool,
    /// Which lake.
    #[command(flatten)]
    lake: LakeArgs,
}

/// Where a message lies in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

fn read_place(text: &str) -> Result<Place, String> {
    let read = || {
        let (rest, offset) = text.rsplit_once('/')?;
        let (topic, partition) = rest.rsplit_once('/')?;
        Some(Place {
            topic: topic.to_owned(),
            partition: partition.parse().ok()?,
            offset: offset.parse().ok()?,
        })
    };
    read().ok_or_else(|| "expected such as terminal.decline/3/1042".into())
}

pub(super) fn run(args: &ShowArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    let Place {
        topic,
        partition,
        offset,
    } = &args.place;
    let sql = format!(
        "select * from lake.quarantine where kafka_topic = {} and kafka_partition = {partition} \
         and kafka_offset = {offset} order by ingest_time",
        quoted(topic)
    );
    let found = async { Ok::<_, anyhow::Error>(args.lake.open().await?.collect(&sql).await?) };
    let Answer { batches, .. } = runtime()?.block_on(found)?;
    let mut rows = 0;
    for batch in &batches {
        for row in 0..batch.num_rows() {
            match args.payload {
                true => out.write_all(payload(batch, row)?.unwrap_or_default())?,
                false => show(batch, row, out)?,
            }
            rows += 1;
        }
    }
    if rows == 0 {
        return Err(UsageError(format!(
            "{topic}/{partition}/{offset} is not in the quarantine; see notspot quarantine list"
        ))
        .into());
    }
    Ok(Exit::Done)
}

fn payload(batch: &RecordBatch, row: usize) -> anyhow::Result<Option<&[u8]>> {
    let column = batch.column_by_name("payload").context("no payload")?;
    let value = |column: &dyn Array| column.is_valid(row);
    let kept = value(column);
    Ok(match column.as_binary_opt::<i32>() {
        Some(bytes) => kept.then(|| bytes.value(row)),
        None => kept.then(|| column.as_binary_view().value(row)),
    })
}

fn show(batch: &RecordBatch, row: usize, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.name() != "payload" && column.is_valid(row) {
            let value = array_value_to_string(column, row)?;
            writeln!(out, "{:<18}  {value}", field.name())?;
        }
    }
    match payload(batch, row)? {
        None => writeln!(out, "payload             not kept")?,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(is_no_text) => writeln!(out, "payload             {text}")?,
            _ => {
                writeln!(out, "payload")?;
                for (line, bytes) in bytes.chunks(LINE_BYTES).enumerate() {
                    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    let shown: String = bytes.iter().map(|byte| printable(*byte)).collect();
                    let hex = hex.join(" ");
                    writeln!(out, "  {:08x}  {hex:<47}  {shown}", line * LINE_BYTES)?;
                }
            }
        },
    }
    Ok(())
}

/// Control characters would act on the terminal instead of being seen.
fn is_no_text(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}
