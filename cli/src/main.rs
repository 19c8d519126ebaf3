//! The `notspot` program: reads arguments, clock, environment and signals, and hands them to the libraries.
//!
//! One file a command. Results go to standard output, logs and progress to standard error.

mod analyze;
mod args;
mod audit;
mod clock;
mod completions;
mod demo;
mod destination;
mod environment;
mod exit;
mod ingest;
mod interrupt;
mod intervention;
mod lake;
mod left;
mod logging;
mod maintain;
mod output;
mod predicate;
mod progress;
mod quarantine;
mod registry;
mod replay;
mod report;
mod schema;
mod simulate;
mod sql;
mod stat;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::StandardOutput;

/// The system's allocator keeps what other threads gave back: the roll-up of a day would stay half of the
/// memory of everything after it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(&cli, &mut StandardOutput::default()).into()
}

fn run(cli: &Cli, out: &mut StandardOutput) -> Exit {
    let interrupt = match start(cli) {
        Ok(interrupt) => interrupt,
        Err(error) => return fail(&error),
    };
    let ended = dispatch(&cli.command, out, &interrupt).and_then(|exit| Ok((exit, out.flush()?)));
    match ended {
        Ok((exit, ())) => exit,
        Err(_) if out.is_closed() => Exit::Done,
        Err(_) if interrupt.is_raised() => Exit::Interrupted,
        Err(error) => fail(&error),
    }
}

fn start(cli: &Cli) -> anyhow::Result<Interrupt> {
    cli.log.start(cli.command.usual_log())?;
    Interrupt::listen().context("cannot listen to signals")
}

fn dispatch(
    command: &Command,
    out: &mut (dyn Write + Send),
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args, out, interrupt),
        Command::Simulate(args) => simulate::run(args, out, interrupt),
        Command::Replay(args) => replay::run(args, out, interrupt),
        Command::Registry(command) => registry::run(command, out),
        Command::Ingest(args) => ingest::run(args, out, interrupt),
        Command::Maintain(args) => maintain::run(args, out, interrupt),
        Command::Audit(args) => audit::run(args, out, interrupt),
        Command::Quarantine(command) => quarantine::run(command, out, interrupt),
        Command::Sql(args) => sql::run(args, out, interrupt),
        Command::Report(args) => report::run(args, out, interrupt),
        Command::Analyze(args) => analyze::run(args, out, interrupt),
        Command::Intervention(command) => intervention::run(command, out),
        Command::Stat(command) => stat::run(command, out, interrupt),
        Command::Schema(args) => schema::run(args, out),
        Command::Completions(args) => completions::run(args, out),
    }
}

/// Says on stderr what went wrong, causes and all, and returns the exit code.
fn fail(error: &anyhow::Error) -> Exit {
    let text = sentence(error);
    let hint = hint(&text).map_or_else(String::new, |hint| format!("\n{hint}"));
    eprintln!("error: {text}{hint}");
    Exit::of(error)
}

/// What to do about a failure of which the text below ours does not tell the cause.
fn hint(text: &str) -> Option<&'static str> {
    const CAUSES: [(&str, &str); 2] = [
        (
            // Where a machine in a cloud is asked for credentials when none are given.
            "169.254.169.254",
            "No credentials for the bucket were given: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
             AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; AWS_ENDPOINT_URL names a store other than AWS's.",
        ),
        (
            "No space left on device",
            "The disk is full: what was not finished is not there; make room and run the same again.",
        ),
    ];
    let cause = CAUSES.iter().find(|(cause, _)| text.contains(cause));
    cause.map(|(_, hint)| *hint)
}

/// Joins an error with its causes, leaving out those its own text already repeats.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The log of a table is read by calls nested deeper than the 2 MiB of a thread always hold.
const STACK_BYTES: usize = 8 << 20;

/// Starts the runtime of commands that wait for files and networks.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .context("cannot start the runtime")
}
