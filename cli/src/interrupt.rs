//! Ctrl-C and SIGTERM: the first asks for a clean stop, the second ends the process at once.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;

/// Knows whether a signal asked for a stop; clones know the same.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// Starts to listen, on a thread of its own.
    ///
    /// # Errors
    /// When the system lets no signal be listened to.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self(Arc::new(watch::channel(false).0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let raise = interrupt.clone();
        // Lives as long as the process; nothing is to be cleaned up there.
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || runtime.block_on(forward(&raise)))?;
        Ok(interrupt)
    }

    /// Tells whether a stop was asked for.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a stop is asked for.
    pub async fn raised(&self) {
        let mut raised = self.0.subscribe();
        let waited = raised.wait_for(|raised| *raised).await;
        waited.expect("the sender lives in self");
    }

    /// Takes the stop as answered, as a shell does that only stops a query.
    pub fn answer(&self) {
        self.0.send_replace(false);
    }

    fn raise(&self) {
        if self.0.send_replace(true) {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        tracing::info!("stopping, once more to stop at once");
    }
}

async fn forward(interrupt: &Interrupt) {
    let listening = signal(SignalKind::interrupt())
        .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    let (mut key, mut terminate) = match listening {
        Ok(streams) => streams,
        Err(error) => {
            tracing::warn!(%error, "signals cannot be listened to, a stop will not be clean");
            return;
        }
    };
    loop {
        tokio::select! {
            _ = key.recv() => interrupt.raise(),
            _ = terminate.recv() => interrupt.raise(),
        }
    }
}
