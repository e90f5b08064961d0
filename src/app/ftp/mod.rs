//! FTP's control channel (RFC 959), and the announcements of its data channels.
//!
//! A transaction is a command and its replies, of which those that begin with 1 announce another. A greeting that nobody
//! asked for is none.

mod command;
mod data;
#[cfg(test)]
mod tests;

pub use data::ENTRY as DATA_ENTRY;

use super::entry::{Entry, NO_STATES, at_the_end};
use super::expected::MAX_NAME;
use super::{Announcement, Decoder, End, Greeting, Line, Lines, Next, Probe, Sink, Transaction, TxId, text};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use command::{Command, extended_passive, six_numbers};
use std::collections::VecDeque;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Ftp,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Ftp>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const COMMAND: BufferId = context::id("ftp.command");
const COMMAND_DATA: BufferId = context::id("ftp.command_data");
const REPLY: BufferId = context::id("ftp.reply");
const COMPLETION_CODE: BufferId = context::id("ftp.completion_code");
const COMMAND_LINE: BufferId = context::id("ftp.command_line");
const RESPONSE_LINE: BufferId = context::id("ftp.response_line");
const DYNAMIC_PORT: FieldId = field::id("ftp.dynamic_port");
const MODE: FieldId = field::id("ftp.mode");
const REPLY_RECEIVED: FieldId = field::id("ftp.reply_received");
const BOUNCE: FieldId = field::id("ftpbounce");

/// Places in the words of `ftp.mode` and `ftpdata_command`.
const ACTIVE: u64 = 0;
const PASSIVE: u64 = 1;
const RETR: u64 = 0;
const STOR: u64 = 1;

/// A longer line is cut, and an event (`max-line-length`).
const MAX_LINE: usize = 4096;
/// Commands without their replies: beyond, an event, and the oldest is forgotten (`max-tx`).
const MAX_PENDING: usize = 1024;

#[derive(Debug, Default)]
struct Ftp {
    lines: PerDir<Lines>,
    pending: VecDeque<(Command, Option<TxId>)>,
    /// The code of a reply of several lines that is under way.
    long_reply: Option<[u8; 3]>,
    banner: Greeting,
    /// Where the next data channel will end.
    data: Option<End>,
    /// What it will carry.
    transfer: Option<Announcement>,
}

impl Decoder for Ftp {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut rest = bytes;
        let mut lines = std::mem::take(&mut self.lines[dir]);
        let mut tls = false;
        while !tls && let Some(line) = lines.next(&mut rest, MAX_LINE) {
            if line.first {
                match dir {
                    Dir::ToServer => self.command_line(&line, sink),
                    Dir::ToClient => tls = self.reply_line(&line, sink),
                }
            }
        }
        self.lines[dir] = lines;
        if tls {
            Next::Change { consumed: bytes.len() - rest.len(), to: Some(AppProto::Tls) }
        } else {
            Next::More
        }
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.lines[dir].clear();
        if dir == Dir::ToClient {
            self.long_reply = None;
        }
        Next::More
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        for id in self.pending.iter().filter_map(|(_, id)| *id) {
            if let Some(tx) = sink.tx(id) {
                if dir == Dir::ToClient && tx.numbers(REPLY_RECEIVED).next().is_none() {
                    tx.field(dir, REPLY_RECEIVED, 0);
                    tx.note("reply_received", b"no");
                }
                tx.complete(dir);
            }
        }
    }

    fn reset(&mut self) {
        Dir::BOTH.into_iter().for_each(|dir| self.lines[dir].reset());
        self.pending.clear();
        self.pending.shrink_to(64);
        self.banner.reset();
        (self.long_reply, self.data, self.transfer) = Default::default();
    }
}

