//! A registry in a hundred lines, so that it can be made to err. A test's own function sees each request first and may
//! answer otherwise.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::content::Image;
use crate::http::{self, Port};

/// What came, with its body; those before it are for the same target.
pub(crate) type Asked = http::Asked<String>;

/// How the body of an answer comes to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As announced.
    Proper,
    /// The connection drops after so many bytes.
    Cut(usize),
    /// Chunks for ever, once the body is sent.
    Endless,
    /// Chunked, and proper.
    Chunked,
    /// The connection stays open and nothing more comes; the length is among the headers.
    Hang,
}

/// What goes back.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), end: End::Proper }
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// Sees each request with what the registry would answer, and may say something else.
type Twist = dyn Fn(&Asked, Answer) -> Answer + Send + Sync;

/// A running server.
pub(crate) struct Server {
    port: Port,
    shared: Arc<Shared>,
}

struct Shared {
    image: Image,
    twist: Box<Twist>,
    log: Mutex<Vec<Asked>>,
}

impl Server {
    /// Serves `image` as it is.
    pub(crate) fn honest(image: Image) -> Self {
        Self::start(image, |_, answer| answer)
    }

    /// Serves `image`, with every answer passed through `twist`.
    pub(crate) fn start(image: Image, twist: impl Fn(&Asked, Answer) -> Answer + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { image, twist: Box::new(twist), log: Mutex::default() });
        let of_port = Arc::clone(&shared);
        Self { port: Port::open(move |stream| of_port.serve(stream)), shared }
    }

    /// `127.0.0.1:port`
    pub(crate) fn host(&self) -> String {
        self.port.host()
    }

    /// The name of the image `app` here.
    pub(crate) fn app(&self) -> image::Reference {
        crate::content::reference(&format!("{}/app", self.host()))
    }

    /// Everything that was asked so far, without the question which protocol is spoken here.
    pub(crate) fn log(&self) -> Vec<Asked> {
        let log = self.shared.log.lock().expect("no server thread panics");
        log.iter().filter(|asked| asked.target != "/v2/").cloned().collect()
    }

    /// Requests for blobs, those of configs left out.
    pub(crate) fn layer_requests(&self) -> Vec<Asked> {
        let layers = &self.shared.image.layers;
        let of_layer = |asked: &Asked| layers.iter().any(|digest| asked.target.ends_with(digest.as_str()));
        self.log().into_iter().filter(of_layer).collect()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let Ok(clone) = stream.try_clone() else { return };
        let (mut reader, mut stream) = (BufReader::new(clone), stream);
        while let Some(mut asked) = read(&mut reader) {
            {
                let mut log = self.log.lock().expect("no server thread panics");
                asked.before = log.iter().filter(|earlier| earlier.target == asked.target).count();
                log.push(asked.clone());
            }
            let answer = (self.twist)(&asked, self.honest(&asked));
            if write(&mut stream, &asked, &answer).is_err() || answer.end != End::Proper {
                return;
            }
        }
    }

    fn honest(&self, asked: &Asked) -> Answer {
        let path = asked.target.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        if path == "/v2/" {
            return Answer::new(200, "{}");
        }
        let manifest = self.image.manifests.get(last).filter(|_| path == format!("/v2/app/manifests/{last}"));
        if let Some((media_type, bytes)) = manifest {
            let digest = image::Digest::of(bytes).to_string();
            return Answer::new(200, bytes.clone())
                .with("Content-Type", media_type)
                .with("Docker-Content-Digest", digest);
        }
        match self.image.blobs.get(last) {
            Some(bytes) if path == format!("/v2/app/blobs/{last}") => ranged(asked, bytes),
            _ => Answer::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#),
        }
    }
}

/// Whether a blob is asked for.
pub(crate) fn is_blob(asked: &Asked) -> bool {
    asked.target.contains("/blobs/")
}

fn ranged(asked: &Asked, bytes: &[u8]) -> Answer {
    let from = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Answer::new(206, &bytes[from..]).with("Content-Range", range)
        }
        Some(_) => Answer::new(416, ""),
        None => Answer::new(200, bytes),
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut asked = Asked::read(reader)?;
    reader.take(asked.length() as u64).read_to_string(&mut asked.body).ok()?;
    Some(asked)
}

fn write(stream: &mut TcpStream, asked: &Asked, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Whatever\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        head.extend_from_slice(format!("{name}: ").as_bytes());
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    let chunked = matches!(answer.end, End::Endless | End::Chunked);
    let mut framing = String::new();
    if chunked {
        framing.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else if answer.end == End::Hang {
        framing.push_str("\r\n");
    } else {
        let _infallible = write!(framing, "Content-Length: {}\r\n\r\n", answer.body.len());
    }
    head.extend_from_slice(framing.as_bytes());
    stream.write_all(&head)?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    if !chunked {
        let end = if let End::Cut(at) = answer.end { at.min(answer.body.len()) } else { answer.body.len() };
        stream.write_all(&answer.body[..end])?;
        if answer.end == End::Hang {
            // Until the client hangs up.
            let _gone = stream.read(&mut [0]);
        }
        return Ok(());
    }
    let mut chunk = |bytes: &[u8]| {
        stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        stream.write_all(bytes)?;
        stream.write_all(b"\r\n")
    };
    if !answer.body.is_empty() {
        chunk(&answer.body)?;
    }
    if answer.end == End::Chunked {
        return chunk(&[]);
    }
    loop {
        // Until the client hangs up.
        chunk(&[b' '; 4096])?;
    }
}
