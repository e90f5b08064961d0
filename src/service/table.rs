//! The plugin instances of one worker, by number.

use super::plugin::{About, DataPlugin, Gauge, MAX_NAME, MAX_PLUGINS};
use super::running::{NOBODY, Running};
use super::tuning::Tuning;
use crate::base::Order;
use crate::base::counters::Counter;
use crate::base::event::PluginFault;
use crate::base::{ClassId, PluginId, SetId};
use crate::session::Session;
use arrayvec::ArrayVec;
use std::sync::Arc;

/// Service sets one appliance may have.
pub const MAX_SETS: usize = 16;

/// What one plugin counts on one worker; written there, read by management.
#[derive(Debug)]
pub struct PluginCounts {
    /// Packet events, and what came of them.
    pub packets: Counter,
    pub discards: Counter,
    pub holds: Counter,
    /// Times it was taken out: 0 or 1.
    pub faults: Counter,
    own: Box<[Counter]>,
    names: usize,
}

impl PluginCounts {
    pub fn new(names: usize) -> PluginCounts {
        PluginCounts {
            packets: Counter::new(),
            discards: Counter::new(),
            holds: Counter::new(),
            faults: Counter::new(),
            own: (0..names * MAX_SETS).map(|_| Counter::new()).collect(),
            names,
        }
    }

    /// One of the plugin's own counters in a set.
    pub fn own(&self, set: SetId, counter: usize) -> Option<&Counter> {
        let within = counter < self.names;
        self.own.get(set.index() * self.names + counter).filter(|_| within)
    }
}

/// A plugin on its way to a worker.
pub struct Arrival {
    pub id: PluginId,
    pub about: Arc<About>,
    pub instance: Box<dyn DataPlugin>,
    pub counts: Arc<PluginCounts>,
}

struct Slot {
    external: bool,
    out: Option<PluginFault>,
    /// Away while it is being called; gone when it was taken out.
    instance: Option<Box<dyn DataPlugin>>,
    about: Arc<About>,
    counts: Arc<PluginCounts>,
}

/// An instance that is being called.
pub struct Lent {
    pub instance: Box<dyn DataPlugin>,
    /// Who ran before, by the mark of external plugins.
    before: u32,
}

/// Who publishes a class and who hears it.
struct Class {
    name: Box<str>,
    subscribers: Vec<PluginId>,
}

pub struct PluginTable {
    slots: Vec<Option<Slot>>,
    classes: Vec<Class>,
    running: Arc<Running>,
    /// Plugins with [`Flags::turns`](super::Flags::turns).
    turning: Vec<PluginId>,
    /// Taken out and not yet told to management.
    taken_out: ArrayVec<(PluginId, PluginFault), MAX_PLUGINS>,
}

impl PluginTable {
    pub fn new(running: Arc<Running>) -> PluginTable {
        PluginTable {
            slots: Vec::new(),
            classes: Vec::new(),
            running,
            turning: Vec::new(),
            taken_out: ArrayVec::new(),
        }
    }

    /// Puts a plugin at its number; who stood there comes back. Allocates: before traffic, or at a change of sets.
    pub fn install(&mut self, arrival: Arrival) -> Option<Box<dyn DataPlugin>> {
        let index = arrival.id.index();
        let replaced = self.remove(arrival.id);
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        for name in &arrival.about.publishes {
            self.class(name);
        }
        for name in &arrival.about.subscribes {
            let class = self.class(name);
            if !class.subscribers.contains(&arrival.id) {
                class.subscribers.push(arrival.id);
            }
        }
        if arrival.about.flags.turns {
            self.turning.push(arrival.id);
        }
        let slot = Slot {
            external: arrival.about.external,
            out: None,
            instance: Some(arrival.instance),
            about: arrival.about,
            counts: arrival.counts,
        };
        self.slots[index] = Some(slot);
        replaced
    }

    fn class(&mut self, name: &str) -> &mut Class {
        let known = self.classes.iter().position(|class| &*class.name == name);
        let index = known.unwrap_or_else(|| {
            let name: String = name.chars().take(MAX_NAME).collect();
            self.classes.push(Class { name: name.into(), subscribers: Vec::new() });
            self.classes.len() - 1
        });
        &mut self.classes[index]
    }

    /// A plugin leaves for good: the instance goes back to management.
    pub fn remove(&mut self, id: PluginId) -> Option<Box<dyn DataPlugin>> {
        self.classes.iter_mut().for_each(|class| class.subscribers.retain(|&plugin| plugin != id));
        self.turning.retain(|&plugin| plugin != id);
        self.slots.get_mut(id.index())?.take()?.instance
    }

