//! Records of a capture file, one after the other.

use super::{CaptureError, MAX_FRAME};
use crate::base::Time;
use crate::io::LinkType;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{
    Block, IDB_MAGIC, InterfaceDescriptionBlock, LegacyPcapReader, OptionCode, PcapBlockOwned, PcapError,
    PcapHeader, PcapNGReader,
};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// What is read from the file at once; it grows for a longer record.
const BUFFER: usize = 1 << 17;

/// The longest record or block: beyond this it is damage, not data.
const MAX_BLOCK: usize = 16 << 20;

/// One captured frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub time: Time,
    /// As captured: perhaps less than was on the wire.
    pub bytes: &'a [u8],
    /// Bytes on the wire.
    pub wire_len: u32,
}

/// A pcapng file so far.
#[derive(Default)]
struct Pcapng {
    /// Of the file's first interface.
    first: Option<(u16, u32)>,
    /// Of the section being read; `seen` counts over all sections.
    interfaces: Vec<Interface>,
    seen: usize,
}

/// What a pcapng interface says of its packets.
struct Interface {
    snapshot: u32,
    /// Time stamps a second, and seconds to add to each.
    resolution: u128,
    offset: i64,
}

enum Format {
    Pcap { nanos: bool, snapshot: u32 },
    Pcapng(Pcapng),
}

/// A packet's place in the buffer.
struct Head {
    time: Time,
    start: usize,
    len: usize,
    wire_len: u32,
}

/// Why there are no more records.
enum Fault {
    Damage(&'static str),
    MixedLinkTypes { interface: usize, first: u16, other: u16 },
    MixedSnapshots { interface: usize, first: u32, other: u32 },
}

/// An open capture.
pub struct Reader {
    path: PathBuf,
    source: Box<dyn PcapReaderIterator>,
    format: Format,
    capacity: usize,
    /// Bytes of the current record, still in the buffer because its bytes are lent.
    unread: usize,
    frames: u64,
    dlt: u16,
}

impl Reader {
    /// Opens the file and reads as far as its link type.
    pub fn open(path: &Path) -> Result<Reader, CaptureError> {
        let io = |source| CaptureError::Io { path: path.to_owned(), source };
        let not_a_capture = |hint| CaptureError::NotACapture { path: path.to_owned(), hint };
        let mut magic = [0; 4];
        // Asked before it is opened: a pipe would wait there for somebody to write.
        let kind = std::fs::metadata(path).map_err(io)?.file_type();
        if kind.is_dir() {
            return Err(not_a_capture(": it is a directory"));
        }
        if !kind.is_file() {
            let what = match () {
                () if kind.is_fifo() => "a pipe",
                () if kind.is_socket() => "a socket",
                () => "a device",
            };
            return Err(CaptureError::NotAFile { path: path.to_owned(), what });
        }
        let mut file = File::open(path).map_err(io)?;
        let read = read_full(&mut file, &mut magic).map_err(io)?;
        let whole = std::io::Cursor::new(magic).take(read as u64).chain(file);
        let (source, format) = source(magic, whole).map_err(not_a_capture)?;
        let path = path.to_owned();
        let mut reader = Reader { path, source, format, capacity: BUFFER, unread: 0, frames: 0, dlt: 0 };
        reader.read_header()?;
        Ok(reader)
    }

    pub fn link_type(&self) -> LinkType {
        LinkType::from_dlt(self.dlt)
    }

    /// The link type's number in the file.
    pub fn dlt(&self) -> u16 {
        self.dlt
    }

    /// Frames given so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The next frame, or `None` at the end. After an error there is nothing more.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, CaptureError> {
        let Some(head) = self.next_head()? else { return Ok(None) };
        self.frames += 1;
        let bytes = self.source.data().get(head.start..head.start + head.len).unwrap_or_default();
        Ok(Some(Record { time: head.time, bytes, wire_len: head.wire_len }))
    }

    /// Reads up to the first interface (pcapng) or over the file's header (pcap).
    fn read_header(&mut self) -> Result<(), CaptureError> {
        match self.next_block(|block, format, _| match (block, format) {
            (PcapBlockOwned::LegacyHeader(header), _) => Ok(Some(pcap_link(&header))),
            (PcapBlockOwned::NG(Block::InterfaceDescription(block)), Format::Pcapng(file)) => {
                file.add_interface(&block)?;
                Ok(Some(u16::try_from(block.linktype.0).unwrap_or(u16::MAX)))
            }
            (PcapBlockOwned::NG(Block::EnhancedPacket(_) | Block::SimplePacket(_)), _) => {
                Err(Fault::Damage("a packet before the first interface"))
            }
            _ => Ok(None),
        })? {
            Some(dlt) => self.dlt = dlt,
            None => return Err(self.fault(Fault::Damage("the file describes no interface"))),
        }
        Ok(())
    }

