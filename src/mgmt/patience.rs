//! Asks systemd for more time while the rules of a start are compiled, and tells it that weir lives (sd_notify(3):
//! EXTEND_TIMEOUT_USEC, WATCHDOG). A start that hangs is not kept up for ever.

use sd_notify::NotifyState;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two messages: an eighth of what is asked for.
const STEP: Duration = Duration::from_secs(5);

/// How much longer a start may take, from each message on.
const MORE: Duration = Duration::from_secs(40);

/// Messages at most, half an hour of them: the rules of any box compile sooner.
const MOST: usize = 360;

/// Asks until it is dropped.
pub struct Patience {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    /// Nothing where nobody listens.
    pub fn ask() -> Option<Patience> {
        std::env::var_os("NOTIFY_SOCKET")?;
        let (done, wait) = channel::<()>();
        let body = move || {
            for _ in 0..MOST {
                say();
                if wait.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("weir-patience".into()).spawn(body);
        // Without it a start has the time that its unit says.
        thread.ok().map(|thread| Patience { done: Some(done), thread: Some(thread) })
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was told when it happened.
            let _ = thread.join();
        }
    }
}

fn say() {
    let more = u32::try_from(MORE.as_micros()).unwrap_or(u32::MAX);
    let states = [
        NotifyState::ExtendTimeoutUsec(more),
        NotifyState::Watchdog,
        NotifyState::Status("compiling the rules"),
    ];
    if let Err(error) = sd_notify::notify(&states) {
        tracing::debug!("systemd is not asked for time: {error}");
    }
}
