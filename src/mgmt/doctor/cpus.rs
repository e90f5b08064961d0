//! What the CPUs can do, and whether the lcores have theirs for themselves.

use super::host::Host;
use super::{Finding, Patient, State, machine};
use crate::mgmt::config::Poll;
use crate::mgmt::start::parse_cpu_list;

/// DPDK as Debian builds it starts on nothing older.
const BASE: &[&str] = &["sse4_2", "popcnt"];
/// The matcher's narrow form, and its wide one beside that.
const NARROW: &[&str] = &["avx2", "bmi1", "bmi2", "popcnt"];
const WIDE: &[&str] = &["avx512f", "avx512bw", "avx512vbmi", "avx512_vbmi2"];

const HOST_CPU: &str =
    "in a virtual machine, give it the host's CPU: qemu -cpu host (libvirt: <cpu mode='host-passthrough'/>)";

pub(super) fn flags(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "cpu";
    if cfg!(not(target_arch = "x86_64")) {
        return vec![Finding::ok(CHECK, "this binary is not for x86-64: the matcher works without vectors")];
    }
    let info = patient.host.text("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let have: Vec<&str> = line.split_whitespace().collect();
    let missing = |wanted: &[&str]| {
        wanted.iter().filter(|flag| !have.contains(flag)).copied().collect::<Vec<_>>().join(", ")
    };
    let (base, narrow, wide) = (missing(BASE), missing(NARROW), missing(WIDE));
    let finding = if !base.is_empty() {
        Finding::fault(CHECK, format!("the CPU has no {base}, without which DPDK does not start"), HOST_CPU)
    } else if !narrow.is_empty() {
        let text =
            format!("the CPU has no {narrow}: the matcher works without vectors, several times slower");
        Finding::warning(CHECK, text, HOST_CPU)
    } else if !wide.is_empty() {
        // Many CPUs have none, and nothing is wrong with them.
        Finding::ok(CHECK, format!("the matcher uses AVX2 (there is no {wide} for its wider form)"))
    } else {
        Finding::ok(CHECK, "the matcher uses AVX-512 with VBMI")
    };
    vec![finding]
}

/// CPUs in the kernel's way of writing, as `2-5,8`.
fn list(cpus: &[u32]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus.dedup();
    let runs = cpus.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    let run = |run: &[u32]| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(u32::to_string).collect(),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}

/// Enough of them, so that no two lcores share one.
pub(super) fn present(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "lcores";
    let (cpus, machine) = (&patient.cpus, machine(patient.host));
    let absent: Vec<u32> = cpus.iter().copied().filter(|cpu| !machine.present.contains(cpu)).collect();
    let barred: Vec<u32> = cpus.iter().copied().filter(|cpu| !machine.allowed.contains(cpu)).collect();
    let mut apart = cpus.clone();
    apart.sort_unstable();
    apart.dedup();
    let finding = if !absent.is_empty() {
        let mend = format!("name CPUs out of {} in [lcores]", list(&machine.present));
        Finding::fault(CHECK, format!("there is no CPU {}", list(&absent)), mend)
    } else if !barred.is_empty() {
        let mend = format!("taskset -c {} weir run ... (or drop CPUAffinity= of the unit)", list(cpus));
        Finding::fault(CHECK, format!("this process may not run on CPU {}", list(&barred)), mend)
    } else if apart.len() < cpus.len() {
        let (wanted, have) = (cpus.len(), machine.allowed.len());
        let mend = format!("lcores.workers = {}", have.saturating_sub(1));
        Finding::warning(CHECK, format!("{wanted} lcores share {have} CPUs and slow each other down"), mend)
    } else {
        Finding::ok(CHECK, format!("the lcores run on CPU {}", list(cpus)))
    };
    vec![finding]
}

/// Whether it matters that lcores are not disturbed: they never sleep, or a NIC's queue waits for them.
fn is_fast(patient: &Patient<'_>) -> bool {
    patient.has_pci() || patient.config.lcores.poll == Poll::Busy
}

pub(super) fn isolation(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "isolation";
    let of = |file: &str| {
        let line = patient.host.line(format!("/sys/devices/system/cpu/{file}"));
        line.map(|list| parse_cpu_list(&list)).unwrap_or_default()
    };
    let (isolated, tickless) = (of("isolated"), of("nohz_full"));
    let without =
        |has: &[u32]| patient.cpus.iter().copied().filter(|cpu| !has.contains(cpu)).collect::<Vec<_>>();
    let (shared, ticking) = (without(&isolated), without(&tickless));
    if shared.is_empty() && ticking.is_empty() {
        return vec![Finding::ok(CHECK, "the lcores' CPUs are isolated and have no tick")];
    }
    let what = match (shared.is_empty(), ticking.is_empty()) {
        (false, false) => format!("CPU {} not isolated, CPU {} with a tick", list(&shared), list(&ticking)),
        (false, true) => format!("CPU {} not isolated", list(&shared)),
        _ => format!("CPU {} with a tick", list(&ticking)),
    };
    if !is_fast(patient) {
        return vec![Finding::ok(
            CHECK,
            format!("the lcores run beside other programs ({what}), which will do without NICs"),
        )];
    }
    let cpus = list(&patient.cpus);
    let mend = boot(&format!("isolcpus=managed_irq,domain,{cpus} nohz_full={cpus} rcu_nocbs={cpus}"));
    vec![Finding::warning(CHECK, format!("other work may delay the lcores: {what}"), mend)]
}

/// How the kernel's command line is added to, on Debian.
pub(super) fn boot(options: &str) -> String {
    format!(
        "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {options}\"' > /etc/default/grub.d/weir.cfg && update-grub && reboot"
    )
}

pub(super) fn governor(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "governor";
    let path = |cpu: u32| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
    let governor = |cpu: &u32| Some((*cpu, patient.host.line(path(*cpu))?));
    let governors: Vec<(u32, String)> = patient.cpus.iter().filter_map(governor).collect();
    let slow: Vec<u32> =
        governors.iter().filter(|(_, word)| word != "performance").map(|(cpu, _)| *cpu).collect();
    if governors.is_empty() {
        return vec![Finding::ok(CHECK, "the kernel does not change the CPUs' frequency")];
    }
    if slow.is_empty() {
        return vec![Finding::ok(CHECK, "the lcores' CPUs keep their frequency (performance)")];
    }
    let text = format!("the frequency of CPU {} follows the load, and bursts find it low", list(&slow));
    let mend = "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
    let finding = Finding::warning(CHECK, text, mend);
    // Idle lcores that sleep between frames may as well save power.
    vec![if is_fast(patient) {
        finding
    } else {
        Finding { state: State::Ok, mend: String::new(), ..finding }
    }]
}

/// The NUMA node of a CPU; `None` where the kernel does not say.
pub(super) fn node_of(host: &Host, cpu: u32) -> Option<u32> {
    let names = host.names(format!("/sys/devices/system/cpu/cpu{cpu}"));
    names.iter().find_map(|name| name.strip_prefix("node")?.parse().ok())
}
