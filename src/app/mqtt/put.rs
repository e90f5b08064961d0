//! What a message says, into its transaction.

use super::message::{self, Connect, Header, Publish, kind};
use super::properties;
use crate::app::{Transaction, Wanted};
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};

const PDU: BufferId = context::id("mqtt.pdu");
const HEADER: BufferId = context::id("mqtt.header");
const DATA: BufferId = context::id("mqtt.data");
const CLIENT_ID: BufferId = context::id("mqtt.connect.clientid");
const USERNAME: BufferId = context::id("mqtt.connect.username");
const PASSWORD: BufferId = context::id("mqtt.connect.password");
const WILL_TOPIC: BufferId = context::id("mqtt.connect.willtopic");
const WILL_MESSAGE: BufferId = context::id("mqtt.connect.willmessage");
const PROTOCOL: BufferId = context::id("mqtt.connect.protocol_string");
const TOPIC: BufferId = context::id("mqtt.publish.topic");
const MESSAGE: BufferId = context::id("mqtt.publish.message");
const SUBSCRIBED: BufferId = context::id("mqtt.subscribe.topic");
const UNSUBSCRIBED: BufferId = context::id("mqtt.unsubscribe.topic");

const TYPE: FieldId = field::id("mqtt.type");
const FLAGS: FieldId = field::id("mqtt.flags");
const QOS: FieldId = field::id("mqtt.qos");
const VERSION: FieldId = field::id("mqtt.protocol_version");
const REASON: FieldId = field::id("mqtt.reason_code");
const SESSION_PRESENT: FieldId = field::id("mqtt.connack.session_present");
const CONNECT_FLAGS: FieldId = field::id("mqtt.connect.flags");

pub fn wants_frames(wanted: &Wanted) -> bool {
    [PDU, HEADER, DATA].into_iter().any(|frame| wanted.has(frame))
}

pub fn frames(tx: &mut Transaction, dir: Dir, pdu: &[u8], header: usize) {
    let (head, data) = pdu.split_at(header.min(pdu.len()));
    tx.put(dir, PDU, pdu);
    tx.put(dir, HEADER, head);
    if !data.is_empty() {
        tx.put(dir, DATA, data);
    }
}

pub fn header(tx: &mut Transaction, dir: Dir, header: &Header) {
    tx.field(dir, TYPE, header.kind().into());
    tx.field(dir, FLAGS, header.flags().into());
    tx.field(dir, QOS, header.qos().into());
}

/// CONNECT says which version the session speaks.
pub fn version(body: &[u8]) -> u8 {
    Connect::parse(body).map_or(0, |connect| connect.version)
}

/// `None` when the body is not what its type says.
pub fn body(tx: &mut Transaction, dir: Dir, header: &Header, body: &[u8], version: u8) -> Option<()> {
    if version > 0 {
        tx.field(dir, VERSION, version.into());
    }
    match header.kind() {
        kind::CONNECT => connect(tx, dir, header, &Connect::parse(body)?),
        kind::CONNACK => {
            let (present, code, said) = message::connack(body, version)?;
            tx.field(dir, SESSION_PRESENT, present.into());
            tx.field(dir, REASON, code.into());
            note_header(tx, "connack.qos", "connack.retain", "connack.dup", header);
            tx.note_bool("connack.session_present", present);
            tx.note_number("connack.return_code", code.into());
            properties::note(tx, "/mqtt.connack.properties", said);
        }
        kind::PUBLISH => {
            let publish = Publish::parse(body, header.qos(), version)?;
            tx.put(dir, TOPIC, publish.topic);
            tx.put(dir, MESSAGE, publish.message);
            note_header(tx, "publish.qos", "publish.retain", "publish.dup", header);
            tx.note("publish.topic", publish.topic);
            if let Some(id) = publish.id {
                tx.note_number("publish.message_id", id.into());
            }
            tx.note(
                "publish.message",
                publish.message.get(..MAX_NOTE.min(publish.message.len())).unwrap_or_default(),
            );
            properties::note(tx, "/mqtt.publish.properties", publish.properties);
        }
        kind::PUBACK | kind::PUBREC | kind::PUBREL | kind::PUBCOMP => {
            let (id, reason, said) = message::answer(body, version)?;
            put_reason(tx, dir, reason);
            let names = Answer::named(header.kind());
            note_header(tx, names.qos, names.retain, names.dup, header);
            tx.note_number(names.id, id.into());
            reason.into_iter().for_each(|reason| tx.note_number(names.reason, reason.into()));
            properties::note(tx, names.properties, said);
        }
        kind::SUBSCRIBE | kind::UNSUBSCRIBE => topics(tx, dir, header, body, version)?,
        kind::SUBACK | kind::UNSUBACK => {
            let (id, said, codes) = message::codes(body, version)?;
            codes.iter().for_each(|code| tx.field(dir, REASON, (*code).into()));
            let names = Answer::named(header.kind());
            note_header(tx, names.qos, names.retain, names.dup, header);
            tx.note_number(names.id, id.into());
            codes.iter().for_each(|code| tx.note_number(names.reason, (*code).into()));
            properties::note(tx, names.properties, said);
        }
        kind::DISCONNECT | kind::AUTH => {
            let (reason, said) = message::reason(body, version);
            put_reason(tx, dir, reason);
            let names = Answer::named(header.kind());
            note_header(tx, names.qos, names.retain, names.dup, header);
            reason.into_iter().for_each(|reason| tx.note_number(names.reason, reason.into()));
            properties::note(tx, names.properties, said);
        }
        kind::PINGREQ => note_header(tx, "pingreq.qos", "pingreq.retain", "pingreq.dup", header),
        kind::PINGRESP => note_header(tx, "pingresp.qos", "pingresp.retain", "pingresp.dup", header),
        _ => {}
    }
    Some(())
}

