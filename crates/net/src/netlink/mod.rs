//! Requests to the kernel and its answers, as bytes on a socket (`netlink(7)`). Knows nothing of what they are about.
//!
//! Written by hand, because every container's supervisor carries it: `netlink-packet-route` would make that program larger
//! by 300 kB for writing requests, and by 770 kB for reading answers as well.

/// Attributes that are read.
mod attributes;
/// Requests that are written.
mod batch;
/// The socket that carries them.
mod socket;

pub(crate) use attributes::{Attribute, Attributes};
pub(crate) use batch::{Batch, Request};
pub(crate) use socket::{Answer, Socket};
