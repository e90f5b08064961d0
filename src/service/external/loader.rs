//! Opens the shared objects of a configuration, in order, and takes their registrations.

use super::desk::DeskQueue;
use super::memory::{MAX_SHARED, Shared};
use super::{External, abi, host};
use crate::service::plugin::{About, Flags, MAX_NAME};
use crate::service::watchdog::{self, Suspect, marks};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};

/// Names in one list of a registration.
const MAX_NAMES: usize = 64;

/// An external plugin as the configuration names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalSpec {
    /// For people, and for `needs` of others.
    pub package: String,
    /// Absolute.
    pub path: PathBuf,
    /// The entry function's name.
    pub entry: String,
    /// Lower ones are loaded first; of equals, those named first.
    pub order: i32,
    /// Packages of this list that are to be loaded before, or libraries (a path, or a name that the dynamic linker finds).
    pub needs: Vec<String>,
    /// Text of the plugin's own, for its entry function.
    pub config: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("plugin {package}: path {path:?} is not absolute: give the whole path of the shared object")]
    NotAbsolute { package: String, path: PathBuf },
    #[error("plugin {0} is configured twice: give each `[[plugin]]` a package of its own")]
    PackageTwice(String),
    #[error("plugins need each other in a circle: {0}; take one of these out of a `needs`")]
    Circle(String),
    #[error("plugin {package} needs library {library}, which does not load: {why}")]
    Library { package: String, library: String, why: String },
    #[error("plugin {package}: {path:?} does not load: {why}")]
    Open { package: String, path: PathBuf, why: String },
    #[error("plugin {package}: {path:?} has no function {entry}: see `entry`")]
    NoEntry { package: String, path: PathBuf, entry: String },
    #[error(
        "plugin {package} was built for another ABI: it has version {theirs} (\"{their_tag}\", {their_size} bytes), this Weir has \
         version {ours} (\"{our_tag}\", {our_size} bytes); build it again with this Weir's weir_plugin.h or weir-plugin crate"
    )]
    Abi {
        package: String,
        theirs: u32,
        their_tag: String,
        their_size: u32,
        ours: u32,
        our_tag: &'static str,
        our_size: u32,
    },
    #[error("plugin {package} refused to start: {why}")]
    Refused { package: String, why: String },
    #[error("plugin {package}: its registration is not valid: {what}")]
    Registration { package: String, what: String },
    #[error("plugin {package}: another plugin is called {name} already (package {first})")]
    NameTwice { package: String, name: String, first: String },
}

/// Loads all, in load order; each entry function runs once. The first fault ends it.
pub fn load(specs: &[ExternalSpec]) -> Result<Vec<External>, LoadError> {
    let mut loaded: Vec<(External, &str)> = Vec::new();
    for index in order(specs)? {
        let Some(spec) = specs.get(index) else { continue };
        let suspect = watchdog::suspect(&spec.package);
        // Loading runs initialisers.
        let external = marks::outside(suspect, || {
            for library in spec.needs.iter().filter(|need| !specs.iter().any(|other| other.package == **need))
            {
                open_global(spec, library)?;
            }
            open(spec, suspect)
        })?;
        let name = &external.about.name;
        if let Some((_, first)) = loaded.iter().find(|(other, _)| other.about.name == *name) {
            return Err(LoadError::NameTwice {
                package: spec.package.clone(),
                name: name.clone(),
                first: (*first).to_owned(),
            });
        }
        loaded.push((external, &spec.package));
    }
    Ok(loaded.into_iter().map(|(external, _)| external).collect())
}

/// Indices of the specs: by `order`, but none before a package that it needs.
fn order(specs: &[ExternalSpec]) -> Result<Vec<usize>, LoadError> {
    let mut packages = BTreeSet::new();
    for spec in specs {
        if !packages.insert(spec.package.as_str()) {
            return Err(LoadError::PackageTwice(spec.package.clone()));
        }
        if !spec.path.is_absolute() {
            return Err(LoadError::NotAbsolute { package: spec.package.clone(), path: spec.path.clone() });
        }
    }
    let mut left: Vec<(usize, &ExternalSpec)> = specs.iter().enumerate().collect();
    left.sort_by_key(|(index, spec)| (spec.order, *index));
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let waits = |spec: &ExternalSpec| {
            spec.needs.iter().any(|need| left.iter().any(|(_, other)| other.package == *need))
        };
        let Some(next) = left.iter().position(|(_, spec)| !waits(spec)) else {
            return Err(LoadError::Circle(circle(&left)));
        };
        sorted.push(left.remove(next).0);
    }
    Ok(sorted)
}

