//! Answers other than success: which error one is, whether to ask again, and what the server says about it.
//!
//! OCI distribution specification, "Error codes"; RFC 9110, section 10.2.3.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::client::http::{Http, Response};
use crate::client::retry::{Again, Fault};
use crate::client::url::Origin;
use crate::error::{Error, ErrorKind, printable};

/// More of a refusal is not read.
const REFUSAL_MAX: u64 = 64 << 10;

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<RefusalEntry>,
    details: Option<String>,
}

#[derive(Deserialize)]
struct RefusalEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The error that an answer other than success is, with what the server says about it.
pub(crate) async fn failure(http: &Http, response: Response, origin: &Origin, what: &str) -> Fault {
    let status = response.status();
    let after = retry_after(response.headers());
    let said = match http.read(response, origin, REFUSAL_MAX).await {
        Ok(bytes) => said(&bytes),
        Err(_) => None,
    };
    let (kind, again) = match status {
        StatusCode::NOT_FOUND => (ErrorKind::NotFound, Again::Never),
        StatusCode::UNAUTHORIZED => (ErrorKind::Unauthorized, Again::Never),
        StatusCode::FORBIDDEN => (ErrorKind::Denied, Again::Never),
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::TooManyRequests, after.map_or(Again::Later, Again::After)),
        StatusCode::REQUEST_TIMEOUT => (ErrorKind::Network, Again::Later),
        status if status.is_server_error() => (ErrorKind::Network, after.map_or(Again::Later, Again::After)),
        _ => (ErrorKind::Invalid, Again::Never),
    };
    let plain = matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let mut message = if plain { what.to_owned() } else { format!("{what} answers {status}") };
    if let Some(said) = said {
        message = format!("{message}: {said}");
    }
    if let Again::After(delay) = again {
        message = format!("{message} (come back in {} s)", delay.as_secs());
    }
    Fault { error: Error::new(kind, message), again }
}

fn said(body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let text = match refusal.errors.first() {
        Some(entry) if entry.message.is_empty() => entry.code.clone(),
        Some(entry) => entry.message.clone(),
        None => refusal.details?,
    };
    Some(printable(&text)).filter(|text| !text.is_empty())
}

/// Seconds only; the other form of the header, a date, depends on two clocks and is not used by registries.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
