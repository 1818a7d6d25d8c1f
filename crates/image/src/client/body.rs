//! Bodies of requests: bytes that are there, or pieces that come while the request is under way. A body in pieces that ends
//! before its announced length breaks the connection, so that no server takes a part for the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// A body.
pub(crate) enum Body {
    /// None once it was handed out.
    Whole(Option<Bytes>),
    /// Pieces, and how many bytes are still to come, if that is known.
    Pieces(mpsc::Receiver<Bytes>, Option<u64>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces, left) => pieces.poll_recv(context).map(|piece| match (piece, left) {
                (Some(piece), Some(left)) => {
                    *left = left.saturating_sub(piece.len() as u64);
                    Some(Ok(Frame::data(piece)))
                }
                (Some(piece), None) => Some(Ok(Frame::data(piece))),
                (None, Some(0) | None) => None,
                (None, Some(_)) => Some(Err(io::Error::other("the upload was given up"))),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Pieces(_, Some(0)))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_, Some(left)) => SizeHint::with_exact(*left),
            Self::Pieces(_, None) => SizeHint::default(),
        }
    }
}
