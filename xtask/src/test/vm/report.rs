//! What the test programs in the virtual machine print, counted: libtest's closing line of each program, and the lines
//! of `run.sh` around them, without which nobody would know of a program that crashed or a machine that stopped.

use end_to_end::{Context, Failure, Result};

use crate::test::Count;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    count: Count,
    /// Failed tests of the program that runs.
    failed: usize,
    closed: bool,
    unreadable: Option<String>,
}

impl Report {
    /// Reads one line.
    pub(super) fn read(&mut self, line: &str) {
        if let Err(failure) = self.understand(line) {
            self.unreadable.get_or_insert(format!("`{line}`: {failure}"));
        }
    }

    fn understand(&mut self, line: &str) -> Result {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count = counted(result)?;
            self.failed = count.failed;
            self.count.add(count);
        } else if let Some(program) = line.strip_prefix("phial-vm: end ") {
            let code = program.rsplit(' ').next().unwrap_or_default();
            let crashed = code != "0" && self.failed == 0;
            self.count.failed += usize::from(crashed);
            self.failed = 0;
        } else if line == "phial-vm: all done" {
            self.closed = true;
        }
        Ok(())
    }

    /// The sum.
    ///
    /// # Errors
    /// The machine ended before the tests did, or a line was not understood.
    pub(super) fn count(self) -> Result<Count> {
        if let Some(line) = self.unreadable {
            return Err(Failure::new(format!("the virtual machine printed {line}")));
        }
        if self.closed {
            return Ok(self.count);
        }
        let Count { passed, failed, .. } = self.count;
        let message = format!("the virtual machine ended before its tests did ({passed} passed, {failed} failed)");
        Err(Failure::new(message))
    }
}

/// `ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s`
fn counted(result: &str) -> Result<Count> {
    let number = |what: &str| {
        let (before, _) = result.split_once(&format!(" {what}")).context(format!("no number of {what}"))?;
        let word = before.rsplit(' ').next().unwrap_or_default();
        word.parse::<usize>().context(format!("number of {what}"))
    };
    let skipped = number("ignored")? + number("filtered out")?;
    Ok(Count { passed: number("passed")?, failed: number("failed")?, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
phial-vm: begin a
test one ... ok
test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 1.25s
phial-vm: end a 0
";
    const BAD: &str = "\
phial-vm: begin b
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
phial-vm: end b 101
";
    const CRASHED: &str = "phial-vm: begin c\ntest one ... ok\nphial-vm: end c 139\n";
    const DONE: &str = "phial-vm: all done\n";

    fn check(parts: &[&str], expected: Option<(usize, usize, usize)>) {
        let mut report = Report::default();
        parts.concat().lines().for_each(|line| report.read(line));
        let count = report.count().ok().map(|count| (count.passed, count.failed, count.skipped));
        assert_eq!(count, expected, "{parts:?}");
    }

    #[test]
    fn what_a_machine_prints_is_counted() {
        check(&[GOOD, DONE], Some((5, 0, 3)));
        check(&[GOOD, BAD, GOOD, DONE], Some((11, 2, 6)));
        check(&[BAD, CRASHED, DONE], Some((1, 3, 0)));
        check(&[GOOD], None);
        check(&[], None);
        check(&["test result: ok. many passed\n", DONE], None);
    }
}
