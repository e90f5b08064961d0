//! Options (RFC 2132): a number, a length and so many bytes each, up to the one that ends them.

use super::{address, hex};
use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::field::{self, FieldId};

const PAD: u8 = 0;
const END: u8 = 255;

const LEASE_TIME: FieldId = field::id("dhcp.leasetime");
const RENEWAL_TIME: FieldId = field::id("dhcp.renewal_time");
const REBINDING_TIME: FieldId = field::id("dhcp.rebinding_time");

/// Kinds of messages, from 1 (RFC 2132, 9.6).
const KINDS: [&str; 8] = ["discover", "offer", "request", "decline", "ack", "nak", "release", "inform"];

pub(super) fn report(tx: &mut Transaction, dir: Dir, options: &[u8]) {
    let mut rest = options;
    loop {
        rest = match rest {
            [PAD, behind @ ..] => behind,
            [END, ..] => return,
            [code, len, behind @ ..] => {
                let Some((data, behind)) = behind.split_at_checked(usize::from(*len)) else {
                    return tx.event(dir, "dhcp.truncated_options");
                };
                if option(tx, dir, *code, data).is_none() {
                    tx.event(dir, "dhcp.malformed_options");
                }
                behind
            }
            _ => return tx.event(dir, "dhcp.truncated_options"),
        }
    }
}

/// `None` when the data are not what the option must have.
fn option(tx: &mut Transaction, dir: Dir, code: u8, data: &[u8]) -> Option<()> {
    match code {
        1 => address(tx, "subnet_mask", data.try_into().ok()?),
        3 => addresses(tx, "routers[]", data),
        6 => addresses(tx, "dns_servers[]", data),
        12 => tx.note("hostname", data),
        50 => address(tx, "requested_ip", data.try_into().ok()?),
        51 => time(tx, dir, LEASE_TIME, "lease_time", data)?,
        53 => {
            let [kind] = *data else { return None };
            let name = usize::from(kind).checked_sub(1).and_then(|at| KINDS.get(at));
            tx.note("dhcp_type", name.unwrap_or(&"unknown").as_bytes());
        }
        55 => {
            for &wanted in data {
                parameter(tx, wanted);
            }
        }
        58 => time(tx, dir, RENEWAL_TIME, "renewal_time", data)?,
        59 => time(tx, dir, REBINDING_TIME, "rebinding_time", data)?,
        60 => tx.note("vendor_class_identifier", data),
        61 => {
            let (_kind, id) = data.split_first()?;
            tx.note_with("client_id", |out| hex(id, out));
        }
        _ => {}
    }
    Some(())
}

fn time(tx: &mut Transaction, dir: Dir, id: FieldId, note: &'static str, data: &[u8]) -> Option<()> {
    let seconds = u32::from_be_bytes(data.try_into().ok()?);
    tx.field(dir, id, seconds.into());
    tx.note_number(note, seconds.into());
    Some(())
}

fn addresses(tx: &mut Transaction, note: &'static str, data: &[u8]) {
    for bytes in data.chunks_exact(4) {
        if let Ok(bytes) = bytes.try_into() {
            address(tx, note, bytes);
        }
    }
}

/// Those parameters that have a name in the log.
fn parameter(tx: &mut Transaction, wanted: u8) {
    let name = match wanted {
        1 => "subnet_mask",
        3 => "router",
        6 => "dns_server",
        12 => "hostname",
        15 => "domain",
        35 => "arp_timeout",
        42 => "ntp_server",
        66 => "tftp_server_name",
        67 => "boot_file_name",
        120 => "sip_server",
        _ => return,
    };
    tx.note("params[]", name.as_bytes());
}
