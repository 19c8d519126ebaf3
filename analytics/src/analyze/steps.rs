//! How far an analysis is, and whether it is to go on: owns what is told of its steps.

use statistics::stop::{Stop, Stopped};

/// What an analysis is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Doing {
    /// The step, in words.
    pub step: String,
    /// Share of the steps that are done, 0 to 1.
    pub done: f64,
}

/// The steps of an analysis, one after the other.
pub(super) struct Steps<'a> {
    stop: &'a Stop,
    tell: &'a mut (dyn FnMut(&Doing) + Send),
    begun: usize,
    all: usize,
}

impl<'a> Steps<'a> {
    /// Expects so many steps.
    pub(super) fn new(
        all: usize,
        stop: &'a Stop,
        tell: &'a mut (dyn FnMut(&Doing) + Send),
    ) -> Self {
        Self {
            stop,
            tell,
            begun: 0,
            all,
        }
    }

    /// Begins the next step.
    ///
    /// # Errors
    /// When a stop was asked for.
    pub(super) fn next(&mut self, step: impl Into<String>) -> Result<(), Stopped> {
        self.say(step)?;
        self.begun += 1;
        Ok(())
    }

    /// Says more of the step that is under way.
    ///
    /// # Errors
    /// When a stop was asked for.
    pub(super) fn say(&mut self, step: impl Into<String>) -> Result<(), Stopped> {
        self.stop.check()?;
        (self.tell)(&Doing {
            step: step.into(),
            done: self.begun.min(self.all) as f64 / self.all.max(1) as f64,
        });
        Ok(())
    }

    /// Returns the flag, for methods that look at it themselves.
    pub(super) fn stop(&self) -> &'a Stop {
        self.stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_until_a_stop_is_asked_for() {
        let (stop, mut told) = (Stop::default(), Vec::new());
        let mut tell = |doing: &Doing| told.push(doing.clone());
        let mut steps = Steps::new(2, &stop, &mut tell);
        steps.next("one").expect("no stop");
        steps.next("two").expect("no stop");
        stop.request();
        assert_eq!(steps.next("three"), Err(Stopped));
        let told: Vec<_> = told.iter().map(|of| (&*of.step, of.done)).collect();
        assert_eq!(told, [("one", 0.0), ("two", 0.5)]);
    }
}
