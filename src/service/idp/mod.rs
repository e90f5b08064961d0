//! Intrusion detection and prevention as a plugin: streams, rules, alerts.
//!
//! Sees packets only through its [`Context`](super::Context). Its policy database is a compiled rule set
//! ([`Engine`]): a session is judged by the generation that it was opened under. Its verdict may settle it, and then the
//! plugin ignores the rest of it.

mod at_work;
mod candidate;
mod decode;
mod early;
mod generations;
mod handshake;
mod judgement;
mod log;
mod order;
mod shadow;
mod sides;
mod waiting;
mod without;
mod worker;

pub use candidate::Candidate;

use super::plugin::{About, ControlEvent, ControlFault, DataPlugin, Desk, Flags, Plugin};
use super::policy::Policy;
use crate::app::{Announced, FileWants};
use crate::base::{PluginId, SetId, WorkerId, tally};
use crate::inspect::{self, CostBook, Engine, FileTypes, HostState, InForce, Inspector};
use crate::stream;
use std::any::Any;
use std::sync::Arc;

/// The name that configurations know it by.
pub const NAME: &str = "idp";

/// Its control half.
pub struct Idp {
    about: About,
    streams: stream::Settings,
    inspection: inspect::Settings,
    engine: Arc<Engine>,
    /// Keyed by host, one for all workers.
    hosts: Arc<HostState>,
    /// Sessions that others announced: of all workers.
    announced: Arc<Announced>,
    /// Where somebody asked what rules cost.
    costs: Option<Arc<CostBook>>,
    /// The first rules are still to come: there is no policy until then.
    awaits_rules: bool,
}

impl Idp {
    /// `engine` is what its workers start with.
    pub fn new(
        engine: Arc<Engine>,
        hosts: Arc<HostState>,
        streams: stream::Settings,
        inspection: inspect::Settings,
    ) -> Idp {
        let flags = Flags { alone: true, policy: true, own_state: true, ..Flags::default() };
        let about = About { name: NAME.into(), kind: "detection".into(), flags, ..About::default() };
        let announced = Arc::default();
        Idp { about, streams, inspection, engine, hosts, announced, costs: None, awaits_rules: false }
    }

    /// Has what the rules cost written into the book, if there is one.
    pub fn measured(self, costs: Option<Arc<CostBook>>) -> Idp {
        Idp { costs, ..self }
    }

    /// Attaches no policy where the first rules are still to come: its sets stay inactive until another instance has them.
    pub fn awaiting_rules(self, awaits_rules: bool) -> Idp {
        Idp { awaits_rules, ..self }
    }

    /// A compiled rule set as this plugin's policy.
    pub fn policy(engine: &Arc<Engine>) -> Policy {
        Policy { generation: engine.generation().0, data: Arc::clone(engine) as _ }
    }

    /// Detection alone, in one set for all ports: what there is without a configuration of sets.
    pub fn alone(
        engine: &Arc<Engine>,
        streams: stream::Settings,
        inspection: inspect::Settings,
        ports: usize,
    ) -> super::ServicePlan {
        let hosts = Arc::new(HostState::new(&inspection));
        let idp = Idp::new(Arc::clone(engine), Arc::clone(&hosts), streams, inspection);
        let mut plan = super::ServicePlan::of(vec![Box::new(idp)], ports);
        plan.hosts = Some(hosts);
        plan.ip_actions.arm(engine.asks_ip_actions());
        let policy = Idp::policy(engine);
        plan.policies.push(super::plan::Attached { set: SetId(0), plugin: PluginId(0), policy });
        plan
    }
}

impl Plugin for Idp {
    fn about(&self) -> &About {
        &self.about
    }

    fn data(&self, _worker: WorkerId) -> Box<dyn DataPlugin> {
        let inspector = Inspector::new(self.inspection, Arc::clone(&self.hosts));
        let (engine, announced) = (Arc::clone(&self.engine), Arc::clone(&self.announced));
        Box::new(worker::IdpWorker::new(inspector, engine, self.streams.clone(), announced))
    }

    /// The memory that a worker evaluates the rules with.
    fn prepare(&self, policy: &Policy, _worker: WorkerId) -> Option<Box<dyn Any + Send>> {
        let engine = Arc::clone(&policy.data).downcast::<Engine>().ok()?;
        let (mut rules, bytes) = tally::of(|| InForce::new(engine));
        if rules.engine().wanted().files.or(self.inspection.files).magic {
            match FileTypes::open() {
                Ok(types) => rules = rules.with_types(types),
                Err(why) => tracing::warn!("{why}"),
            }
        }
        let rules = match &self.costs {
            Some(book) => rules.measured(book),
            None => rules,
        };
        Some(Box::new(generations::Prepared { generation: policy.generation, rules, bytes }))
    }

    fn shadow(&self, candidate: &(dyn Any + Send + Sync), worker: WorkerId) -> Option<Box<dyn Any + Send>> {
        let candidate = candidate.downcast_ref::<Candidate>()?;
        let comparison = Arc::clone(candidate.comparison(worker)?);
        // Nobody gets records: of files it keeps what its rules ask for.
        let inspection = inspect::Settings { files: FileWants::default(), ..self.inspection };
        Some(Box::new(shadow::Shadow::new(candidate, comparison, self.streams.clone(), inspection)))
    }

    fn control(&mut self, event: ControlEvent<'_>, desk: &mut dyn Desk) -> Result<(), ControlFault> {
        match event {
            ControlEvent::Init { .. } if self.awaits_rules => Ok(()),
            ControlEvent::Init { set, .. } => {
                desk.attach(set, Arc::clone(&self.engine) as _);
                Ok(())
            }
            ControlEvent::ConfigBlob { .. } => {
                Err(ControlFault("idp takes its rules from files: use `weir ctl rules reload`".into()))
            }
            ControlEvent::HaInfo => Ok(()),
        }
    }
}
