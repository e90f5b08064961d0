//! Session descriptions (RFC 8866): lines of a letter, `=` and a value; those behind an `m=` belong to that medium.

use crate::app::transaction::Transaction;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};

/// A line's letter, the buffer it is for, and its place in the log.
type Line = (u8, BufferId, &'static str);

const SESSION: [Line; 13] = [
    (b'o', context::id("sdp.origin"), "sdp.origin"),
    (b's', context::id("sdp.session_name"), "sdp.session_name"),
    (b'i', context::id("sdp.session_info"), "sdp.session_info"),
    (b'u', context::id("sdp.uri"), "sdp.uri"),
    (b'e', context::id("sdp.email"), "sdp.email"),
    (b'p', context::id("sdp.phone_number"), "sdp.phone_number"),
    (b'c', context::id("sdp.connection_data"), "sdp.connection_data"),
    (b'b', context::id("sdp.bandwidth"), "sdp.bandwidths[]"),
    (b't', context::id("sdp.time"), "sdp.time_descriptions[].time"),
    (b'r', context::id("sdp.repeat_time"), "sdp.time_descriptions[].repeat_time"),
    (b'z', context::id("sdp.timezone"), "sdp.timezone"),
    (b'k', context::id("sdp.encryption_key"), "sdp.encryption_key"),
    (b'a', context::id("sdp.attribute"), "sdp.attributes[]"),
];

const MEDIA: [Line; 4] = [
    (b'm', context::id("sdp.media.media"), "sdp.media_descriptions[].media"),
    (b'i', context::id("sdp.media.media_info"), "sdp.media_descriptions[].media_info"),
    (b'c', context::id("sdp.media.connection_data"), "sdp.media_descriptions[].connection_data"),
    (b'k', context::id("sdp.media.encryption_key"), "sdp.media_descriptions[].encryption_key"),
];
/// Several a medium, and of no buffer.
const MEDIA_LISTS: [(u8, &str); 2] =
    [(b'b', "sdp.media_descriptions[].bandwidths[]"), (b'a', "sdp.media_descriptions[].attributes[]")];

pub(super) fn report(tx: &mut Transaction, dir: Dir, body: &[u8]) {
    let mut in_media = false;
    for line in body.split(|byte| *byte == b'\n') {
        let [letter, b'=', value @ ..] = line.trim_ascii() else { continue };
        let value = value.trim_ascii();
        if *letter == b'm' {
            in_media = true;
            tx.note_begin("sdp.media_descriptions[]");
        }
        let found = if in_media {
            MEDIA.iter().find(|line| line.0 == *letter)
        } else {
            SESSION.iter().find(|line| line.0 == *letter)
        };
        if let Some((letter, buffer, note)) = found {
            if *letter == b't' {
                tx.note_begin("sdp.time_descriptions[]");
            }
            tx.put(dir, *buffer, value);
            tx.note(note, value);
        } else if let Some((_, note)) = MEDIA_LISTS.iter().find(|list| in_media && list.0 == *letter) {
            tx.note(note, value);
        }
    }
}
