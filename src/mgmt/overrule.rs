//! What management asks of rules that an operator overrules (`weir ctl rules set`).

use crate::base::Time;
use crate::mgmt::control::{ControlError, Reload};
use crate::rules::lists::Overrule;
use std::time::Duration;

/// Rules that are overruled at once, at most.
pub const MOST: usize = 1000;

/// Longest time that an action is set for.
pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    pub gid: u32,
    pub sid: u32,
    pub what: Overrule,
    pub who: String,
    pub since: Time,
    /// Then it goes by the files again; `None`: when somebody says so, or weir ends.
    pub until: Option<Time>,
}

/// Every call compiles the rules, so it belongs on a blocking thread. What it changes is a generation of its own.
pub trait Overruling {
    /// In the order in which they were set.
    fn overruled(&self) -> Vec<Overruled>;
    /// In place of what was said of that rule before. `id`: gid and sid.
    fn overrule(
        &self,
        id: (u32, u32),
        what: Overrule,
        span: Option<Duration>,
        who: &str,
    ) -> Result<Reload, ControlError>;
    /// The rule goes by the files again.
    fn let_rule(&self, id: (u32, u32), who: &str) -> Result<Reload, ControlError>;
}
