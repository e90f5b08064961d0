//! Names of numbers, for eve.json.

use crate::app::digits::{push_hex, push_number};

pub(super) fn version(number: u32) -> &'static str {
    match number {
        0x0008_0001 => "v4",
        0x0008_0004 => "v5",
        0x0008_0005 => "v10.0",
        0x0008_0006 => "v10.1",
        0x0008_0007 => "v10.2",
        0x0008_0008 => "v10.3",
        0x0008_0009 => "v10.4",
        0x0008_000a => "v10.5",
        0x0008_000b => "v10.6",
        0x0008_000c => "v10.7",
        _ => "unknown",
    }
}

/// Bits a pixel by the code of `colorDepth` and `postBeta2ColorDepth`.
pub(super) fn old_depth(code: u16) -> Option<u16> {
    match code {
        0xca00 => Some(4),
        0xca01 => Some(8),
        0xca02 => Some(15),
        0xca03 => Some(16),
        0xca04 => Some(24),
        _ => None,
    }
}

/// The system of that build, or its number.
pub(super) fn push_build(out: &mut Vec<u8>, build: u32) {
    let name = match build {
        2195 => "Windows 2000",
        2600 => "Windows XP",
        3790 => "Windows Server 2003",
        6000 => "Windows Vista",
        6001 => "Windows Vista SP1",
        6002 => "Windows Vista SP2",
        7600 => "Windows 7",
        7601 => "Windows 7 SP1",
        9200 => "Windows 8",
        9600 => "Windows 8.1",
        10240..=19999 => "Windows 10",
        22000..=29999 => "Windows 11",
        _ => return push_number(out, build.into()),
    };
    out.extend_from_slice(name.as_bytes());
}

pub(super) fn keyboard(kind: u32) -> Option<&'static str> {
    const KINDS: [&str; 7] = ["xt", "ico", "at", "enhanced", "1050", "9140", "jp"];
    KINDS.get((kind as usize).checked_sub(1)?).copied()
}

pub(super) fn connection(hint: u8) -> Option<&'static str> {
    const HINTS: [&str; 7] =
        ["modem", "low_broadband", "satellite", "high_broadband", "wan", "lan", "autodetect"];
    HINTS.get(usize::from(hint).checked_sub(1)?).copied()
}

pub(super) const VALID_CONNECTION: u16 = 0x20;

pub(super) const CAPABILITIES: &[(u16, &str)] = &[
    (0x01, "support_errinfo_pdf"),
    (0x02, "want_32bpp_session"),
    (0x04, "support_statusinfo_pdu"),
    (0x08, "strong_asymmetric_keys"),
    (VALID_CONNECTION, "valid_connection_type"),
    (0x40, "support_monitor_layout_pdu"),
    (0x80, "support_netchar_autodetect"),
    (0x100, "support_dynvc_gfx_protocol"),
    (0x200, "support_dynamic_time_zone"),
    (0x400, "support_heartbeat_pdu"),
];

/// The locale of a keyboard's layout (MS-LCID), or its number. The upper half tells variants of a layout.
pub(super) fn push_layout(out: &mut Vec<u8>, layout: u32) {
    let language = layout as u16;
    match LAYOUTS.binary_search_by_key(&language, |(number, _)| *number) {
        Ok(at) => out.extend(LAYOUTS.get(at).map(|(_, name)| name.as_bytes()).unwrap_or_default()),
        Err(_) => push_hex(out, layout.into()),
    }
}

const LAYOUTS: &[(u16, &str)] = &[
    (0x0401, "ar-SA"),
    (0x0402, "bg-BG"),
    (0x0403, "ca-ES"),
    (0x0404, "zh-TW"),
    (0x0405, "cs-CZ"),
    (0x0406, "da-DK"),
    (0x0407, "de-DE"),
    (0x0408, "el-GR"),
    (0x0409, "en-US"),
    (0x040a, "es-ES"),
    (0x040b, "fi-FI"),
    (0x040c, "fr-FR"),
    (0x040d, "he-IL"),
    (0x040e, "hu-HU"),
    (0x040f, "is-IS"),
    (0x0410, "it-IT"),
    (0x0411, "ja-JP"),
    (0x0412, "ko-KR"),
    (0x0413, "nl-NL"),
    (0x0414, "nb-NO"),
    (0x0415, "pl-PL"),
    (0x0416, "pt-BR"),
    (0x0418, "ro-RO"),
    (0x0419, "ru-RU"),
    (0x041a, "hr-HR"),
    (0x041b, "sk-SK"),
    (0x041c, "sq-AL"),
    (0x041d, "sv-SE"),
    (0x041e, "th-TH"),
    (0x041f, "tr-TR"),
    (0x0420, "ur-PK"),
    (0x0421, "id-ID"),
    (0x0422, "uk-UA"),
    (0x0423, "be-BY"),
    (0x0424, "sl-SI"),
    (0x0425, "et-EE"),
    (0x0426, "lv-LV"),
    (0x0427, "lt-LT"),
    (0x0429, "fa-IR"),
    (0x042a, "vi-VN"),
    (0x042b, "hy-AM"),
    (0x042d, "eu-ES"),
    (0x042f, "mk-MK"),
    (0x0437, "ka-GE"),
    (0x0439, "hi-IN"),
    (0x043a, "mt-MT"),
    (0x043f, "kk-KZ"),
    (0x0443, "uz-Latn-UZ"),
    (0x0804, "zh-CN"),
    (0x0807, "de-CH"),
    (0x0809, "en-GB"),
    (0x080a, "es-MX"),
    (0x080c, "fr-BE"),
    (0x0810, "it-CH"),
    (0x0813, "nl-BE"),
    (0x0814, "nn-NO"),
    (0x0816, "pt-PT"),
    (0x081a, "sr-Latn-CS"),
    (0x0c04, "zh-HK"),
    (0x0c07, "de-AT"),
    (0x0c09, "en-AU"),
    (0x0c0a, "es-ES"),
    (0x0c0c, "fr-CA"),
    (0x0c1a, "sr-Cyrl-CS"),
    (0x1004, "zh-SG"),
    (0x1009, "en-CA"),
    (0x100c, "fr-CH"),
    (0x1409, "en-NZ"),
    (0x1809, "en-IE"),
    (0x1c09, "en-ZA"),
];
