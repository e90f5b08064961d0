//! Files of every flavour, made here byte by byte, and the damage that may befall them.

use super::*;
use crate::base::Time;
use crate::io::memory::HeapPool;
use crate::io::{FrameMeta, LinkType};
use proptest::prelude::*;
use std::path::Path;

/// Writes numbers in one byte order.
#[derive(Copy, Clone, Debug)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Order::Big => value.to_be_bytes(),
            Order::Little => value.to_le_bytes(),
        }
    }

    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Order::Big => value.to_be_bytes(),
            Order::Little => value.to_le_bytes(),
        }
    }
}

fn pcap(order: Order, magic: u32, dlt: u32, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = order.u32(magic).to_vec();
    file.extend([order.u16(2), order.u16(4)].concat());
    file.extend([0, 0, 65_535, dlt].map(|v| order.u32(v)).concat());
    for (seconds, fraction, bytes) in records {
        let len = bytes.len() as u32;
        file.extend([*seconds, *fraction, len, len + 1].map(|v| order.u32(v)).concat());
        file.extend(*bytes);
    }
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = order.u32(padded as u32 + 12);
    let padding = vec![0; padded - body.len()];
    [&order.u32(kind), &len, body, &padding, &len].concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

/// An interface whose time stamps are `10^digits` a second.
fn interface(order: Order, dlt: u16, snapshot: u32, digits: u8) -> Vec<u8> {
    let option = [&order.u16(9)[..], &order.u16(1), &[digits, 0, 0, 0], &[0; 4]].concat();
    block(order, 1, &[&order.u16(dlt)[..], &order.u16(0), &order.u32(snapshot), &option].concat())
}

fn packet(order: Order, interface: u32, stamp: u64, bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len() as u32;
    let fields = [interface, (stamp >> 32) as u32, stamp as u32, len, len].map(|v| order.u32(v)).concat();
    block(order, 6, &[&fields, bytes].concat())
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

fn scan(bytes: &[u8]) -> Result<Summary, CaptureError> {
    Summary::scan(written(bytes).path())
}

fn records(path: &Path) -> Vec<(Time, Vec<u8>)> {
    let mut reader = Reader::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        all.push((record.time, record.bytes.to_vec()));
    }
    all
}

#[test]
fn pcap_of_both_byte_orders_and_precisions_gives_microseconds() {
    let expected = vec![(Time::from_micros(7_000_250), b"abc".to_vec()), (Time::from_secs(8), Vec::new())];
    for order in [Order::Big, Order::Little] {
        let micros = pcap(order, 0xa1b2_c3d4, 1, &[(7, 250, b"abc"), (8, 0, b"")]);
        let nanos = pcap(order, 0xa1b2_3c4d, 1, &[(7, 250_999, b"abc"), (8, 0, b"")]);
        assert_eq!(records(written(&micros).path()), expected, "{order:?}");
        assert_eq!(records(written(&nanos).path()), expected, "{order:?}");
    }
}

#[test]
fn pcapng_of_both_byte_orders_gives_times_by_its_interfaces_resolution() {
    for order in [Order::Big, Order::Little] {
        let file = [
            section(order),
            interface(order, 101, 0, 9),
            interface(order, 101, 0, 3),
            packet(order, 0, 5_000_000_123_999, b"nano"),
            packet(order, 1, 5_500, b"millis"),
        ];
        let file = written(&file.concat());
        let expected = [(5_000_000_123, &b"nano"[..]), (5_500_000, b"millis")];
        let expected = expected.map(|(time, bytes)| (Time::from_micros(time), bytes.to_vec()));
        assert_eq!(records(file.path()), expected, "{order:?}");
        let summary = Summary::scan(file.path()).unwrap();
        assert_eq!((summary.link_type, summary.frames, summary.bytes), (LinkType::RawIp, 2, 10));
        assert_eq!((summary.longest, summary.first), (6, Some(Time::from_micros(5_000_000_123))));
    }
}

#[test]
fn interfaces_of_two_link_types_are_refused_by_number() {
    let order = Order::Little;
    let file = [section(order), interface(order, 1, 0, 6), interface(order, 113, 0, 6)].concat();
    let error = scan(&file).unwrap_err();
    assert!(
        matches!(error, CaptureError::MixedLinkTypes { interface: 1, first: 1, other: 113, .. }),
        "{error}"
    );
    let file = [section(order), interface(order, 1, 0, 6), interface(order, 1, 96, 6)].concat();
    let error = scan(&file).unwrap_err();
    assert!(matches!(error, CaptureError::MixedSnapshots { interface: 1, other: 96, .. }), "{error}");
}

#[test]
fn what_is_no_capture_is_told_by_what_it_is() {
    let said = |bytes: &[u8]| scan(bytes).unwrap_err().to_string();
    assert!(said(&[0x1f, 0x8b, 8, 0, 0]).contains("gunzip"));
    assert!(said(b"alert tcp any any").contains("no pcap or pcapng"));
    assert!(said(b"").contains("empty"));
    assert!(said(&pcap(Order::Little, 0xa1b2_c3d4, 1, &[])[..20]).contains("cut short"));
    assert!(scan(&section(Order::Little)).unwrap_err().to_string().contains("no interface"));
    let missing = Summary::scan(Path::new("/nonexistent/x.pcap")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/x.pcap: "), "{missing}");
}

#[test]
fn a_record_of_impossible_length_is_damage_and_the_frames_before_it_are_good() {
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1, &[(1, 0, b"good")]);
    let offset = file.len() as u64;
    file.extend([9, 9, 0x7fff_ffff, 9].map(u32::to_le_bytes).concat());
    file.extend(vec![0; 3_000_000]);
    let summary = scan(&file).unwrap();
    let Some(CaptureError::Damaged { offset: at, good, .. }) = &summary.damage else { panic!("{summary:?}") };
    assert_eq!((*at, *good, summary.frames), (offset, 1, 1));
}

#[test]
fn what_a_frame_has_beyond_the_snapshot_length_is_cut() {
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1, &[(1, 0, b"abcdef")]);
    file[16..20].copy_from_slice(&4u32.to_le_bytes());
    assert_eq!(records(written(&file).path())[0].1, b"abcd");
}

