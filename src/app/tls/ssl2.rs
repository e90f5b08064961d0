//! Messages of SSL 2.0 ("The SSL Protocol", Hickman, 1995): the hello that later versions were also greeted with, and
//! what the server of one answers in the clear.

use super::chain::put_alone;
use super::reader::Reader;
use super::record::Invalid;
use super::session::{Session, put_random, state};
use super::version::SSL2;
use super::{stage, version};
use crate::app::Sink;
use crate::base::Dir;

const ERROR: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const CLIENT_MASTER_KEY: u8 = 2;
const SERVER_HELLO: u8 = 4;

/// A whole record; whether all that follows in that direction is encrypted.
pub(super) fn take(
    dir: Dir,
    body: &[u8],
    session: &mut Session,
    sink: &mut Sink<'_>,
) -> Result<bool, Invalid> {
    let invalid = "tls.invalid_sslv2_header";
    let mut rest = Reader(body);
    match (rest.u8(), dir) {
        (Some(ERROR), _) => session.event(dir, "tls.error_message_encountered", sink),
        (Some(CLIENT_HELLO), Dir::ToServer) => client_hello(rest, session, sink).ok_or(invalid)?,
        (Some(SERVER_HELLO), Dir::ToClient) => server_hello(rest, session, sink).ok_or(invalid)?,
        (Some(CLIENT_MASTER_KEY), Dir::ToServer) => {
            session.state(state::CLIENT_KEY, sink);
            session.advance(dir, stage::HANDSHAKE, sink);
            return Ok(true);
        }
        (Some(_), _) if session.hello[dir] => {
            session.advance(dir, stage::HANDSHAKE, sink);
            return Ok(true);
        }
        _ => return Err(invalid),
    }
    Ok(false)
}

fn client_hello(mut rest: Reader<'_>, session: &mut Session, sink: &mut Sink<'_>) -> Option<()> {
    let dir = Dir::ToServer;
    let version = rest.u16()?;
    let (ciphers, id, challenge) = (rest.u16()?, rest.u16()?, rest.u16()?);
    rest.take(usize::from(ciphers))?;
    rest.take(usize::from(id))?;
    let challenge = rest.take(usize::from(challenge))?;
    session.hello[dir] = true;
    session.speaks(dir, version, sink);
    if let Some(tx) = session.tx(sink) {
        put_random(tx, dir, challenge);
        tx.advance(dir, stage::HELLO);
    }
    session.state(state::CLIENT_HELLO, sink);
    sink.flush_stream();
    Some(())
}

fn server_hello(mut rest: Reader<'_>, session: &mut Session, sink: &mut Sink<'_>) -> Option<()> {
    let dir = Dir::ToClient;
    let (_resumed, _kind, version) = (rest.u8()?, rest.u8()?, rest.u16()?);
    let (certificate, ciphers, connection) = (rest.u16()?, rest.u16()?, rest.u16()?);
    let certificate = rest.take(usize::from(certificate))?;
    rest.take(usize::from(ciphers))?;
    let connection = rest.take(usize::from(connection))?;
    session.hello[dir] = true;
    session.version = Some(version);
    Dir::BOTH.into_iter().for_each(|dir| session.speaks(dir, version, sink));
    let (now, mut text) = (sink.time, session.take_text());
    if let Some(tx) = session.tx(sink) {
        put_random(tx, dir, connection);
        tx.note("version", version::name(SSL2).as_bytes());
        if !certificate.is_empty() {
            put_alone(tx, dir, certificate, now, &mut text);
        }
        tx.advance(dir, stage::CERTIFICATE);
    }
    session.give_text(text);
    session.state(state::SERVER_HELLO, sink);
    sink.flush_stream();
    Some(())
}
