//! What stands behind `--`: DPDK's own options. Those that say which lcores, devices and memory there are become
//! configuration, for we start EAL by that; all others are handed on.

use crate::mgmt::config::value::Auto;
use crate::mgmt::config::{Config, Mode, Pair, Port};

/// Read, and not in force yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EalOptions {
    /// Of `--vdev` and `-a`, with their arguments, in their order.
    pub devices: Vec<String>,
    /// Of `-l`, `-c` or `--lcores`: the CPU of the main lcore, then of each worker.
    pub cpus: Option<Vec<u32>>,
    /// Of `-m`.
    pub megabytes: Option<u32>,
    pub no_hugepages: bool,
    /// For EAL as they are.
    pub rest: Vec<String>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EalOptionFault {
    #[error("{0} behind `--` wants a value")]
    NoValue(String),
    #[error("{option} {value} behind `--`: {expected}")]
    Value { option: String, value: String, expected: &'static str },
    #[error("{0} behind `--` cannot be chosen: {1}")]
    Fixed(String, &'static str),
}

/// Options with a value, by their long and short names.
const DEVICE: [&str; 3] = ["--vdev", "--allow", "-a"];
const LCORES: [&str; 2] = ["--lcores", "-l"];
const MASK: &str = "-c";
const MEMORY: &str = "-m";
const MAIN: &str = "--main-lcore";

impl EalOptions {
    pub fn parse(words: &[String]) -> Result<EalOptions, EalOptionFault> {
        let mut read = EalOptions::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, glued) = split(word);
            let known = DEVICE.contains(&option)
                || LCORES.contains(&option)
                || [MASK, MEMORY, MAIN].contains(&option);
            if !known {
                match word.as_str() {
                    "--no-huge" => read.no_hugepages = true,
                    // As we start it in any case, where that is so.
                    "--no-pci" | "--in-memory" => {}
                    _ => read.rest.push(word.clone()),
                }
                continue;
            }
            let value = match glued {
                Some(value) => value.to_owned(),
                None => words.next().cloned().ok_or_else(|| EalOptionFault::NoValue(option.to_owned()))?,
            };
            read.take(option, value)?;
        }
        Ok(read)
    }

    fn take(&mut self, option: &str, value: String) -> Result<(), EalOptionFault> {
        let wrong =
            |expected| EalOptionFault::Value { option: option.to_owned(), value: value.clone(), expected };
        if DEVICE.contains(&option) {
            self.devices.push(value);
        } else if LCORES.contains(&option) {
            let cpus = cpu_list(&value).ok_or_else(|| wrong("CPUs are written 0,2-4 or 0@0,1@2"))?;
            self.cpus = Some(cpus);
        } else if option == MASK {
            let cpus = cpu_mask(&value).ok_or_else(|| wrong("a mask of CPUs is written 0xf"))?;
            self.cpus = Some(cpus);
        } else if option == MEMORY {
            self.megabytes = Some(value.parse().map_err(|_| wrong("megabytes are a number"))?);
        } else {
            return Err(EalOptionFault::Fixed(option.to_owned(), "the first CPU of -l is the main lcore's"));
        }
        Ok(())
    }

    /// Into the configuration; it wins where both say something. How many devices make no pair.
    pub fn apply(&self, config: &mut Config) -> usize {
        if let Some([main, workers @ ..]) = self.cpus.as_deref() {
            config.lcores.main_cpu = Auto::Set(*main);
            // Who names a CPU twice means it.
            let twice = |at: usize, cpu: &u32| workers[..at].contains(cpu) || cpu == main;
            config.lcores.share_cpus |= workers.iter().enumerate().any(|(at, cpu)| twice(at, cpu));
            config.lcores.workers = workers.len().min(crate::pipeline::settings::MAX_WORKERS) as u8;
            config.lcores.worker_cpus =
                workers.iter().copied().take(usize::from(config.lcores.workers)).collect();
        }
        if self.no_hugepages {
            config.eal.hugepages = Auto::Set(false);
        }
        if let Some(megabytes) = self.megabytes {
            config.eal.memory.0 = u64::from(megabytes) << 20;
        }
        let (pairs, odd) = self.devices.as_chunks::<2>();
        for pair in pairs {
            let names = pair.each_ref().map(|device| device.split(',').next().unwrap_or_default().to_owned());
            for (name, device) in names.iter().zip(pair) {
                config.ports.push(Port { name: name.clone(), device: device.clone(), ..Port::default() });
            }
            config.pairs.push(Pair { ports: names.into(), mode: Mode::Ips, ..Pair::default() });
        }
        odd.len()
    }
}

/// `--name=value`, and `-lvalue` of the short ones.
fn split(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    match word.split_at_checked(2) {
        Some((name, value)) if !value.is_empty() => (name, Some(value)),
        _ => (word, None),
    }
}

/// `0,2-4`, or lcores by their CPUs: `0@0,1@2`.
fn cpu_list(list: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let part = part.split_once('@').map_or(part, |(_, cpu)| cpu);
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let (low, high) = (low.trim().parse::<u32>().ok()?, high.trim().parse::<u32>().ok()?);
        // Longer than any machine: a slip of the pen.
        if high < low || high - low > 4096 {
            return None;
        }
        cpus.extend(low..=high);
    }
    (!cpus.is_empty()).then_some(cpus)
}

fn cpu_mask(mask: &str) -> Option<Vec<u32>> {
    let mask = u128::from_str_radix(mask.trim_start_matches("0x"), 16).ok().filter(|&mask| mask != 0)?;
    Some((0..128).filter(|bit| mask >> bit & 1 == 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mgmt::Profile;

    fn parse(line: &str) -> Result<EalOptions, EalOptionFault> {
        EalOptions::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn lcores_devices_and_memory_become_configuration_and_the_rest_is_handed_on() {
        let line = "-l 0,2-3 --vdev=net_tap0,iface=a -a 0000:03:00.0 --no-huge -m512 --no-pci --iova-mode=va --file-prefix x";
        let options = parse(line).unwrap();
        assert_eq!(options.rest, ["--iova-mode=va", "--file-prefix", "x"]);
        let mut config = Config::defaults(Profile::Inline);
        assert_eq!(options.apply(&mut config), 0);
        assert_eq!((config.lcores.workers, &config.lcores.worker_cpus[..]), (2, &[2, 3][..]));
        assert_eq!((config.eal.hugepages, config.eal.memory.0), (Auto::Set(false), 512 << 20));
        let ports: Vec<_> = config.ports.iter().map(|port| (&*port.name, &*port.device)).collect();
        assert_eq!(ports, [("net_tap0", "net_tap0,iface=a"), ("0000:03:00.0", "0000:03:00.0")]);
        assert_eq!(config.pairs[0].ports, ["net_tap0", "0000:03:00.0"]);
    }

    #[test]
    fn cpus_are_read_in_every_spelling() {
        for line in ["-l 0,1,2", "-l0-2", "--lcores 0@0,1@1,2@2", "--lcores=0-2", "-c 7", "-c0x7"] {
            assert_eq!(parse(line).unwrap().cpus.as_deref(), Some(&[0, 1, 2][..]), "{line}");
        }
        for line in ["-l", "-l x", "-l 3-1", "-c 0", "-m much", "--main-lcore 1", "--vdev"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_device_too_many_is_noticed() {
        let mut config = Config::defaults(Profile::Inline);
        assert_eq!(parse("--vdev net_null0").unwrap().apply(&mut config), 1);
    }
}
