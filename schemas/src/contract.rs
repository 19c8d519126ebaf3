//! Reads the Avro contracts: owns what a field of an event is called, means and may hold.
//! Knows nothing of payloads; the ingester decodes, this module only says into what.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

use crate::ids::{self, Plmn};

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
    /// Form every value has, where there is one.
    pub pattern: Option<Pattern>,
}

/// Most characters of a text that has no form of its own.
pub const TEXT_CHARS_MAX: usize = 256;

/// Form of a text, which its contract spells as a regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// An id: 1 to 64 characters, all of them visible.
    Id,
    /// A UUID in either case.
    Uuid,
    /// A network code, MCC-MNC.
    Plmn,
    /// A hash in lower-case hex.
    Hash,
}

impl Pattern {
    const ALL: [Self; 4] = [Self::Id, Self::Uuid, Self::Plmn, Self::Hash];

    /// Returns the regular expression, as contracts spell it.
    pub const fn regex(self) -> &'static str {
        match self {
            Self::Id => "^.{1,64}$",
            Self::Uuid => {
                "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
            }
            Self::Plmn => "^[0-9]{3}-[0-9]{2,3}$",
            Self::Hash => "^[0-9a-f]{16,64}$",
        }
    }

    /// Tells whether a text is of the form. An id with a character nobody sees is none, for it looks
    /// like another.
    ///
    /// ```
    /// use schemas::contract::Pattern;
    /// assert!(Pattern::Plmn.matches("460-00"));
    /// assert!(!Pattern::Plmn.matches("460-0"));
    /// ```
    pub fn matches(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Id => ids::check_id(text).is_ok(),
            Self::Uuid => {
                bytes.len() == UUID_CHARS
                    && bytes.iter().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
            Self::Plmn => Plmn::is_valid(text),
            Self::Hash => {
                (16..=64).contains(&bytes.len())
                    && bytes
                        .iter()
                        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }
        }
    }

    fn of(regex: &str) -> Self {
        let is_it = |pattern: &Self| pattern.regex() == regex;
        let found = Self::ALL.into_iter().find(is_it);
        found.unwrap_or_else(|| panic!("pattern {regex} is not used in contracts"))
    }
}

const UUID_CHARS: usize = 36;

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
    /// Tells whether a text is of the field's form: one of its words, its pattern, or of bounded length on
    /// one line.
    pub fn holds(&self, text: &str) -> bool {
        match self.pattern {
            Some(pattern) => pattern.matches(text),
            None if !self.symbols.is_empty() => self.symbols.iter().any(|symbol| symbol == text),
            None => {
                (text.len() <= TEXT_CHARS_MAX || text.chars().count() <= TEXT_CHARS_MAX)
                    && !text.chars().any(char::is_control)
            }
        }
    }

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
            pattern: field.pattern.as_deref().map(Pattern::of),
        }
    }
}
