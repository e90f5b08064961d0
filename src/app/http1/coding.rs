//! Content codings undone, in pieces: gzip, deflate, brotli, lzma, and what calls itself one and is another.
//!
//! Browsers believe the bytes more than the field that names the coding, and so does this: a gzip header is gzip, a zlib
//! header zlib, and bytes that no coding made are the content itself.

use super::gzip::GzipHeader;
use super::inflate::{Inflate, Inflated};
use super::unpack::{Brotli, Lzma, Unpacked};

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::app) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Lzma,
}

/// Raw DEFLATE proves itself only by its whole: so many bytes are tried before they are believed.
const TRIAL: usize = 256;
/// Fewer bytes than this prove nothing unless they come to their end.
const PROOF: usize = 64;
/// Input that is kept for the case that nothing can be decoded from it.
const KEEP: usize = 4096;
/// Bytes behind a gzip member's data: its sum and length.
const GZIP_TRAILER: u8 = 8;

/// Where decoded bytes go; false when no more are wanted.
pub(in crate::app) type Out<'a> = dyn FnMut(&[u8]) -> bool + 'a;

enum State {
    /// The first bytes are kept until they tell what they are.
    Sniff,
    GzipHeader(GzipHeader),
    Inflate {
        gzip: bool,
    },
    GzipTrailer(u8),
    /// Behind a member, so many bytes of a further one's magic were seen.
    GzipNext(u8),
    Brotli(Box<Brotli>),
    Lzma(Box<Lzma>),
    /// As it is.
    Plain,
    Ended,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Flow {
    On,
    /// No more is wanted.
    Stop,
    /// It is not what it seemed: the bytes themselves are the content.
    Failed,
}

/// One coding of a message's content.
pub(in crate::app) struct Layer {
    coding: Coding,
    state: State,
    inflate: Option<Box<Inflate>>,
    /// What came while nothing was decoded.
    kept: Vec<u8>,
    /// Something was decoded, or more came than is kept.
    made: bool,
    pub(in crate::app) failed: bool,
    pub(super) memory_limit: bool,
}

impl Layer {
    pub(in crate::app) fn new(coding: Coding) -> Layer {
        let (failed, memory_limit) = (false, false);
        Layer {
            coding,
            state: State::Sniff,
            inflate: None,
            kept: Vec::new(),
            made: false,
            failed,
            memory_limit,
        }
    }

    pub(in crate::app) fn restart(&mut self, coding: Coding) {
        self.coding = coding;
        self.state = State::Sniff;
        self.kept.clear();
        (self.made, self.failed, self.memory_limit) = Default::default();
    }

    /// The message is over: what decoding it needed goes.
    pub(in crate::app) fn forget_window(&mut self) {
        self.inflate = None;
        self.state = State::Ended;
    }

    /// The next bytes; false when `out` wants no more.
    pub(in crate::app) fn write(&mut self, mut input: &[u8], out: &mut Out<'_>) -> bool {
        if matches!(self.state, State::Sniff) && !self.sniff(&mut input, false, out) {
            return false;
        }
        if input.is_empty() {
            return true;
        }
        if !self.made {
            self.made = self.kept.len() + input.len() > KEEP;
            self.kept.extend_from_slice(if self.made { &[] } else { input });
        }
        let flow = self.decode(&mut input, out);
        self.follow(flow, input, out)
    }

    /// The content ended.
    pub(in crate::app) fn finish(&mut self, out: &mut Out<'_>) -> bool {
        if matches!(self.state, State::Sniff) && !self.sniff(&mut [].as_slice(), true, out) {
            return false;
        }
        let State::Lzma(lzma) = &mut self.state else { return true };
        let flow = match lzma.finish(out) {
            Unpacked::Stopped => Flow::Stop,
            Unpacked::Failed => Flow::Failed,
            Unpacked::More | Unpacked::End => Flow::On,
        };
        self.follow(flow, &[], out)
    }