impl Ftp {
    fn command_line(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) {
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        let (command, verb, argument) = Command::parse(text);
        let client = sink.tuple.src;
        let id = sink.open();
        if let Some(tx) = id.and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToServer, COMMAND_LINE, text);
            tx.put_with(Dir::ToServer, COMMAND, |out| out.extend(verb.iter().map(u8::to_ascii_uppercase)));
            if !argument.is_empty() {
                tx.put(Dir::ToServer, COMMAND_DATA, argument);
            }
            note_command(tx, verb, argument);
            self.banner.note(tx);
            if line.text.len() >= MAX_LINE {
                tx.event(Dir::ToServer, "ftp.request_command_too_long");
                tx.note_bool("command_truncated", true);
            }
            if let Command::Active(Some((addr, _, port))) = command {
                tx.field(Dir::ToServer, MODE, ACTIVE);
                tx.field(Dir::ToServer, DYNAMIC_PORT, port.into());
                if addr != client {
                    tx.field(Dir::ToServer, BOUNCE, 1);
                }
            }
            if self.pending.len() >= MAX_PENDING {
                tx.event(Dir::ToServer, "ftp.too_many_transactions");
            }
            // Rules on a passive command ask for the port that its reply will name.
            if command != Command::Passive {
                tx.complete(Dir::ToServer);
            }
        }
        self.wait_for(command, id, sink);
        self.plan(command, argument, sink);
    }

    fn wait_for(&mut self, command: Command, id: Option<TxId>, sink: &mut Sink<'_>) {
        if self.pending.len() >= MAX_PENDING
            && let Some((_, Some(oldest))) = self.pending.pop_front()
            && let Some(tx) = sink.tx(oldest)
        {
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
        self.pending.push_back((command, id));
    }

    /// What a command means for the data channel.
    fn plan(&mut self, command: Command, argument: &[u8], sink: &mut Sink<'_>) {
        let context = sink.tuple.tenant();
        match command {
            Command::Active(at) => {
                self.data = at.map(|(addr, family, port)| End { addr, family, port, context });
            }
            Command::Passive => self.data = None,
            Command::Retrieve | Command::Store => {
                let command = if command == Command::Retrieve { RETR } else { STOR };
                let name = argument.iter().copied().take(MAX_NAME).collect();
                self.transfer = Some(Announcement { proto: AppProto::FtpData, command, name });
                self.expect(sink);
            }
            Command::AuthTls | Command::Quit | Command::Other => {}
        }
    }

    /// Announces the data channel, once it is known where it will end and what it will carry.
    fn expect(&mut self, sink: &mut Sink<'_>) {
        if let (Some(end), Some(announced)) = (self.data, &self.transfer) {
            sink.expect(end, announced.clone());
            (self.data, self.transfer) = (None, None);
        }
    }

    /// Whether TLS begins behind the line.
    fn reply_line(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) -> bool {
        let text = line.text.get(..MAX_LINE.min(line.text.len())).unwrap_or_default();
        let reply = Reply::parse(text, &mut self.long_reply);
        let Some(&(command, id)) = self.pending.front() else {
            self.unasked(line, text, &reply, sink);
            return false;
        };
        let port = match reply.code {
            Some([b'2', b'2', b'7']) if command == Command::Passive => {
                six_numbers(reply.text).map(|(_, port)| port)
            }
            Some([b'2', b'2', b'9']) if command == Command::Passive => extended_passive(reply.text),
            _ => None,
        };
        if let Some(tx) = id.and_then(|id| sink.tx(id)) {
            let first = put_reply(tx, line, text, &reply);
            match (command, port) {
                (Command::Active(Some((.., port))), _) if first => {
                    put_data(tx, ACTIVE, port, &[Dir::ToClient])
                }
                (_, Some(port)) => put_data(tx, PASSIVE, port, &Dir::BOTH),
                _ => {}
            }
            if reply.completes() {
                Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
            }
        }
        if let Some(port) = port {
            let (addr, family, context) = (sink.tuple.dst, sink.tuple.family, sink.tuple.tenant());
            // The server's own address, as clients do: what it says may be one behind a translation.
            self.data = Some(End { addr, family, port, context });
            self.expect(sink);
        }
        if reply.completes() {
            self.pending.pop_front();
            if matches!(command, Command::Retrieve | Command::Store) {
                self.transfer = None;
            }
        }
        command == Command::AuthTls && reply.completes() && reply.code == Some(*b"234")
    }

    /// The greeting, or a reply whose command was not seen.
    fn unasked(&mut self, line: &Line<'_>, text: &[u8], reply: &Reply<'_>, sink: &mut Sink<'_>) {
        if let Reply { code: Some([b'2', b'2', b'0']), text, .. } = reply {
            self.banner.hear(text);
        }
        let too_long = line.text.len() >= MAX_LINE;
        if !too_long && !sink.wanted().has(RESPONSE_LINE) {
            return;
        }
        if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
            tx.put(Dir::ToClient, RESPONSE_LINE, text);
            if too_long {
                tx.event(Dir::ToClient, "ftp.response_command_too_long");
            }
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
    }
}

