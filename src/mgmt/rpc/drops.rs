//! Drops in the words of the contract.

use super::proto as p;
use crate::base::DropReason;
use crate::io::clock::wall;
use crate::mgmt::control::{DropCount, Drops};

pub(super) fn reply(drops: &Drops) -> p::DropsReply {
    let sum = |&reason: &DropReason| {
        let mut sum = named(reason);
        for count in drops.counts.iter().filter(|count| count.reason == reason) {
            add(&mut sum, count);
        }
        sum
    };
    let part = |count: &DropCount| {
        let mut part =
            p::Drop { port: count.port.clone(), lcore: count.lcore.clone(), ..named(count.reason) };
        add(&mut part, count);
        part
    };
    p::DropsReply {
        drops: DropReason::ALL.iter().map(sum).collect(),
        now: wall(drops.now).micros(),
        since: wall(drops.since).micros(),
        received: drops.received.total,
        received_new: drops.received.new,
        parts: drops.counts.iter().map(part).collect(),
    }
}

fn named(reason: DropReason) -> p::Drop {
    p::Drop { reason: reason.name().into(), help: reason.help().into(), ..p::Drop::default() }
}

fn add(to: &mut p::Drop, count: &DropCount) {
    to.frames += count.frames.total;
    to.frames_new += count.frames.new;
    to.spared += count.spared.total;
    to.spared_new += count.spared.new;
}
