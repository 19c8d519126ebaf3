//! Puts the commit into `notspot --version`.

use std::path::Path;
use std::process::Command;

fn main() {
    let version = env!("CARGO_PKG_VERSION");
    println!("cargo:rustc-env=NOTSPOT_VERSION={version} ({})", commit());
    // Only what would rebuild the program anyway, and a commit, so that the answer stays true without
    // a rebuild at every `git status`.
    for folder in ["../schemas", "../ingest", "../analytics", "src", "build.rs"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    for file in git(&["rev-parse", "--git-path", "HEAD"])
        .into_iter()
        .chain(head_branch())
    {
        if Path::new(&file).is_file() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
}

fn commit() -> String {
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown commit".into();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if !changes.is_empty() => format!("{commit}+dirty"),
        _ => commit,
    }
}

/// The file that changes with a commit; none on a detached head.
fn head_branch() -> Option<String> {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"])?;
    git(&["rev-parse", "--git-path", &branch])
}

/// Output of a git command; `None` without git, outside a clone, or when it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