    /// Bytes are taken up to the trial's size, so that it does not matter in what pieces they come.
    fn sniff(&mut self, input: &mut &[u8], last: bool, out: &mut Out<'_>) -> bool {
        let room = TRIAL.saturating_sub(self.kept.len()).min(input.len());
        let (now, later) = input.split_at(room);
        self.kept.extend_from_slice(now);
        *input = later;
        if self.kept.is_empty() {
            return true;
        }
        let full = last || self.kept.len() >= TRIAL;
        let Some(state) = self.recognise(full, last) else { return true };
        self.state = state;
        let kept = std::mem::take(&mut self.kept);
        let mut bytes = kept.as_slice();
        let flow = match self.state {
            State::Plain => Flow::Failed,
            State::Inflate { .. } => {
                // A zlib header has two bytes.
                let header = if is_zlib(bytes) { 2 } else { 0 };
                match self.begin_inflate(false) {
                    Flow::On => {
                        bytes = bytes.get(header..).unwrap_or_default();
                        self.decode(&mut bytes, out)
                    }
                    flow => flow,
                }
            }
            _ => self.decode(&mut bytes, out),
        };
        let rest = bytes.len();
        self.kept = kept;
        // What is left of them is at their end, and replayed with them unless something was decoded.
        if flow == Flow::Failed && self.made && rest > 0 {
            let kept = std::mem::take(&mut self.kept);
            let on = self.follow(flow, kept.get(kept.len() - rest..).unwrap_or_default(), out);
            self.kept = kept;
            return on;
        }
        self.follow(flow, &[], out)
    }

    /// What follows of how decoding went; `rest` was not decoded.
    fn follow(&mut self, flow: Flow, rest: &[u8], out: &mut Out<'_>) -> bool {
        match flow {
            Flow::On => true,
            Flow::Stop => false,
            Flow::Failed => {
                self.failed = true;
                self.state = State::Plain;
                if self.made { rest.is_empty() || out(rest) } else { self.kept.is_empty() || out(&self.kept) }
            }
        }
    }

    fn decode(&mut self, input: &mut &[u8], out: &mut Out<'_>) -> Flow {
        while !input.is_empty() {
            let flow = match &mut self.state {
                State::Sniff => return Flow::On,
                State::Plain => {
                    let on = out(std::mem::take(input));
                    if on { Flow::On } else { Flow::Stop }
                }
                State::Ended => {
                    *input = &[];
                    Flow::On
                }
                State::GzipHeader(header) => {
                    if header.take(input) {
                        self.begin_inflate(true)
                    } else {
                        Flow::On
                    }
                }
                State::GzipTrailer(left) => {
                    let skipped = usize::from(*left).min(input.len());
                    *left -= skipped as u8;
                    *input = input.get(skipped..).unwrap_or_default();
                    if *left == 0 {
                        self.state = State::GzipNext(0);
                    }
                    Flow::On
                }
                State::GzipNext(seen) => {
                    // A further member may follow; what is none is no content.
                    let magic = [0x1f, 0x8b].get(usize::from(*seen)).copied();
                    if input.first().copied() != magic {
                        self.state = State::Ended;
                    } else if *seen == 1 {
                        self.state = State::GzipHeader(GzipHeader::behind_magic());
                    } else {
                        *seen += 1;
                    }
                    *input = input.get(1..).unwrap_or_default();
                    Flow::On
                }
                State::Inflate { .. } => self.inflate(input, out),
                State::Brotli(_) | State::Lzma(_) => self.unpack(input, out),
            };
            if flow != Flow::On {
                return flow;
            }
        }
        Flow::On
    }

