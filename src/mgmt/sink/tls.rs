//! TLS (1.2 and 1.3, by rustls) for syslog, a turn at a time: no call waits for the other end.

use super::backlog::Backlog;
use crate::mgmt::rpc::tls::{TlsError, certificates, private_key, provider, roots};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

/// Bytes given to the session at once, unless one message is longer: what it has and the system has not is sent anew over the
/// next connection.
const PIECE: usize = 16 << 10;

/// Whom a server must be, and who we are.
#[derive(Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({:?})", self.name)
    }
}

impl Trust {
    /// `ca`: PEM, of the server's certificate, in which `name` must be. `own`: certificate and key, where the server wants one.
    pub fn read(
        ca: &PathBuf,
        own: Option<(&PathBuf, &PathBuf)>,
        name: ServerName<'static>,
    ) -> Result<Trust, TlsError> {
        let unusable = |error: &dyn fmt::Display| TlsError::Unusable {
            certificate: own.map_or(ca, |(certificate, _)| certificate).clone(),
            key: own.map(|(_, key)| key.clone()).unwrap_or_default(),
            error: error.to_string(),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots(ca)?);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| unusable(&error))?,
        };
        Ok(Trust { config: Arc::new(config), name })
    }

    pub(super) fn session(&self) -> io::Result<Session> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let mut connection = connection.map_err(io::Error::other)?;
        // What it is given at once is bounded by us.
        connection.set_buffer_limit(None);
        Ok(Session { connection, given: 0 })
    }
}

/// One connection's state.
pub(super) struct Session {
    connection: ClientConnection,
    /// Bytes of the backlog's front that the session has and the system may not have yet: whole messages.
    given: usize,
}

impl Session {
    /// Takes what the server says.
    pub fn hear(&mut self, io: &mut dyn io::Read) -> io::Result<()> {
        while self.connection.wants_read() {
            match self.connection.read_tls(io) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    break;
                }
                Err(error) => return Err(error),
            }
            let state = self.connection.process_new_packets().map_err(io::Error::other)?;
            // What a syslog server says is nobody's business; unread it would fill the session.
            let (ended, unwanted) = (state.peer_has_closed(), state.plaintext_bytes_to_read() as u64);
            io::copy(&mut io::Read::take(self.connection.reader(), unwanted), &mut io::sink())?;
            if ended {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        Ok(())
    }

    /// Sends what waits, messages whole; would block where there is no room or the handshake is not done.
    pub fn pour(&mut self, io: &mut dyn io::Write, backlog: &mut Backlog) -> io::Result<()> {
        loop {
            while self.connection.wants_write() {
                match self.connection.write_tls(io) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            backlog.exported(std::mem::take(&mut self.given));
            if self.connection.is_handshaking() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.given = backlog.front(PIECE);
            if self.given == 0 {
                return Ok(());
            }
            let mut writer = self.connection.writer();
            backlog.lines_in(self.given).try_for_each(|frame| io::Write::write_all(&mut writer, frame))?;
        }
    }

    /// Says that nothing more comes, if there is room for that.
    pub fn end(&mut self, io: &mut dyn io::Write) {
        self.connection.send_close_notify();
        // Whoever is gone hears it no more.
        let _ = self.connection.write_tls(io);
    }
}