    /// The instance, for one call; `None` while it is being called, or when there is none any more.
    #[inline(always)]
    pub fn take(&mut self, id: PluginId) -> Option<Lent> {
        let slot = self.slots.get_mut(id.index())?.as_mut()?;
        if slot.out.is_some() {
            return None;
        }
        let instance = slot.instance.take()?;
        let before = if slot.external { self.running.enter(id) } else { NOBODY };
        Some(Lent { instance, before })
    }

    /// After a call that asks for no fault: the caller knows of none. What it counts; `None` for one that is out.
    #[inline(always)]
    pub fn put_back(&mut self, id: PluginId, lent: Lent) -> Option<&PluginCounts> {
        let slot = self.slots.get_mut(id.index())?.as_mut()?;
        let none = slot.instance.replace(lent.instance);
        debug_assert!(none.is_none(), "nobody was put in its place meanwhile");
        std::mem::forget(none); // so that nothing is dropped here for every packet
        if slot.external {
            self.running.leave(lent.before);
        }
        slot.out.is_none().then_some(&*slot.counts)
    }

    /// After a call that may have gone wrong at the border. Who misbehaved is taken out: it stays here, uncalled, until
    /// management removes it.
    #[inline(never)]
    pub fn put_back_asking(&mut self, id: PluginId, mut lent: Lent) {
        let fault = lent.instance.fault();
        self.put_back(id, lent);
        if let Some(fault) = fault {
            self.take_out(id, fault);
        }
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    /// A plugin misbehaved, in whichever call: no chain calls it from now on.
    #[cold]
    pub fn take_out(&mut self, id: PluginId, fault: PluginFault) {
        if let Some(slot) = self.slots.get_mut(id.index()).and_then(Option::as_mut)
            && slot.out.is_none()
        {
            slot.out = Some(fault);
            slot.counts.faults.set(1);
            let _ = self.taken_out.try_push((id, fault)); // each once: there is room for all
        }
    }

    /// A plugin that was taken out since this was last asked.
    #[inline]
    pub fn taken_out(&mut self) -> Option<(PluginId, PluginFault)> {
        self.taken_out.pop()
    }

    /// Why a plugin was taken out.
    #[inline]
    pub fn out(&self, id: PluginId) -> Option<PluginFault> {
        self.slots.get(id.index())?.as_ref()?.out
    }

    #[inline]
    pub fn counts(&self, id: PluginId) -> Option<&PluginCounts> {
        self.slots.get(id.index())?.as_ref().map(|slot| &*slot.counts)
    }

    pub fn all_counts(&self) -> Vec<(PluginId, Arc<PluginCounts>)> {
        let counts = |(index, slot): (usize, &Option<Slot>)| {
            slot.as_ref().map(|slot| (PluginId(index as u8), Arc::clone(&slot.counts)))
        };
        self.slots.iter().enumerate().filter_map(counts).collect()
    }

    pub fn count(&self, id: PluginId, set: SetId, counter: usize, n: u64) {
        if let Some(counter) = self.counts(id).and_then(|counts| counts.own(set, counter)) {
            counter.add(n);
        }
    }

    pub fn keep_order(&mut self, order: &dyn Fn() -> Box<dyn Order>) {
        let instances = self.slots.iter_mut().flatten().filter_map(|slot| slot.instance.as_mut());
        instances.for_each(|instance| instance.keep_order(order()));
    }

    #[inline]
    pub fn prefetch(&self, session: &Session) {
        let instances = self.slots.iter().flatten().filter(|slot| !slot.external);
        instances.filter_map(|slot| slot.instance.as_ref()).for_each(|instance| instance.prefetch(session));
    }

    pub fn tune(&mut self, tuning: &mut Tuning) {
        let instances = self.slots.iter_mut().flatten().filter_map(|slot| slot.instance.as_mut());
        instances.for_each(|instance| instance.tune(tuning));
    }

    pub fn holds(&self, id: PluginId, session: &Session) -> bool {
        let slot = self.slots.get(id.index()).and_then(Option::as_ref);
        slot.and_then(|slot| slot.instance.as_ref()).is_some_and(|instance| instance.holds(session))
    }

    pub fn publish(&self, numbers: &mut dyn FnMut(Gauge, u64)) {
        for slot in self.slots.iter().flatten() {
            if let Some(instance) = slot.instance.as_ref().filter(|_| !slot.external) {
                instance.publish(numbers);
            }
        }
    }

    pub fn subscribers(&self, class: ClassId) -> &[PluginId] {
        self.classes.get(class.index()).map_or(&[], |class| &class.subscribers)
    }

    pub fn turning(&self) -> &[PluginId] {
        &self.turning
    }

    pub fn named(&self, name: &str) -> Option<PluginId> {
        let named = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| slot.about.name == name);
        self.slots.iter().rposition(named).map(|index| PluginId(index as u8))
    }

    pub fn class_named(&self, name: &str) -> Option<ClassId> {
        self.classes.iter().position(|class| &*class.name == name).map(|index| ClassId(index as u16))
    }
}
