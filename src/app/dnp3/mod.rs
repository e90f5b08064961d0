//! DNP3 over TCP (IEEE 1815): frames of the link layer put together to fragments of the application layer.
//!
//! Owes a transaction for each fragment, of the direction that carried it. Bytes that are no frame are stepped over up to the
//! next that begins as one; a frame or fragment whose sums are wrong is left out.

mod link;
mod notes;
mod objects;
#[cfg(test)]
mod tests;

use super::entry::{Entry, NO_STATES, at_the_end};
use super::{Carry, Decoder, Next, Probe, Sink, Transaction};
use crate::base::{Dir, PerDir};
use crate::rules::app::AppProto;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use link::{HEADER_LEN, Header, MAX_FRAME, MIN_LEN};
use objects::Fault;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Dnp3,
    tcp: &[],
    udp: &[],
    anywhere_tcp: true,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::<Dnp3>::default()),
    stage: at_the_end,
    states: NO_STATES,
};

const FRAME: BufferId = context::id("dnp3.pdu");
const DATA: BufferId = context::id("dnp3.data");
const FUNCTION: FieldId = field::id("dnp3_func");
const INDICATORS: FieldId = field::id("dnp3_ind");
const OBJECT: FieldId = field::id("dnp3_obj");

/// A fragment put together of frames is at most so long; the standard's is 2048 unless devices agree on more.
const MAX_FRAGMENT: usize = 16 << 10;
/// So many frames in a row with a wrong sum: it is not DNP3.
const MAX_FAULTY: u8 = 16;

/// Of a transport header: the fragment's last and first segment, and a count.
const LAST: u8 = 0x80;
const FIRST: u8 = 0x40;
const SEQUENCE: u8 = 0x3f;

/// The fragment that a direction is putting together.
#[derive(Debug, Default)]
struct Fragment {
    bytes: Vec<u8>,
    /// The number of the next segment; `None` between fragments.
    next: Option<u8>,
}

#[derive(Debug, Default)]
struct Dnp3 {
    incoming: PerDir<Carry>,
    fragment: PerDir<Fragment>,
    /// A frame's data, without its sums.
    data: Vec<u8>,
    faulty: u8,
}

/// What a fragment begins with.
#[derive(Copy, Clone, Debug)]
struct Application {
    control: u8,
    function: u8,
    /// Of a response.
    indicators: Option<u16>,
    len: usize,
}

impl Application {
    fn parse(fragment: &[u8]) -> Option<Application> {
        let (&control, &function) = (fragment.first()?, fragment.get(1)?);
        let response = matches!(function, 129..=131);
        let indicators =
            if response { Some(u16::from_be_bytes(*fragment.get(2..)?.first_chunk()?)) } else { None };
        Some(Application { control, function, indicators, len: if response { 4 } else { 2 } })
    }
}

impl Decoder for Dnp3 {
    fn data(&mut self, dir: Dir, bytes: &[u8], sink: &mut Sink<'_>) -> Next {
        let mut incoming = std::mem::take(&mut self.incoming[dir]);
        let on = incoming.cut(bytes, MAX_FRAME, link::frame, |frame| {
            self.frame(dir, frame, sink);
            self.faulty < MAX_FAULTY
        });
        self.incoming[dir] = incoming;
        if on { Next::More } else { Next::Broken }
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _sink: &mut Sink<'_>) -> Next {
        self.incoming[dir].clear();
        self.fragment[dir].next = None;
        Next::More
    }

    fn reset(&mut self) {
        for dir in Dir::BOTH {
            self.incoming[dir].reset();
            let fragment = &mut self.fragment[dir];
            fragment.bytes.clear();
            fragment.next = None;
        }
        self.faulty = 0;
    }
}

