//! `notspot schema`: the contracts of the events, for those who produce them.

use std::io::Write;

use clap::{Args, ValueEnum};
use schemas::{EventKind, contract::ContractField};

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  notspot schema                          the fields of every event, with unit and range
  notspot schema decline --form avro      what a schema registry gets
  notspot schema signal --form json-schema > signal.schema.json";

/// Arguments of `notspot schema`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SchemaArgs {
    /// The event: heartbeat, signal or decline; all of them when not given
    event: Option<EventKind>,
    /// Form of the contract
    #[arg(long, value_enum, default_value_t = Form::Fields)]
    form: Form,
}

/// Form of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A list for people
    Fields,
    /// The Avro schema
    Avro,
    /// The JSON Schema
    JsonSchema,
}

/// Prints the contracts.
pub fn run(args: &SchemaArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    for kind in EventKind::ALL {
        if args.event.is_none_or(|wanted| wanted == kind) {
            print(kind, args.form, out)?;
        }
    }
    Ok(Exit::Done)
}

fn print(kind: EventKind, form: Form, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    match form {
        Form::Fields => print_fields(kind, out)?,
        Form::Avro => writeln!(out, "{}", kind.contract().avro.trim_end())?,
        Form::JsonSchema => {
            let text = schemas::json_schema::json_schema_text(kind.contract());
            writeln!(out, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

fn print_fields(kind: EventKind, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
    let contract = kind.contract();
    writeln!(
        out,
        "{} · topic {} · subject {}",
        contract.name,
        kind.topic(),
        kind.subject()
    )?;
    writeln!(out, "{}\n", contract.doc)?;
    for field in &contract.fields {
        let required = if field.nullable { "" } else { " (required)" };
        writeln!(out, "  {}{required}", field.name)?;
        writeln!(out, "      {}{}", field.doc, limits(field))?;
    }
    writeln!(out)
}

/// Unit, range and closed set of values, as far as the field has them.
fn limits(field: &ContractField) -> String {
    let mut text = String::new();
    if field.unit != "none" {
        text.push_str(&format!(" [{}]", field.unit));
    }
    match field.range {
        (Some(low), Some(high)) => text.push_str(&format!(" {low} to {high}.")),
        (Some(low), None) => text.push_str(&format!(" From {low} on.")),
        (None, Some(high)) => text.push_str(&format!(" Up to {high}.")),
        (None, None) => {}
    }
    if !field.symbols.is_empty() {
        text.push_str(&format!(" One of {}.", field.symbols.join(", ")));
    }
    text
}
