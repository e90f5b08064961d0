//! Whole TCP conversations, as IP packets in the order in which they pass.

use super::{IpFields, Random, Segment, TcpOptions, tcp_packet};
use crate::base::{Dir, PerDir};
use crate::wire::tcp::flag;
use std::net::SocketAddr;

/// Both ends of one connection. Each step appends the packets that a well-behaved pair would send; [`segment`] builds one
/// that they would not.
///
/// [`segment`]: TcpConversation::segment
#[derive(Clone, Debug)]
pub struct TcpConversation {
    /// To server, the client; to client, the server.
    senders: PerDir<SocketAddr>,
    initial: PerDir<u32>,
    next: PerDir<u32>,
    ip_id: PerDir<u16>,
    pub ip: IpFields,
    pub window: u16,
    pub packets: Vec<Vec<u8>>,
}

impl TcpConversation {
    /// Nothing is sent yet; the seed chooses the initial sequence numbers.
    pub fn new(client: SocketAddr, server: SocketAddr, seed: u64) -> TcpConversation {
        let mut random = Random::new(seed);
        let initial = PerDir([random.number() as u32, random.number() as u32]);
        TcpConversation {
            senders: PerDir([client, server]),
            initial,
            next: initial,
            ip_id: PerDir([random.number() as u16, random.number() as u16]),
            ip: IpFields { dont_fragment: true, ..IpFields::default() },
            window: 65_535,
            packets: Vec::new(),
        }
    }

    /// SYN, SYN and ACK, ACK.
    pub fn handshake(&mut self) -> &mut Self {
        let options = TcpOptions { mss: Some(1460), sack_permitted: true, ..TcpOptions::default() };
        self.emit(Dir::ToServer, flag::SYN, options.clone(), &[]);
        self.emit(Dir::ToClient, flag::SYN | flag::ACK, options, &[]);
        self.acknowledge(Dir::ToServer)
    }

    /// `data` in segments of `size` bytes, then one acknowledgement from the other side.
    pub fn send(&mut self, dir: Dir, data: &[u8], size: usize) -> &mut Self {
        for piece in data.chunks(size.max(1)) {
            self.emit(dir, flag::PSH | flag::ACK, TcpOptions::default(), piece);
        }
        self.acknowledge(dir.reversed())
    }

    /// An empty segment that acknowledges all so far.
    pub fn acknowledge(&mut self, dir: Dir) -> &mut Self {
        self.emit(dir, flag::ACK, TcpOptions::default(), &[]);
        self
    }

    /// FIN from `dir`, FIN from the other side, last ACK.
    pub fn close(&mut self, dir: Dir) -> &mut Self {
        self.emit(dir, flag::FIN | flag::ACK, TcpOptions::default(), &[]);
        self.emit(dir.reversed(), flag::FIN | flag::ACK, TcpOptions::default(), &[]);
        self.acknowledge(dir)
    }

    pub fn reset(&mut self, dir: Dir) -> &mut Self {
        self.emit(dir, flag::RST | flag::ACK, TcpOptions::default(), &[]);
        self
    }

    /// A data segment that stands `offset` bytes into what `dir` sends (0 is the first byte behind the SYN). The
    /// conversation's own numbers stay as they are: for reordering, retransmissions and overlaps.
    pub fn segment(&self, dir: Dir, offset: u32, data: &[u8]) -> Vec<u8> {
        let seq = self.initial[dir].wrapping_add(1).wrapping_add(offset);
        self.build(dir, seq, flag::PSH | flag::ACK, TcpOptions::default(), data)
    }

    /// Sequence and acknowledgement numbers of the next segment of `dir`.
    pub fn numbers(&self, dir: Dir) -> (u32, u32) {
        (self.next[dir], self.next[dir.reversed()])
    }

    /// Moves `dir` on by bytes that were sent by [`segment`](TcpConversation::segment).
    pub fn skip(&mut self, dir: Dir, bytes: u32) -> &mut Self {
        self.next[dir] = self.next[dir].wrapping_add(bytes);
        self
    }

    /// Appends any segment, at the current sequence number.
    pub fn emit(&mut self, dir: Dir, flags: u8, options: TcpOptions, payload: &[u8]) {
        let packet = self.build(dir, self.next[dir], flags, options, payload);
        self.packets.push(packet);
        self.ip_id[dir] = self.ip_id[dir].wrapping_add(1);
        let phantom = u32::from(flags & flag::SYN != 0) + u32::from(flags & flag::FIN != 0);
        self.next[dir] = self.next[dir].wrapping_add(payload.len() as u32 + phantom);
    }

    fn build(&self, dir: Dir, seq: u32, flags: u8, options: TcpOptions, payload: &[u8]) -> Vec<u8> {
        let ip = IpFields { id: self.ip_id[dir], ..self.ip.clone() };
        let ack = if flags & flag::ACK != 0 { self.next[dir.reversed()] } else { 0 };
        let segment = Segment { seq, ack, flags, window: self.window, urgent: 0, options, payload };
        tcp_packet(self.senders[dir], self.senders[dir.reversed()], &ip, &segment)
    }
}
