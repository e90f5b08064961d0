//! What goes to the terminal: keys, names and files that others wrote are no commands to it.

use super::Failure;
use std::borrow::Cow;
use std::io::Write;

/// Text in which control characters, but for ends of lines and tabs, and those that turn the direction of writing are spelt out.
pub fn visible(text: &str) -> Cow<'_, str> {
    let command = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(command) {
        return Cow::Borrowed(text);
    }
    let spelt = |c: char| if command(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(spelt).collect())
}

/// To stdout. Whoever reads it may have had enough and closed it, which is no fault.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(visible(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to stdout: {error}").into())
        }
        _ => Ok(()),
    }
}

/// A line to stderr. Where that takes none there is nobody to be told.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_to_the_terminal_are_spelt_out_and_all_else_stays() {
        assert!(matches!(visible("a\tb\nü"), Cow::Borrowed("a\tb\nü")));
        assert_eq!(visible("\x1b[2J\r\u{9b}1m\u{7f}\u{202e}x"), "\\u{1b}[2J\\u{d}\\u{9b}1m\\u{7f}\\u{202e}x");
    }
}
