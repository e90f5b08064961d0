//! The header and its Rust twin agree: a C program prints what the compiler makes of the header.

use super::abi;
use crate::base::event::CloseReason;
use std::fmt::Write;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

/// (C expression, Rust's value).
fn expected() -> Vec<(String, usize)> {
    let mut all = Vec::new();
    macro_rules! layout {
        ($c:literal, $rust:ty: $($field:ident $(as $c_field:literal)?),*) => {
            all.push((format!("sizeof(struct {})", $c), size_of::<$rust>()));
            $(
                #[allow(unused_mut, unused_assignments)]
                let mut name = stringify!($field);
                $(name = $c_field;)?
                all.push((format!("offsetof(struct {}, {name})", $c), offset_of!($rust, $field)));
            )*
        };
    }
    layout!("weir_tuple", abi::Tuple: source, destination, source_port, destination_port, protocol, family);
    layout!("weir_session", abi::Session: id, packets, bytes, state, tuple);
    layout!("weir_packet", abi::Packet: bytes, length, ip, l4, payload, payload_length, number, time_us, port, flags);
    layout!("weir_data", abi::Data: host, call, shared, shared_size, worker_self, set, plugin, worker, direction, reason,
        kind, bytes, length, argument, code, action, policy, policy_generation, now_us, session, packet);
    layout!("weir_control", abi::Control: host, desk, shared, shared_size, set, op, generation, error_size, set_name, config,
        bytes, length, error);
    layout!("weir_host", abi::Host: size, version, tag, config, desk, shared, attach, ignore, edit, ticket, release, share,
        share_segment, share_release, emit, plugin_named, class_named, dispatch, ask, count, log, attach_policy,
        detach_policy, desk_log);
    layout!("weir_registration", abi::Registration: size, version, tag, name, kind, flags, self_ as "self", shared_size,
        publishes, subscribes, counters, control, data, error);
    let numbers: [(&str, i64); 27] = [
        ("WEIR_ABI_VERSION", abi::VERSION.into()),
        ("WEIR_OK", abi::OK.into()),
        ("WEIR_FORWARD", abi::FORWARD.into()),
        ("WEIR_DISCARD", abi::DISCARD.into()),
        ("WEIR_HOLD", abi::HOLD.into()),
        ("WEIR_PANICKED", abi::PANICKED.into()),
        ("WEIR_EVENT_FIRST_PACKET", abi::EVENT_FIRST_PACKET.into()),
        ("WEIR_EVENT_PACKET", abi::EVENT_PACKET.into()),
        ("WEIR_EVENT_SESSION_DESTROY", abi::EVENT_SESSION_DESTROY.into()),
        ("WEIR_EVENT_PUBLIC_DATA", abi::EVENT_PUBLIC_DATA.into()),
        ("WEIR_EVENT_USER", abi::EVENT_USER.into()),
        ("WEIR_EVENT_WORKER_EXIT", abi::EVENT_WORKER_EXIT.into()),
        ("WEIR_CONTROL_CONFIG_BLOB", abi::CONTROL_CONFIG_BLOB.into()),
        ("WEIR_FLAG_ALONE", abi::FLAG_ALONE.into()),
        ("WEIR_FLAG_TURNS", abi::FLAG_TURNS.into()),
        ("WEIR_EDIT_DESTINATION_PORT", abi::EDIT_DESTINATION_PORT.into()),
        ("WEIR_RELEASE_DISCARD", abi::RELEASE_DISCARD.into()),
        ("WEIR_LOG_DEBUG", abi::LOG_DEBUG.into()),
        ("WEIR_PACKET_INLINE", abi::PACKET_INLINE.into()),
        ("WEIR_NONE", abi::NONE.into()),
        ("WEIR_CLOSE_FIN", CloseReason::Fin as i64),
        ("WEIR_CLOSE_TIMEOUT", CloseReason::Timeout as i64),
        ("WEIR_CLOSE_OPEN_FAILED", CloseReason::OpenFailed as i64),
        ("WEIR_CLOSE_PLUGIN_RESTART", CloseReason::PluginRestart as i64),
        ("WEIR_CLOSE_SHUTDOWN", CloseReason::Shutdown as i64),
        ("WEIR_CLOSE_REUSED", CloseReason::Reused as i64),
        ("WEIR_TAG_SIZE", abi::TAG_SIZE as i64),
    ];
    all.extend(numbers.map(|(name, value)| (name.to_owned(), value as usize)));
    all
}

#[test]
fn the_c_header_has_the_same_sizes_offsets_and_numbers() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("layout.c"), dir.path().join("layout"));
    let mut text = "#include <stdio.h>\n#include \"weir_plugin.h\"\nint main(void) {\n".to_owned();
    let expected = expected();
    for (expression, _) in &expected {
        let _ = writeln!(text, "printf(\"%lu\\n\", (unsigned long)({expression}));");
    }
    text.push_str("puts(WEIR_ABI_TAG);\nreturn 0;\n}\n");
    std::fs::write(&source, text).unwrap();
    let built = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(top.join("plugins/include"))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let printed = String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap();
    let mut lines = printed.lines();
    for (expression, value) in &expected {
        assert_eq!(lines.next().unwrap(), value.to_string(), "{expression}");
    }
    assert_eq!(lines.next(), Some(abi::TAG));
}

#[test]
fn the_tag_has_the_crates_version() {
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    assert_eq!(abi::TAG, format!("weir-{version}/abi-{}", abi::VERSION));
}
