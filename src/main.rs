//! The `weir` command.

#[global_allocator]
static ALLOCATOR: weir::io::heap::Allocator = weir::io::heap::Allocator;

fn main() -> std::process::ExitCode {
    weir::cli::main()
}
