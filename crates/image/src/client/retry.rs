//! What can be tried again, when, and how often. Decides; the waiting is the caller's.

use std::time::Duration;

use crate::error::Error;

/// How patient a pull is with a registry. The defaults suit people at a terminal: a wrong host name or port fails at
/// once, a registry that has answered before gets about a minute to come back.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Attempts at one request without progress, the first included.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one.
    pub first_delay: Duration,
    /// Longest wait between two attempts, also when the registry asks for more: then the pull fails and says so.
    pub longest_delay: Duration,
    /// For a connection to be there.
    pub connect: Duration,
    /// For an answer to begin, and between two pieces of it.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            idle: Duration::from_mins(1),
        }
    }
}

/// An error, and whether asking again can help.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) error: Error,
    pub(crate) again: Again,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// The same answer would come.
    Never,
    /// After the usual pause.
    Later,
    /// When the registry said.
    After(Duration),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, again: Again::Never }
    }
}

impl Fault {
    pub(crate) fn passing(error: Error) -> Self {
        Self { error, again: Again::Later }
    }
}

/// Counts failures in a row.
pub(crate) struct Attempts {
    patience: Patience,
    failed: u32,
}

impl Attempts {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, failed: 0 }
    }

    /// Something came of the last attempt.
    pub(crate) fn progress(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next attempt.
    ///
    /// # Errors
    /// The fault's own error when there is to be no other attempt.
    pub(crate) fn next(&mut self, fault: Fault) -> Result<(Duration, Error), Error> {
        self.failed += 1;
        let usual = self.patience.first_delay.saturating_mul(1 << (self.failed - 1).min(16));
        let delay = match fault.again {
            Again::Later => usual.min(self.patience.longest_delay),
            Again::After(asked) if asked <= self.patience.longest_delay => asked,
            Again::Never | Again::After(_) => return Err(fault.error),
        };
        if self.failed < self.patience.attempts { Ok((delay, fault.error)) } else { Err(fault.error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn delays_double_and_end() {
        let patience = Patience { attempts: 4, longest_delay: Duration::from_secs(1), ..Patience::default() };
        let mut attempts = Attempts::new(patience);
        let mut fail = |again| {
            let error = Error::new(ErrorKind::Network, "x");
            attempts.next(Fault { error, again }).ok().map(|(delay, _)| delay.as_millis())
        };
        assert_eq!(fail(Again::Later), Some(500));
        assert_eq!(fail(Again::After(Duration::from_millis(7))), Some(7));
        assert_eq!(fail(Again::Later), Some(1000));
        assert_eq!(fail(Again::Later), None);
        attempts.progress();
        let mut fail = |again| attempts.next(Fault { error: Error::new(ErrorKind::Network, "x"), again }).is_ok();
        assert!(fail(Again::Later));
        assert!(!fail(Again::After(Duration::from_secs(2))));
        assert!(!fail(Again::Never));
    }
}
