//! Messages in files: one file a topic, for transport by hand and for looking at.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use schemas::EventKind;
use zstd::stream::write::Encoder as ZstdWriter;

use super::{Encoding, EventSink, MessageEncoder, PublishError, PublishSummary, SchemaIds};

/// Whether the files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCompression {
    /// As they are.
    None,
    /// Zstandard, `.zst` behind the name.
    Zstd,
}

/// Where and how [`FileSink`] writes.
#[derive(Debug, Clone)]
pub struct FileSinkConfig {
    /// Folder the files go to; made when missing, files of the same name are replaced.
    pub folder: PathBuf,
    /// JSON gives lines in `<topic>.ndjson`; Avro gives `<topic>.avro-messages`, each message
    /// after its length as 4 bytes, big-endian.
    pub encoding: Encoding,
    /// Ids in the framing of Avro messages.
    pub schema_ids: SchemaIds,
    /// Compression of each file as a whole.
    pub compression: FileCompression,
}

/// Writes messages to one file a topic.
pub struct FileSink {
    outputs: [Output; 3],
    encoders: [MessageEncoder; 3],
    encoding: Encoding,
    summary: PublishSummary,
}

struct Output {
    path: PathBuf,
    writer: Option<Writer>,
}

enum Writer {
    Plain(BufWriter<File>),
    Zstd(Box<ZstdWriter<'static, BufWriter<File>>>),
}

impl FileSink {
    /// Creates the folder and its files.
    ///
    /// # Errors
    /// When one cannot be created.
    pub fn create(config: &FileSinkConfig) -> Result<Self, PublishError> {
        fs::create_dir_all(&config.folder).map_err(|source| PublishError::File {
            path: config.folder.clone(),
            source,
        })?;
        let [heartbeat, signal, decline] = EventKind::ALL;
        Ok(Self {
            outputs: [
                Output::create(config, heartbeat)?,
                Output::create(config, signal)?,
                Output::create(config, decline)?,
            ],
            encoders: MessageEncoder::for_all(config.encoding, config.schema_ids)?,
            encoding: config.encoding,
            summary: PublishSummary::default(),
        })
    }
}

impl EventSink for FileSink {
    fn send(&mut self, kind: EventKind, batch: &RecordBatch) -> Result<(), PublishError> {
        let messages = self.encoders[kind as usize].encode(batch)?;
        let output = &mut self.outputs[kind as usize];
        for payload in messages.iter() {
            let written = match self.encoding {
                Encoding::Json => output.write_line(payload),
                Encoding::Avro => output.write_prefixed(payload),
            };
            written.map_err(|source| output.error(source))?;
        }
        self.summary
            .add(kind, messages.len(), messages.payload_bytes());
        Ok(())
    }

    fn finish(&mut self) -> Result<PublishSummary, PublishError> {
        for output in &mut self.outputs {
            output.close().map_err(|source| output.error(source))?;
        }
        Ok(self.summary)
    }
}

impl Output {
    fn create(config: &FileSinkConfig, kind: EventKind) -> Result<Self, PublishError> {
        let path = config.folder.join(file_name(kind, config));
        let writer = Writer::create(&path, config.compression);
        match writer {
            Ok(writer) => Ok(Self {
                path,
                writer: Some(writer),
            }),
            Err(source) => Err(PublishError::File { path, source }),
        }
    }

    fn write_line(&mut self, payload: &[u8]) -> io::Result<()> {
        let writer = self.open()?;
        writer.write_all(payload)?;
        writer.write_all(b"\n")
    }

    fn write_prefixed(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let writer = self.open()?;
        writer.write_all(&length.to_be_bytes())?;
        writer.write_all(payload)
    }

    fn open(&mut self) -> io::Result<&mut Writer> {
        let closed = || io::Error::other("the sink is finished");
        self.writer.as_mut().ok_or_else(closed)
    }

    fn close(&mut self) -> io::Result<()> {
        match self.writer.take() {
            None => Ok(()),
            Some(Writer::Plain(mut file)) => file.flush(),
            Some(Writer::Zstd(zstd)) => zstd.finish()?.flush(),
        }
    }

    fn error(&self, source: io::Error) -> PublishError {
        PublishError::File {
            path: self.path.clone(),
            source,
        }
    }
}

impl Writer {
    fn create(path: &Path, compression: FileCompression) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        Ok(match compression {
            FileCompression::None => Self::Plain(file),
            FileCompression::Zstd => Self::Zstd(Box::new(ZstdWriter::new(file, 3)?)),
        })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(zstd) => zstd.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(zstd) => zstd.flush(),
        }
    }
}

fn file_name(kind: EventKind, config: &FileSinkConfig) -> String {
    let extension = match config.encoding {
        Encoding::Json => "ndjson",
        Encoding::Avro => "avro-messages",
    };
    match config.compression {
        FileCompression::None => format!("{}.{extension}", kind.topic()),
        FileCompression::Zstd => format!("{}.{extension}.zst", kind.topic()),
    }
}
