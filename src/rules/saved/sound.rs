//! Whether a rule that was read names only what there is: numbers of the set's lists and of the tables of this build.

use crate::rules::context::{self, BufferId};
use crate::rules::field::{self, FieldId};
use crate::rules::ruleset::{AppCheck, BufferMatch, Check, Context, Rule, RuleSet};

/// What is wrong with it, if anything.
pub(super) fn check(rule: &Rule, set: &RuleSet) -> Result<(), String> {
    let within = |what: &str, number: usize, count: usize| {
        let missing = || format!("sid {} names {what} {number} of {count}", rule.sid);
        if number < count { Ok(()) } else { Err(missing()) }
    };
    within("file", rule.source.file as usize, set.files.len())?;
    for bit in rule.flowbits.iter().flat_map(|op| &op.bits) {
        within("flowbit", *bit as usize, set.flowbits.len())?;
    }
    for op in &rule.host_bits {
        within("host bit", op.bit as usize, set.host_bits.len())?;
    }
    for counter in rule.flowints.iter().flat_map(|op| op.counters()) {
        within("counter", counter as usize, set.flowints.len())?;
    }
    for BufferMatch { context, transforms, .. } in &rule.buffers {
        within("chain of transformations", usize::from(*transforms), set.transforms.len())?;
        if let Context::App(BufferId(number)) = *context {
            within("buffer", usize::from(number), context::all().len())?;
        }
    }
    for check in &rule.checks {
        let Check::App(app) = check else { continue };
        if let AppCheck::Field { field: FieldId(number), .. } = **app {
            within("field", usize::from(number), field::all().len())?;
        }
    }
    Ok(())
}
