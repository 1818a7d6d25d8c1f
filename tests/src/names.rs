//! A server of names on a machine, which counts what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;
use crate::namespace::Namespace;
use crate::servers::Datagrams;

/// A server of names, which ends with its value.
#[derive(Debug)]
pub struct NameServer {
    questions: Arc<AtomicUsize>,
    _server: Datagrams,
}

impl NameServer {
    /// Answers every question for an address of IPv4 with this one, on port 53 of one of a machine's own addresses.
    ///
    /// # Errors
    /// The port is taken, or the address is not there.
    pub fn start(machine: &Namespace, own: &str, address: [u8; 4]) -> Result<NameServer> {
        let questions = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&questions);
        let answer = move |question: &[u8], _| {
            count.fetch_add(1, Ordering::SeqCst);
            answer(question, address).unwrap_or_default()
        };
        Ok(NameServer { questions, _server: Datagrams::start(machine, &format!("{own}:53"), answer)? })
    }

    /// How many questions have come.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

/// RFC 1035, 4.1: the question as it came, without what follows it, and one answer that points to its name.
fn answer(question: &[u8], address: [u8; 4]) -> Option<Vec<u8>> {
    let end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 5;
    let is_ipv4 = question.get(end - 4..end - 2)? == [0, 1];
    let mut reply = question.get(..end)?.to_vec();
    reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0]);
    if is_ipv4 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
        reply.extend(address);
    }
    Some(reply)
}
