//! Which certificates are believed: the system's (or Mozilla's where the system has none), and those an administrator
//! put under /etc/docker/certs.d for one registry. Owns the one place where verification can be switched off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, ErrorKind, Result};

/// Docker's directory of certificates per registry.
const CERTS_D: &str = "/etc/docker/certs.d";

/// The TLS configuration for `authority` (`host[:port]`).
pub(crate) fn config(authority: &str, verify: bool) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refuse = |why: String| Error::new(ErrorKind::Tls, format!("TLS for {authority}: {why}"));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?;
    let directory = Path::new(CERTS_D).join(authority);
    let files = Files::list(&directory);
    let builder = if verify {
        builder.with_root_certificates(roots(&files.authorities)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    };
    let Some((certificate, key)) = files.client else { return Ok(builder.with_no_client_auth()) };
    let unusable = |path: &Path, error: &dyn std::fmt::Display| refuse(format!("{}: {error}", path.display()));
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unusable(&certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(&key, &error))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| unusable(&certificate, &error))
}

/// `*.crt` are authorities; one `X.cert` beside `X.key` is ours.
#[derive(Default)]
struct Files {
    authorities: Vec<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    fn list(directory: &Path) -> Self {
        let Ok(entries) = std::fs::read_dir(directory) else { return Self::default() };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let has = |path: &PathBuf, extension: &str| path.extension().is_some_and(|found| found == extension);
        let client = paths.iter().find(|path| has(path, "cert") && path.with_extension("key").exists());
        Self {
            client: client.map(|path| (path.clone(), path.with_extension("key"))),
            authorities: paths.into_iter().filter(|path| has(path, "crt")).collect(),
        }
    }
}

fn roots(extra: &[PathBuf]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    // Certificates of the system that do not parse are the system's problem, not this pull's.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in extra {
        let refuse = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Tls, format!("certificate {}: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(&error))? {
            store.add(certificate.map_err(|error| refuse(&error))?).map_err(|error| refuse(&error))?;
        }
    }
    Ok(store)
}

/// Believes every certificate: what the caller asked for with `insecure`. Signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
