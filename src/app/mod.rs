//! Application decoders: what a session's bytes mean, as transactions with named buffers.
//!
//! Owes: the protocol of each session (by what its bytes are, helped by ports), and of each protocol that has a decoder its
//! transactions: named buffers and numbers that rules match, events, files, and notes for eve.json; in bounded memory,
//! on any bytes. Owns the decoders and their transactions, found by the handle in [`Session::app`](crate::session::Session).
//!
//! A packet's way: [`Apps::data`] (or [`Apps::gap`], [`Apps::end`]) with the next bytes of a direction, then whoever
//! inspects walks the session's [`Transactions`], and [`Apps::sweep`] takes back those that are through.
//!
//! **To add a decoder**: a file or folder that implements [`Decoder`], and one line in [`registry::TABLE`].

mod apps;
mod carry;
mod clipped;
pub mod cursor;
pub mod dcerpc;
mod decoder;
pub mod der;
mod detect;
mod dhcp;
pub mod digits;
mod dnp3;
pub mod dns;
mod enip;
mod entry;
mod exchange;
mod expected;
mod few;
#[cfg(test)]
pub(crate) mod fixture;
mod ftp;
mod greeting;
#[cfg(test)]
mod hostile_tests;
mod http1;
pub mod http2;
mod ike;
mod imap;
pub mod krb5;
mod ldap;
mod lent;
mod limits;
mod lines;
mod mime;
pub mod modbus;
mod mqtt;
pub mod nfs;
mod ntp;
mod pgsql;
mod pieced;
mod pop3;
mod quic;
mod rdp;
pub mod registry;
mod rfb;
mod sink;
mod sip;
pub mod smb;
mod smtp;
mod snmp;
mod ssh;
mod streamed;
mod sums;
mod telnet;
mod text;
mod tftp;
mod tls;
mod transaction;
mod transactions;
mod wanted;
mod websocket;

pub use apps::{AppCounters, AppState, Apps, Known, MAX_EVENTS, Source};
pub use carry::{Carry, Framed};
pub use decoder::{Decoder, Next, Probe};
pub use expected::{Announced, Announcement, End};
pub use greeting::Greeting;
pub use limits::{Encrypted, Limits, WhenEncrypted};
pub use lines::{Line, Lines};
pub use pieced::{MAX_WAITING, Pieced};
pub use sink::Sink;
pub use streamed::{Streamed, View, Window};
pub use sums::SumKind;
pub use tls::{subject_of, validity_of};
pub use transaction::{COMPLETE, File, FileId, Item, Marks, Note, NoteRef, Pending, START, Transaction};
pub use transactions::{BETWEEN_LOOKS, Transactions, TxId};
pub use wanted::{FileWants, Wanted};

pub use crate::rules::app::{AppProto, Protos};
