//! The control side of service sets: plugins' control halves, their policies, and every change of what workers run.
//!
//! [`layout`] is what the configuration says; [`draft`] makes the plugins and the plan that workers start with; from then on
//! the [`Manager`] owns the control halves and speaks to the workers through a [`Mail`]. It owes: a set passes traffic
//! only when every member that needs a policy has attached one and every worker has it; a change reaches all workers or is
//! refused whole; and what workers no longer use is freed here, never there.
//!
//! Nothing here waits for traffic. What cannot be done yet (a policy that a worker has no place for, a plugin whose sessions
//! are being closed) stays on a list and is taken up at the next [`Manager::turn`].

mod absent;
mod board;
mod change;
mod desk;
pub mod draft;
pub mod layout;
pub mod mail;
pub mod makers;
mod manager;
mod room;
mod shadow;
mod show;
#[cfg(test)]
mod tests;

pub use board::CounterBoard;
pub use draft::{Draft, StartFault};
pub use layout::{Layout, Ports, SetLayout};
pub use mail::Mail;
pub use makers::{Makers, Stock};
pub use manager::{Manager, OutNotice};
