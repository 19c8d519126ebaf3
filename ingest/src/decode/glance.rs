//! A first look at a message: what decides where its row will lie, found without decoding the rest. It
//! is a hint, nothing is refused by it: a message it cannot read is decoded and judged as any other.

use schemas::contract::{ContractField, FieldKind};
use schemas::{Datum, EventKind};

use super::avro;
use super::direct_avro::Body;
use super::direct_json::Text;
use super::schema_ids::SchemaIds;
use crate::validate::places::Declared;

/// What decides where a row lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Glance<'a> {
    pub(crate) terminal: &'a [u8],
    pub(crate) event_time_ms: i64,
    /// Where all of it is known.
    pub(crate) position: Option<Declared>,
}

/// The fields looked for; the last of them, in the order of every contract, is `datum`.
#[derive(Debug, Default)]
struct Seen<'a> {
    terminal: Option<&'a [u8]>,
    event_time_ms: Option<i64>,
    lat: Option<f64>,
    lon: Option<f64>,
    datum: Option<Datum>,
}

impl<'a> Seen<'a> {
    fn glance(self) -> Option<Glance<'a>> {
        let position = (self.datum, self.lat, self.lon);
        Some(Glance {
            terminal: self.terminal?,
            event_time_ms: self.event_time_ms?,
            position: match position {
                (Some(datum), Some(lat), Some(lon)) => Some(Declared { datum, lat, lon }),
                _ => None,
            },
        })
    }
}

fn datum(text: &[u8]) -> Option<Datum> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Looks at a JSON object whose fields stand in the order of the contract.
pub(crate) fn json(payload: &[u8]) -> Option<Glance<'_>> {
    let mut text = Text(payload);
    let mut seen = Seen::default();
    text.skip_space();
    text.expect(b'{')?;
    loop {
        text.skip_space();
        let Some(key) = text.string() else { break };
        text.skip_space();
        text.expect(b':')?;
        text.skip_space();
        match key {
            b"terminal_id" => seen.terminal = Some(text.string()?),
            b"event_time" => seen.event_time_ms = Some(text.time_ms()?),
            b"lat" => seen.lat = text.number_or_null()?,
            b"lon" => seen.lon = text.number_or_null()?,
            b"datum" => {
                seen.datum = text.string().and_then(datum);
                break;
            }
            // What is not skipped lies behind all that is looked for.
            _ if text.skip_scalar().is_none() => break,
            _ => {}
        }
        text.skip_space();
        if !text.take(b',') {
            break;
        }
    }
    seen.glance()
}

/// Looks at an Avro message of the contract's schema.
pub(crate) fn avro<'a>(kind: EventKind, ids: &SchemaIds, payload: &'a [u8]) -> Option<Glance<'a>> {
    let is_contract = ids.is_contract(kind, avro::schema_id(payload)?);
    is_contract.then(|| body(&kind.contract().fields, &payload[avro::FRAME_BYTES..]))?
}

fn body<'a>(fields: &[ContractField], bytes: &'a [u8]) -> Option<Glance<'a>> {
    let mut body = Body(bytes);
    let mut seen = Seen::default();
    for field in fields {
        if field.nullable && body.byte()? == 0 {
            if field.name == "datum" {
                break;
            }
            continue;
        }
        match (&field.kind, field.name.as_str()) {
            (FieldKind::Text, "terminal_id") => seen.terminal = Some(body.text()?),
            (FieldKind::Text, "datum") => {
                seen.datum = datum(body.text()?);
                break;
            }
            (FieldKind::Text, _) => drop(body.text()?),
            (FieldKind::TimestampMillis, "event_time") => seen.event_time_ms = Some(body.long()?),
            (FieldKind::Double, "lat") => seen.lat = Some(f64::from_le_bytes(body.bytes()?)),
            (FieldKind::Double, "lon") => seen.lon = Some(f64::from_le_bytes(body.bytes()?)),
            (FieldKind::Int | FieldKind::Long | FieldKind::TimestampMillis, _) => {
                body.long()?;
            }
            (FieldKind::Boolean, _) => drop(body.byte()?),
            (FieldKind::Float, _) => drop(body.bytes::<4>()?),
            (FieldKind::Double, _) => drop(body.bytes::<8>()?),
            (FieldKind::Records(_), _) => break,
        }
    }
    seen.glance()
}