    fn next_head(&mut self) -> Result<Option<Head>, CaptureError> {
        self.next_block(|block, format, base| match (block, format) {
            (PcapBlockOwned::Legacy(packet), Format::Pcap { nanos, snapshot }) => {
                let fraction = if *nanos { packet.ts_usec / 1_000 } else { packet.ts_usec };
                let time = Time::from_micros(u64::from(packet.ts_sec) * 1_000_000 + u64::from(fraction));
                head(time, packet.data, *snapshot, packet.origlen, base).map(Some)
            }
            (PcapBlockOwned::NG(Block::InterfaceDescription(block)), Format::Pcapng(file)) => {
                file.add_interface(&block).map(|()| None)
            }
            (PcapBlockOwned::NG(Block::SectionHeader(_)), Format::Pcapng(file)) => {
                file.interfaces.clear();
                Ok(None)
            }
            (PcapBlockOwned::NG(Block::EnhancedPacket(packet)), Format::Pcapng(file)) => {
                let Some(interface) = file.interfaces.get(packet.if_id as usize) else {
                    return Err(Fault::Damage("its interface was not described"));
                };
                if packet.caplen as usize > packet.data.len() {
                    return Err(Fault::Damage("the packet is longer than its block"));
                }
                let stamp = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let time = interface.time(stamp);
                head(time, packet.packet_data(), interface.snapshot, packet.origlen, base).map(Some)
            }
            (PcapBlockOwned::NG(Block::SimplePacket(packet)), Format::Pcapng(file)) => {
                let Some(interface) = file.interfaces.first() else {
                    return Err(Fault::Damage("its interface was not described"));
                };
                head(Time::ZERO, packet.packet_data(), interface.snapshot, packet.origlen, base).map(Some)
            }
            _ => Ok(None),
        })
    }

    /// Goes over blocks until `of_interest` takes something from one; `None` at the end of the file.
    fn next_block<T>(
        &mut self,
        of_interest: impl Fn(PcapBlockOwned<'_>, &mut Format, usize) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, CaptureError> {
        loop {
            self.source.consume(std::mem::take(&mut self.unread));
            let base = self.source.data().as_ptr().addr();
            let fault = match self.source.next() {
                Ok((size, block)) => {
                    self.unread = size;
                    match of_interest(block, &mut self.format, base) {
                        Ok(None) => continue,
                        Ok(found) => return Ok(found),
                        Err(fault) => fault,
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(error) => {
                    let stop = cannot_go_on(&error);
                    let too_small = matches!(error, PcapError::BufferTooSmall);
                    match stop {
                        None => match self.read_more(too_small) {
                            Ok(()) => continue,
                            Err(fault) => fault,
                        },
                        Some(reason) => Fault::Damage(reason),
                    }
                }
            };
            return Err(self.fault(fault));
        }
    }

    fn read_more(&mut self, too_small: bool) -> Result<(), Fault> {
        if too_small {
            self.capacity *= 2;
            if self.capacity > MAX_BLOCK || !self.source.grow(self.capacity) {
                return Err(Fault::Damage("its length is beyond belief"));
            }
        }
        self.source.refill().map_err(|_| Fault::Damage("the file cannot be read on"))
    }

    fn fault(&self, fault: Fault) -> CaptureError {
        let path = self.path.clone();
        match fault {
            Fault::Damage(reason) => CaptureError::Damaged {
                path,
                offset: self.source.consumed() as u64,
                good: self.frames,
                reason,
            },
            Fault::MixedLinkTypes { interface, first, other } => {
                CaptureError::MixedLinkTypes { path, interface, first, other }
            }
            Fault::MixedSnapshots { interface, first, other } => {
                CaptureError::MixedSnapshots { path, interface, first, other }
            }
        }
    }
}

/// The parser for what the first four bytes say, or a word on what the file is instead.
fn source(
    magic: [u8; 4],
    file: impl Read + 'static,
) -> Result<(Box<dyn PcapReaderIterator>, Format), &'static str> {
    match magic {
        [0x0a, 0x0d, 0x0d, 0x0a] => {
            let reader =
                PcapNGReader::new(BUFFER, WholeHeader(file)).map_err(|_| ": its first block is cut short")?;
            Ok((Box::new(reader), Format::Pcapng(Pcapng::default())))
        }
        [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] | [0x34, 0xcd, 0xb2, 0xa1] => pcap(file, false),
        [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d] => pcap(file, true),
        [0x1f, 0x8b, ..] => Err(": it is compressed (gunzip it first)"),
        [0x28, 0xb5, 0x2f, 0xfd] => Err(": it is compressed (unzstd it first)"),
        [0, 0, 0, 0] => Err(": it is empty, or begins with zeros"),
        _ => Err(""),
    }
}

fn pcap(
    file: impl Read + 'static,
    nanos: bool,
) -> Result<(Box<dyn PcapReaderIterator>, Format), &'static str> {
    let cut = ": its header is cut short";
    let mut reader = LegacyPcapReader::new(BUFFER, WholeHeader(file)).map_err(|_| cut)?;
    let snapshot = match reader.next() {
        Ok((_, PcapBlockOwned::LegacyHeader(header))) => header.snaplen,
        _ => return Err(cut),
    };
    Ok((Box::new(reader), Format::Pcap { nanos, snapshot: snapshot_limit(snapshot) }))
}

/// Fills what it is given as far as the file goes: the parser wants the file's header from one read.
struct WholeHeader<R>(R);

impl<R: Read> Read for WholeHeader<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        read_full(&mut self.0, out)
    }
}

