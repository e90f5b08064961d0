//! `weir reassemble` in the line between two network namespaces: a Linux kernel cuts what we put together, and puts together
//! what we cut. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use std::collections::HashMap;
use support::child::Running;
use support::netns::{Namespace, Tap, attempt};
use support::wait::until;
use support::{Bench, conserved, weir};

/// Echoes datagrams. Both ends send without DF (`IP_MTU_DISCOVER` is 10, `IP_PMTUDISC_DONT` 0): what forbids cutting would be
/// dropped.
const ECHO: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)
s.bind(('0.0.0.0', 7))
print('bound', flush=True)
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(data, peer)
";

/// Sends with twelve bytes of IP options: those given, or others of that length.
const CLIENT: &str = "
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes.fromhex(sys.argv[2]))
s.setsockopt(socket.IPPROTO_IP, 10, 0)
s.settimeout(5)
for size in (100, 1400, 4000, 8000):
    data = os.urandom(size)
    s.sendto(data, (sys.argv[1], 7))
    try:
        answer = s.recvfrom(65535)[0]
    except TimeoutError:
        sys.exit(f'no answer of {size} bytes')
    assert answer == data, size
";

/// No operation, twelve times; router alert (copied by every router that cuts) and record route (which RFC 791 leaves to the
/// first piece).
const OPTIONS: [&str; 2] = ["010101010101010101010101", "940400000707040000000000"];

/// Tells the length, identification, fragment field and options of each UDP packet that comes in.
const LISTENER: &str = "
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.bind((sys.argv[1], 0))
print('bound', flush=True)
while True:
    p, address = s.recvfrom(65535)
    if address[2] != socket.PACKET_OUTGOING and p[9] == 17:
        length, id, field = struct.unpack('>HHH', p[2:8])
        print(length, id, field, p[20:(p[0] & 15) * 4].hex() or '-', flush=True)
";

/// Sends what forbids cutting until the kernel knows the way's MTU, and tells that.
const DISCOVERER: &str = "
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect((sys.argv[1], 9))
deadline = time.monotonic() + 10
while s.getsockopt(socket.IPPROTO_IP, 14) == 1500 and time.monotonic() < deadline:
    try:
        s.send(b'x' * 1400)
    except OSError:
        pass
    time.sleep(0.05)
print(s.getsockopt(socket.IPPROTO_IP, 14))
";

fn is_root() -> bool {
    let root = attempt("id -u").stdout.trim_ascii() == b"0";
    if !root {
        println!("skipped: needs root");
    }
    root
}

#[track_caller]
fn forwards(running: &mut Running) {
    until("it to forward", || {
        assert!(running.ended().is_none(), "{}", running.stderr());
        running.stderr().contains("reassembling between").then_some(())
    });
}

#[track_caller]
fn end(mut running: Running) -> String {
    running.terminate();
    let status = running.wait();
    assert!(status.success(), "{}", running.stderr());
    let said = running.stdout();
    conserved(&said);
    said
}

/// UDP there and back, with options.
#[track_caller]
fn echoes(bench: &Bench, client: &Namespace, server: &Namespace) {
    let (echo, udp) = (bench.file("echo.py", ECHO), bench.file("client.py", CLIENT));
    let echoing = server.start(&format!("python3 {}", echo.display()), bench, "echo");
    until("the echo server", || echoing.stdout().contains("bound").then_some(()));
    for options in OPTIONS {
        let talk = client.attempt(&format!("python3 {} {} {options}", udp.display(), server.address));
        assert!(talk.status.success(), "{options}: {}", String::from_utf8_lossy(&talk.stderr));
    }
}

