//! All that a step has written, for the case that it fails: in memory as long as it is little, and in a file without a name then.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// What is kept in memory.
const LITTLE: usize = 64 << 10;

/// The log of a step.
#[derive(Debug, Default)]
pub(super) struct Log {
    memory: String,
    /// What was written before that.
    file: Option<BufWriter<File>>,
    /// There is no room for a file: what does not fit is lost, oldest first.
    has_lost: bool,
}

impl Log {
    /// One line more.
    pub(super) fn add(&mut self, line: &str) {
        self.memory.push_str(line);
        self.memory.push('\n');
        if self.memory.len() > LITTLE {
            self.has_lost |= self.spill().is_err();
            self.memory.clear();
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(BufWriter::new(tempfile::tempfile()?));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(self.memory.as_bytes())
    }

    /// Writes all of it.
    pub(super) fn copy_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.has_lost {
            writeln!(out, "(there was no room for a part of the output)")?;
        }
        if let Some(file) = &mut self.file {
            file.flush()?;
            let file = file.get_mut();
            file.seek(SeekFrom::Start(0))?;
            io::copy(&mut Read::by_ref(file), out)?;
            file.seek(SeekFrom::End(0))?;
        }
        out.write_all(self.memory.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_however_much_it_is() {
        let mut log = Log::default();
        let lines: Vec<String> = (0..20_000).map(|number| format!("line {number}")).collect();
        for line in &lines {
            log.add(line);
        }
        assert!(log.file.is_some());
        for _ in 0..2 {
            let mut all = Vec::new();
            log.copy_to(&mut all).expect("memory takes it");
            assert_eq!(String::from_utf8(all).expect("it was text"), lines.join("\n") + "\n");
        }
    }
}
