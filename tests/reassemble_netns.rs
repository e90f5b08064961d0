//! `weir reassemble` in the line between two network namespaces: a Linux kernel puts together what it cut. Needs root.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that fails should say where

mod support;

use support::child::Running;
use support::netns::{Namespace, attempt};
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

/// Sends with twelve bytes of IP options.
const CLIENT: &str = "
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1] * 12))
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

#[test]
fn a_kernel_puts_together_what_was_cut_at_576_bytes_with_all_options() {
    if attempt("id -u").stdout.trim_ascii() != b"0" {
        println!("skipped: needs root");
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
    until("it to forward", || {
        assert!(running.ended().is_none(), "{}", running.stderr());
        running.stderr().contains("reassembling between").then_some(())
    });
    let ping = client.attempt(&format!("ping -4 -c 3 -i 0.05 -W 5 -s 8000 {}", server.address));
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    let ping = client.attempt(&format!("ping -6 -c 3 -i 0.05 -W 5 -s 8000 {}", server.address_v6));
    // IPv6 comes in pieces of 1500 bytes, and is never cut smaller: 576 is none of its sizes.
    assert!(!ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
    let (echo, udp) = (bench.file("echo.py", ECHO), bench.file("client.py", CLIENT));
    let echoing = server.start(&format!("python3 {}", echo.display()), &bench, "echo");
    until("the echo server", || echoing.stdout().contains("bound").then_some(()));
    let talk = client.attempt(&format!("python3 {} {}", udp.display(), server.address));
    assert!(talk.status.success(), "{}", String::from_utf8_lossy(&talk.stderr));
    running.terminate();
    let status = running.wait();
    assert!(status.success(), "{}", running.stderr());
    conserved(&running.stdout());
}
