//! Mutual TLS (1.3, by rustls) for gRPC over TCP: both sides' settings from PEM files.

use crate::app::{subject_of, validity_of};
use crate::base::Time;
use crate::io::clock::{Ticks, TimeBase};
use crate::rules::source::read_bounded;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What both sides speak within TLS: HTTP/2.
const ALPN: &[u8] = b"h2";

/// Bytes of a PEM file: all CAs of a browser are a quarter of it.
const MOST: u64 = 1 << 20;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {error}; name a PEM file that weir may read")]
    Unreadable { path: PathBuf, error: pem::Error },
    #[error("{path} holds no certificate; name a PEM file with some")]
    Empty { path: PathBuf },
    #[error("{path} holds what is no certificate of a CA: {error}")]
    NoCa { path: PathBuf, error: String },
    #[error("certificate {certificate} and key {key} cannot be used: {error}")]
    Unusable { certificate: PathBuf, key: PathBuf, error: String },
}

/// One side's files: its certificate and key, and the CAs of the other side.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

impl TlsFiles {
    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.certificate)
    }

    fn unusable(&self, error: impl std::fmt::Display) -> TlsError {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        let mut error = error.to_string();
        // What `openssl x509 -req` makes without extensions.
        if error.contains("UnsupportedCertVersion") {
            error = "the certificate is of X.509's version 1, and version 3 is wanted: have it signed with extensions \
                     (openssl x509 -req -extfile FILE)"
                .into();
        }
        TlsError::Unusable { certificate, key, error }
    }

    fn server(&self) -> Result<ServerConfig, TlsError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&self.ca)?), provider())
            .build()
            .map_err(|error| TlsError::NoCa { path: self.ca.clone(), error: error.to_string() })?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| self.unusable(error))?;
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain()?, private_key(&self.key)?)
            .map_err(|error| self.unusable(error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    /// For `weir ctl`.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| self.unusable(error))?;
        let mut config = builder
            .with_root_certificates(roots(&self.ca)?)
            .with_client_auth_cert(self.chain()?, private_key(&self.key)?)
            .map_err(|error| self.unusable(error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(config)
    }

    /// What keeps others from accepting the own certificate, or those that lead to its CA, at that moment.
    pub fn doubts(&self, now: Time) -> Result<Vec<String>, TlsError> {
        let (now, path) = (i64::try_from(now.secs()).unwrap_or(i64::MAX), self.certificate.display());
        let doubt = |certificate: CertificateDer<'_>| {
            let (from, until) = validity_of(&certificate)?;
            let whose = subject_of(&certificate).map(|name| format!(" ({name})")).unwrap_or_default();
            let date = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default();
            if until < now {
                let end = date(until);
                Some(format!(
                    "the certificate{whose} in {path} expired at {end}: clients refuse it, put a new one there"
                ))
            } else if now < from {
                let start = date(from);
                Some(format!(
                    "the certificate{whose} in {path} is not valid before {start}: until then clients refuse it"
                ))
            } else {
                None
            }
        };
        Ok(self.chain()?.into_iter().filter_map(doubt).collect())
    }

    /// What tells one state of the files from another.
    fn stamp(&self) -> [Option<Stamp>; 3] {
        [&self.certificate, &self.key, &self.ca].map(|path| Stamp::of(path))
    }
}

pub(in crate::mgmt) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = read(path).and_then(|text| PrivateKeyDer::from_pem_slice(&text));
    key.map_err(|error| TlsError::Unreadable { path: path.to_owned(), error })
}

/// The CAs of a file.
pub(in crate::mgmt) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::NoCa { path: path.to_owned(), error: error.to_string() })?;
    }
    Ok(roots)
}

pub(in crate::mgmt) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(in crate::mgmt) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error| TlsError::Unreadable { path: path.to_owned(), error };
    let text = read(path).map_err(unreadable)?;
    let certificates =
        CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if certificates.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(certificates) }
}

/// A PEM file. A pipe in its place holds up no door for ever.
fn read(path: &Path) -> Result<Vec<u8>, pem::Error> {
    read_bounded(path, MOST).map_err(pem::Error::Io)
}

/// Of a file: when it was written last, its length, and which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(i64, i64, u64, u64);

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let of = fs::metadata(path).ok()?;
        Some(Stamp(of.mtime(), of.mtime_nsec(), of.len(), of.ino()))
    }
}

/// The server's settings as the files have them now.
#[derive(Debug)]
pub struct Credentials {
    files: TlsFiles,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    config: Arc<ServerConfig>,
    /// Of the files that were read last, whether or not they were any good.
    stamp: [Option<Stamp>; 3],
}

impl Credentials {
    pub fn load(files: TlsFiles) -> Result<Credentials, TlsError> {
        let stamp = files.stamp();
        let config = Arc::new(files.server()?);
        Ok(Credentials { files, known: Mutex::new(Known { config, stamp }) })
    }

    /// What keeps others from accepting the certificates now.
    pub fn doubts(&self) -> Result<Vec<String>, TlsError> {
        self.files.doubts(TimeBase::new(Ticks::monotonic()).clock().now())
    }

    /// The same, told in the log.
    pub fn tell_doubts(&self) {
        let doubts = self.doubts().unwrap_or_default();
        doubts.iter().for_each(|doubt| tracing::warn!("[rpc.tls]: {doubt}"));
    }

    /// For the next connection. Files that have changed are read again; while they are no good, as amid a change of all
    /// three, the last good ones serve.
    pub fn now(&self) -> Arc<ServerConfig> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if stamp != known.stamp {
            known.stamp = stamp;
            match self.files.server() {
                Ok(config) => {
                    tracing::info!("rpc: the files of [rpc.tls] have changed and were read again");
                    self.tell_doubts();
                    known.config = Arc::new(config);
                }
                Err(error) => tracing::error!("rpc: the last good files of [rpc.tls] serve on: {error}"),
            }
        }
        Arc::clone(&known.config)
    }
}
