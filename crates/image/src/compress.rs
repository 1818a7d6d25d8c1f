//! Compression of what leaves this host. Owns a gzip that uses all processors (as `pigz` does), and how much effort is worth it.
//!
//! The stream is cut into blocks of one size, each compressed by itself with the end of the one before as its dictionary, and joined to one
//! member (RFC 1952). So it is what any gzip makes, to any reader, hardly longer; and the same bytes whatever the number of threads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Bytes that one thread compresses at a time.
const BLOCK: usize = 256 << 10;
/// As far back as deflate looks.
const WINDOW: usize = 32 << 10;
/// Magic, deflate, no flags, no time, no hint, no system: nothing that changes from one time to the next.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Measured on layers of Debian: a tenth larger than with 6, in half the time.
pub const GZIP_LEVEL: u32 = 4;
/// What zstd calls its default, and what other tools write layers with.
pub const ZSTD_LEVEL: i32 = 3;

/// A writer that compresses. [`Self::finish`] ends the stream; dropping it does not.
pub struct Gzip<W> {
    out: W,
    block: Vec<u8>,
    before: Arc<Vec<u8>>,
    waiting: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    /// None once the stream has ended: the threads then leave.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    crc: Crc,
    headed: bool,
}

struct Job {
    block: Arc<Vec<u8>>,
    before: Arc<Vec<u8>>,
    is_last: bool,
    answer: std::sync::mpsc::SyncSender<io::Result<Vec<u8>>>,
}

impl<W: Write> Gzip<W> {
    /// Compresses into `out` with `level` (1 to 9), on as many threads as there are processors.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(out: W, level: u32) -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16);
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..count).map(|_| {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("gzip".into()).spawn(move || work(&queue, level))
        });
        Ok(Self {
            out,
            block: Vec::with_capacity(BLOCK),
            before: Arc::default(),
            waiting: VecDeque::new(),
            threads: threads.collect::<io::Result<_>>()?,
            jobs: Some(jobs),
            crc: Crc::new(),
            headed: false,
        })
    }

    /// Ends the stream, and returns the writer.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.submit(true)?;
        while !self.waiting.is_empty() {
            self.take()?;
        }
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| io::Error::other("a thread that compresses has panicked"))?;
        }
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        // RFC 1952: the length modulo 2^32, which is what the counter is.
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    fn submit(&mut self, is_last: bool) -> io::Result<()> {
        let block = Arc::new(std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK)));
        self.crc.update(&block);
        // Twice as many blocks as threads: nobody waits, and no more is held than that.
        while self.waiting.len() >= 2 * self.threads.len() {
            self.take()?;
        }
        let (answer, waiting) = sync_channel(1);
        let before = std::mem::replace(&mut self.before, Arc::clone(&block));
        let jobs = self.jobs.as_ref().ok_or_else(|| io::Error::other("the stream has ended"))?;
        jobs.send(Job { block, before, is_last, answer }).map_err(|_| gone())?;
        self.waiting.push_back(waiting);
        Ok(())
    }

    /// Writes the oldest block that was given away.
    fn take(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            self.out.write_all(&HEADER)?;
        }
        match self.waiting.pop_front() {
            Some(answer) => self.out.write_all(&answer.recv().map_err(|_| gone())??),
            None => Ok(()),
        }
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == BLOCK {
            self.submit(false)?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that compresses has ended")
}

fn work(queue: &Mutex<Receiver<Job>>, level: u32) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Unheard when the stream was given up.
        let _ = job.answer.send(deflate(&job, level));
    }
}

/// A compressor that is used again remembers some of what it did before, and then one stream is not always the same
/// bytes, as which thread has which block is chance.
fn deflate(job: &Job, level: u32) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(level), false);
    if !job.before.is_empty() {
        let start = job.before.len().saturating_sub(WINDOW);
        compress.set_dictionary(&job.before[start..]).map_err(io::Error::other)?;
    }
    // Between two blocks the stream is brought to a whole byte, so that they can be put one after the other.
    let flush = if job.is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut out = Vec::with_capacity(job.block.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(compress.total_in()).map_err(io::Error::other)?;
        let status = compress.compress_vec(&job.block[taken..], &mut out, flush).map_err(io::Error::other)?;
        let all_taken = compress.total_in() == job.block.len() as u64;
        match status {
            Status::StreamEnd => return Ok(out),
            // Room that is left says that nothing is held back.
            _ if all_taken && !job.is_last && out.len() < out.capacity() => return Ok(out),
            _ => out.reserve(job.block.len() / 2 + 1024),
        }
    }
}

/// A zstd writer at the level that layers are written with; `finish` ends the stream.
///
/// # Errors
/// When there is no memory for it.
pub fn zstd<W: Write>(out: W) -> io::Result<zstd::Encoder<'static, W>> {
    zstd::Encoder::new(out, ZSTD_LEVEL)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn compressed(data: &[u8], level: u32) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), level).expect("threads");
        gzip.write_all(data).expect("memory");
        gzip.finish().expect("memory")
    }

    /// Bytes that repeat over the borders of blocks, and some that do not.
    fn data(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if index % 7 < 5 { (index / 100).to_be_bytes()[7] } else { state.to_be_bytes()[0] }
            })
            .collect()
    }

    #[test]
    fn any_reader_reads_it() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 777, 9 * BLOCK] {
            let data = data(length);
            for level in [1, GZIP_LEVEL, 9] {
                let bytes = compressed(&data, level);
                let mut found = Vec::new();
                // One member: a reader that knows only one sees all of it.
                flate2::bufread::GzDecoder::new(bytes.as_slice()).read_to_end(&mut found).expect("is gzip");
                assert!(found == data, "{length} bytes, level {level}");
                assert!(bytes == compressed(&data, level), "{length} bytes, level {level}: not the same again");
            }
        }
    }

    #[test]
    fn incompressible_data_comes_through() {
        let mut state = 1_u64;
        let data: Vec<u8> = (0..2 * BLOCK + 5)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0]
            })
            .collect();
        let mut found = Vec::new();
        flate2::bufread::GzDecoder::new(compressed(&data, 4).as_slice()).read_to_end(&mut found).expect("is gzip");
        assert!(found == data);
    }

    #[test]
    fn a_writer_that_fails_is_heard() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut gzip = Gzip::new(Full, 1).expect("threads");
        let written = gzip.write_all(&data(64 * BLOCK));
        assert!(written.is_err() || gzip.finish().is_err());
    }
}
