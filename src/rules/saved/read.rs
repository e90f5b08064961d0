//! The bytes of a file -> what loading came to, the same in all that it says.

use super::fingerprint::Fingerprint;
use super::head::{Head, Shared};
use super::seal::{Seal, Unreadable};
use super::sound;
use super::stored::StoredRule;
use crate::base::{Generation, parallel};
use crate::rules::compile::Loading;
use crate::rules::ruleset::{Rule, RuleSet};

/// A file of this build, by its header.
pub struct Saved<'f> {
    file: &'f [u8],
    seal: Seal,
}

/// Looks at the header of a file.
pub fn read(file: &[u8]) -> Result<Saved<'_>, Unreadable> {
    Ok(Saved { file, seal: Seal::read(file)? })
}

impl Saved<'_> {
    /// Of what it was made.
    pub fn fingerprint(&self) -> Fingerprint {
        self.seal.fingerprint
    }

    /// Whether a file of so many bytes may be whole, of which no more than the header need have been read.
    pub fn fits(&self, length: u64) -> Result<(), Unreadable> {
        self.seal.fits(length)
    }

    /// The set, if every byte is as it was written. Its generation is 0 until it is published.
    pub fn load(&self) -> Result<Loading, Unreadable> {
        read_body(self.seal.open(self.file)?)
    }
}

/// What stands behind the header. Public for the fuzz target, whose bytes no checksum would let through.
pub fn read_body(body: &[u8]) -> Result<Loading, Unreadable> {
    let (mut head, mut rest): (Head<'_>, _) = postcard::take_from_bytes(body).map_err(malformed)?;
    let shared = Shared::of(&mut head)?;
    let chain =
        |chain: Vec<super::head::StoredTransform<'_>>| chain.into_iter().map(|t| t.restore()).collect();
    let transforms = std::mem::take(&mut head.transforms).into_iter().map(chain);
    let mut set = RuleSet {
        generation: Generation::default(),
        rules: Box::default(),
        flowbits: head.flowbits,
        host_bits: head.host_bits,
        flowints: head.flowints,
        transforms: transforms.collect::<Result<_, Unreadable>>()?,
        files: head.files,
        datasets: Vec::new(),
        windows: head.windows.into_iter().collect(),
    };
    let mut parts = Vec::with_capacity(head.parts.len().min(rest.len()));
    for &length in &head.parts {
        let split = rest.split_at_checked(length as usize);
        let (part, behind) = split.ok_or_else(|| Unreadable::Malformed("rules are missing".to_owned()))?;
        parts.push(part);
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(Unreadable::Malformed(format!("{} bytes behind the rules", rest.len())));
    }
    let read = parallel::map(&parts, |part| read_part(part, &shared, &set));
    let mut rules = Vec::with_capacity(read.iter().flatten().map(Vec::len).sum());
    for part in read {
        rules.append(&mut part?);
    }
    set.rules = rules.into();
    let diagnostics = head.diagnostics.into_iter().map(|told| told.0).collect();
    Ok(Loading { rules: set, diagnostics, disabled: head.disabled, touched: head.touched })
}

fn read_part(part: &[u8], shared: &Shared, set: &RuleSet) -> Result<Vec<Rule>, Unreadable> {
    let stored: Vec<StoredRule<'_>> = postcard::from_bytes(part).map_err(malformed)?;
    let one = |stored: StoredRule<'_>| {
        let rule = stored.restore(shared)?;
        sound::check(&rule, set).map_err(Unreadable::Malformed)?;
        Ok(rule)
    };
    stored.into_iter().map(one).collect()
}

fn malformed(error: postcard::Error) -> Unreadable {
    Unreadable::Malformed(error.to_string())
}
