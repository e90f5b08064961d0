//! The `weir` command.

/// Rule sets are a million small pieces: with the C library's allocator their start takes half as long again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