/// A circle among packages that all wait: follows needs until one comes again.
fn circle(left: &[(usize, &ExternalSpec)]) -> String {
    let mut way: Vec<&ExternalSpec> = left.first().map(|(_, spec)| *spec).into_iter().collect();
    while let Some(last) = way.last() {
        let next = left.iter().map(|(_, spec)| *spec).find(|spec| last.needs.contains(&spec.package));
        let Some(next) = next else { break };
        if let Some(start) = way.iter().position(|spec| spec.package == next.package) {
            let names: Vec<&str> = way[start..].iter().map(|spec| spec.package.as_str()).collect();
            return format!("{} -> {}", names.join(" -> "), next.package);
        }
        way.push(next);
    }
    String::new()
}

/// A library that a plugin takes symbols from. It stays loaded.
fn open_global(spec: &ExternalSpec, library: &str) -> Result<(), LoadError> {
    // SAFETY: loading runs the library's initialisers; the operator has named it, as the plugins themselves.
    match unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            let _stays = ManuallyDrop::new(library);
            Ok(())
        }
        Err(error) => Err(LoadError::Library {
            package: spec.package.clone(),
            library: library.to_owned(),
            why: reason(&error),
        }),
    }
}

fn open(spec: &ExternalSpec, suspect: &'static Suspect) -> Result<External, LoadError> {
    let (package, path) = (spec.package.clone(), spec.path.clone());
    // SAFETY: as `open_global`.
    let library = match unsafe { Library::open(Some(&spec.path), RTLD_NOW | RTLD_LOCAL) } {
        // Pointers into it may be anywhere, and its threads may run: it stays.
        Ok(library) => ManuallyDrop::new(library),
        Err(error) => return Err(LoadError::Open { package, path, why: reason(&error) }),
    };
    // SAFETY: by the ABI that is the entry function's type.
    let Ok(entry) = (unsafe { library.get::<abi::Entry>(spec.entry.as_bytes()) }) else {
        return Err(LoadError::NoEntry { package, path, entry: spec.entry.clone() });
    };
    suspect.owns_code_at(*entry as usize);
    register(spec, *entry, suspect)
}

/// The linker's words, without the crate's.
fn reason(error: &libloading::Error) -> String {
    match error {
        libloading::Error::DlOpen { desc } => format!("{desc:?}").trim_matches('"').to_owned(),
        other => other.to_string(),
    }
}

/// Room for the registration of an ABI that is larger than ours.
#[repr(C)]
struct Room {
    registration: abi::Registration,
    beyond: [u64; 256],
}

fn register(
    spec: &ExternalSpec,
    entry: abi::Entry,
    suspect: &'static Suspect,
) -> Result<External, LoadError> {
    let package = || spec.package.clone();
    let invalid = |what: &str| LoadError::Registration { package: package(), what: what.to_owned() };
    let config = CString::new(spec.config.as_str()).map_err(|_| invalid("its `config` has a NUL in it"))?;
    // Both live as long as the process, since what the library keeps of them may be used as long. Loading is rare.
    let desk: &'static DeskQueue = Box::leak(Box::new(DeskQueue::new(suspect)));
    let config: &'static CStr = Box::leak(config.into_boxed_c_str());
    let host: &'static abi::Host = Box::leak(Box::new(host::table(config.as_ptr(), desk.handle())));
    let mut room = Room { registration: empty(), beyond: [0; 256] };
    // SAFETY: the host's table lives for ever, the room until the entry has returned, and it is larger than any ABI's struct.
    let reply = catch_unwind(AssertUnwindSafe(|| unsafe { entry(host, (&raw mut room).cast()) }))
        .unwrap_or(abi::PANICKED);
    let out = room.registration;
    let their_tag = text_of(&out.tag);
    if out.version != abi::VERSION
        || out.size as usize != size_of::<abi::Registration>()
        || their_tag != abi::TAG
    {
        return Err(LoadError::Abi {
            package: package(),
            theirs: out.version,
            their_tag,
            their_size: out.size,
            ours: abi::VERSION,
            our_tag: abi::TAG,
            our_size: size_of::<abi::Registration>() as u32,
        });
    }
    if reply != abi::OK {
        let said = text_of(&out.error);
        let why = match reply {
            abi::PANICKED => "its entry function panicked".to_owned(),
            _ if said.is_empty() => format!("its entry function returned {reply} and gave no reason"),
            _ => said,
        };
        return Err(LoadError::Refused { package: package(), why });
    }
    let (Some(control), Some(data)) = (out.control, out.data) else {
        return Err(invalid("it has not both handlers"));
    };
    if out.shared_size > MAX_SHARED {
        return Err(invalid("it asks for more than 64 MiB of shared memory"));
    }
    // SAFETY: by the ABI the texts are null or end with NUL, and stay until the next event.
    let about = unsafe { about(&out) }.map_err(|what| invalid(&what))?;
    Ok(External {
        about,
        suspect,
        control,
        data,
        me: out.self_,
        host,
        desk,
        shared: Arc::new(Shared::new(out.shared_size)),
        logs: Mutex::default(),
    })
}

