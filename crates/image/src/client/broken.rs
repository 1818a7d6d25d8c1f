//! Connections that cannot be made, break or fall silent, in words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::client::retry::Fault;
use crate::client::url::Origin;
use crate::error::{Error, ErrorKind};

/// Nothing came for this long.
pub(crate) fn silent(origin: &Origin, limit: Duration) -> Fault {
    let why = format!("{origin} sent nothing for {} s", limit.as_secs());
    Fault::passing(Error::new(ErrorKind::Network, why))
}

/// What happened to a connection that was there.
pub(crate) const BROKE: &str = "the connection broke to";

/// What a broken exchange is called: the innermost cause says most.
pub(crate) fn broken(origin: &Origin, error: &(dyn StdError + 'static), verb: &str) -> Fault {
    match innermost(error) {
        Cause::Nonsense(cause) => {
            Error::new(ErrorKind::Invalid, format!("{origin} answers with what is no HTTP: {cause}")).into()
        }
        Cause::Tls(cause) => Error::new(ErrorKind::Tls, format!("{origin}: TLS: {cause}")).into(),
        Cause::Other(cause) => Fault::passing(Error::new(ErrorKind::Network, format!("{verb} {origin}: {cause}"))),
    }
}

enum Cause {
    Nonsense(String),
    Tls(String),
    Other(String),
}

fn innermost(error: &(dyn StdError + 'static)) -> Cause {
    let mut current = error;
    loop {
        if let Some(cause) = current.downcast_ref::<rustls::Error>() {
            return Cause::Tls(cause.to_string());
        }
        if current.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Cause::Nonsense(current.to_string());
        }
        // An io::Error hides what it wraps from `source`.
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let wrapped = wrapped.map(|inner| inner as &(dyn StdError + 'static));
        let Some(inner) = wrapped.or_else(|| current.source()) else {
            let text = current.to_string();
            return Cause::Other(text.strip_prefix("failed to ").unwrap_or(&text).to_owned());
        };
        current = inner;
    }
}
