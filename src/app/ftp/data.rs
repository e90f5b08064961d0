//! FTP's data channel: a file, from the first byte to the last.

use super::{RETR, STOR};
use crate::app::entry::{Entry, NO_STATES, at_the_end};
use crate::app::{Announcement, Decoder, FileId, Next, Probe, Sink, TxId};
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::field::{self, FieldId};

/// Found where a control channel announced it, and nowhere else.
pub const ENTRY: Entry = Entry {
    proto: AppProto::FtpData,
    tcp: &[],
    udp: &[],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe: |_, _| Probe::No,
    make: Some(|| Box::<FtpData>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const COMMAND: FieldId = field::id("ftpdata_command");

#[derive(Debug, Default)]
pub(super) struct FtpData {
    announced: Option<Announcement>,
    /// The file, in its direction.
    file: Option<(Dir, TxId, FileId)>,
    begun: bool,
}

impl Decoder for FtpData {
    fn told(&mut self, announced: &Announcement) {
        self.announced = Some(announced.clone());
    }

    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(dir, sink);
        }
        if let Some((way, id, file)) = self.file
            && way == dir
            && let Some(tx) = sink.tx(id)
        {
            tx.grow_file(file, bytes);
        }
        Next::More
    }

    fn gap(&mut self, dir: Dir, missing: u64, sink: &mut Sink<'_>) -> Next {
        if let Some((way, id, file)) = self.file
            && way == dir
            && let Some(tx) = sink.tx(id)
        {
            tx.skip_in_file(file, missing);
        }
        self.close(dir, true, sink);
        Next::Stop
    }

    fn end(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        self.close(dir, false, sink);
    }

    fn reset(&mut self) {
        *self = FtpData::default();
    }
}

impl FtpData {
    fn begin(&mut self, dir: Dir, sink: &mut Sink<'_>) {
        let window = sink.limits.files(sink.limits.file);
        let Some(id) = sink.open() else { return };
        let Some(tx) = sink.tx(id) else { return };
        let name = self.announced.as_ref().map(|a| a.name.as_slice()).unwrap_or_default();
        if let Some(announced) = &self.announced {
            // As Suricata has it: of a retrieval always to the client of the session, whichever end sends the file.
            let way = if announced.command == RETR { Dir::ToClient } else { Dir::ToServer };
            tx.field(way, COMMAND, announced.command);
            tx.note("command", if announced.command == STOR { b"STOR" } else { b"RETR" });
            tx.note("filename", name);
        }
        self.file = tx.open_file(dir, name, window).map(|file| (dir, id, file));
    }

    fn close(&mut self, dir: Dir, truncated: bool, sink: &mut Sink<'_>) {
        if let Some((_, id, file)) = self.file.take_if(|(way, ..)| *way == dir)
            && let Some(tx) = sink.tx(id)
        {
            tx.close_file(file, truncated);
            Dir::BOTH.into_iter().for_each(|dir| tx.complete(dir));
        }
    }
}