fn empty() -> abi::Registration {
    abi::Registration {
        size: 0,
        version: 0,
        tag: [0; abi::TAG_SIZE],
        name: null(),
        kind: null(),
        flags: 0,
        reserved: 0,
        self_: null_mut(),
        shared_size: 0,
        publishes: null(),
        subscribes: null(),
        counters: null(),
        control: None,
        data: None,
        error: [0; 256],
    }
}

/// Text in an array, up to its NUL or its end.
fn text_of(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().map(|&c| c as u8).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// # Safety
/// The registration's texts are null or end with a NUL, its lists are null or end with null.
unsafe fn about(out: &abi::Registration) -> Result<About, String> {
    // SAFETY: the caller's promise.
    unsafe {
        Ok(About {
            name: name("name", out.name)?,
            kind: if out.kind.is_null() { "external".into() } else { name("kind", out.kind)? },
            external: true,
            flags: Flags {
                packet_mode: out.flags & abi::FLAG_PACKET_MODE != 0,
                alone: out.flags & abi::FLAG_ALONE != 0,
                policy: out.flags & abi::FLAG_POLICY != 0,
                own_state: false,
                turns: out.flags & abi::FLAG_TURNS != 0,
            },
            publishes: names("published class", out.publishes)?,
            subscribes: names("subscribed class", out.subscribes)?,
            counters: names("counter", out.counters)?,
        })
    }
}

/// # Safety
/// `text` is null or ends with a NUL.
unsafe fn name(what: &str, text: *const c_char) -> Result<String, String> {
    if text.is_null() {
        return Err(format!("its {what} is missing"));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| format!("its {what} is not UTF-8"))?;
    match text.len() {
        1..=MAX_NAME => Ok(text.to_owned()),
        length => Err(format!("its {what} has {length} characters, and 1 to {MAX_NAME} are allowed")),
    }
}

/// # Safety
/// `list` is null or ends with null, and its texts end with a NUL.
unsafe fn names(what: &str, list: *const *const c_char) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    if list.is_null() {
        return Ok(all);
    }
    for index in 0..MAX_NAMES {
        // SAFETY: the list ends with null, and we have not come to its end.
        let text = unsafe { *list.add(index) };
        if text.is_null() {
            return Ok(all);
        }
        // SAFETY: the caller's promise.
        all.push(unsafe { name(what, text) }?);
    }
    Err(format!("it has more than {MAX_NAMES} names of one kind ({what})"))
}

impl ExternalSpec {
    /// A shared object with the usual entry function.
    pub fn at(package: &str, path: &Path, config: &str) -> ExternalSpec {
        ExternalSpec {
            package: package.into(),
            path: path.into(),
            entry: "weir_plugin_entry".into(),
            config: config.into(),
            ..ExternalSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(package: &str, order: i32, needs: &[&str]) -> ExternalSpec {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        ExternalSpec { order, needs, ..ExternalSpec::at(package, Path::new("/nowhere/at/all.so"), "") }
    }

    #[test]
    fn load_order_then_needs() {
        let specs =
            [spec("a", 5, &[]), spec("b", 0, &["a", "libm.so.6"]), spec("c", 1, &[]), spec("d", 1, &[])];
        assert_eq!(order(&specs).unwrap(), [2, 3, 0, 1]);
    }

    #[test]
    fn a_circle_is_named_and_so_is_what_is_configured_twice() {
        let specs = [spec("x", 0, &["a"]), spec("a", 0, &["b"]), spec("b", 0, &["a"])];
        let error = order(&specs).unwrap_err().to_string();
        assert!(error.contains("a -> b -> a"), "{error}");
        assert!(
            matches!(order(&[spec("x", 0, &[]), spec("x", 0, &[])]), Err(LoadError::PackageTwice(p)) if p == "x")
        );
    }

    #[test]
    fn what_does_not_load_is_named() {
        let error = load(&[spec("lost", 0, &["libnosuch.so.9"])]).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("lost") && error.contains("libnosuch.so.9"), "{error}");
        let error = load(&[spec("lost", 0, &[])]).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all.so"), "{error}");
        let relative = ExternalSpec::at("near", Path::new("near.so"), "");
        assert!(matches!(load(&[relative]).map(|_| ()), Err(LoadError::NotAbsolute { .. })));
    }
}
