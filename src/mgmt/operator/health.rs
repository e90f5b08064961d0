//! What management watches by itself: links of ports, and whether workers keep up.

use super::{Operator, lcore_role, lock};
use crate::base::DropReason;
use crate::mgmt::links::{Joined, LinkStep};
use crate::mgmt::overload::Said as Load;
use crate::mgmt::stalls::Said;
use crate::pipeline::Handle;
use std::sync::atomic::Ordering;

/// Names of ports whose link is down.
pub(super) fn links_down(handle: &Handle) -> Vec<String> {
    let down = handle.meters.iter().filter(|(_, meter)| meter.link_up() == Some(false));
    down.map(|(name, _)| name.clone()).collect()
}

impl Operator {
    /// Follows the links, and has the other port of a pair follow where that is wanted.
    pub fn turn_links(&self) {
        let (mut links, handle) = (lock(&self.links), self.handle());
        let now: Vec<_> = handle.meters.iter().map(|(_, meter)| meter.link_up()).collect();
        let place = |name: &String| handle.meters.iter().position(|(known, _)| known == name);
        let loaded = self.loaded();
        let pairs = loaded.config.pairs.iter().filter(|pair| pair.pass_link);
        let joined: Vec<_> = pairs
            .filter_map(|pair| match &pair.ports[..] {
                [a, b] => Some(Joined(place(a)?, place(b)?)),
                _ => None,
            })
            .collect();
        for step in links.look(&now, &joined) {
            let (LinkStep::Changed { port, up } | LinkStep::Set { port, up }) = step;
            let Some((name, meter)) = handle.meters.get(port) else { continue };
            let state = if up { "up" } else { "down" };
            match step {
                LinkStep::Changed { .. } => tracing::warn!("port {name}: the link is {state}"),
                LinkStep::Set { .. } if meter.set_link(up) => {
                    tracing::warn!("port {name}: link taken {state}, as the pair\'s other link is");
                }
                LinkStep::Set { .. } => {
                    tracing::warn!(
                        "port {name}: its driver cannot take the link {state}; pair.pass-link does nothing here"
                    );
                }
            }
        }
    }

    /// Links that are down because of us come back: the appliance ends.
    pub fn release_links(&self) {
        let (mut links, handle) = (lock(&self.links), self.handle());
        for (_, meter) in links.release().into_iter().filter_map(|port| handle.meters.get(port)) {
            meter.set_link(true);
        }
    }

    /// Says which lcore does not turn, and when it does again.
    pub fn turn_stalls(&self) {
        let now = self.now();
        let handle = self.handle();
        let main = handle.ledgers.first().map_or(0, |ledger| ledger.turns.get());
        let mut turns = vec![main];
        if handle.ledgers.len() > 1 {
            turns.extend((0..handle.workers()).map(|worker| self.board.turns(worker)));
        }
        let said = lock(&self.stalls).look(&turns, now);
        for (lcore, said) in said {
            let name = lcore_role(lcore);
            // Without workers of their own the main lcore has one.
            let running =
                handle.running.get(lcore.saturating_sub(1)).filter(|_| lcore > 0 || turns.len() == 1);
            let inside = running.and_then(|running| running.look().plugin);
            match said {
                Said::Stalled(span) => {
                    let place = match inside {
                        Some(plugin) => {
                            format!("it is in plugin number {} (`weir ctl plugin list`)", plugin.0)
                        }
                        None => "it is in no plugin".into(),
                    };
                    tracing::error!(
                        "lcore {name} has not turned for {:.1} s, and nothing passes it: {place}; see `weir ctl lcores`",
                        span.as_secs_f64()
                    );
                }
                Said::Turns(span) => {
                    tracing::warn!("lcore {name} turns again, after {:.1} s", span.as_secs_f64());
                }
            }
        }
    }

    /// Says where the checksums of segments turned out to mean nothing.
    pub fn turn_checksums(&self) {
        let untrusted: u64 = self.handle().tables.iter().map(|lane| lane.untrusted_checksums.get()).sum();
        let before = self.untrusted_checksums.swap(untrusted, Ordering::Relaxed);
        if untrusted > before {
            tracing::warn!(
                "streams.checksum-validation: more than a tenth of a port's first TCP segments have wrong checksums, as where hosts \
                 leave them to a NIC (`ethtool -K DEVICE tx off` mends it there): those of {untrusted} ports, of each worker, count no more"
            );
        }
    }

    /// Says when the main lcore begins to drop for full rings, and when that is over.
    pub fn turn_overload(&self) {
        let now = self.now();
        let reasons = [DropReason::RingFull, DropReason::HandoverFull];
        let handle = self.handle();
        let lcore = |ledger: &crate::pipeline::Ledger| {
            reasons.map(|reason| ledger.dropped(reason)).iter().sum::<u64>()
        };
        let dropped: u64 = handle.ledgers.iter().map(|ledger| lcore(ledger)).sum();
        let bypassed: u64 = handle.ledgers.iter().map(|ledger| ledger.bypassed.get()).sum();
        drop(handle);
        let passes = self.loaded().config.exceptions.passes_overload();
        match lock(&self.overload).look(dropped + bypassed, now) {
            Some(Load::Begun) if passes => tracing::warn!(
                "overload: workers do not keep up, frames go on uninspected (overload.bypassed; exception-policy.overload); see `weir ctl lcores`"
            ),
            Some(Load::Begun) => tracing::warn!(
                "overload: workers do not keep up, frames are dropped for full rings (ring_full, handover_full); see `weir ctl lcores`"
            ),
            Some(Load::Over { frames, span }) => {
                let what = if passes { "went on uninspected" } else { "were dropped" };
                tracing::warn!("overload: over; {frames} frames {what} in {:.1} s", span.as_secs_f64());
            }
            None => {}
        }
    }
}
