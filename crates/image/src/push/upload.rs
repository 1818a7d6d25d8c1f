//! One blob on its way: begun, sent while it is compressed, resumed where the registry stands after the connection broke,
//! begun anew when the registry has forgotten it, cut into pieces where a server wants no large ones.

use std::cell::Cell;
use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use store::Digest;
use tokio::sync::mpsc;

use crate::client::body::Body;
use crate::client::registry::Registry;
use crate::client::retry::{Attempts, Fault};
use crate::client::upload::{Piece, Sent, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::push::spool::{End, Spool};

/// A blob of so many bytes is sent with the request that ends its upload.
const WHOLE_MAX: u64 = 1 << 20;
/// While it is not known how long a blob will be, what follows a break is sent in pieces of this size.
const RESUMED: u64 = 8 << 20;
/// Pieces for servers that refuse larger ones; the last of them is the smallest that is tried.
const PIECES: [u64; 3] = [64 << 20, 16 << 20, 4 << 20];
/// Pieces between file and socket.
const QUEUE: usize = 4;
/// After this much, failures are counted anew.
const PROGRESS: u64 = 1 << 20;

pub(crate) struct Upload<'a, 'r> {
    registry: &'a Registry<'r>,
    spool: Spool,
    /// What retries are told under.
    id: &'a str,
    /// Bytes sent so far, and in all.
    report: &'a dyn Fn(u64, Option<u64>),
    session: Option<Session>,
    /// What the registry has, as far as we know; `unsure` after a break.
    sent: u64,
    unsure: bool,
    /// Index in [`PIECES`]: what has turned out to be too large is before it.
    limit: Option<usize>,
    attempts: Attempts,
    counted: u64,
    /// Uploads that the registry has lost. Never counted anew: what was sent before is no progress.
    losses: u32,
    /// What was to be ended, by a request whose answer may have been lost.
    ending: Option<(Digest, u64)>,
}

impl<'a, 'r> Upload<'a, 'r> {
    /// `session` is one that has begun already.
    pub(crate) fn new(
        registry: &'a Registry<'r>,
        spool: Spool,
        session: Option<Session>,
        id: &'a str,
        report: &'a dyn Fn(u64, Option<u64>),
    ) -> Self {
        let attempts = Attempts::new(registry.http.patience);
        Self {
            registry,
            spool,
            id,
            report,
            session,
            sent: 0,
            unsure: false,
            limit: None,
            attempts,
            counted: 0,
            losses: 0,
            ending: None,
        }
    }

    /// Sends everything; the digest and the length of what was sent.
    pub(crate) async fn run(mut self) -> Result<(Digest, u64)> {
        loop {
            let fault = match self.step().await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => continue,
                Err(fault) => fault,
            };
            if self.sent.saturating_sub(self.counted) >= PROGRESS {
                self.attempts.progress();
                self.counted = self.sent;
            }
            let (delay, error) = self.attempts.next(fault)?;
            (self.registry.on_retry)(self.id, &error.to_string());
            tokio::time::sleep(delay).await;
            self.unsure = self.session.is_some();
        }
    }

    /// The next request.
    async fn step(&mut self) -> Result<Option<(Digest, u64)>, Fault> {
        let Some(session) = self.session.clone() else {
            self.session = Some(self.registry.begin_upload().await?);
            self.sent = 0;
            self.unsure = false;
            return Ok(None);
        };
        if self.unsure {
            return self.find_out(&session).await;
        }
        let state = self.spool.beyond(self.sent).await?;
        match state.end {
            End::Whole(digest) if self.sent == state.written => self.end(&session, digest, Bytes::new()).await,
            End::Whole(digest) if self.sent == 0 && state.written <= WHOLE_MAX && self.limit.is_none() => {
                let length = usize::try_from(state.written).unwrap_or_default();
                let bytes = self.spool.read(0, length)?;
                self.end(&session, digest, bytes).await
            }
            _ => self.send(session).await.map(|()| None),
        }
    }

    /// Asks the registry how much it has. One that does not know the upload may have ended it.
    async fn find_out(&mut self, session: &Session) -> Result<Option<(Digest, u64)>, Fault> {
        let standing = self.registry.standing(session).await?;
        self.unsure = false;
        match (standing, self.ending.take()) {
            (Some((next, has)), _) if has <= self.spool.beyond(0).await?.written => {
                self.session = Some(next);
                self.sent = has;
                Ok(None)
            }
            (None, Some((digest, length))) if self.registry.has_blob(&digest).await? => Ok(Some((digest, length))),
            _ => Err(self.lost()),
        }
    }

    /// The registry has forgotten the upload, or has something else: all begins anew.
    fn lost(&mut self) -> Fault {
        self.session = None;
        self.sent = 0;
        self.counted = 0;
        self.losses += 1;
        let error = Error::new(ErrorKind::Network, format!("{} has lost the upload", self.registry.origin));
        if self.losses < self.registry.http.patience.attempts { Fault::passing(error) } else { error.into() }
    }

    /// The registry has kept only the beginning of a piece. That counts as a failure, or a byte of each would be enough to
    /// keep us at it.
    fn short(&self) -> Fault {
        let why = format!("{} has taken only {} bytes so far", self.registry.origin, self.sent);
        Fault::passing(Error::new(ErrorKind::Network, why))
    }

    fn too_large(&mut self) -> Result<(), Fault> {
        let next = self.limit.map_or(0, |limit| limit + 1);
        if next == PIECES.len() {
            let why = format!("{} refuses even {} MiB at once", self.registry.origin, PIECES[next - 1] >> 20);
            return Err(Error::new(ErrorKind::Limit, why).into());
        }
        self.limit = Some(next);
        self.unsure = true;
        Ok(())
    }

    async fn end(&mut self, session: &Session, digest: Digest, rest: Bytes) -> Result<Option<(Digest, u64)>, Fault> {
        let length = self.sent + rest.len() as u64;
        self.ending = Some((digest, length));
        match self.registry.end_upload(session, &digest, rest).await? {
            Sent::Upto(..) => Ok(Some((digest, length))),
            Sent::TooLarge => self.too_large().map(|()| None),
            // The answer to an earlier attempt may be what was lost.
            Sent::Lost if self.registry.has_blob(&digest).await? => Ok(Some((digest, length))),
            Sent::Lost => Err(self.lost()),
        }
    }

    async fn send(&mut self, session: Session) -> Result<(), Fault> {
        let length = self.length(&session).await?;
        let from = self.sent;
        let total = self.total();
        let report = |sent: u64| (self.report)(sent, total);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let moved = Cell::new(Instant::now());
        let piece = Piece { from, length, body: Body::Pieces(receiver, length) };
        let mut fed = None;
        let answer = {
            let mut feeding = pin!(self.spool.feed(from, length, sender, &moved, &report));
            let mut sending = pin!(self.registry.send_piece(&session, piece, &moved));
            loop {
                tokio::select! {
                    count = &mut feeding, if fed.is_none() => fed = Some(count?),
                    answer = &mut sending => break answer,
                }
            }
        };
        match answer? {
            Sent::Upto(next, has) => {
                let all = from + fed.unwrap_or_default();
                // A registry that says nothing has all of it.
                let has = if has == 0 { all } else { has };
                if has <= from || has > all {
                    return Err(self.lost());
                }
                self.session = Some(next);
                self.sent = has;
                if has < all { Err(self.short()) } else { Ok(()) }
            }
            Sent::TooLarge => self.too_large(),
            Sent::Lost => Err(self.lost()),
        }
    }

    /// How long the next piece is; None if it goes on to the end that is not known yet.
    async fn length(&mut self, session: &Session) -> Result<Option<u64>> {
        let limit = self.limit.map(|limit| PIECES[limit].max(session.chunk_min));
        if limit.is_none() && self.sent == 0 && self.total().is_none() {
            return Ok(None);
        }
        let most = limit.unwrap_or(if self.total().is_some() { u64::MAX } else { RESUMED.max(session.chunk_min) });
        // All of it, or what there is at the end.
        let state = self.spool.beyond((self.sent.saturating_add(most)).saturating_sub(1)).await?;
        Ok(Some((state.written - self.sent).min(most)))
    }

    /// How long the blob is, once that is known.
    fn total(&self) -> Option<u64> {
        self.spool.whole()
    }
}

/// Whether the request that ended an upload did.
pub(crate) fn taken(registry: &Registry<'_>, sent: &Sent) -> Result<(), Fault> {
    let why = match sent {
        Sent::Upto(..) => return Ok(()),
        Sent::Lost => format!("{} has lost the upload", registry.origin),
        Sent::TooLarge => {
            let why = format!("{} refuses so small a blob as too large", registry.origin);
            return Err(Error::new(ErrorKind::Limit, why).into());
        }
    };
    Err(Fault::passing(Error::new(ErrorKind::Network, why)))
}