/// A line of a reply.
struct Reply<'a> {
    /// Where the line has one.
    code: Option<[u8; 3]>,
    /// Without its code.
    text: &'a [u8],
    /// It is the last one of its reply.
    last: bool,
}

impl<'a> Reply<'a> {
    fn parse(line: &'a [u8], long: &mut Option<[u8; 3]>) -> Reply<'a> {
        let code = line.first_chunk::<3>().filter(|code| code.iter().all(u8::is_ascii_digit)).copied();
        let code = code.filter(|_| matches!(line.get(3), None | Some(b' ' | b'-')));
        let goes_on = line.get(3) == Some(&b'-');
        let text = if code.is_some() { line.get(4..).unwrap_or_default() } else { line };
        match (*long, code) {
            (None, Some(code)) if goes_on => *long = Some(code),
            (Some(begun), Some(code)) if begun == code && !goes_on => *long = None,
            _ => {}
        }
        Reply { code, text, last: long.is_none() }
    }

    /// The command is answered; a preliminary reply leaves it open.
    fn completes(&self) -> bool {
        self.last && self.code.is_some_and(|code| code[0] != b'1')
    }
}

/// Whether it is the command's first.
fn put_reply(tx: &mut Transaction, line: &Line<'_>, text: &[u8], reply: &Reply<'_>) -> bool {
    tx.put(Dir::ToClient, RESPONSE_LINE, text);
    if let Some(code) = reply.code {
        tx.put(Dir::ToClient, COMPLETION_CODE, &code);
        tx.note("completion_code[]", &code);
    }
    tx.put(Dir::ToClient, REPLY, reply.text);
    tx.note("reply[]", reply.text);
    let first = tx.numbers(REPLY_RECEIVED).next().is_none();
    if first {
        tx.field(Dir::ToClient, REPLY_RECEIVED, 1);
        tx.note("reply_received", b"yes");
    }
    if line.text.len() >= MAX_LINE {
        tx.event(Dir::ToClient, "ftp.response_command_too_long");
        tx.note_bool("reply_truncated", true);
    }
    first
}

fn note_command(tx: &mut Transaction, verb: &[u8], argument: &[u8]) {
    if tx.wants_notes() {
        tx.note("command", verb);
        if !argument.is_empty() {
            tx.note("command_data", argument);
        }
    }
}

/// The data channel: rules of either direction may ask for it, each as it comes by.
fn put_data(tx: &mut Transaction, mode: u64, port: u16, dirs: &[Dir]) {
    for &dir in dirs {
        tx.field(dir, MODE, mode);
        tx.field(dir, DYNAMIC_PORT, port.into());
    }
    tx.note("mode", if mode == ACTIVE { b"active" } else { b"passive" });
    tx.note_number("dynamic_port", port.into());
}

fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    const FIRST: &[&[u8]] = &[
        b"USER ",
        b"AUTH TLS",
        b"AUTH SSL",
        b"FEAT\r",
        b"FEAT\n",
        b"OPTS UTF8",
        b"SYST\r",
        b"SYST\n",
        b"CLNT ",
        b"PORT ",
        b"PASV\r",
        b"EPSV\r",
        b"RETR ",
        b"STOR ",
        b"NLST",
        b"TYPE ",
    ];
    let named = || text::contains(bytes, b"FTP") && !text::contains(bytes, b"SMTP");
    match dir {
        Dir::ToServer if text::begins(bytes, &[b"220 ", b"220-"]) == Probe::Yes && named() => Probe::Reversed,
        Dir::ToServer => match text::begins(bytes, FIRST) {
            Probe::Yes if text::begins(bytes, &[b"USER "]) == Probe::Yes => user(bytes),
            other => other,
        },
        Dir::ToClient => match text::begins(bytes, &[b"220 ", b"220-"]) {
            Probe::Yes if named() => Probe::Yes,
            // SMTP begins so too: the client's first command tells.
            Probe::Yes => Probe::More,
            other => other,
        },
    }
}

/// IRC has a command of that name, with four words behind it.
fn user(bytes: &[u8]) -> Probe {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return Probe::More };
    let line = bytes.get(..end).unwrap_or_default();
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    if words < 4 { Probe::Yes } else { Probe::No }
}