#[test]
fn a_kernel_puts_together_what_was_cut_at_576_bytes_with_all_options() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let (client, server) = (Namespace::new('c', 1), Namespace::new('s', 2));
    let mut command = weir();
    let line = "reassemble -N -l -m 576 --set pools.data-room=8192 --set pools.frames=8191 -- -l 0,1 --no-huge -m 256";
    command.args(line.split(' '));
    for (n, namespace) in [&client, &server].into_iter().enumerate() {
        let device = format!("net_af_packet{n},iface={},framesz=8192,blocksz=65536", namespace.port);
        command.args(["--vdev", &device]);
    }
    let mut running = Running::start(command, &bench, "reassemble");
    forwards(&mut running);
    let ping = client.attempt(&format!("ping -4 -c 3 -i 0.05 -W 5 -s 8000 {}", server.address));
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    let ping = client.attempt(&format!("ping -6 -c 3 -i 0.05 -W 5 -s 8000 {}", server.address_v6));
    // IPv6 comes in pieces of 1500 bytes, and is never cut smaller: 576 is none of its sizes.
    assert!(!ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    echoes(&bench, &client, &server);
    end(running);
}

/// A tap hands us the kernel's own fragments, which `net_af_packet` has put together before we see them.
#[test]
fn a_kernels_fragments_are_put_together_cut_anew_with_all_options_and_its_path_mtu_follows() {
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let (client, server) = (Tap::new('c', 1), Tap::new('s', 2));
    let mut command = weir();
    let line = "reassemble -N -l -d 4 -m 576 --set pools.frames=8191 -- -l 0,1 --no-huge -m 256";
    command.args(line.split(' '));
    for (n, tap) in [&client, &server].into_iter().enumerate() {
        command.args(["--vdev", &format!("net_tap{n},iface={}", tap.0.port)]);
    }
    let mut running = Running::start(command, &bench, "reassemble");
    forwards(&mut running);
    // The kernel drops a piece whose checksum is wrong.
    for port in ["net_tap0", "net_tap1"] {
        assert!(running.stderr().contains(&format!("port {port} computes the checksums of pieces")));
    }
    let (client, server) = (client.join(), server.join());
    let ping = client.attempt(&format!("ping -4 -M dont -c 3 -i 0.05 -W 5 -s 8000 {}", server.address));
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    let listener = bench.file("listener.py", LISTENER);
    let line = format!("python3 {} {}", listener.display(), server.port);
    let listening = server.start(&line, &bench, "listener");
    until("the listener", || listening.stdout().contains("bound").then_some(()));
    echoes(&bench, &client, &server);
    pieces_are_right(&listening.stdout());
    let discoverer = bench.file("discoverer.py", DISCOVERER);
    let found = client.attempt(&format!("python3 {} {}", discoverer.display(), server.address));
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "576", "the way's MTU");
    let said = end(running);
    let rebuilt = said.lines().find_map(|line| line.strip_prefix("datagrams rebuilt")).unwrap();
    // Of three pings and two talks, both ways, each with two datagrams that do not fit 1500 bytes.
    assert!(rebuilt.trim().parse::<u32>().unwrap() >= 14, "{said}");
}

/// Every piece is at most 576 bytes long, and those of one datagram begin at different places with the same options.
#[track_caller]
fn pieces_are_right(heard: &str) {
    let mut datagrams: HashMap<&str, (Vec<u16>, &str)> = HashMap::new();
    for line in heard.lines().skip(1) {
        let words: Vec<&str> = line.split(' ').collect();
        let [length, id, field, options] = words[..] else { panic!("{line}") };
        assert!(length.parse::<u16>().unwrap() <= 576, "{line}");
        let datagram = datagrams.entry(id).or_insert((Vec::new(), options));
        assert!(options == datagram.1 && options.len() == 24, "{line}");
        let field: u16 = field.parse().unwrap();
        assert!(!datagram.0.contains(&field), "{line}");
        datagram.0.push(field);
    }
    // 100, 1400, 4000 and 8000 bytes behind UDP's header, 544 bytes in each piece.
    let mut counts: Vec<usize> = datagrams.values().map(|(pieces, _)| pieces.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 3, 3, 8, 8, 15, 15]);
}