impl Dnp3 {
    fn frame(&mut self, dir: Dir, frame: &[u8], sink: &mut Sink<'_>) {
        let Some(header) = Header::parse(frame) else { return };
        if !header.sound {
            self.faulty += 1;
            return alone(dir, sink, |tx| tx.event(dir, "dnp3.bad_link_crc"));
        }
        // A segment has a transport header at least.
        if header.len < MIN_LEN || header.has_data() && header.len == MIN_LEN {
            return alone(dir, sink, |tx| tx.event(dir, "dnp3.len_too_small"));
        }
        if sink.wanted().has(FRAME) {
            alone(dir, sink, |tx| tx.put(dir, FRAME, frame));
        }
        if !header.has_data() {
            self.faulty = 0;
            return;
        }
        self.data.clear();
        if !link::data(frame, &mut self.data) {
            self.faulty += 1;
            self.fragment[dir].next = None;
            return alone(dir, sink, |tx| tx.event(dir, "dnp3.bad_transport_crc"));
        }
        self.faulty = 0;
        let data = std::mem::take(&mut self.data);
        if let Some((&transport, segment)) = data.split_first() {
            self.segment(dir, &header, transport, segment, sink);
        }
        self.data = data;
    }

    /// A segment of a fragment (IEEE 1815, 8).
    fn segment(&mut self, dir: Dir, header: &Header, transport: u8, segment: &[u8], sink: &mut Sink<'_>) {
        let fragment = &mut self.fragment[dir];
        let number = transport & SEQUENCE;
        if transport & FIRST != 0 {
            fragment.bytes.clear();
        } else if fragment.next != Some(number) {
            // One was lost, or it belongs to nothing.
            fragment.next = None;
            return;
        }
        if fragment.bytes.len() + segment.len() > MAX_FRAGMENT {
            fragment.next = None;
            return alone(dir, sink, |tx| tx.event(dir, "dnp3.too_long_reassembly"));
        }
        fragment.bytes.extend_from_slice(segment);
        fragment.next = Some((number + 1) & SEQUENCE);
        if transport & LAST != 0 {
            fragment.next = None;
            alone(dir, sink, |tx| message(tx, dir, header, &fragment.bytes));
        }
    }
}

/// A fragment of the application layer.
fn message(tx: &mut Transaction, dir: Dir, header: &Header, fragment: &[u8]) {
    tx.put(dir, DATA, fragment);
    let Some(application) = Application::parse(fragment) else {
        return tx.event(dir, "dnp3.len_too_small");
    };
    tx.field(dir, FUNCTION, application.function.into());
    if let Some(indicators) = application.indicators {
        tx.field(dir, INDICATORS, indicators.into());
    }
    let names = notes::names(application.indicators.is_some());
    notes::begin(tx, names, header, &application);
    let objects = fragment.get(application.len..).unwrap_or_default();
    let walked = objects::walk(application.function, objects, |object| {
        tx.field(dir, OBJECT, u64::from(object.group) << 8 | u64::from(object.variation));
        notes::object(tx, names, object);
    });
    tx.note_bool(names.complete, walked.is_ok());
    match walked {
        Ok(()) => {}
        Err(Fault::Unknown) => tx.event(dir, "dnp3.unknown_object"),
        Err(Fault::TooManyObjects) => tx.event(dir, "dnp3.too_many_objects"),
        Err(Fault::TooManyPoints) => tx.event(dir, "dnp3.too_many_points"),
        Err(Fault::Short) => tx.event(dir, "dnp3.len_too_small"),
    }
}

/// A transaction of one direction, whole at once.
fn alone(dir: Dir, sink: &mut Sink<'_>, put: impl FnOnce(&mut Transaction)) {
    if let Some(tx) = sink.open().and_then(|id| sink.tx(id)) {
        put(tx);
        tx.complete_one_way(dir);
    }
}

/// A header with the right sum: nothing else has one. The master is the client, unless the opening said otherwise.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    match Header::parse(bytes) {
        Some(header) if !header.sound => Probe::No,
        Some(header) if header.is_masters() == (dir == Dir::ToServer) => Probe::Yes,
        Some(_) => Probe::Reversed,
        None if bytes.len() < HEADER_LEN && bytes.iter().zip(link::START).all(|(a, b)| *a == b) => {
            Probe::More
        }
        None => Probe::No,
    }
}
