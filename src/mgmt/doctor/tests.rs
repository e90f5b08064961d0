use super::*;
use crate::mgmt::config::{Profile, Sources};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

use State::{Fault, Ok as Well, Warning};

mod harms;

/// A machine of files on which all is well for [`NIC`].
const WELL: &[(&str, &str)] = &[
    (
        "proc/cpuinfo",
        "vendor_id : GenuineIntel\nflags : sse4_2 popcnt avx2 bmi1 bmi2 avx512f avx512bw avx512vbmi avx512_vbmi2\n",
    ),
    (
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\nCapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-3\n",
    ),
    ("proc/self/limits", "Max locked memory         8388608              8388608              bytes     \n"),
    ("proc/mounts", "hugetlbfs /dev/hugepages hugetlbfs rw 0 0\n"),
    ("proc/meminfo", "Hugepagesize:       2048 kB\n"),
    ("proc/net/packet", ""),
    ("proc/self/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 0 0\n  eth0: 0 0\n"),
    ("proc/net/route", "Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\n"),
    ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n"),
    ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "500\n"),
    ("sys/kernel/iommu_groups/7/type", "DMA\n"),
    ("sys/devices/system/cpu/present", "0-3\n"),
    ("sys/devices/system/cpu/isolated", "0-3\n"),
    ("sys/devices/system/cpu/nohz_full", "0-3\n"),
    ("sys/devices/system/cpu/cpu0/node0/cpulist", ""),
    ("sys/devices/system/cpu/cpu1/node0/cpulist", ""),
    ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
    ("sys/bus/pci/devices/0000:03:00.0/numa_node", "0\n"),
    ("sys/bus/pci/devices/0000:03:00.0/local_cpulist", "0-1\n"),
    ("sys/bus/pci/drivers/vfio-pci/bind", ""),
    ("dev/vfio/7", ""),
    ("dev/net/tun", ""),
    ("var/log/weir/eve.json", ""),
    ("run/weir/there", ""),
];

const NIC: &str = "port=[{name=\"a\",device=\"03:00.0\"}]";

/// A machine to make worse, and what is to run on it.
struct Case {
    root: TempDir,
    sets: Vec<String>,
}

impl Case {
    fn well() -> Case {
        let root = tempfile::tempdir().unwrap();
        let sets = [NIC, "rpc.socket=\"/run/weir/weir.sock\""].map(str::to_owned).into();
        let case = Case { root, sets };
        WELL.iter().for_each(|(path, text)| case.put(path, text));
        case.link("sys/bus/pci/devices/0000:03:00.0/driver", "../../drivers/vfio-pci");
        case.link("sys/bus/pci/devices/0000:03:00.0/iommu_group", "../../../kernel/iommu_groups/7");
        case
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "{text}");
        self.put(path, &text.replace(old, new));
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.path(path);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(to, path).unwrap();
    }

    fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    fn set(&mut self, set: &str) {
        self.sets.push(set.to_owned());
    }

    /// The only port there is.
    fn port(&mut self, device: &str) {
        self.sets[0] = format!("port=[{{name=\"a\",device=\"{device}\"}}]");
    }

    fn examine(&self) -> Vec<Finding> {
        let host = Host::below(self.root.path());
        let loaded = Sources { file: None, sets: &self.sets, profile: Profile::Inline }.load().unwrap();
        examine(&Patient::of(&host, &loaded))
    }
}

#[test]
fn on_a_machine_where_all_is_well_nothing_is_to_be_mended() {
    let findings = Case::well().examine();
    let bad: Vec<_> = findings.iter().filter(|f| f.state != State::Ok || !f.mend.is_empty()).collect();
    // Free space is that of the disk that the tests run on.
    let bad: Vec<_> = bad.into_iter().filter(|f| f.check != "disk").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let checks: Vec<_> = findings.iter().map(|f| f.check).collect();
    for check in [
        "cpu",
        "hugepages",
        "locked-memory",
        "iommu",
        "modules",
        "driver",
        "interfaces",
        "numa",
        "rss",
        "lcores",
        "isolation",
        "governor",
        "rights",
        "folders",
        "disk",
        "rule-cache",
    ] {
        assert!(checks.contains(&check), "{check}");
    }
}

#[test]
fn each_harm_is_found_by_its_check_with_what_mends_it() {
    for (harm, done, check, state, text, mend) in harms::HARMS {
        let mut case = Case::well();
        done(&mut case);
        let findings = case.examine();
        let fits = |f: &&Finding| {
            f.check == *check && f.state == *state && f.text.contains(text) && f.mend.contains(mend)
        };
        let of_check: Vec<_> = findings.iter().filter(|f| f.check == *check).collect();
        let found = findings.iter().find(fits);
        assert!(found.is_some(), "{harm}: {of_check:#?}");
        assert!(findings.iter().all(|f| (f.state == Well) == f.mend.is_empty()), "{harm}: {findings:#?}");
        assert!(findings.iter().all(|f| !f.text.contains('\n') && !f.mend.contains('\n')), "{harm}");
    }
}

#[test]
fn a_machine_without_files_is_examined_too() {
    let root = tempfile::tempdir().unwrap();
    let case = Case { root, sets: vec![NIC.into(), "lcores.workers=2".into()] };
    let findings = case.examine();
    assert!(findings.iter().any(|f| f.check == "driver" && f.state == Fault));
}

#[test]
fn a_saved_set_is_of_these_rules_and_this_binary_or_it_is_said_why_not() {
    use crate::mgmt::rule_files::Selection;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("weir.toml"), "[rules]\nfiles = [\"a.rules\"]\ncache = \"cache\"\n").unwrap();
    fs::write(at("a.rules"), "alert ip any any -> any any (sid:1;)\n").unwrap();
    let look = || {
        let file = at("weir.toml");
        let loaded = Sources { file: Some(&file), sets: &[], profile: Profile::Inline }.load().unwrap();
        let host = Host::this();
        let patient = Patient::of(&host, &loaded);
        let finding = folders::cache(&patient).remove(0);
        (finding.state, finding.text, finding.mend)
    };
    let (state, text, mend) = look();
    assert!(state == Warning && text.contains("not there yet"), "{text}");
    assert!(mend.contains("weir rules compile -c") && mend.contains("cache/compiled.weirset"), "{mend}");
    let file = at("weir.toml");
    let loaded = Sources { file: Some(&file), sets: &[], profile: Profile::Inline }.load().unwrap();
    fs::create_dir(at("cache")).unwrap();
    let path = at("cache/compiled.weirset");
    crate::mgmt::rule_sets::compile(&loaded.config, &loaded.base, &Selection::default(), &path).unwrap();
    assert_eq!(look().0, Well, "{}", look().1);
    fs::write(at("a.rules"), "alert ip any any -> any any (sid:2;)\n").unwrap();
    assert!(look().0 == Warning && look().1.contains("other rule files"), "{}", look().1);
    fs::write(&path, "nothing of ours").unwrap();
    assert!(look().1.contains("no saved rule set"), "{}", look().1);
    fs::remove_file(at("a.rules")).unwrap();
    assert_eq!(look().0, Fault);
}
