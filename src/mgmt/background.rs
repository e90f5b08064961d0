//! Work that must not take a CPU from lcores that want it.

use crate::base::tally;
use std::thread;

/// Of nice(2): about a tenth of a CPU that a thread of normal priority wants whole.
const NICE: i32 = 10;

/// Does the work on a thread of its own, which has this one's CPUs and a low priority, as have those that it starts; waits for
/// it. A panic of it is the caller's.
pub fn work<R: Send>(name: &str, work: impl Fn() -> R + Send + Sync) -> R {
    let counting = tally::mine();
    let lowered = || {
        // On Linux the calling thread's alone. Without it the work is done all the same.
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!("no low priority: {error}");
        }
        counting.work(&work)
    };
    thread::scope(|scope| match thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, lowered) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        // A thread that cannot be had leaves its work here.
        Err(_) => work(),
    })
}

#[cfg(test)]
mod tests {
    /// Field 19 of proc(5)'s stat, behind the name in brackets.
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        rest.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn the_work_has_a_low_priority_and_who_waits_for_it_keeps_its_own() {
        let before = niceness();
        assert_eq!(super::work("test", niceness), (before + super::NICE).min(19));
        assert_eq!(niceness(), before);
    }
}
