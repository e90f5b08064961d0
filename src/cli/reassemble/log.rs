//! The log of `weir reassemble`: to syslog, and to stderr where asked for or where there is no syslog.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

const SOCKET: &str = "/dev/log";
/// Of the daemons (RFC 5424, section 6.2.1).
const FACILITY: u8 = 3;

/// Starts it; a second start is refused, and the first one serves as well.
pub fn start(debug: u8, stderr: bool, syslog: bool) {
    let level = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let level = level.get(usize::from(debug)).copied().unwrap_or(Level::TRACE);
    let socket = syslog.then(|| connect().ok()).flatten();
    let to = To { stderr: stderr || socket.is_none(), socket: socket.map(Arc::new) };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false);
    let _ = builder.without_time().with_level(false).with_writer(to).try_init();
}

fn connect() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(SOCKET)?;
    Ok(socket)
}

struct To {
    stderr: bool,
    socket: Option<Arc<UnixDatagram>>,
}

/// One line.
pub struct Line {
    level: Level,
    stderr: bool,
    socket: Option<Arc<UnixDatagram>>,
}

impl<'a> MakeWriter<'a> for To {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { level: Level::INFO, stderr: self.stderr, socket: self.socket.clone() }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line { level: *meta.level(), ..self.make_writer() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        let severity = match self.level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        if let Some(socket) = &self.socket {
            let line = format!("<{}>weir[{}]: {text}", FACILITY * 8 + severity, std::process::id());
            // A log that is not taken stops nobody.
            let _ = socket.send(line.as_bytes());
        }
        if self.stderr {
            writeln!(io::stderr(), "{}: {text}", self.level.as_str().to_lowercase())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
