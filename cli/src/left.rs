//! Work that a signal ends where it stands: owns how a command leaves what cannot be waited for.

use std::time::Duration;

use analytics::analyze::Stop;
use tokio::sync::oneshot;

use crate::interrupt::Interrupt;
use crate::{STACK_BYTES, runtime};

/// Time that work has to end after a signal: queries and steps end within it, and what does not is
/// left to the end of the process. Tables only change by whole commits, so nothing is left half done.
const GRACE: Duration = Duration::from_millis(500);

/// Runs work until it is done; `None` when a signal came first.
///
/// It runs on a thread of its own, because long computations let nobody on theirs look at a signal.
pub fn until_stopped<T: Send + 'static, F: Future<Output = anyhow::Result<T>>>(
    work: impl FnOnce() -> F + Send + 'static,
    interrupt: &Interrupt,
    stop: &Stop,
) -> anyhow::Result<Option<T>> {
    let runtime = runtime()?;
    let (send, ended) = oneshot::channel();
    let handle = runtime.handle().clone();
    // Nobody waits for the thread after a signal: the process ends, and with it the thread.
    let worker = std::thread::Builder::new()
        .name("work".into())
        .stack_size(STACK_BYTES)
        .spawn(move || send.send(handle.block_on(work())))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = ended => Some(ended),
            () = interrupt.raised() => None,
        }
    });
    match ended {
        Some(Ok(ended)) => ended.map(Some),
        // It panicked, and said so.
        Some(Err(_)) => {
            let panic = worker.join().err();
            std::panic::resume_unwind(panic.expect("what was not sent ended in a panic"))
        }
        None => {
            stop.request();
            // Threads that are left alone may find their partners gone; that is no news.
            std::panic::set_hook(Box::new(|_| {}));
            runtime.shutdown_timeout(GRACE);
            Ok(None)
        }
    }
}
