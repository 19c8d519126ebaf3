//! Reads the Avro contracts: owns what a field of an event is called, means and may hold.
//! Knows nothing of payloads; the ingester decodes, this module only says into what.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

/// One event's contract: its Avro text and the fields read from it.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Record name, such as `Heartbeat`.
    pub name: String,
    /// What one event is.
    pub doc: String,
    /// The Avro schema as registered, byte for byte the file under `schemas/contracts`.
    pub avro: &'static str,
    /// The fields, in the order of the schema.
    pub fields: Vec<ContractField>,
}

/// One field of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractField {
    /// Name, the same in Avro, JSON, Arrow and SQL.
    pub name: String,
    /// What it holds.
    pub doc: String,
    /// Unit of the value; `none` for text and identifiers.
    pub unit: String,
    /// Smallest and largest valid value, each open when `None`.
    pub range: (Option<f64>, Option<f64>),
    /// Type on the wire.
    pub kind: FieldKind,
    /// Whether the value may be null or missing.
    pub nullable: bool,
    /// The closed set of values of an enumeration; empty for other fields.
    pub symbols: Vec<String>,
    /// Regular expression every value matches, where there is one.
    pub pattern: Option<String>,
}

/// Type of a field on the wire.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// UTF-8 text.
    Text,
    /// Truth value.
    Boolean,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// Milliseconds since the Unix epoch, UTC.
    TimestampMillis,
    /// A list of records.
    Records(Vec<ContractField>),
}

#[derive(Deserialize)]
struct AvroRecord {
    name: String,
    doc: String,
    fields: Vec<AvroField>,
}

#[derive(Deserialize)]
struct AvroField {
    name: String,
    #[serde(rename = "type")]
    kind: Value,
    doc: String,
    unit: String,
    range: Option<(Option<f64>, Option<f64>)>,
    #[serde(default)]
    symbols: Vec<String>,
    pattern: Option<String>,
}

impl Contract {
    /// Reads a contract embedded in this crate.
    ///
    /// # Panics
    /// When the file under `schemas/contracts` is not a contract; a test reads them all.
    pub(crate) fn embedded(avro: &'static str) -> Self {
        let record: AvroRecord =
            serde_json::from_str(avro).expect("embedded contracts are valid Avro records");
        Self {
            name: record.name,
            doc: record.doc,
            avro,
            fields: record.fields.into_iter().map(ContractField::from).collect(),
        }
    }

    /// Looks a field up by name.
    pub fn field(&self, name: &str) -> Option<&ContractField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns the Arrow schema a decoded batch of these events has.
    pub fn wire_schema(&self) -> SchemaRef {
        let fields: Fields = self.fields.iter().map(ContractField::arrow).collect();
        Arc::new(Schema::new(fields))
    }
}

impl ContractField {
    /// Returns the Arrow field of the wire schema.
    pub fn arrow(&self) -> Field {
        Field::new(&self.name, self.kind.arrow(), self.nullable)
    }
}

impl FieldKind {
    fn arrow(&self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::TimestampMillis => {
                DataType::Timestamp(TimeUnit::Millisecond, Some(crate::UTC.into()))
            }
            Self::Records(fields) => {
                let fields: Fields = fields.iter().map(ContractField::arrow).collect();
                DataType::List(Arc::new(Field::new(
                    LIST_ITEM,
                    DataType::Struct(fields),
                    false,
                )))
            }
        }
    }

    fn read(kind: &Value) -> Self {
        let name = kind.as_str().or_else(|| kind["type"].as_str());
        match name.expect("an Avro type has a name") {
            "string" => Self::Text,
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "long" if kind["logicalType"] == "timestamp-millis" => Self::TimestampMillis,
            "long" => Self::Long,
            "float" => Self::Float,
            "double" => Self::Double,
            "array" => {
                let record: AvroRecord = serde_json::from_value(kind["items"].clone())
                    .expect("lists in contracts hold records");
                Self::Records(record.fields.into_iter().map(ContractField::from).collect())
            }
            other => panic!("type {other} is not used in contracts"),
        }
    }
}

/// Name of a list's item field, as Delta's readers and writers call it.
const LIST_ITEM: &str = "element";

impl From<AvroField> for ContractField {
    fn from(field: AvroField) -> Self {
        let nullable = field.kind.is_array();
        let kind = match &field.kind {
            Value::Array(union) => FieldKind::read(&union[1]),
            plain => FieldKind::read(plain),
        };
        Self {
            name: field.name,
            doc: field.doc,
            unit: field.unit,
            range: field.range.unwrap_or_default(),
            kind,
            nullable,
            symbols: field.symbols,
            pattern: field.pattern,
        }
    }
}
