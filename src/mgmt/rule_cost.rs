//! The file of `weir replay --rule-cost`: what each rule cost, how many candidates packets and transactions had, how the
//! rules are grouped. One JSON document.

use crate::inspect::{CostBook, Costs, Engine, Quantiles};
use crate::io::clock::Ticks;
use crate::rules::source::read_bounded;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a report: some hundred a rule.
const MOST: u64 = 1 << 30;

/// Of the file's format; another is not read.
const VERSION: u32 = 1;
/// By which the file is known.
const KIND: &str = "weir rule cost";
/// As it is written.
const BEGIN: &[u8] = b"{\n  \"kind\": \"weir rule cost\"";

#[derive(Debug, thiserror::Error)]
pub enum CostFault {
    #[error("cannot write {path}: {error}; name another file with --rule-cost=FILE")]
    Write { path: PathBuf, error: std::io::Error },
    #[error(
        "{path} holds something else than rule costs, which would be lost: name another file with --rule-cost=FILE"
    )]
    Precious { path: PathBuf },
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path} holds no rule costs ({why}); name a file that `weir replay --rule-cost=FILE` wrote")]
    Foreign { path: PathBuf, why: String },
    #[error(
        "{path} is of version {found}, and this weir reads version {VERSION}: replay again with this weir"
    )]
    Version { path: PathBuf, found: u32 },
}

/// What every version begins with.
#[derive(Debug, Deserialize)]
struct Head {
    kind: String,
    version: u32,
}

/// The document; scripts rely on these names.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    kind: String,
    version: u32,
    /// Loaded, those included that were never evaluated.
    pub rules_loaded: usize,
    /// Finding candidates: groups and fast patterns.
    pub search_nanoseconds: u64,
    /// Rules evaluated for a packet, or for a further window of its stream, by class.
    pub packets: Vec<Candidates>,
    /// Rules evaluated at a look at a transaction, by protocol.
    pub transactions: Vec<Candidates>,
    pub groups: Vec<Groups>,
    pub protocols: Vec<Protocol>,
    /// Those that were evaluated, the most expensive in front.
    pub rules: Vec<Rule>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Candidates {
    pub of: String,
    pub looks: u64,
    pub mean: f64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

/// Groups of the rules over packets and streams.
#[derive(Debug, Serialize, Deserialize)]
pub struct Groups {
    pub of: String,
    pub groups: usize,
    pub rules_mean: f64,
    pub rules_max: usize,
    /// Rules without a fast pattern.
    pub bare_mean: f64,
    pub bare_max: usize,
}

/// Rules over a protocol's transactions without a fast pattern: to the server, to the client.
#[derive(Debug, Serialize, Deserialize)]
pub struct Protocol {
    pub of: String,
    pub bare: [usize; 2],
    pub on_events: [usize; 2],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub gid: u32,
    pub sid: u32,
    pub rev: u32,
    pub checks: u64,
    pub matches: u64,
    pub nanoseconds: u64,
    /// Announced by a fast pattern; without one it is evaluated for each packet of its group, or each transaction.
    pub fast_pattern: bool,
    pub msg: String,
}

impl Report {
    pub fn of(engine: &Engine, costs: &Costs) -> Report {
        let rule = |cost: &crate::inspect::RuleCost| {
            let rule = engine.rules().rule(cost.rule)?;
            Some(Rule {
                gid: rule.gid,
                sid: rule.sid,
                rev: rule.rev,
                checks: cost.checks,
                matches: cost.matches,
                nanoseconds: cost.nanoseconds,
                fast_pattern: !cost.bare,
                msg: rule.msg.clone(),
            })
        };
        let mut rules: Vec<Rule> = costs.rules.iter().filter_map(rule).collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.nanoseconds), rule.gid, rule.sid));
        let groups = engine.group_figures().into_iter().map(|f| Groups {
            of: f.class.name().into(),
            groups: f.groups,
            rules_mean: f.rules_mean,
            rules_max: f.rules_max,
            bare_mean: f.bare_mean,
            bare_max: f.bare_max,
        });
        let protocols = engine.protocol_figures().into_iter().map(|f| Protocol {
            of: f.proto.name().into(),
            bare: f.bare.0,
            on_events: f.on_events.0,
        });
        Report {
            kind: KIND.into(),
            version: VERSION,
            rules_loaded: engine.rules().rules.len(),
            search_nanoseconds: costs.search_nanoseconds,
            packets: costs.packets.iter().map(|(class, q)| candidates(class.name(), q)).collect(),
            transactions: costs.transactions.iter().map(|(proto, q)| candidates(proto.name(), q)).collect(),
            groups: groups.collect(),
            protocols: protocols.collect(),
            rules,
        }
    }

    pub fn read(path: &Path) -> Result<Report, CostFault> {
        let text = read_bounded(path, MOST).map_err(|error| CostFault::Read { path: path.into(), error })?;
        let foreign = |why: String| CostFault::Foreign { path: path.into(), why };
        let head: Head = serde_json::from_slice(&text).map_err(|error| foreign(error.to_string()))?;
        if head.kind != KIND {
            return Err(foreign(format!("its kind is \"{}\"", head.kind.escape_debug())));
        }
        if head.version != VERSION {
            return Err(CostFault::Version { path: path.into(), found: head.version });
        }
        serde_json::from_slice(&text).map_err(|error| foreign(error.to_string()))
    }
}

