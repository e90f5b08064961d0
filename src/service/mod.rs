//! Services in chains: what a packet passes between its session and its exit.
//!
//! A **plugin** ([`plugin`]) has two halves: control, on management, and data, one instance on every worker. A **service
//! set** ([`set`]) names plugins and two orders of them; it is resolved before traffic into a [`Chain`](set::Chain), an array
//! per direction. [`Services`] is one worker's part: its plugin instances, the chains in force, what plugins keep of
//! sessions, and the frames they hold. Detection is one plugin, [`idp`], among others.
//!
//! Where to add a built-in plugin: a folder here with its control and data halves, and one line in [`builtin`]. Shared objects that others
//! built come in by [`external`].

pub mod builtin;
pub mod comparison;
pub mod context;
pub mod cos;
pub mod external;
pub mod filter;
mod headers;
pub mod hold;
pub mod idp;
pub mod ip_actions;
pub mod outbox;
pub mod pass_list;
pub mod passthru;
pub mod plan;
pub mod plugin;
pub mod policy;
pub mod record;
mod report;
pub mod running;
mod seen_tunnels;
pub mod services;
pub mod set;
pub mod states;
pub mod table;
pub mod text;
pub mod trace;
pub mod tuning;
pub mod watchdog;

pub use context::{Context, Host, PacketAt, SessionAt, Subject};
pub use headers::headers;
pub use outbox::{Edit, Outbox};
pub use plan::ServicePlan;
pub use plugin::{About, ControlEvent, ControlFault, DataPlugin, Desk, Flags, LateDesk, Plugin, Reply};
pub use policy::Policy;
pub use report::{Reporter, Wanted, origin};
pub use running::{NOBODY, Running};
pub use services::{Outside, Passage, Services};
pub use set::{Chain, InactiveAction, Selection, ServiceSet};
pub use tuning::Tuning;
