//! NFS 2, 3 and 4 over ONC RPC (RFC 1094, 1813, 7530, 5531), by TCP and UDP.
//!
//! Owes a transaction for each call and its reply, and for each file that is read or written one a direction, with its
//! bytes. Owns the calls without a reply, and the names of the file handles that were looked up.

mod call;
mod decoder;
mod files;
mod procedure;
mod record;
mod rpc;
#[cfg(test)]
mod tests;

use super::decoder::Probe;
use super::entry::{Entry, NO_STATES, at_the_end};
use crate::base::Dir;
use crate::rules::app::AppProto;

pub const ENTRY: Entry = Entry {
    proto: AppProto::Nfs,
    tcp: &[2049],
    udp: &[2049],
    anywhere_tcp: false,
    anywhere_udp: false,
    probe,
    make: Some(|| Box::new(decoder::Nfs::default())),
    stage: at_the_end,
    states: NO_STATES,
};

/// A call to NFS or a reply, as a datagram or in a stream's record.
fn probe(dir: Dir, bytes: &[u8]) -> Probe {
    let begins =
        |bytes: &[u8]| if dir == Dir::ToServer { rpc::begins_call(bytes) } else { rpc::begins_reply(bytes) };
    match (begins(bytes), record::beginning(bytes).map(|bytes| begins(&bytes))) {
        (Probe::Yes, _) | (_, Some(Probe::Yes)) => Probe::Yes,
        (Probe::More, _) | (_, Some(Probe::More)) => Probe::More,
        _ => Probe::No,
    }
}
