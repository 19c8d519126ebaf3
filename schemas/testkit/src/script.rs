//! A service of `deploy/broker` as a child process: owns starting it, waiting for it and its end.
//!
//! Its script stops when our end of its standard input closes, so nothing outlives a test that
//! panics or is killed, and no test needs to clean up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::broker::temporary_folder;

/// Covers the first run on a machine, which downloads what the service is made of.
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(50);

/// A running script; dropping it stops the service.
#[derive(Debug)]
pub(crate) struct Script {
    child: Child,
    messages: PathBuf,
}

impl Script {
    /// Starts a service that keeps nothing when it ends, and returns it with what it says of where it is.
    pub(crate) fn serve(name: &str) -> Result<(Self, String)> {
        let folder = temporary_folder()?;
        let data = folder
            .to_str()
            .context("the temporary folder's name is not UTF-8")?;
        let mut script = Self::spawn(name, &["--data", data, "--remove-data"], &folder)?;
        let address = script.wait_for(&folder.join(name))?;
        Ok((script, address))
    }

    /// Runs a script of `deploy/broker`; what it complains about goes to `folder/script.log`.
    pub(crate) fn spawn(name: &str, arguments: &[&str], folder: &Path) -> Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../deploy/broker")
            .join(name);
        let messages = folder.join("script.log");
        let log = File::create(&messages)
            .with_context(|| format!("cannot create {}", messages.display()))?;
        let child = Command::new(&program)
            .args(arguments)
            .arg("--stop-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child, messages })
    }

    /// Waits until the service has written `file`, and returns its only line.
    pub(crate) fn wait_for(&mut self, file: &Path) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(text) = fs::read_to_string(file) {
                return Ok(text.trim().to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the service ended with {status} while starting: {}",
                    self.complaints()
                );
            }
            thread::sleep(POLL);
        }
        bail!(
            "the service did not start within {PATIENCE:?}: {}",
            self.complaints()
        )
    }

    /// Waits for the end of a script whose service has died.
    pub(crate) fn wait_for_end(mut self) -> Result<()> {
        // Waiting would close the pipe first, which tells the script to stop and clear up.
        let pipe = self.child.stdin.take();
        self.child.wait().context("cannot wait for the service")?;
        drop(pipe);
        Ok(())
    }

    fn complaints(&self) -> String {
        fs::read_to_string(&self.messages).unwrap_or_default()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nobody is left to hear of a failure; the script ends within a moment.
        let _ = self.child.wait();
    }
}
