//! Where produced events go: the arguments `simulate` and `replay` share, and the sink they stand for.

use std::path::PathBuf;

use arrow::record_batch::RecordBatch;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use schemas::EventKind;
use simulator::publish::{
    Encoding, EventSink, FileCompression, FileSink, FileSinkConfig, KafkaSink, KafkaSinkConfig,
    NullSink, PublishError, PublishSummary, SchemaIds, register_contracts,
};

use crate::environment;
use crate::exit::UsageError;
use crate::interrupt::Interrupt;
use crate::output::local_path;
use crate::runtime;

/// Where events go and in which encoding.
#[derive(Debug, Args)]
pub struct DestinationArgs {
    /// The place.
    #[command(flatten)]
    place: Place,
    /// Encoding of the messages
    #[arg(long, default_value = "json", value_parser = encodings())]
    encoding: Encoding,
    /// Schema registry the contracts are registered at, for Avro; the embedded ids when not given
    #[arg(long, value_name = "URL")]
    schema_registry: Option<String>,
    /// A property of the Kafka client, such as security.protocol=SASL_SSL; a secret is better kept in the
    /// environment, sasl.password as NOTSPOT_KAFKA_SASL_PASSWORD
    #[arg(long = "kafka", value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Compress the files with zstd
    #[arg(long, requires = "output")]
    compress: bool,
}

/// One place at most; `--list` and `--show` need none.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Place {
    /// Publish to Kafka at these brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// Write files of messages to this folder, one a topic
    #[arg(long, short, value_name = "FOLDER", value_parser = local_path())]
    output: Option<PathBuf>,
    /// Encode nothing and only count
    #[arg(long)]
    discard: bool,
}

/// Lets the names of encodings through.
pub fn encodings() -> impl TypedValueParser<Value = Encoding> {
    PossibleValuesParser::new(["json", "avro"]).map(|name| {
        name.parse()
            .expect("only names of encodings are let through")
    })
}

/// Reads `KEY=VALUE`.
pub fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Returns the Kafka client's properties: those of the environment, then those of the command line.
///
/// `NOTSPOT_KAFKA_SASL_PASSWORD` is `sasl.password`: no property of the client has an underscore.
pub fn client_properties(
    environment: impl IntoIterator<Item = (String, String)>,
    options: &[(String, String)],
) -> Vec<(String, String)> {
    let of_environment = environment.into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("NOTSPOT_KAFKA_")?;
        Some((name.to_ascii_lowercase().replace('_', "."), value))
    });
    of_environment.chain(options.iter().cloned()).collect()
}

impl DestinationArgs {
    /// Opens the place; what goes there stops with the interrupt.
    ///
    /// # Errors
    /// When no place was given, or broker, topics, registry or folder cannot be used.
    pub fn open(&self, interrupt: &Interrupt) -> anyhow::Result<Stoppable> {
        let sink: Box<dyn EventSink> = match (&self.place.brokers, &self.place.output) {
            (Some(brokers), _) => Box::new(KafkaSink::connect(&KafkaSinkConfig {
                brokers: brokers.clone(),
                encoding: self.encoding,
                schema_ids: self.schema_ids()?,
                properties: client_properties(environment::variables(), &self.properties),
            })?),
            (None, Some(folder)) => Box::new(FileSink::create(&FileSinkConfig {
                folder: folder.clone(),
                encoding: self.encoding,
                schema_ids: self.schema_ids()?,
                compression: if self.compress {
                    FileCompression::Zstd
                } else {
                    FileCompression::None
                },
            })?),
            (None, None) if self.place.discard => Box::new(NullSink::default()),
            (None, None) => {
                let needed = "one of --brokers, --output and --discard is needed";
                return Err(UsageError(needed.into()).into());
            }
        };
        Ok(Stoppable {
            sink,
            interrupt: interrupt.clone(),
        })
    }

    fn schema_ids(&self) -> anyhow::Result<SchemaIds> {
        match (&self.schema_registry, self.encoding) {
            (None, _) => Ok(SchemaIds::embedded()),
            (Some(url), Encoding::Avro) => Ok(runtime()?.block_on(register_contracts(url))?),
            (Some(_), Encoding::Json) => Err(UsageError(
                "--schema-registry is for --encoding avro: JSON carries no schema id".into(),
            )
            .into()),
        }
    }
}

/// A sink that takes nothing more once a signal asked for a stop.
pub struct Stoppable {
    sink: Box<dyn EventSink>,
    interrupt: Interrupt,
}

impl EventSink for Stoppable {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        if self.interrupt.is_raised() {
            // What was taken before is delivered; the run itself ends here.
            self.sink.finish()?;
            return Err(PublishError::Stopped("by a signal".into()));
        }
        self.sink.send(kind, batch)
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        self.sink.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_the_command_line_win_over_the_environment() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let environment = [
            pair("NOTSPOT_KAFKA_SASL_PASSWORD", "secret"),
            pair("HOME", "/"),
        ];
        let options = [pair("sasl.password", "other")];
        assert_eq!(
            client_properties(environment, &options),
            [
                pair("sasl.password", "secret"),
                pair("sasl.password", "other")
            ]
        );
    }
}
