//! Sessions that another session announced: FTP's data channels.
//!
//! The two may lie with different workers, so there is one [`Announced`] for all of them: who decodes the announcement puts it there,
//! and the session that fits takes it away. In a replay by several workers both happen in the order of the packets.

mod table;

pub use table::Announced;

use crate::base::{Addr, AsTheyCome, Family, FlowTuple, Order, Time};
use crate::rules::app::AppProto;
use crate::wire::ip_proto;
use arrayvec::ArrayVec;
use std::sync::Arc;
use std::time::Duration;

/// As long is a session waited for.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// A name is kept so far.
pub const MAX_NAME: usize = 255;

/// What the session will carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub proto: AppProto,
    /// Place of the command behind it in the words of its keyword (`ftpdata_command`).
    pub command: u64,
    /// Of the file.
    pub name: ArrayVec<u8, MAX_NAME>,
}

/// The end that someone will connect to, in the VLAN or tunnel of who announced it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub addr: Addr,
    pub family: Family,
    pub port: u16,
    pub context: u64,
}

/// Ports that clients are given, and servers take for a data channel.
const GIVEN_PORTS: std::ops::RangeInclusive<u16> = 1024..=u16::MAX;

impl End {
    /// A session's server; its client as well, where it is not known which is which.
    fn of(tuple: &FlowTuple, opening_seen: bool) -> impl Iterator<Item = End> + use<> {
        let (FlowTuple { family, proto, .. }, context) = (*tuple, tuple.tenant());
        let end = move |addr, port| End { addr, family, port, context };
        let client = (!opening_seen).then(|| end(tuple.src, tuple.sport));
        std::iter::once(end(tuple.dst, tuple.dport)).chain(client).filter(move |_| proto == ip_proto::TCP)
    }
}

/// A worker's way to what was announced.
pub struct Expected {
    table: Arc<Announced>,
    order: Box<dyn Order>,
    position: u64,
}

impl Default for Expected {
    fn default() -> Expected {
        Expected::of(Arc::default())
    }
}

impl Expected {
    pub fn of(table: Arc<Announced>) -> Expected {
        Expected { table, order: Box::new(AsTheyCome), position: 0 }
    }

    /// Has the table touched in an order that several workers keep.
    pub fn keep_order(&mut self, order: Box<dyn Order>) {
        self.order = order;
    }

    /// What is decoded from now on stands there in that order.
    #[inline]
    pub fn set_position(&mut self, position: u64) {
        self.position = position;
    }

    pub fn add(&mut self, end: End, announced: &Announcement, now: Time) {
        self.order.wait_before(self.position);
        self.table.add(end, announced, now);
    }

    /// What a new session was announced to be; it is not waited for any more. `opening_seen`: it is known who opened it.
    pub fn take(&mut self, tuple: &FlowTuple, opening_seen: bool, now: Time) -> Option<Announcement> {
        // A server's own port is hardly announced: what waits for all that came before is only who may have been.
        if End::of(tuple, opening_seen).any(|end| GIVEN_PORTS.contains(&end.port)) {
            self.order.wait_before(self.position);
        }
        End::of(tuple, opening_seen).find_map(|end| self.table.take(&end, now))
    }
}
