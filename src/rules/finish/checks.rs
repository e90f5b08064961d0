//! What is wrong with a buffer, or with two of them, when the whole rule is known.

use super::fault;
use crate::base::Dir;
use crate::rules::draft::{Draft, DraftBuffer, DraftContent, DraftStep};
use crate::rules::ruleset::{Absence, Context};
use crate::rules::text::Fault;
use crate::rules::transform::Transform;

/// A buffer that must not be there has nothing in it.
pub(super) fn check_absence(buffer: &DraftBuffer) -> Result<(), Fault> {
    match buffer.absence {
        Absence::Wanted if !buffer.steps.is_empty() => {
            let message = "this buffer is to be `absent`, so nothing can be looked for in it";
            Err(fault(buffer.span, "absent", message).help("write `absent: or_else` to allow either"))
        }
        _ => Ok(()),
    }
}

/// Buffers of hexadecimal digits, and whether those are upper case: rules may write them in either.
const DIGITS: [(&str, bool); 6] = [
    ("ja3.hash", false),
    ("ja3s.hash", false),
    ("ssh.hassh", false),
    ("ssh.hassh.server", false),
    ("tls.cert_fingerprint", false),
    ("tls.cert_serial", true),
];

/// Writes contents in the case that the digits of their buffer have.
pub(super) fn fold_case(buffer: &mut DraftBuffer) {
    let Context::App(id) = buffer.context else { return };
    let known = DIGITS.iter().find(|(name, _)| *name == id.get().name);
    let (Some((_, upper)), true) = (known, buffer.transforms.is_empty()) else { return };
    for step in &mut buffer.steps {
        if let DraftStep::Content(DraftContent { content, .. }) = step {
            match upper {
                true => content.pattern.make_ascii_uppercase(),
                false => content.pattern.make_ascii_lowercase(),
            }
        }
    }
}

/// A content in the case that the buffer never has is never found.
pub(super) fn check_case(buffer: &DraftBuffer) -> Result<(), Fault> {
    let host = buffer.transforms.is_empty()
        && matches!(buffer.context, Context::App(id) if id.get().name == "http.host");
    let never: (fn(&u8) -> bool, &str) = match buffer.transforms.last() {
        Some(Transform::ToLowercase) => (u8::is_ascii_uppercase, "lower"),
        Some(Transform::ToUppercase) => (u8::is_ascii_lowercase, "upper"),
        None if host => (u8::is_ascii_uppercase, "lower"),
        _ => return Ok(()),
    };
    let odd = |draft: &&DraftContent| {
        let content = &draft.content;
        !content.nocase && !content.negated && content.pattern.iter().any(never.0)
    };
    match buffer.contents().find(odd) {
        Some(content) => {
            let message = format!("this buffer is in {} case, so that the content is nowhere found", never.1);
            Err(fault(content.span, "content", message)
                .help("write it in that case, or put `nocase;` behind it"))
        }
        None => Ok(()),
    }
}

/// Decoding without a look at the result is a slip.
pub(super) fn check_base64(buffer: &DraftBuffer) -> Result<(), Fault> {
    let idle = buffer.steps.iter().find_map(|step| match step {
        DraftStep::Base64(base64) if base64.steps.is_empty() => Some(base64.span),
        _ => None,
    });
    match idle {
        Some(span) => Err(fault(span, "base64_decode", "nothing looks into what this decodes")
            .help("put `base64_data;` and a content behind it")),
        None => Ok(()),
    }
}

/// A rule over one direction cannot need buffers of the other.
pub(super) fn check_directions(draft: &Draft) -> Result<(), Fault> {
    let mut wanted: Option<(Dir, &'static str)> =
        draft.flow.and_then(|flow| flow.dir).map(|dir| (dir, "flow"));
    for buffer in &draft.buffers {
        let Context::App(id) = buffer.context else { continue };
        let (Some(dir), name) = (id.get().dir.or(buffer.dir), id.get().name) else { continue };
        match wanted {
            Some((other, said)) if other != dir => {
                let message =
                    format!("`{name}` is sent {}, but `{said}` asks for the other direction", way(dir));
                return Err(fault(buffer.span, name, message)
                    .help("`=>` in place of `->` makes a rule over a request and its response"));
            }
            _ => wanted = wanted.or(Some((dir, name))),
        }
    }
    for &(dir, span) in &draft.states {
        match wanted {
            Some((other, said)) if other != dir => {
                let message = format!(
                    "this state is of what is sent {}, but `{said}` asks for the other direction",
                    way(dir)
                );
                return Err(fault(span, "app-layer-state", message));
            }
            _ => wanted = wanted.or(Some((dir, "a state"))),
        }
    }
    Ok(())
}

fn way(dir: Dir) -> &'static str {
    match dir {
        Dir::ToServer => "to the server",
        Dir::ToClient => "to the client",
    }
}