/// Of a published message eve.json shows so much (`string-log-limit`).
const MAX_NOTE: usize = 1024;

fn connect(tx: &mut Transaction, dir: Dir, header: &Header, connect: &Connect<'_>) {
    tx.put(dir, PROTOCOL, connect.protocol);
    tx.put(dir, CLIENT_ID, connect.client_id);
    tx.field(dir, CONNECT_FLAGS, connect.flags.into());
    let optional = [
        (WILL_TOPIC, connect.will.map(|(topic, _)| topic)),
        (WILL_MESSAGE, connect.will.map(|(_, message)| message)),
        (USERNAME, connect.username),
        (PASSWORD, connect.password),
    ];
    for (buffer, bytes) in optional {
        bytes.into_iter().for_each(|bytes| tx.put(dir, buffer, bytes));
    }
    if !tx.wants_notes() {
        return;
    }
    note_header(tx, "connect.qos", "connect.retain", "connect.dup", header);
    tx.note("connect.protocol_string", connect.protocol);
    tx.note_number("connect.protocol_version", connect.version.into());
    tx.note_bool("connect.flags.username", connect.flags & 0x80 != 0);
    tx.note_bool("connect.flags.password", connect.flags & 0x40 != 0);
    tx.note_bool("connect.flags.will_retain", connect.flags & 0x20 != 0);
    tx.note_bool("connect.flags.will", connect.flags & 4 != 0);
    tx.note_bool("connect.flags.clean_session", connect.flags & 2 != 0);
    tx.note("connect.client_id", connect.client_id);
    connect.username.into_iter().for_each(|name| tx.note("connect.username", name));
    if let Some((topic, message)) = connect.will {
        tx.note("connect.will.topic", topic);
        tx.note("connect.will.message", message);
    }
    properties::note(tx, "/mqtt.connect.will.properties", connect.will_properties);
    properties::note(tx, "/mqtt.connect.properties", connect.properties);
}

fn topics(tx: &mut Transaction, dir: Dir, header: &Header, body: &[u8], version: u8) -> Option<()> {
    let subscribes = header.kind() == kind::SUBSCRIBE;
    let names = Answer::named(header.kind());
    note_header(tx, names.qos, names.retain, names.dup, header);
    let (id, said) = message::topics(body, version, subscribes, |topic, options| {
        tx.put(dir, if subscribes { SUBSCRIBED } else { UNSUBSCRIBED }, topic);
        if let Some(options) = options {
            tx.note_begin("subscribe.topics[]");
            tx.note("subscribe.topics[].topic", topic);
            tx.note_number("subscribe.topics[].qos", u64::from(options & 3));
        } else {
            tx.note("unsubscribe.topics[]", topic);
        }
    })?;
    tx.note_number(names.id, id.into());
    properties::note(tx, names.properties, said);
    Some(())
}

/// What a record calls the parts that many messages have; of SUBACK and UNSUBACK `reason` is a list.
struct Answer {
    qos: &'static str,
    retain: &'static str,
    dup: &'static str,
    id: &'static str,
    reason: &'static str,
    properties: &'static str,
}

macro_rules! answer {
    ($name:literal, $reason:literal) => {
        Answer {
            qos: concat!($name, ".qos"),
            retain: concat!($name, ".retain"),
            dup: concat!($name, ".dup"),
            id: concat!($name, ".message_id"),
            reason: concat!($name, ".", $reason),
            properties: concat!("/mqtt.", $name, ".properties"),
        }
    };
}

impl Answer {
    fn named(kind: u8) -> Answer {
        match kind {
            kind::PUBACK => answer!("puback", "reason_code"),
            kind::PUBREC => answer!("pubrec", "reason_code"),
            kind::PUBREL => answer!("pubrel", "reason_code"),
            kind::PUBCOMP => answer!("pubcomp", "reason_code"),
            kind::SUBSCRIBE => answer!("subscribe", "reason_code"),
            kind::UNSUBSCRIBE => answer!("unsubscribe", "reason_code"),
            kind::SUBACK => answer!("suback", "qos_granted[]"),
            kind::UNSUBACK => answer!("unsuback", "reason_codes[]"),
            kind::AUTH => answer!("auth", "reason_code"),
            _ => answer!("disconnect", "reason_code"),
        }
    }
}

fn put_reason(tx: &mut Transaction, dir: Dir, reason: Option<u8>) {
    if let Some(reason) = reason {
        tx.field(dir, REASON, reason.into());
    }
}

fn note_header(
    tx: &mut Transaction,
    qos: &'static str,
    retain: &'static str,
    dup: &'static str,
    header: &Header,
) {
    tx.note_number(qos, header.qos().into());
    tx.note_bool(retain, header.flags() & 1 != 0);
    tx.note_bool(dup, header.flags() & 8 != 0);
}
