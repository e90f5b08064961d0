//! Parts that were read side by side -> one set, as if they had been read one after the other.

use super::names::{AllNames, Names};
use super::place::{Place, disabled};
use super::reader::{Common, Item, Part, Written};
use super::{Disabled, Loading, Why, order};
use crate::base::Generation;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::finish::too_many_chains;
use crate::rules::flowint::FlowintValue;
use crate::rules::lexer::Logical;
use crate::rules::lists::Lists;
use crate::rules::parser;
use crate::rules::ruleset::{Rule, RuleSet, Transform};
use crate::rules::source::SourceFile;
use crate::rules::text::Fault;
use crate::rules::windows::Windows;
use ahash::{AHashMap, AHashSet};

pub(super) struct Merge<'a, 'l> {
    common: &'l Common<'a>,
    /// A rule that a newer one replaced is `None`.
    rules: Vec<Option<Rule>>,
    /// Where among them, and whether a list enabled it out of a comment.
    by_id: AHashMap<(u32, u32), (usize, bool)>,
    names: AllNames,
    transforms: Vec<Box<[Transform]>>,
    told: AHashSet<String>,
    diagnostics: Vec<Diagnostic>,
    disabled: Vec<Disabled>,
}

/// What a part's numbers are in the whole.
struct Renumbered {
    flowbits: Vec<u32>,
    flowints: Vec<u32>,
    host_bits: Vec<u32>,
    transforms: Vec<usize>,
}

impl<'a, 'l> Merge<'a, 'l> {
    /// `told`: of files that are not read at all.
    pub(super) fn new(common: &'l Common<'a>, told: Vec<Diagnostic>) -> Merge<'a, 'l> {
        Merge {
            common,
            rules: Vec::new(),
            by_id: AHashMap::new(),
            names: AllNames::default(),
            transforms: Vec::new(),
            told: AHashSet::new(),
            diagnostics: told,
            disabled: Vec::new(),
        }
    }

    /// The next part, in the order of the lines.
    pub(super) fn part(&mut self, part: Part<'_>) {
        let all = |to: &mut Names, names: &Names| names.names.iter().map(|name| to.number(name)).collect();
        let numbers = Renumbered {
            flowbits: all(&mut self.names.flowbits, &part.names.flowbits),
            flowints: all(&mut self.names.flowints, &part.names.flowints),
            host_bits: all(&mut self.names.host_bits, &part.names.host_bits),
            transforms: part.transforms.into_iter().map(|chain| self.chain(chain)).collect(),
        };
        for item in part.items {
            match item {
                Item::Told(once, diagnostic) => {
                    if once.is_none_or(|key| self.told.insert(key)) {
                        self.diagnostics.push(*diagnostic);
                    }
                }
                Item::Disabled(disabled) => self.disabled.push(*disabled),
                Item::Rule(mut rule, written) => {
                    let sid = rule.sid;
                    let added =
                        renumber(&mut rule, &numbers, &written).and_then(|()| self.add(*rule, &written));
                    if let Err(fault) = added {
                        let why = Why::Refused(fault.message.clone());
                        self.disabled.extend(self.at(&written, |place| {
                            disabled(&parser::parse(&place.line.text).ok()?, place, why)
                        }));
                        self.diagnostics.push(self.diagnose(&written, fault, sid));
                    }
                }
            }
        }
    }

    /// Its number. Number 0 is the empty chain, which each part has.
    fn chain(&mut self, chain: Box<[Transform]>) -> usize {
        let known = self.transforms.iter().position(|other| *other == chain);
        known.unwrap_or_else(|| {
            self.transforms.push(chain);
            self.transforms.len() - 1
        })
    }

    fn diagnose(&self, written: &Written<'_>, fault: Fault, sid: u32) -> Diagnostic {
        self.at(written, |place| place.diagnose(fault, Some(sid)))
    }

