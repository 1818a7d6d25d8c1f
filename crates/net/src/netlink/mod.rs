//! Requests to the kernel and its answers, as bytes on a socket (`netlink(7)`). Knows nothing of what they are about.
//!
//! Written by hand, because every container's supervisor carries it: `netlink-packet-route` would make that program larger
//! by 300 kB for writing requests, and by 770 kB for reading answers as well.

/// Attributes that are read.
mod attributes;
/// Requests that are written, with words for each.
mod batch;
/// Messages that are read.
mod message;
/// Requests and their answers.
mod socket;
/// The socket that carries all of it.
mod wire;
/// Messages that are written.
mod writer;

pub(crate) use attributes::{Attribute, Attributes};
pub(crate) use batch::{ACK, Batch, DUMP, REQUEST, Request};
pub(crate) use message::{DONE, ERROR, Message, Messages};
pub(crate) use socket::{Answer, Socket};
pub(crate) use wire::Wire;
pub(crate) use writer::Writer;
