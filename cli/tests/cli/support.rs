//! Runs the program in an environment of its own, and the small demo once for all tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Returns the standard output of a run that must have done its work.
    pub fn done(self) -> String {
        assert_eq!(
            self.code, 0,
            "stderr: {}\nstdout: {}",
            self.stderr, self.stdout
        );
        self.stdout
    }
}

/// Returns the program with these arguments, without the caller's settings.
pub fn notspot(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notspot"));
    command.args(arguments).env_clear().env("COLUMNS", "100");
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test needs its PATH and HOME"
    )]
    for kept in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Ran {
    Ran::of(notspot(arguments).output().expect("the program starts"))
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ran {
    Ran::of(command.output().expect("the program starts"))
}

/// A demo on a small setting, made once for every test that looks at one.
pub struct Demo {
    folder: tempfile::TempDir,
    pub screen: String,
}

impl Demo {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }

    pub fn lake(&self) -> String {
        self.path("lake").display().to_string()
    }
}

pub fn demo() -> &'static Demo {
    static DEMO: LazyLock<Demo> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("demo");
        let screen = run(&[
            "demo",
            "--quick",
            "--end",
            "2026-11-24",
            "--out",
            text(&out),
        ])
        .done();
        Demo { folder, screen }
    });
    &DEMO
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}