    /// What is to be found out at the place where a rule was written.
    fn at<R>(&self, written: &Written<'_>, find: impl FnOnce(&Place<'_>) -> R) -> R {
        let number = written.line.file;
        let file = self.common.files.get(number as usize).map_or("", |file| file.name.as_str());
        match &written.edited {
            Some((text, line, by)) => {
                let alone = SourceFile::new(file, text.clone());
                let logical = Logical::alone(text.clone(), written.line.text.commented);
                let edited = Some((*line, *by));
                find(&Place { file, number, index: &alone.index(), line: &logical, edited })
            }
            None => {
                let nowhere = SourceFile::new(file, "");
                let empty = nowhere.index();
                let index = self.common.indexes.get(number as usize).unwrap_or(&empty);
                find(&Place { file, number, index, line: &written.line.text, edited: None })
            }
        }
    }

    /// Of two rules with one number the higher revision stays.
    fn add(&mut self, rule: Rule, written: &Written<'_>) -> Result<(), Fault> {
        let id = (rule.gid, rule.sid);
        let commented_out = written.line.text.commented;
        let at = |message| Fault { span: written.sid_at, message, help: None, keyword: Some("sid".into()) };
        if let Some(&(index, commented)) = self.by_id.get(&id)
            && let Some(old) = self.rules.get(index)
        {
            let (rev, source) = old.as_ref().map_or((0, rule.source), |old| (old.rev, old.source));
            let file = self.common.files.get(source.file as usize).map(|file| &file.name);
            let other = file.filter(|_| source.file != rule.source.file);
            let there = other.map_or_else(String::new, |file| format!(" of {file}"));
            let (sid, line) = (rule.sid, source.line);
            // Of a rule and its commented self that a list enables the living one stays, wherever it stands.
            let revived = commented && !commented_out;
            if rule.rev < rev || (rule.rev == rev && !revived) {
                let message = format!("sid {sid} is taken by a rule of revision {rev} in line {line}{there}");
                let fault = at(message);
                if commented_out {
                    // Enabled beside its living self: nothing is lost.
                    self.diagnostics.push(self.diagnose(written, fault, sid).warning());
                    return Ok(());
                }
                return Err(fault.help("give it another sid, or a higher rev"));
            }
            let message = match rule.rev == rev {
                true => format!("sid {sid} replaces itself of line {line}{there}, which is commented out"),
                false => format!(
                    "revision {} of sid {sid} replaces revision {rev} of line {line}{there}",
                    rule.rev
                ),
            };
            let told = self.diagnose(written, at(message), rule.sid).warning();
            self.diagnostics.push(told);
            if let Some(old) = self.rules.get_mut(index) {
                *old = None;
            }
        }
        self.by_id.insert(id, (self.rules.len(), commented_out));
        self.rules.push(Some(rule));
        Ok(())
    }

    pub(super) fn finish(mut self, lists: Lists) -> Loading {
        let mut rules: Vec<Rule> = self.rules.into_iter().flatten().collect();
        // Stable: rules that tie stay as loaded.
        rules.sort_by_key(order::rank);
        if self.transforms.is_empty() {
            self.transforms.push(Box::default());
        }
        let set = RuleSet {
            generation: Generation::default(),
            rules: rules.into(),
            flowbits: self.names.flowbits.names,
            flowints: self.names.flowints.names,
            transforms: self.transforms,
            host_bits: self.names.host_bits.names,
            files: self.common.files.iter().map(|file| file.name.clone()).collect(),
            datasets: Vec::new(),
            windows: Windows::default(),
        };
        let (touched, told) = lists.finish();
        self.diagnostics.extend(told);
        Loading { rules: set, diagnostics: self.diagnostics, disabled: self.disabled, touched }
    }
}

/// From the part's numbers to those of the whole.
fn renumber(rule: &mut Rule, numbers: &Renumbered, written: &Written<'_>) -> Result<(), Fault> {
    let of = |numbers: &[u32], number: &mut u32| {
        *number = numbers.get(*number as usize).copied().unwrap_or(*number);
    };
    let bits = rule.flowbits.iter_mut().flat_map(|op| op.bits.iter_mut());
    bits.for_each(|bit| of(&numbers.flowbits, bit));
    rule.host_bits.iter_mut().for_each(|op| of(&numbers.host_bits, &mut op.bit));
    for op in &mut rule.flowints {
        of(&numbers.flowints, &mut op.counter);
        if let FlowintValue::Counter(other) = &mut op.value {
            of(&numbers.flowints, other);
        }
    }
    for buffer in &mut rule.buffers {
        let number = numbers.transforms.get(usize::from(buffer.transforms)).copied().unwrap_or(0);
        buffer.transforms = u16::try_from(number).map_err(|_| too_many_chains(written.sid_at))?;
    }
    Ok(())
}
