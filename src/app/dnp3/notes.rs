//! A fragment in eve.json, under the names of Suricata's record.

use super::Application;
use super::link::Header;
use super::objects::Object;
use crate::app::Transaction;
use crate::rules::field::industrial::DNP3_INDICATORS;

/// Paths below `request` or `response`.
#[derive(Copy, Clone)]
pub(super) struct Names {
    kind: &'static str,
    link_dir: &'static str,
    link_primary: &'static str,
    link_count_bit: &'static str,
    link_count_valid: &'static str,
    link_function: &'static str,
    from: &'static str,
    to: &'static str,
    first: &'static str,
    last: &'static str,
    confirm: &'static str,
    unsolicited: &'static str,
    sequence: &'static str,
    function: &'static str,
    objects: &'static str,
    /// Of the newest object.
    object: [&'static str; 8],
    pub complete: &'static str,
}

macro_rules! names {
    ($below:literal) => {
        Names {
            kind: concat!($below, ".type"),
            link_dir: concat!($below, ".control.dir"),
            link_primary: concat!($below, ".control.pri"),
            link_count_bit: concat!($below, ".control.fcb"),
            link_count_valid: concat!($below, ".control.fcv"),
            link_function: concat!($below, ".control.function_code"),
            from: concat!($below, ".src"),
            to: concat!($below, ".dst"),
            first: concat!($below, ".application.control.fir"),
            last: concat!($below, ".application.control.fin"),
            confirm: concat!($below, ".application.control.con"),
            unsolicited: concat!($below, ".application.control.uns"),
            sequence: concat!($below, ".application.control.sequence"),
            function: concat!($below, ".application.function_code"),
            objects: concat!($below, ".application.objects[]"),
            object: [
                concat!($below, ".application.objects[].group"),
                concat!($below, ".application.objects[].variation"),
                concat!($below, ".application.objects[].qualifier"),
                concat!($below, ".application.objects[].prefix_code"),
                concat!($below, ".application.objects[].range_code"),
                concat!($below, ".application.objects[].start"),
                concat!($below, ".application.objects[].stop"),
                concat!($below, ".application.objects[].count"),
            ],
            complete: concat!($below, ".application.complete"),
        }
    };
}

static REQUEST: Names = names!("request");
static RESPONSE: Names = names!("response");

pub(super) fn names(response: bool) -> &'static Names {
    if response { &RESPONSE } else { &REQUEST }
}

const UNSOLICITED: u8 = 130;

pub(super) fn begin(tx: &mut Transaction, names: &Names, header: &Header, application: &Application) {
    if !tx.wants_notes() {
        return;
    }
    let kind: &[u8] = match (application.indicators, application.function) {
        (None, _) => b"request",
        (_, UNSOLICITED) => b"unsolicited_response",
        _ => b"response",
    };
    let (bit, valid) = header.count();
    tx.note(names.kind, kind);
    tx.note_bool(names.link_dir, header.is_masters());
    tx.note_bool(names.link_primary, header.is_primary());
    tx.note_bool(names.link_count_bit, bit);
    tx.note_bool(names.link_count_valid, valid);
    tx.note_number(names.link_function, header.function().into());
    tx.note_number(names.from, header.from.into());
    tx.note_number(names.to, header.to.into());
    tx.note_bool(names.first, application.control & 0x80 != 0);
    tx.note_bool(names.last, application.control & 0x40 != 0);
    tx.note_bool(names.confirm, application.control & 0x20 != 0);
    tx.note_bool(names.unsolicited, application.control & 0x10 != 0);
    tx.note_number(names.sequence, u64::from(application.control & 15));
    tx.note_number(names.function, application.function.into());
    let Some(indicators) = application.indicators else { return };
    for (name, _) in DNP3_INDICATORS.iter().filter(|(_, bit)| u64::from(indicators) & bit != 0) {
        tx.note("response.iin.indicators[]", name.as_bytes());
    }
}

pub(super) fn object(tx: &mut Transaction, names: &Names, object: &Object) {
    if !tx.wants_notes() {
        return;
    }
    let Object { group, variation, qualifier, start, stop, count } = *object;
    let numbers = [
        group.into(),
        variation.into(),
        qualifier.into(),
        object.prefix_code().into(),
        object.range_code().into(),
        start,
        stop,
        count,
    ];
    tx.note_begin(names.objects);
    for (name, number) in names.object.iter().zip(numbers) {
        tx.note_number(name, number.into());
    }
}
