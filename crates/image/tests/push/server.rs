//! A registry that can be written to, in memory. A test's own function sees the head of each request and may spoil it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use image::Digest;

use crate::content::Image;
use crate::http::{self, Port};

/// The head of a request, and how many bytes of its body were read; those before it have the same method.
pub(crate) type Asked = http::Asked<usize>;

/// What is done with a request.
pub(crate) enum Fate {
    /// What a registry does.
    Proper,
    /// This answer instead, before the body is read, and the end of the connection.
    Answer(u16, Vec<(&'static str, String)>),
    /// So many bytes of the body are kept, then the connection breaks.
    Break(usize),
    /// All is done as it should be, and nobody is told.
    Silent,
    /// As `Proper`, with these headers in place of those of the same name.
    With(Vec<(&'static str, String)>),
    /// The body is read and thrown away, and the answer claims to have this range.
    Claim(&'static str),
    /// All uploads are forgotten; then what a registry does.
    Forget,
}

type Spoil = dyn Fn(&Asked) -> Fate + Send + Sync;

pub(crate) struct Server {
    port: Port,
    shared: Arc<Shared>,
}

struct Shared {
    spoil: Box<Spoil>,
    content: Mutex<Content>,
}

#[derive(Default)]
pub(crate) struct Content {
    /// By repository and digest.
    pub(crate) blobs: BTreeMap<(String, String), Vec<u8>>,
    /// By repository and tag or digest: media type and bytes.
    pub(crate) manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub(crate) uploads: BTreeMap<usize, Vec<u8>>,
    pub(crate) log: Vec<Asked>,
    next: usize,
}

impl Server {
    /// Serves `image` as `app`, and takes anything else.
    pub(crate) fn start(image: &Image, spoil: impl Fn(&Asked) -> Fate + Send + Sync + 'static) -> Self {
        let mut content = Content::default();
        for (digest, bytes) in &image.blobs {
            content.blobs.insert(("app".to_owned(), digest.clone()), bytes.clone());
        }
        for (name, manifest) in &image.manifests {
            content.manifests.insert(("app".to_owned(), name.clone()), manifest.clone());
        }
        let shared = Arc::new(Shared { spoil: Box::new(spoil), content: Mutex::new(content) });
        let of_port = Arc::clone(&shared);
        // A connection that breaks is what this is for.
        Self { port: Port::open(move |stream| drop(of_port.serve(&stream))), shared }
    }

    /// `127.0.0.1:port`
    pub(crate) fn host(&self) -> String {
        self.port.host()
    }

    /// An image here.
    pub(crate) fn name(&self, name: &str) -> image::Reference {
        crate::content::reference(&format!("{}/{name}", self.host()))
    }

    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.shared.content.lock().expect("no server thread panics")
    }

    /// Requests with this method so far.
    pub(crate) fn asked(&self, method: &str) -> Vec<Asked> {
        self.content().log.iter().filter(|asked| asked.method == method).cloned().collect()
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(mut asked) = Asked::read(&mut reader) {
            asked.before = self.lock().log.iter().filter(|earlier| earlier.method == asked.method).count();
            let fate = (self.spoil)(&asked);
            let silent = matches!(fate, Fate::Silent);
            let (limit, more) = match fate {
                Fate::Answer(status, headers) => {
                    self.lock().log.push(asked);
                    answer(stream, "", status, &headers, b"")?;
                    // What is on its way is read, or the answer would be lost with it.
                    stream.shutdown(Shutdown::Write)?;
                    std::io::copy(&mut reader, &mut std::io::sink())?;
                    return Ok(());
                }
                Fate::Claim(range) => {
                    asked.body = body(&mut reader, &asked, usize::MAX)?.len();
                    let headers = [("Location", asked.target.clone()), ("Range", range.to_owned())];
                    self.lock().log.push(asked);
                    answer(stream, "", 202, &headers, b"")?;
                    continue;
                }
                Fate::Break(limit) => (limit, Vec::new()),
                Fate::With(headers) => (usize::MAX, headers),
                Fate::Forget => {
                    self.lock().uploads.clear();
                    (usize::MAX, Vec::new())
                }
                Fate::Proper | Fate::Silent => (usize::MAX, Vec::new()),
            };
            let body = body(&mut reader, &asked, limit)?;
            asked.body = body.len();
            let (status, mut headers, bytes) = self.act(&asked, body);
            headers.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
            headers.extend(more);
            let method = asked.method.clone();
            self.lock().log.push(asked);
            if limit < usize::MAX || silent {
                return stream.shutdown(Shutdown::Both);
            }
            answer(stream, &method, status, &headers, &bytes)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no server thread panics")
    }

    fn act(&self, asked: &Asked, body: Vec<u8>) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let parameter = |name: &str| {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.map(|value| value.replace("%3A", ":").replace("%2F", "/"))
        };
        let Some(rest) = path.strip_prefix("/v2/").filter(|rest| !rest.is_empty()) else {
            return (200, vec![], vec![]);
        };
        let mut content = self.lock();
        if let Some((repository, name)) = rest.split_once("/manifests/") {
            let key = (repository.to_owned(), name.to_owned());
            if asked.method == "PUT" {
                let digest = Digest::of(&body).to_string();
                let media_type = asked.header("content-type").unwrap_or_default().to_owned();
                content.manifests.insert((repository.to_owned(), digest), (media_type.clone(), body.clone()));
                content.manifests.insert(key, (media_type, body));
                return (201, vec![], vec![]);
            }
            return match content.manifests.get(&key) {
                Some((media_type, bytes)) => (200, vec![("Content-Type", media_type.clone())], bytes.clone()),
                None => (404, vec![], vec![]),
            };
        }
        if let Some((repository, id)) = rest.split_once("/blobs/uploads/") {
            return content.upload(asked, repository, id, &parameter, &body);
        }
        let Some((repository, digest)) = rest.split_once("/blobs/") else { return (404, vec![], vec![]) };
        match content.blobs.get(&(repository.to_owned(), digest.to_owned())) {
            Some(bytes) => (200, vec![], bytes.clone()),
            None => (404, vec![], vec![]),
        }
    }
}

impl Content {
    fn upload(
        &mut self,
        asked: &Asked,
        repository: &str,
        id: &str,
        parameter: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
        if asked.method == "POST" {
            if let (Some(digest), Some(from)) = (parameter("mount"), parameter("from"))
                && let Some(bytes) = self.blobs.get(&(from, digest.clone())).cloned()
            {
                self.blobs.insert((repository.to_owned(), digest), bytes);
                return (201, vec![], vec![]);
            }
            self.next += 1;
            self.uploads.insert(self.next, Vec::new());
            return (202, vec![("Location", format!("/v2/{repository}/blobs/uploads/{}?state=x", self.next))], vec![]);
        }
        let Some((id, upload)) = id.parse().ok().and_then(|id| Some((id, self.uploads.get_mut(&id)?))) else {
            return (404, vec![], vec![]);
        };
        let from = asked.header("content-range").and_then(|range| range.split_once('-')?.0.parse::<usize>().ok());
        if asked.method == "PATCH" && from.is_some_and(|from| from != upload.len()) {
            return (416, vec![], vec![]);
        }
        upload.extend_from_slice(body);
        let headers = vec![
            ("Location", format!("/v2/{repository}/blobs/uploads/{id}?state=y")),
            ("Range", format!("0-{}", upload.len().saturating_sub(1))),
        ];
        match (asked.method.as_str(), parameter("digest")) {
            ("PUT", Some(digest)) if Digest::of(upload).to_string() == digest => {
                let bytes = self.uploads.remove(&id).unwrap_or_default();
                self.blobs.insert((repository.to_owned(), digest), bytes);
                (201, vec![], vec![])
            }
            ("PUT", _) => {
                (400, vec![], br#"{"errors":[{"code":"DIGEST_INVALID","message":"digest invalid"}]}"#.to_vec())
            }
            ("GET", _) => (204, headers, vec![]),
            _ => (202, headers, vec![]),
        }
    }
}

/// The body, or its first `limit` bytes.
fn body(reader: &mut impl BufRead, asked: &Asked, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if asked.header("transfer-encoding") == Some("chunked") {
        while body.len() < limit {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let length = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            reader.take(length).read_to_end(&mut body)?;
            reader.read_line(&mut line)?;
            if length == 0 {
                break;
            }
        }
        body.truncate(limit);
        return Ok(body);
    }
    reader.take(asked.length().min(limit) as u64).read_to_end(&mut body)?;
    Ok(body)
}

fn answer(
    mut stream: &TcpStream,
    method: &str,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        head += &[name, ": ", value, "\r\n"].concat();
    }
    if status != 204 {
        head += &["Content-Length: ", &body.len().to_string(), "\r\n"].concat();
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if method == "HEAD" { Ok(()) } else { stream.write_all(body) }
}
