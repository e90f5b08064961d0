//! What no process survives.

/// Does it; comes back from other words.
pub fn fatal(deed: &str) {
    match deed {
        "spin" => loop {
            std::hint::spin_loop();
        },
        // SAFETY: none at all; it is what is asked for.
        "crash" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "abort" => std::process::abort(),
        "overflow" => {
            std::hint::black_box(deeper(1));
        }
        _ => {}
    }
}

/// Until the stack is used up.
#[allow(unconditional_recursion)]
fn deeper(level: u64) -> u64 {
    let room = std::hint::black_box([level; 64]);
    deeper(level + 1) + room[7]
}
