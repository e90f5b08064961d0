//! Who can be at fault: every package that this process has tried to load, for as long as it lives.

use crate::base::PluginId;
use crate::service::plugin::MAX_PLUGINS;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stretches of code that are known of one package: a shared object has one or two, a replaced one as many again. What is
/// beyond is not told from other code, which only matters to threads of the plugin's own.
const STRETCHES: usize = 8;

/// A package. Never freed: a signal handler may look at it at any time.
#[derive(Debug)]
pub struct Suspect {
    package: Box<str>,
    code: [Stretch; STRETCHES],
    next: *const Suspect,
}

// SAFETY: `next` is null or another of these, and never changes; the rest is shared by its own right.
unsafe impl Send for Suspect {}
// SAFETY: as `Send`.
unsafe impl Sync for Suspect {}

/// Addresses where the code of a shared object lies: `start <= address < end`, and what to take off for the address that its
/// file has.
#[derive(Debug, Default)]
struct Stretch {
    base: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
}

static FIRST: AtomicPtr<Suspect> = AtomicPtr::new(null_mut());
static BY_NUMBER: [AtomicPtr<Suspect>; MAX_PLUGINS] = [const { AtomicPtr::new(null_mut()) }; MAX_PLUGINS];

/// All of them; the latest first.
pub(super) fn all() -> impl Iterator<Item = &'static Suspect> {
    // SAFETY: null, or one that lives for ever and is complete.
    let at = |at: *const Suspect| unsafe { at.as_ref() };
    std::iter::successors(at(FIRST.load(Ordering::Acquire)), move |suspect| at(suspect.next))
}

/// The package as a suspect: before its code runs for the first time. From then on crashes are caught.
pub fn suspect(package: &str) -> &'static Suspect {
    static ADDING: Mutex<()> = Mutex::new(());
    let _one = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all().find(|known| &*known.package == package) {
        return known;
    }
    super::signals::install();
    let next = FIRST.load(Ordering::Acquire).cast_const();
    let new: &'static mut Suspect =
        Box::leak(Box::new(Suspect { package: package.into(), code: Default::default(), next }));
    FIRST.store(new, Ordering::Release);
    new
}

/// Workers know the package by this number from now on.
pub fn assign(plugin: PluginId, package: &str) {
    if let Some(place) = BY_NUMBER.get(plugin.index()) {
        place.store((&raw const *suspect(package)).cast_mut(), Ordering::Release);
    }
}

pub(super) fn by_number(plugin: PluginId) -> Option<&'static Suspect> {
    // SAFETY: null, or one that lives for ever.
    unsafe { BY_NUMBER.get(plugin.index())?.load(Ordering::Acquire).as_ref() }
}

/// Whose code that is.
pub(super) fn by_code(address: usize) -> Option<&'static Suspect> {
    all().find(|suspect| suspect.offset(address).is_some())
}

impl Suspect {
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The shared object that has this address is the package's.
    pub fn owns_code_at(&self, address: usize) {
        let mut search = Search { address, found: None };
        // SAFETY: calls `look` for every loaded object, with `search`, before it returns.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        let free = self.code.iter().find(|stretch| stretch.end.load(Ordering::Acquire) == 0);
        if let (Some((base, start, end)), Some(free), None) = (search.found, free, self.offset(address)) {
            free.base.store(base, Ordering::Release);
            free.start.store(start, Ordering::Release);
            free.end.store(end, Ordering::Release);
        }
    }

    /// An address of its code, as tools count it in the file.
    pub(super) fn offset(&self, address: usize) -> Option<usize> {
        let within = |stretch: &&Stretch| {
            address >= stretch.start.load(Ordering::Acquire) && address < stretch.end.load(Ordering::Acquire)
        };
        self.code.iter().find(within).map(|stretch| address - stretch.base.load(Ordering::Acquire))
    }
}

struct Search {
    address: usize,
    found: Option<(usize, usize, usize)>,
}

/// # Safety
/// `info` describes a loaded object, `search` is a [`Search`].
unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the object's table of so many segments.
    let segments = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = info.dlpi_addr as usize;
    for segment in segments.iter().filter(|s| s.p_type == libc::PT_LOAD && s.p_flags & libc::PF_X != 0) {
        let start = base.wrapping_add(segment.p_vaddr as usize);
        let end = start.wrapping_add(segment.p_memsz as usize);
        if (start..end).contains(&search.address) {
            search.found = Some((base, start, end));
            return 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_by_its_address_and_packages_by_name_and_number() {
        let (one, other) = (suspect("suspects-one"), suspect("suspects-other"));
        assert!(std::ptr::eq(one, suspect("suspects-one")) && !std::ptr::eq(one, other));
        let here = assign as fn(PluginId, &str) as usize;
        one.owns_code_at(here);
        one.owns_code_at(here);
        assert_eq!(by_code(here).map(Suspect::package), Some("suspects-one"));
        assert!(one.offset(here).is_some_and(|offset| offset < here) && other.offset(here).is_none());
        assert!(by_code(0).is_none() && by_code(usize::MAX).is_none());
        assign(PluginId(30), "suspects-other");
        assert_eq!(by_number(PluginId(30)).map(Suspect::package), Some("suspects-other"));
        assert!(by_number(PluginId(200)).is_none());
    }
}
