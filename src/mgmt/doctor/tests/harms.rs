//! What a machine may lack, and what is to be said of it.

use super::*;

/// What is done to the machine, the check that finds it, how bad it is, and words of the text and of the mend.
pub(super) type Harm = (&'static str, fn(&mut Case), &'static str, State, &'static str, &'static str);

const USER: (&str, &str) = ("Uid:\t0\t0\t0\t0", "Uid:\t9\t9\t9\t9");
const NO_CAPS: (&str, &str) = ("000001ffffffffff", "0000000000000000");

fn as_user(case: &mut Case) {
    for (old, new) in [USER, NO_CAPS] {
        case.replace("proc/self/status", old, new);
    }
}

const DEVICE: &str = "sys/bus/pci/devices/0000:03:00.0";

pub(super) const HARMS: &[Harm] = &[
    ("an old CPU", |c| c.replace("proc/cpuinfo", "sse4_2", ""), "cpu", Fault, "sse4_2", "host"),
    ("no AVX2", |c| c.replace("proc/cpuinfo", "avx2", ""), "cpu", Warning, "avx2", "host"),
    ("no AVX-512 VBMI", |c| c.replace("proc/cpuinfo", "avx512vbmi", ""), "cpu", Well, "avx512vbmi", ""),
    (
        "few hugepages",
        |c| c.put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10\n"),
        "hugepages",
        Warning,
        "20 MiB",
        "sysctl -w vm.nr_hugepages=",
    ),
    (
        "few hugepages, and they must be",
        |c| {
            c.put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10\n");
            c.set("eal.hugepages=true");
        },
        "hugepages",
        Fault,
        "20 MiB",
        "vm.nr_hugepages=",
    ),
    (
        "hugetlbfs not mounted",
        |c| c.put("proc/mounts", "proc /proc proc rw\n"),
        "hugepages",
        Warning,
        "hugetlbfs",
        "mount -t",
    ),
    ("hugepages of a user", as_user, "hugepages", Warning, "only for root", "eal.hugepages = true"),
    ("little locked memory", as_user, "locked-memory", Fault, "8 MiB may be locked", "ulimit -l unlimited"),
    ("no IOMMU", |c| c.remove("sys/kernel/iommu_groups"), "iommu", Fault, "off", "intel_iommu=on iommu=pt"),
    (
        "no IOMMU of an AMD",
        |c| {
            c.remove("sys/kernel/iommu_groups");
            c.replace("proc/cpuinfo", "GenuineIntel", "AuthenticAMD");
        },
        "iommu",
        Fault,
        "off",
        "LINUX iommu=pt",
    ),
    (
        "VFIO without IOMMU",
        |c| {
            c.remove("sys/kernel/iommu_groups");
            c.put("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n");
        },
        "iommu",
        Warning,
        "anywhere in memory",
        "iommu=pt",
    ),
    (
        "no VFIO",
        |c| c.remove("sys/bus/pci/drivers/vfio-pci"),
        "modules",
        Fault,
        "vfio-pci",
        "modprobe vfio-pci",
    ),
    (
        "no tun",
        |c| {
            c.port("net_tap0");
            c.remove("dev/net/tun");
        },
        "modules",
        Fault,
        "tun",
        "modprobe tun",
    ),
    (
        "no such NIC",
        |c| c.port("0000:04:00.0"),
        "driver",
        Fault,
        "no PCI device 0000:04:00.0",
        "dpdk-devbind.py --status-dev",
    ),
    (
        "no such interface",
        |c| c.port("net_af_packet1,iface=nope0"),
        "interfaces",
        Fault,
        "no interface nope0 (iface) for port \"a\"; this machine has lo, eth0",
        "ip link",
    ),
    (
        "an interface that is there",
        |c| c.port("net_af_packet1,iface=eth0"),
        "interfaces",
        Well,
        "are there",
        "",
    ),
    (
        "no driver",
        |c| c.remove(&format!("{DEVICE}/driver")),
        "driver",
        Fault,
        "no driver",
        "dpdk-devbind.py --bind=vfio-pci 0000:03:00.0",
    ),
    (
        "the kernel's driver",
        |c| c.link(&format!("{DEVICE}/driver"), "../ixgbe"),
        "driver",
        Fault,
        "ixgbe",
        "--bind=vfio-pci",
    ),
    (
        "the way out",
        |c| {
            c.link(&format!("{DEVICE}/driver"), "../virtio-pci");
            c.put(&format!("{DEVICE}/virtio0/net/eth0/mtu"), "");
        },
        "driver",
        Fault,
        "default route (eth0)",
        "--bind=vfio-pci",
    ),
    (
        "a driver beside DPDK",
        |c| c.link(&format!("{DEVICE}/driver"), "../mlx5_core"),
        "driver",
        Well,
        "mlx5_core",
        "",
    ),
    (
        "a far NIC",
        |c| {
            c.put(&format!("{DEVICE}/numa_node"), "1\n");
            c.put(&format!("{DEVICE}/local_cpulist"), "8-15\n");
        },
        "numa",
        Warning,
        "on node 1",
        "8-15",
    ),
    ("no node", |c| c.put(&format!("{DEVICE}/numa_node"), "-1\n"), "numa", Well, "no port is nearer", ""),
    (
        "RSS of a device without",
        |c| {
            c.port("net_null0");
            c.set("lcores.spread=\"rss\"");
        },
        "rss",
        Fault,
        "without RSS",
        "lcores.spread = \"software\"",
    ),
    (
        "few queues",
        |c| {
            c.put(&format!("{DEVICE}/net/eth1/queues/rx-0/x"), "");
            c.set("lcores.workers=3");
        },
        "rss",
        Warning,
        "1 receive queues for 3 workers",
        "lcores.workers = 1",
    ),
    (
        "more lcores than CPUs",
        |c| c.set("lcores.workers=8"),
        "lcores",
        Warning,
        "9 lcores share 4 CPUs",
        "lcores.workers = 3",
    ),
    ("a CPU that is not there", |c| c.set("lcores.main-cpu=9"), "lcores", Fault, "no CPU 9", "0-3"),
    (
        "a CPU that is not ours",
        |c| {
            c.set("lcores.main-cpu=3");
            c.replace("proc/self/status", "0-3", "0-1");
        },
        "lcores",
        Fault,
        "may not run on CPU 3",
        "taskset",
    ),
    (
        "CPUs of all",
        |c| c.put("sys/devices/system/cpu/isolated", "\n"),
        "isolation",
        Warning,
        "CPU 0-1 not isolated",
        "nohz_full=0-1",
    ),
    (
        "ticks",
        |c| c.remove("sys/devices/system/cpu/nohz_full"),
        "isolation",
        Warning,
        "CPU 0-1 with a tick",
        "isolcpus=",
    ),
    (
        "CPUs of all, without NICs",
        |c| {
            c.put("sys/devices/system/cpu/isolated", "\n");
            c.port("net_null0");
        },
        "isolation",
        Well,
        "beside other programs",
        "",
    ),
    (
        "a slow governor",
        |c| c.put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        "governor",
        Warning,
        "CPU 0 ",
        "echo performance",
    ),
    (
        "a user without rights",
        |c| {
            c.port("net_af_packet0,iface=x");
            as_user(c);
        },
        "rights",
        Fault,
        "cap_net_raw is missing, for net_af_packet",
        "setcap",
    ),
    ("a device file of another", as_user, "rights", Fault, "/dev/vfio/7", "chown"),
    (
        "folders of another",
        as_user,
        "folders",
        Fault,
        "/var/log/weir (outputs.directory) is not writable",
        "install -d -o 9",
    ),
    (
        "a profile where nobody may write",
        |c| {
            c.set("profiler.enabled=true");
            c.set("profiler.database=\"/run/weir/profile.db\"");
            as_user(c);
        },
        "folders",
        Warning,
        "/run/weir (profiler.database) is not writable",
        "install -d -o 9 -m 750 /run/weir",
    ),
    (
        "a socket by its bare name",
        |c| c.set("rpc.socket=\"weir.sock\""),
        "folders",
        Well,
        ". (rpc.socket) is writable",
        "",
    ),
    (
        "no log folder yet",
        |c| c.remove("var/log/weir"),
        "folders",
        Well,
        "/var/log/weir (outputs.directory) will be made",
        "",
    ),
    (
        "rules that are not kept",
        |c| c.set("rules.files=[\"x.rules\"]"),
        "rule-cache",
        Warning,
        "not kept",
        "rules.cache",
    ),
];
