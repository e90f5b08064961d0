//! Builds the shim, generates the bindings and names the libraries to link.
//!
//! Every name on an allow-list below is used by weir's `io` layer; a name that goes out of use goes from here too.

use std::env;
use std::path::PathBuf;

/// Start, end and threads of the process; devices put in and out; memory; rings; what the port can and does.
const FUNCTIONS: &[&str] = &[
    // the shim
    "weir_.*",
    // EAL: one init a process, its end, its errors in words
    "rte_eal_init",
    "rte_eal_cleanup",
    "rte_eal_get_runtime_dir",
    "rte_strerror",
    "rte_get_tsc_hz",
    // lcores
    "rte_eal_remote_launch",
    "rte_eal_wait_lcore",
    "rte_eal_get_lcore_state",
    // devices, by PCI address or vdev string
    "rte_dev_probe",
    "rte_dev_remove",
    "rte_eth_dev_get_port_by_name",
    // memory: pools that name their own ring kind, sharing, the dynamic fields
    "rte_pktmbuf_pool_create_by_ops",
    // memory: pools in pages of ours
    "rte_mempool_create_empty",
    "rte_mempool_set_ops_byname",
    "rte_mempool_populate_iova",
    "rte_mempool_obj_iter",
    "rte_pktmbuf_pool_init",
    "rte_pktmbuf_init",
    "rte_pktmbuf_clone",
    "rte_pktmbuf_free_bulk",
    "rte_mempool_free",
    "rte_mempool_avail_count",
    "rte_mbuf_dynfield_register",
    "rte_mbuf_dynflag_register",
    "rte_mbuf_dyn_rx_timestamp_register",
    // rings
    "rte_ring_create",
    "rte_ring_free",
    // ports
    "rte_eth_dev_info_get",
    "rte_eth_dev_configure",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_rx_queue_setup",
    "rte_eth_tx_queue_setup",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_dev_close",
    "rte_eth_dev_set_mtu",
    "rte_eth_dev_get_mtu",
    "rte_eth_promiscuous_enable",
    "rte_eth_macaddr_get",
    "rte_eth_stats_get",
    "rte_eth_link_get_nowait",
    "rte_eth_dev_set_link_up",
    "rte_eth_dev_set_link_down",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_rss_reta_update",
];

const TYPES: &[&str] = &[
    "rte_eth_conf",
    "rte_eth_dev_info",
    "rte_lcore_state_t",
    "rte_mbuf",
    "rte_mbuf_dynfield",
    "rte_mbuf_dynflag",
    "rte_mempool_memhdr",
    "rte_pktmbuf_pool_private",
    "rte_eth_rss_reta_entry64",
];

const CONSTANTS: &[&str] = &[
    "RTE_PKTMBUF_HEADROOM",
    "RTE_MAX_LCORE",
    "RTE_MEMPOOL_F_NO_IOVA_CONTIG",
    "RTE_MEMPOOL_ALIGN",
    "RTE_ETH_MQ_RX_.*",
    "RTE_ETH_(RX|TX)_OFFLOAD_.*",
    "RTE_ETH_RSS_.*",
    "RTE_ETH_RETA_GROUP_SIZE",
    "RTE_ETH_LINK_UP",
    "RTE_MBUF_F_(INDIRECT|EXTERNAL)",
    "RING_F_S[PC]_(ENQ|DEQ)",
];

/// clang cannot lay these out the way the header asks (unaligned bit fields); nothing of ours looks inside.
const OPAQUE: &[&str] = &["rte_l2tpv2_combined_msg_hdr", "rte_gtp_psc_generic_hdr"];

fn main() {
    for file in ["build.rs", "wrapper.h", "shim.h", "shim.c", "ip_frag.h", "ip_frag.c"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let flags = compiler_flags();
    link();
    compile_shim(&flags);
    generate_bindings(&flags);
}

/// All of pkg-config's compiler flags, in its order: the pkg-config crate keeps only `-I` and `-D`, but DPDK's headers
/// need `-include rte_config.h` and are laid out for `-march`.
fn compiler_flags() -> Vec<String> {
    let tool = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    let output = std::process::Command::new(tool).args(["--cflags", "libdpdk"]).output();
    let text = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => stop("pkg-config knows no libdpdk: install the Debian packages libdpdk-dev and pkg-config"),
    };
    text.split_whitespace().map(str::to_owned).collect()
}

/// The few libraries whose symbols the allow-list names; EAL loads the drivers from their folder by itself.
fn link() {
    let probe = pkg_config::Config::new().cargo_metadata(false).env_metadata(true).probe("libdpdk");
    let library = probe.unwrap_or_else(|error| stop(&error.to_string()));
    for path in &library.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    for name in ["rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_eal"] {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
    if cfg!(feature = "ip-frag") {
        println!("cargo::rustc-link-lib=dylib=rte_ip_frag");
    }
}

/// Optimised in every profile: a burst function at `-O0` makes every measurement of a test build a lie.
fn compile_shim(flags: &[String]) {
    let mut build = cc::Build::new();
    build.file("shim.c").opt_level(3).debug(false).flag("-Wno-deprecated-declarations");
    // DPDK marks this API experimental in some headers that are merely included.
    build.define("ALLOW_EXPERIMENTAL_API", None);
    for flag in flags {
        build.flag(flag);
    }
    if cfg!(feature = "ip-frag") {
        build.file("ip_frag.c");
    }
    build.compile("weir_dpdk_shim");
}

fn generate_bindings(flags: &[String]) {
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(flags)
        .clang_macro_fallback()
        .clang_macro_fallback_build_dir(out_dir())
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_default(true)
        .layout_tests(false)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new().rerun_on_header_files(false)));
    if cfg!(feature = "ip-frag") {
        builder = builder.header("ip_frag.h");
    }
    for name in FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in CONSTANTS {
        builder = builder.allowlist_var(name);
    }
    for name in OPAQUE {
        builder = builder.opaque_type(name);
    }
    let bindings = builder.generate().unwrap_or_else(|error| stop(&error.to_string()));
    let written = bindings.write_to_file(out_dir().join("bindings.rs"));
    written.unwrap_or_else(|error| stop(&error.to_string()));
}

fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default())
}

fn stop(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1)
}