fn frames() -> impl Strategy<Value = Vec<(u64, Vec<u8>)>> {
    prop::collection::vec((0u64..1 << 52, prop::collection::vec(any::<u8>(), 0..3_000)), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again_chains_and_times_included(frames in frames(), cut in 0usize..3_000) {
        let frames: Vec<_> = frames.into_iter().map(|(t, bytes)| (t % 4_294_967_295_000_000, bytes)).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let (pool, mut writer) = (HeapPool::default(), Writer::create(file.path(), 113).unwrap());
        for (time, bytes) in &frames {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut frame = pool.chain(&[head, tail]);
            frame.set_meta(FrameMeta { time: Time::from_micros(*time), ..FrameMeta::default() });
            writer.write(&frame).unwrap();
        }
        prop_assert_eq!(writer.finish().unwrap(), frames.len() as u64);
        let expected: Vec<_> = frames.into_iter().map(|(t, bytes)| (Time::from_micros(t), bytes)).collect();
        prop_assert_eq!(records(file.path()), expected);
        prop_assert_eq!(Summary::scan(file.path()).unwrap().link_type, LinkType::LinuxSll);
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_frames_before_the_cut_and_names_the_place(
        sizes in prop::collection::vec(0usize..300, 1..8), cut in 0usize..2_000, ng: bool,
    ) {
        let bytes: Vec<Vec<u8>> = sizes.iter().map(|&n| vec![0x55; n]).collect();
        let order = Order::Little;
        let head = match ng {
            true => [section(order), interface(order, 1, 0, 6)].concat(),
            false => pcap(order, 0xa1b2_c3d4, 1, &[]),
        };
        let mut ends = vec![head.len()];
        let mut file = head;
        for bytes in &bytes {
            match ng {
                true => file.extend(packet(order, 0, 0, bytes)),
                false => file.extend_from_slice(&pcap(order, 0xa1b2_c3d4, 1, &[(0, 0, bytes)])[24..]),
            }
            ends.push(file.len());
        }
        let cut = ends[0] + cut % (file.len() - ends[0] + 1);
        file.truncate(cut);
        let good = ends.iter().filter(|&&end| end <= cut).count() - 1;
        let summary = scan(&file).unwrap();
        prop_assert_eq!(summary.frames as usize, good);
        match summary.damage {
            None => prop_assert!(ends.contains(&cut)),
            Some(CaptureError::Damaged { offset, good: told, .. }) => {
                prop_assert_eq!((offset as usize, told as usize), (ends[good], good));
                prop_assert!(cut > ends[good]);
            }
            Some(other) => prop_assert!(false, "{}", other),
        }
    }
}