fn candidates(of: &str, q: &Quantiles) -> Candidates {
    Candidates { of: of.into(), looks: q.count, mean: q.mean, p50: q.p50, p99: q.p99, max: q.max }
}

/// Whether something else than an earlier report stands there.
fn is_precious(path: &Path) -> bool {
    let mut begin = Vec::new();
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let mut read = || File::open(path)?.take(BEGIN.len() as u64).read_to_end(&mut begin);
    is_file && (read().is_err() || !(begin.is_empty() || begin == BEGIN))
}

/// A file to come: made before the replay, so that one that cannot be written is told at once.
pub struct CostFile {
    path: PathBuf,
    file: File,
    book: Arc<CostBook>,
}

impl CostFile {
    /// Makes its folder too. `ticks` measures time.
    pub fn create(path: &Path, ticks: Ticks) -> Result<CostFile, CostFault> {
        let fault = |error| CostFault::Write { path: path.into(), error };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(fault)?;
        }
        if is_precious(path) {
            return Err(CostFault::Precious { path: path.into() });
        }
        let file = File::create(path).map_err(fault)?;
        Ok(CostFile { path: path.into(), file, book: Arc::new(CostBook::new(ticks)) })
    }

    /// For detection to write in.
    pub fn book(&self) -> Arc<CostBook> {
        Arc::clone(&self.book)
    }

    /// Writes what detection with these rules has come to.
    pub fn finish(mut self, engine: &Engine) -> Result<(), CostFault> {
        let report = Report::of(engine, &self.book.sum(engine));
        let text = serde_json::to_vec_pretty(&report).map_err(std::io::Error::other);
        let written = text.and_then(|text| self.file.write_all(&text));
        written.map_err(|error| CostFault::Write { path: self.path, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    fn file(path: &Path) -> Result<CostFile, CostFault> {
        CostFile::create(path, Ticks { read: || 0, per_second: 1 })
    }

    #[test]
    fn a_report_replaces_a_report_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (report, capture) = (dir.path().join("new/cost.json"), dir.path().join("a.pcap"));
        let engine = Engine::compile(Arc::new(RuleSet::default())).unwrap();
        for _ in 0..2 {
            file(&report).unwrap().finish(&engine).unwrap();
            assert_eq!(Report::read(&report).unwrap().rules_loaded, 0);
        }
        // A replay that was killed leaves an empty one.
        drop(file(&report).unwrap());
        assert_eq!(std::fs::read(&report).unwrap(), b"");
        assert!(file(&report).is_ok());
        std::fs::write(&capture, b"\xd4\xc3\xb2\xa1").unwrap();
        let fault = file(&capture).err().unwrap().to_string();
        assert!(fault.contains("a.pcap holds something else than rule costs"), "{fault}");
        assert_eq!(std::fs::read(&capture).unwrap().len(), 4);
    }
}