    /// What the first bytes are; `None` while they do not tell.
    fn recognise(&mut self, full: bool, last: bool) -> Option<State> {
        match self.coding {
            Coding::Brotli => {
                let first = self.kept.first().copied().unwrap_or_default();
                return Some(Brotli::new(first).map_or(State::Plain, State::Brotli));
            }
            Coding::Lzma if Lzma::may_begin(&self.kept) => {
                return Some(Lzma::new().map_or(State::Plain, State::Lzma));
            }
            Coding::Lzma => return Some(State::Plain),
            Coding::Gzip | Coding::Deflate => {}
        }
        match GzipHeader::begins(&self.kept) {
            Some(true) => return Some(State::GzipHeader(GzipHeader::new())),
            None if !last => return None,
            _ => {}
        }
        match self.kept.len() {
            0 | 1 if !last => None,
            _ if is_zlib(&self.kept) => Some(State::Inflate { gzip: false }),
            _ if !full && !self.is_no_deflate() => None,
            _ => Some(if self.is_raw_deflate(last) { State::Inflate { gzip: false } } else { State::Plain }),
        }
    }

    /// What no more bytes make DEFLATE need not wait for them.
    fn is_no_deflate(&mut self) -> bool {
        let Some(inflate) = fresh(&mut self.inflate) else { return false };
        matches!(inflate.run(&mut self.kept.as_slice(), &mut |_| true), Inflated::Failed)
    }

    fn is_raw_deflate(&mut self, last: bool) -> bool {
        let Some(inflate) = fresh(&mut self.inflate) else { return false };
        let mut made = 0;
        let mut input = self.kept.as_slice();
        match inflate.run(&mut input, &mut |bytes| {
            made += bytes.len();
            true
        }) {
            // Text that happens to end as DEFLATE does leaves most of itself behind.
            Inflated::End => {
                made > 0
                    && input.len() <= self.kept.len() / 2
                    && (input.is_empty() || self.kept.len() >= PROOF)
            }
            Inflated::More => made > 0 && (!last || self.kept.len() >= PROOF),
            Inflated::Failed | Inflated::Stopped => false,
        }
    }

    fn begin_inflate(&mut self, gzip: bool) -> Flow {
        if fresh(&mut self.inflate).is_none() {
            return Flow::Failed;
        }
        self.state = State::Inflate { gzip };
        Flow::On
    }

    fn inflate(&mut self, input: &mut &[u8], out: &mut Out<'_>) -> Flow {
        let State::Inflate { gzip } = self.state else { return Flow::On };
        let Some(inflate) = &mut self.inflate else { return Flow::On };
        let made = &mut self.made;
        let result = inflate.run(input, &mut |bytes| {
            *made = true;
            out(bytes)
        });
        match result {
            Inflated::More => {}
            Inflated::Stopped => return Flow::Stop,
            Inflated::End if gzip => self.state = State::GzipTrailer(GZIP_TRAILER),
            Inflated::End => self.state = State::Ended,
            Inflated::Failed => return Flow::Failed,
        }
        Flow::On
    }

    fn unpack(&mut self, input: &mut &[u8], out: &mut Out<'_>) -> Flow {
        let made = &mut self.made;
        let result = match &mut self.state {
            State::Brotli(brotli) => brotli.run(input, &mut |bytes| {
                *made = true;
                out(bytes)
            }),
            State::Lzma(lzma) => lzma.run(input),
            _ => return Flow::On,
        };
        match result {
            Unpacked::More => Flow::On,
            Unpacked::Stopped => Flow::Stop,
            Unpacked::End => {
                self.state = State::Ended;
                Flow::On
            }
            Unpacked::Failed => {
                self.memory_limit |= matches!(&self.state, State::Lzma(lzma) if lzma.memory_limit);
                Flow::Failed
            }
        }
    }
}

/// A decompressor at its start, in the memory that is there already or new.
fn fresh(kept: &mut Option<Box<Inflate>>) -> Option<&mut Inflate> {
    if kept.is_none() {
        *kept = Inflate::new();
    }
    let inflate = kept.as_deref_mut()?;
    inflate.restart();
    Some(inflate)
}

/// CM 8, a window of up to 32 KiB, no preset dictionary, and the check of both bytes (RFC 1950).
fn is_zlib(bytes: &[u8]) -> bool {
    let [cmf, flags, ..] = bytes else { return false };
    let check = u16::from_be_bytes([*cmf, *flags]);
    cmf & 0xf == 8 && cmf >> 4 <= 7 && flags & 0x20 == 0 && check.is_multiple_of(31)
}
