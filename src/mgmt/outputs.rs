//! The outputs that a configuration asks for, opened.

use crate::mgmt::config::sections::outputs::{EVE, FAST};
use crate::mgmt::config::{Config, Destination, Records, SinkKind, SyslogServer};
use crate::mgmt::eve::{Eve, Medium, Style};
use crate::mgmt::fast::Fast;
use crate::mgmt::output::{Format, Output};
use crate::mgmt::rulebook::RuleBook;
use crate::mgmt::sink::{Address, FileSink, Header, Rotation, Sink, SocketSink, Syslog};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An output that cannot be opened. Only files: who listens at a socket may come later.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {error}; give another folder with -l or outputs.directory")]
pub struct Unwritable {
    pub path: PathBuf,
    pub error: io::Error,
}

/// Opens all that are enabled.
pub fn open(config: &Config, book: &RuleBook, medium: Medium) -> Result<Vec<Output>, Unwritable> {
    let outputs = &config.outputs;
    let mut opened = Vec::new();
    let mut add = |name: &str, format: Box<dyn Format>, to: &Destination, flush: Duration| {
        sink(config, to).map(|sink| opened.push(Output::new(name, format, sink, flush)))
    };
    let eve = |records: &Records| Box::new(Eve::new(style(config, records, medium), book.clone()));
    if outputs.eve.enabled {
        let records = &outputs.eve.records;
        add(EVE, eve(records), &outputs.eve.destination, records.flush_interval)?;
    }
    for further in &outputs.further_eve {
        let records = &further.records;
        add(&further.name, eve(records), &further.destination, records.flush_interval)?;
    }
    if outputs.fast.enabled {
        let fast = Box::new(Fast::new(book.clone(), medium));
        add(FAST, fast, &outputs.fast.destination, outputs.fast.flush_interval)?;
    }
    Ok(opened)
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

fn sink(config: &Config, to: &Destination) -> Result<Box<dyn Sink>, Unwritable> {
    let folder = &config.outputs.directory;
    let socket = || folder.join(&to.socket);
    let address = match to.to {
        SinkKind::File => return file(config, to),
        SinkKind::UnixStream => Address::UnixStream(socket()),
        SinkKind::UnixDatagram => Address::UnixDatagram(socket()),
        SinkKind::Syslog => {
            let address = match &to.syslog_server {
                SyslogServer::Unix(path) => Address::UnixDatagram(path.clone()),
                SyslogServer::Udp(to) => Address::Udp(*to),
            };
            let (facility, severity) = (to.syslog_facility as u8, to.syslog_severity as u8);
            let header = Header::of_this_process(facility, severity, &to.syslog_name);
            return Ok(Box::new(Syslog::new(header, SocketSink::open(address))));
        }
    };
    Ok(Box::new(SocketSink::open(address)))
}

fn file(config: &Config, to: &Destination) -> Result<Box<dyn Sink>, Unwritable> {
    let folder = &config.outputs.directory;
    let path = folder.join(&to.file);
    let fault = |error| Unwritable { path: path.clone(), error };
    std::fs::create_dir_all(folder).map_err(fault)?;
    let rotation = Rotation { size: to.rotate_size.0, interval: to.rotate_interval, keep: to.keep_files };
    Ok(Box::new(FileSink::create(&path, rotation).map_err(fault)?))
}
