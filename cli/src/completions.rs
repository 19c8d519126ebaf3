//! `notspot completions`: a script that completes commands and options.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  notspot completions bash > ~/.local/share/bash-completion/completions/notspot
  notspot completions zsh > \"${fpath[1]}/_notspot\"
  notspot completions fish > ~/.config/fish/completions/notspot.fish";

/// Arguments of `notspot completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &CompletionsArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    // Generated in memory: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "notspot", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Done)
}
