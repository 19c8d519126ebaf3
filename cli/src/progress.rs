//! Progress of long work on stderr: bars on a terminal, a log line every few seconds elsewhere.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::interrupt::Interrupt;

/// Time between two log lines of one piece of work.
const LOG_EVERY: Duration = Duration::from_secs(5);
/// Time between two looks at how far it is.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// Steps of a bar.
const STEPS: u64 = 1_000;

/// The bars on screen: one for the process, because log lines must step around them.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// One piece of long work.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Log(Mutex<Instant>),
}

impl Progress {
    /// Begins to show work of which the share done is known.
    pub fn begin(what: &'static str) -> Self {
        Self::new(
            what,
            "{prefix:>12} {bar:32.cyan/blue} {percent:>3} %  {msg}",
            Some(STEPS),
        )
    }

    /// Begins to show work without a known end.
    pub fn begin_open(what: &'static str) -> Self {
        Self::new(what, "{prefix:>12} {spinner} {msg}", None)
    }

    fn new(what: &'static str, template: &str, steps: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self {
                what,
                shown: Shown::Log(Mutex::new(Instant::now())),
            };
        }
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        let bar = steps.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let bar = SCREEN.add(bar.with_style(style).with_prefix(what));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            what,
            shown: Shown::Bar(bar),
        }
    }

    /// Shows how far the work is, a share of 0 to 1, and what there is to say.
    pub fn at(&self, done: f64, message: impl Into<Cow<'static, str>>) {
        let done = done.clamp(0.0, 1.0);
        match &self.shown {
            Shown::Bar(bar) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to STEPS"
                )]
                bar.set_position((done * STEPS as f64) as u64);
                bar.set_message(message);
            }
            Shown::Log(last) => log(self.what, last, || {
                format!("{:.0} %, {}", done * 100.0, message.into())
            }),
        }
    }

    /// Shows what there is to say of work without a known end.
    pub fn say(&self, message: impl Into<Cow<'static, str>>) {
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(message),
            Shown::Log(last) => log(self.what, last, || message.into().into_owned()),
        }
    }

    /// Takes the work off the screen.
    pub fn end(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
            SCREEN.remove(&bar);
        }
    }
}

/// Shows how far work is until it is done; `None` when a signal ended it where it stood.
pub async fn shown<T, E>(
    what: &'static str,
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T, E>>,
    show: impl Fn(&Progress),
) -> Result<Option<T>, E> {
    let progress = Progress::begin(what);
    let mut work = std::pin::pin!(work);
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    let result = loop {
        tokio::select! {
            result = &mut work => break result.map(Some),
            () = interrupt.raised() => break Ok(None),
            _ = ticks.tick() => show(&progress),
        }
    };
    progress.end();
    result
}

fn log(what: &str, last: &Mutex<Instant>, message: impl FnOnce() -> String) {
    let mut last = last.lock().expect("no thread panics with this lock");
    if last.elapsed() >= LOG_EVERY {
        *last = Instant::now();
        tracing::info!(work = what, state = message(), "progress");
    }
}

/// Writes log lines to stderr around the bars.
#[derive(Debug, Clone, Copy)]
pub struct BesideBars;

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SCREEN.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for BesideBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

/// Writes a number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
