//! Files and pipes to read, of which none is waited for without an end: nobody may ever write into a pipe, and who reads is
//! the appliance's management.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long nobody need have a pipe open for writing.
const NOBODY: Duration = Duration::from_secs(2);

/// How long who has it open need write nothing: a download has its pauses.
const SILENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A file, or a pipe with what is left of the patience for it.
#[derive(Debug)]
pub struct Opened {
    file: File,
    pipe: Option<Patience>,
}

#[derive(Debug)]
struct Patience {
    nobody: Duration,
    silence: Duration,
    /// For the next byte, so far.
    waited: Duration,
    /// Something came: an end is one from then on.
    began: bool,
}

/// Opens it for reading, unless it is a device, which may have no end.
pub fn open(path: &Path) -> io::Result<Opened> {
    open_with(path, NOBODY, SILENCE)
}

fn open_with(path: &Path, nobody: Duration, silence: Duration) -> io::Result<Opened> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder, and a file is wanted"));
    }
    if !kind.is_file() && !kind.is_fifo() {
        return Err(io::Error::other("it is a device or socket, and a file or pipe is wanted"));
    }
    // It may be another one by now than was looked at: whichever it is, the opening does not wait.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let patience = Patience { nobody, silence, waited: Duration::ZERO, began: false };
    let pipe = file.metadata()?.file_type().is_fifo().then_some(patience);
    Ok(Opened { file, pipe })
}

impl Opened {
    /// Bytes of a file; 0 of a pipe, which does not say.
    pub fn length(&self) -> io::Result<u64> {
        self.file.metadata().map(|file| file.len())
    }
}

impl Patience {
    /// Waits a moment, or says for whom there was enough of that.
    fn wait(&mut self, most: Duration, whom: &str) -> io::Result<()> {
        if self.waited >= most {
            let text = format!("it is a pipe, and {whom} for {} s", most.as_secs_f64());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        // Of a pipe that nobody writes into the kernel says that it has ended: there is nothing to be woken by.
        std::thread::park_timeout(LOOK);
        self.waited += LOOK;
        Ok(())
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(patience) = self.pipe.as_mut().filter(|_| !buffer.is_empty()) else {
            return self.file.read(buffer);
        };
        loop {
            match self.file.read(buffer) {
                Ok(0) if !patience.began => patience.wait(patience.nobody, "nobody wrote into it")?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    patience.wait(patience.silence, "nothing came out of it")?;
                }
                Ok(read) => {
                    (patience.began, patience.waited) = (true, Duration::ZERO);
                    return Ok(read);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    fn read(path: &Path, silence: Duration) -> io::Result<String> {
        let mut text = String::new();
        open_with(path, Duration::from_millis(300), silence)?.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn a_pipe_that_nobody_writes_into_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&pipe(folder.path()), SILENCE).unwrap_err();
        assert_eq!(error.to_string(), "it is a pipe, and nobody wrote into it for 0.3 s");
    }

    #[test]
    fn a_writer_that_says_nothing_is_not_waited_for_either() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        // Open for both, it does not wait for a reader.
        let silent = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let error = read(&path, Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.to_string(), "it is a pipe, and nothing came out of it for 0.1 s");
        drop(silent);
    }

    #[test]
    fn what_comes_out_of_a_pipe_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut pipe = OpenOptions::new().write(true).open(&path).unwrap();
                (0..3000).for_each(|_| pipe.write_all(&[b'x'; 100]).unwrap());
            });
            assert_eq!(read(&path, SILENCE).unwrap().len(), 300_000);
        });
    }
}
