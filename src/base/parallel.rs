//! Set-up work over all cores that this thread may use. Threads live for one call; they inherit the caller's CPUs and
//! priority. Not for lcores.

use super::tally;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What `work` makes of each item, in the items' order. Items are taken one by one, so they should be worth a few
/// microseconds each. A panic in `work` is the caller's.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_over(cores(), items, work)
}

/// What `work` comes to while `meanwhile` is done here. A panic in either is the caller's.
pub fn beside<R: Send, M>(work: impl Fn() -> R + Sync, meanwhile: impl FnOnce() -> M) -> (R, M) {
    let counting = tally::mine();
    let counted = || counting.work(&work);
    thread::scope(|scope| {
        let other = thread::Builder::new().name("weir-setup".into()).spawn_scoped(scope, counted);
        let done = meanwhile();
        let result = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // A thread that cannot be had leaves its work here.
            Err(_) => work(),
        };
        (result, done)
    })
}

/// Items for each core where many small ones are put together: enough to even out what they cost.
pub fn share(items: usize) -> usize {
    items.div_ceil(cores() * SHARES).max(1)
}

/// Shares of a core.
const SHARES: usize = 16;

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn map_over<T: Sync, R: Send>(cores: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return done };
            done.push((number, work(item)));
        }
    };
    let counting = tally::mine();
    let counted = || counting.work(some);
    let mut done = thread::scope(|scope| {
        let others = (1..cores.min(items.len()))
            // A thread that cannot be had leaves its share to the others.
            .filter_map(|_| {
                thread::Builder::new().name("weir-setup".into()).spawn_scoped(scope, counted).ok()
            });
        let others: Vec<_> = others.collect();
        let mut done = some();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items_whatever_the_cores() {
        let items: Vec<u32> = (0..1000).collect();
        for cores in [0, 1, 2, 7, 2000] {
            assert_eq!(map_over(cores, &items, |n| n * 2), (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        }
        assert!(map(&[] as &[u32], |n| *n).is_empty());
        assert!(share(0) > 0 && share(1_000_000) * SHARES * cores() >= 1_000_000);
    }

    #[test]
    fn two_things_are_done_side_by_side() {
        let (sender, receiver) = std::sync::mpsc::channel();
        assert_eq!(beside(|| sender.send(7).is_ok(), || receiver.recv()), (true, Ok(7)));
    }

    #[test]
    fn a_panic_of_the_work_reaches_the_caller() {
        let ended = std::panic::catch_unwind(|| map_over(2, &[1, 2, 3], |n| assert_ne!(*n, 2)));
        assert!(ended.is_err());
    }
}
