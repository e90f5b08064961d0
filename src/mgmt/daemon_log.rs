//! The daemon's own log, on stderr: its level may become another one while weir runs.

use crate::mgmt::config::{Log, LogFormat, LogLevel};
use crate::mgmt::slow_reader::SlowReader;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing_subscriber::EnvFilter;

/// Wins over the configuration.
const VARIABLE: &str = "WEIR_LOG";

type Setter = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

static LEVEL: OnceLock<Setter> = OnceLock::new();

/// Libraries beneath gRPC that tell of each frame of HTTP/2, by their targets' beginnings.
const CHATTY: [&str; 4] = ["h2", "hyper", "tonic", "tower"];

/// What a level lets through: of [`CHATTY`] no more than "info", but at "trace", where all is told.
fn filter(level: LogLevel) -> EnvFilter {
    let mut directives = level.name().to_owned();
    if level == LogLevel::Debug {
        CHATTY.iter().for_each(|target| directives += &format!(",{target}=info"));
    }
    EnvFilter::new(directives)
}

/// Starts it. A second start is refused, and the first one serves as well.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| filter(log.level));
    // A line that cannot be written must end nobody's work.
    let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    let builder = builder.with_writer(|| Stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let (setter, started): (Setter, _) = match log.format {
        LogFormat::Json => {
            let builder = builder.json().with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(move |filter| handle.reload(filter).is_ok()), builder.try_init())
        }
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            (Box::new(move |filter| handle.reload(filter).is_ok()), builder.try_init())
        }
    };
    if started.is_ok() {
        *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = log.level;
        // Nobody else sets it: the first start alone comes here.
        let _ = LEVEL.set(setter);
    }
}

/// Lines that stderr did not take: it may be a file on a full disk, or a pipe whose reader is gone or hangs.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

static LOST: AtomicU64 = AtomicU64::new(0);

/// What is known of who reads stderr. A line holds this for [`SlowReader`]'s patience at most.
static READER: Mutex<SlowReader> = Mutex::new(SlowReader::new());

/// Takes a line at a time.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut reader = READER.lock().unwrap_or_else(PoisonError::into_inner);
        if !reader.take(&mut io::stderr(), line) {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Another level from now on; whether it is, which the environment may forbid.
pub fn set_level(level: LogLevel) -> bool {
    let free = EnvFilter::try_from_env(VARIABLE).is_err();
    let done = free && LEVEL.get().is_some_and(|set| set(filter(level)));
    if done {
        *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = level;
    }
    done
}

/// The level that was set last.
pub fn level() -> LogLevel {
    *TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

static TOLD: Mutex<LogLevel> = Mutex::new(LogLevel::Info);

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(level: LogLevel) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let builder = tracing_subscriber::fmt().with_env_filter(filter(level)).without_time();
        let subscriber = builder.with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "h2::codec::framed_read", "frame");
            tracing::debug!(target: "hyper_util::server", "connection");
            tracing::info!(target: "tonic", "word");
            tracing::debug!(target: "weir::mgmt", "own");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn debug_tells_of_weir_and_trace_of_frames_of_http2_too() {
        let debug = told(LogLevel::Debug);
        assert!(debug.contains("own") && debug.contains("word"), "{debug}");
        assert!(!debug.contains("frame") && !debug.contains("connection"), "{debug}");
        let trace = told(LogLevel::Trace);
        assert!(["frame", "connection", "word", "own"].iter().all(|word| trace.contains(word)), "{trace}");
        let info = told(LogLevel::Info);
        assert!(info.contains("word") && !info.contains("own"), "{info}");
    }
}
