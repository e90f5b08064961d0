//! CPUs that a thread may run on.

#![allow(unsafe_code)] // sets of CPUs are of the C library; every block says why it is sound

/// Those of the calling thread; `None` where the kernel does not say.
pub(super) fn now() -> Option<libc::cpu_set_t> {
    // SAFETY: a set of bits, for which zero will do; the kernel fills it up to the size we say.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        (libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) == 0).then_some(set)
    }
}

/// The CPUs of a set that no lcore has; all of them where every one has.
pub(super) fn spared(all: libc::cpu_set_t, lcores: &[u32]) -> libc::cpu_set_t {
    let mut rest = all;
    for cpu in lcores.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE as u32) {
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_CLR(*cpu as usize, &mut rest) };
    }
    // SAFETY: a whole set.
    if unsafe { libc::CPU_COUNT(&rest) } > 0 { rest } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cpus: &[usize]) -> libc::cpu_set_t {
        // SAFETY: a set of bits, for which zero will do, and numbers within it.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            cpus.iter().for_each(|cpu| libc::CPU_SET(*cpu, &mut set));
            set
        }
    }

    fn cpus(set: &libc::cpu_set_t) -> Vec<usize> {
        // SAFETY: numbers within the set.
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, set) }).collect()
    }

    #[test]
    fn lcores_keep_their_cpus_for_themselves_while_there_are_others() {
        let rest = |all: &[usize], lcores: &[u32]| cpus(&spared(set(all), lcores));
        assert_eq!(rest(&[0, 1, 2, 3], &[1, 1, 2]), [0, 3]);
        assert_eq!(rest(&[0, 1], &[0, 1]), [0, 1], "somewhere it must run");
        assert_eq!(rest(&[4], &[u32::MAX]), [4]);
        assert!(now().is_some_and(|set| !cpus(&set).is_empty()));
    }
}