fn read_full(from: &mut impl Read, out: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// `None`: more bytes may help.
fn cannot_go_on(error: &PcapError<&[u8]>) -> Option<&'static str> {
    match error {
        PcapError::Incomplete(_) | PcapError::BufferTooSmall => None,
        PcapError::UnexpectedEof | PcapError::Eof => Some("the file ends within it"),
        PcapError::ReadError => Some("the file cannot be read on"),
        _ => Some("it is not formed as a record"),
    }
}

/// The upper bits of a pcap file's link type speak of frame check sequences.
fn pcap_link(header: &PcapHeader) -> u16 {
    (header.network.0 as u32 & 0xffff) as u16
}

/// No limit is written as zero, or as more than can be.
fn snapshot_limit(snapshot: u32) -> u32 {
    if snapshot == 0 || snapshot > i32::MAX as u32 { MAX_FRAME } else { snapshot }
}

impl Pcapng {
    /// All interfaces must be alike: a frame does not say which one it came from.
    fn add_interface(&mut self, block: &InterfaceDescriptionBlock<'_>) -> Result<(), Fault> {
        let link = u16::try_from(block.linktype.0).unwrap_or(u16::MAX);
        let snapshot = snapshot_limit(block.snaplen);
        let (first_link, first_snapshot) = *self.first.get_or_insert((link, snapshot));
        if first_link != link {
            return Err(Fault::MixedLinkTypes { interface: self.seen, first: first_link, other: link });
        }
        if first_snapshot != snapshot {
            return Err(Fault::MixedSnapshots {
                interface: self.seen,
                first: first_snapshot,
                other: snapshot,
            });
        }
        let resolution = match block.if_tsresol {
            bits if bits & 0x80 != 0 => 1u128.checked_shl(u32::from(bits & 0x7f)),
            digits => 10u128.checked_pow(u32::from(digits)),
        };
        let Some(resolution) = resolution.filter(|&resolution| resolution <= u128::from(u64::MAX)) else {
            return Err(Fault::Damage("its time stamps are finer than can be"));
        };
        self.interfaces.push(Interface { snapshot, resolution, offset: time_offset(block) });
        self.seen += 1;
        Ok(())
    }
}

/// `if_tsoffset`, in the block's byte order.
fn time_offset(block: &InterfaceDescriptionBlock<'_>) -> i64 {
    let option = block.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    let bytes = option.and_then(|option| option.value().first_chunk::<8>().copied());
    bytes.map_or(
        0,
        |b| if block.block_type != IDB_MAGIC { i64::from_be_bytes(b) } else { i64::from_le_bytes(b) },
    )
}

impl Interface {
    fn time(&self, stamp: u64) -> Time {
        let micros = u128::from(stamp) * 1_000_000 / self.resolution;
        let micros = i128::try_from(micros).unwrap_or(i128::MAX);
        let shifted = micros.saturating_add(i128::from(self.offset) * 1_000_000);
        Time::from_micros(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }
}

/// A frame longer than the snapshot length is cut to it, as libpcap does.
fn head(time: Time, data: &[u8], snapshot: u32, wire_len: u32, base: usize) -> Result<Head, Fault> {
    if data.len() > MAX_FRAME as usize {
        return Err(Fault::Damage("a frame of more than 262,144 bytes"));
    }
    let len = data.len().min(snapshot as usize);
    Ok(Head { time, start: data.as_ptr().addr() - base, len, wire_len })
}
