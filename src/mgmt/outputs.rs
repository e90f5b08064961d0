//! The outputs that a configuration asks for, opened.

use crate::mgmt::config::sections::outputs::{EVE, FAST};
use crate::mgmt::config::{Config, Destination, EventType, Records, SinkKind, SyslogServer};
use crate::mgmt::eve::{Eve, Medium, Style};
use crate::mgmt::fast::Fast;
use crate::mgmt::output::{Format, Output};
use crate::mgmt::rpc::tls::TlsError;
use crate::mgmt::rulebook::RuleBook;
use crate::mgmt::sink::{
    Address, FileSink, FramedSink, Header, Rotation, Server, Sink, SocketSink, Syslog, Trust,
};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_rustls::rustls::pki_types::ServerName;

/// An output that cannot be opened. Not for want of a server: who listens at a socket may come later.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    #[error("cannot write {path}: {error}; give another folder with -l or outputs.directory")]
    File { path: PathBuf, error: io::Error },
    #[error("syslog at {to}: {error}")]
    Tls { to: SocketAddr, error: TlsError },
}

/// An output to go on with.
pub enum Renewed {
    /// The one of this name that is there.
    Same(String),
    New(Output),
}

/// When files are opened.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// One that cannot be is a fault.
    Now,
    /// One that cannot be is tried again: lines wait in memory, then are lost and counted.
    Whenever,
}

/// What an output is made of.
#[derive(PartialEq)]
struct Plan<'a> {
    name: &'a str,
    /// None: fast.log.
    records: Option<&'a Records>,
    to: &'a Destination,
    flush: Duration,
    directory: &'a Path,
}

fn plans(config: &Config) -> Vec<Plan<'_>> {
    let outputs = &config.outputs;
    let directory = outputs.directory.as_path();
    let mut plans = Vec::new();
    let mut add = |name, records, to, flush| plans.push(Plan { name, records, to, flush, directory });
    if outputs.eve.enabled {
        let records = &outputs.eve.records;
        add(EVE, Some(records), &outputs.eve.destination, records.flush_interval);
    }
    for further in &outputs.further_eve {
        let records = &further.records;
        add(&further.name, Some(records), &further.destination, records.flush_interval);
    }
    if outputs.fast.enabled {
        add(FAST, None, &outputs.fast.destination, outputs.fast.flush_interval);
    }
    plans
}

fn open_one(
    config: &Config,
    plan: &Plan<'_>,
    book: &RuleBook,
    medium: Medium,
    opening: Opening,
) -> Result<Output, Unwritable> {
    let format: Box<dyn Format> = match plan.records {
        Some(records) => Box::new(Eve::new(style(config, records, medium), book.clone())),
        None => Box::new(Fast::new(book.clone(), medium)),
    };
    Ok(Output::new(plan.name, format, sink(config, plan.to, opening)?, plan.flush))
}

/// Opens all that are enabled.
pub fn open(config: &Config, book: &RuleBook, medium: Medium) -> Result<Vec<Output>, Unwritable> {
    plans(config).iter().map(|plan| open_one(config, plan, book, medium, Opening::Now)).collect()
}

/// The outputs of another configuration of a line: those that are as they were go on.
pub fn renew(
    old: &Config,
    new: &Config,
    book: &RuleBook,
    opening: Opening,
) -> Result<Vec<Renewed>, Unwritable> {
    let before = plans(old);
    let renewed = |plan: &Plan<'_>| match before.contains(plan) {
        true => Ok(Renewed::Same(plan.name.to_owned())),
        false => open_one(new, plan, book, Medium::Wire, opening).map(Renewed::New),
    };
    plans(new).iter().map(renewed).collect()
}

/// Records of these types for a client of the RPC, otherwise as those of `outputs.eve`.
pub fn records(config: &Config, types: &[EventType], book: &RuleBook) -> Box<dyn Format> {
    let style = Style { types: types.to_vec(), ..style(config, &config.outputs.eve.records, Medium::Wire) };
    Box::new(Eve::new(style, book.clone()))
}

fn style(config: &Config, records: &Records, medium: Medium) -> Style {
    Style {
        types: records.types.clone(),
        medium,
        ports: config.ports.iter().map(|p| p.name.clone()).collect(),
        rule_text: records.rule_text,
        verdict: records.verdict,
    }
}

fn sink(config: &Config, to: &Destination, opening: Opening) -> Result<Box<dyn Sink>, Unwritable> {
    let folder = &config.outputs.directory;
    let socket = || folder.join(&to.socket);
    let address = match to.to {
        SinkKind::File => return file(config, to, opening),
        SinkKind::UnixStream => Address::UnixStream(socket()),
        SinkKind::UnixDatagram => Address::UnixDatagram(socket()),
        SinkKind::Syslog => {
            let (facility, severity) = (to.syslog_facility as u8, to.syslog_severity as u8);
            let header = Header::of_this_process(facility, severity, &to.syslog_name);
            let server = |to: &SocketAddr, trust| FramedSink::open(Server { to: *to, trust });
            return Ok(Box::new(match &to.syslog_server {
                SyslogServer::Unix(path) => {
                    Syslog::new(header, SocketSink::open(Address::UnixDatagram(path.clone())))
                }
                SyslogServer::Udp(address) => Syslog::new(header, SocketSink::open(Address::Udp(*address))),
                SyslogServer::Tcp(address) => Syslog::new(header, server(address, None)),
                SyslogServer::Tls(address) => {
                    Syslog::new(header, server(address, Some(trust(to, *address)?)))
                }
            }));
        }
    };
    Ok(Box::new(SocketSink::open(address)))
}

/// The name that a server's certificate must have; none where what is written is no name.
pub fn server_name(to: &Destination) -> Option<ServerName<'static>> {
    match (&to.syslog_server, to.syslog_server_name.as_str()) {
        (SyslogServer::Tls(address), "") => Some(ServerName::IpAddress(address.ip().into())),
        (_, name) => ServerName::try_from(name.to_owned()).ok(),
    }
}

fn trust(to: &Destination, address: SocketAddr) -> Result<Trust, Unwritable> {
    let own = Some((&to.syslog_certificate, &to.syslog_key)).filter(|(_, key)| !key.as_os_str().is_empty());
    // A name that is none is a fault of the configuration, which was checked.
    let name = server_name(to).unwrap_or(ServerName::IpAddress(address.ip().into()));
    Trust::read(&to.syslog_ca, own, name).map_err(|error| Unwritable::Tls { to: address, error })
}

fn file(config: &Config, to: &Destination, opening: Opening) -> Result<Box<dyn Sink>, Unwritable> {
    let folder = &config.outputs.directory;
    let path = folder.join(&to.file);
    let rotation = Rotation { size: to.rotate_size.0, interval: to.rotate_interval, keep: to.keep_files };
    let opened = std::fs::create_dir_all(folder).and_then(|()| FileSink::create(&path, rotation));
    match opened {
        Ok(sink) => Ok(Box::new(sink)),
        Err(error) if opening == Opening::Whenever => Ok(Box::new(FileSink::later(&path, rotation, &error))),
        Err(error) => Err(Unwritable::File { path, error }),
    }
}
