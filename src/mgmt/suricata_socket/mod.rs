//! Suricata's unix-socket protocol, versions 0.1 and 0.2, on a socket of its own: scripts that know `suricatasc` go on working.
//!
//! After Suricata's documentation ("Interacting via Unix Socket"): JSON objects both ways; the first one names the version,
//! each further one a command. Owes: an answer to each command, whatever bytes come; bounded memory for each of at most
//! [`PLACES`] clients; no client waits for another, but for what the appliance itself does one at a time.

mod answers;
mod commands;
mod datasets;
mod splitter;

#[cfg(test)]
mod tests;

use crate::mgmt::control::Control;
use crate::mgmt::gate::{Connection, FIRST_WORDS, Gate, Speech};
use commands::{Commands, Reply};
use serde_json::{Value, json};
use splitter::Splitter;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The key that names the socket.
pub const KEY: &str = "suricata-socket.path";

/// The socket's name where nothing else is said, in the folder of the control socket.
pub const FILE: &str = "suricata-command.socket";

/// Clients at once.
pub const PLACES: usize = 16;

/// Bytes taken at once.
const CHUNK: usize = 4096;

/// How long a client may take to read an answer. (Between two commands he may be silent: when the places are all taken, who has
/// been for longest makes room.)
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers until it is dropped.
pub async fn serve(mut gate: Gate, control: Arc<dyn Control>) {
    let commands = Arc::new(Commands::new(control));
    loop {
        let connection = gate.next().await;
        let commands = Arc::clone(&commands);
        tokio::spawn(async move {
            if let Err(error) = receive(connection, commands).await {
                tracing::debug!("suricata-socket: {error}");
            }
        });
    }
}

/// What the two versions do differently.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Version {
    /// Nothing parts messages.
    V01,
    /// Each ends with a newline.
    V02,
}

impl Version {
    fn of(hello: &Value) -> Option<Version> {
        match hello.get("version")?.as_str()? {
            "0.1" => Some(Version::V01),
            "0.2" => Some(Version::V02),
            _ => None,
        }
    }
}

/// What those hear who speak something else.
const WRONG_DOOR: &str = "this is weir's socket for Suricata's protocol (suricata-socket.path), for suricatasc: weir ctl wants rpc.socket";

async fn receive(connection: Connection, commands: Arc<Commands>) -> io::Result<()> {
    let (connection, speech) = connection.first_words(FIRST_WORDS).await?;
    match speech {
        Speech::Json | Speech::Other => converse(connection, commands).await,
        Speech::Http1 | Speech::Http2 | Speech::Tls => {
            connection.dismiss(speech, WRONG_DOOR).await;
            Ok(())
        }
    }
}

async fn converse(mut io: Connection, commands: Arc<Commands>) -> io::Result<()> {
    let mut splitter = Splitter::default();
    let mut version = None;
    let mut chunk = [0; CHUNK];
    loop {
        loop {
            let message = match splitter.take() {
                Ok(None) => break,
                Ok(Some(text)) => serde_json::from_slice::<Value>(&text).map_err(|error| error.to_string()),
                Err(fault) => Err(fault.to_string()),
            };
            let message = match message {
                Ok(message) => message,
                // Where the next message begins is not known.
                Err(fault) => {
                    let refused = Reply::Refused(format!("{fault}: a message is one JSON object").into());
                    return send(&mut io, refused.json(), version).await;
                }
            };
            let answer = match version {
                Some(_) => {
                    let _busy = io.guest().seat.busy();
                    answer(&commands, message).await
                }
                None => match Version::of(&message) {
                    Some(spoken) => {
                        version = Some(spoken);
                        json!({ "return": "OK" })
                    }
                    None => {
                        let text = "say {\"version\": \"0.1\"} or {\"version\": \"0.2\"} first";
                        return send(&mut io, Reply::Refused(text.into()).json(), version).await;
                    }
                },
            };
            send(&mut io, answer, version).await?;
        }
        match io.read(&mut chunk).await? {
            0 => return Ok(()),
            length => splitter.push(chunk.get(..length).unwrap_or_default()),
        }
    }
}

/// On a thread that may wait for workers.
async fn answer(commands: &Arc<Commands>, message: Value) -> Value {
    let commands = Arc::clone(commands);
    let done = tokio::task::spawn_blocking(move || commands.answer(&message)).await;
    done.unwrap_or_else(|_| Reply::Refused("the command ended early".into())).json()
}

async fn send(io: &mut Connection, answer: Value, version: Option<Version>) -> io::Result<()> {
    let mut text = answer.to_string();
    // Who has not said yet what he speaks reads lines or does not mind.
    if version != Some(Version::V01) {
        text.push('\n');
    }
    let written = tokio::time::timeout(PATIENCE, async {
        io.write_all(text.as_bytes()).await?;
        io.flush().await
    });
    written.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
