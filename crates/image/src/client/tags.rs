//! The tags of a repository, page by page.
//!
//! OCI distribution specification 1.1, "Listing Tags"; RFC 8288 (`Link`).

use http::header::LINK;
use serde::Deserialize;

use crate::client::http::Outgoing;
use crate::client::registry::{DOCUMENT_MAX, Registry, retrying};
use crate::client::url::{Origin, redirect};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::reference::Reference;

/// More tags than this are a repository that nobody wants to have whole.
const TAGS_MAX: usize = 100_000;
const PAGES_MAX: usize = 10_000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

impl Registry<'_> {
    /// All tags, as the registry orders them.
    pub(crate) async fn tags(&self, name: &Reference) -> Result<Vec<String>> {
        let mut url = self.url("tags/list")?;
        let mut tags = Vec::new();
        for _ in 0..PAGES_MAX {
            let (page, next) = retrying(self.http.patience, self.on_retry, async || {
                let (response, origin) = self.authorized(Outgoing::get(url.clone())).await?;
                if !response.status().is_success() {
                    return Err(self.refusal(response, origin).await);
                }
                let next = response.headers().get(LINK).and_then(|value| next(value.to_str().ok()?));
                let bytes = self.http.read(response, &origin, DOCUMENT_MAX).await?;
                let page: Page =
                    serde_json::from_slice(&bytes).map_err(|error| unreadable(&origin, &error.to_string()))?;
                Ok((page, next))
            })
            .await?;
            for tag in page.tags.unwrap_or_default() {
                name.with_tag(&tag).map_err(|_| unreadable(&self.origin, &format!("{tag:?} is no tag")))?;
                tags.push(tag);
            }
            if tags.len() > TAGS_MAX {
                let why = format!("{}: more than {TAGS_MAX} tags", self.origin);
                return Err(Error::new(ErrorKind::Limit, why));
            }
            let Some(next) = next else { return Ok(tags) };
            url = redirect(&url, &next)?;
            if Origin::of(&url)? != self.origin {
                return Err(unreadable(&self.origin, "the list goes on at another server"));
            }
        }
        Err(Error::new(ErrorKind::Limit, format!("{}: more than {PAGES_MAX} pages of tags", self.origin)))
    }
}

/// The target of the link to the next page.
fn next(links: &str) -> Option<String> {
    links.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| target.to_owned())
    })
}

fn unreadable(origin: &Origin, why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("{origin}: its list of tags is not readable: {}", printable(why)))
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn links_to_the_next_page() {
        for (links, expected) in [
            ("</v2/a/tags/list?last=x&n=2>; rel=\"next\"", Some("/v2/a/tags/list?last=x&n=2")),
            ("</p>; rel=\"prev\", </n>; title=x; rel=next", Some("/n")),
            ("</p>; rel=\"prev\"", None),
            ("/n; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next(links).as_deref(), expected, "{links}");
        }
    }
}
