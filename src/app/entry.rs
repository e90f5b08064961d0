//! What the [registry](super::registry) is told of a decoder.

use super::decoder::{Decoder, Probe};
use super::transaction::COMPLETE;
use crate::base::Dir;
use crate::rules::app::AppProto;
use crate::rules::context::BufferId;

/// The protocol's own names of a direction's stages, for `app-layer-state` and rule hooks; every protocol has others too
/// ([`stage_named`](super::registry::stage_named)).
pub type States = &'static [(&'static str, u8)];

pub struct Entry {
    pub proto: AppProto,
    /// Server's ports on which the protocol is looked for though its bytes prove little.
    pub tcp: &'static [u16],
    pub udp: &'static [u16],
    /// Its first bytes prove it on any port, by these transports.
    pub anywhere_tcp: bool,
    pub anywhere_udp: bool,
    /// What the first bytes of a direction say.
    pub probe: fn(Dir, &[u8]) -> Probe,
    /// `None`: found, and not decoded.
    pub make: Option<fn() -> Box<dyn Decoder>>,
    /// The stage of its direction from which on a buffer that was not put will not come.
    pub stage: fn(BufferId) -> u8,
    /// To the server, to the client.
    pub states: [States; 2],
}

/// For protocols whose buffers are all there when the direction is complete.
pub fn at_the_end(_buffer: BufferId) -> u8 {
    COMPLETE
}

pub const NO_STATES: [States; 2] = [&[], &[]];
