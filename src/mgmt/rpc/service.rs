//! The server's side: requests become calls of [`Control`], on a blocking thread because those may wait for a worker.

use super::fault;
use super::proto as p;
use crate::io::clock::wall;
use crate::mgmt::config::{LogLevel, Mode};
use crate::mgmt::control::{
    Balanced, Control, ControlError, LONGEST_CONFIRM, LcoreInfo, ModeChange, PairStatus, SessionFilter,
    SessionInfo, Status,
};
use crate::mgmt::dataset_commands::{Command, Named};
use crate::mgmt::eve::proto_name;
use crate::mgmt::ruleset::FailedRule;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Request, Response, Status as Fault};

#[derive(Clone)]
pub(super) struct Service {
    control: Arc<dyn Control>,
}

impl Service {
    pub(super) fn new(control: Arc<dyn Control>) -> Service {
        Service { control }
    }

    pub(super) fn control(&self) -> Arc<dyn Control> {
        Arc::clone(&self.control)
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Control) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let control = Arc::clone(&self.control);
        let answer = tokio::task::spawn_blocking(move || question(&*control)).await;
        answer.map_err(|error| fault::fault(Code::Internal, format!("the request ended early: {error}")))
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Fault {
        let text = error.to_string();
        match error {
            ControlError::Busy { .. } | ControlError::Lagging { .. } | ControlError::Restless => {
                fault::fault(Code::DeadlineExceeded, text)
            }
            ControlError::Unanswerable(_) => fault::invalid(text),
            ControlError::Stopping => fault::fault(Code::Unavailable, text),
            ControlError::Unkept(_) => fault::fault(Code::Internal, text),
            ControlError::Refused(_) | ControlError::Unchanged(_) => fault::refused(text),
        }
    }
}

pub(super) type Reply<T> = Result<Response<T>, Fault>;

#[tonic::async_trait]
impl p::appliance_server::Appliance for Service {
    async fn version(&self, _: Request<p::VersionRequest>) -> Reply<p::VersionReply> {
        use crate::mgmt::build;
        Ok(Response::new(p::VersionReply {
            version: build::VERSION.into(),
            commit: build::COMMIT.into(),
            dpdk: build::DPDK.into(),
            api: super::API,
        }))
    }

    async fn status(&self, _: Request<p::StatusRequest>) -> Reply<p::StatusReply> {
        let status = self.ask(|c| c.status()).await?;
        Ok(Response::new(status.into()))
    }

    async fn counters(&self, request: Request<p::CountersRequest>) -> Reply<p::CountersReply> {
        let prefix = request.into_inner().prefix;
        let counters = self.ask(|c| c.counters()).await?;
        let wanted = counters.into_iter().filter(|c| c.name.starts_with(&prefix));
        let counters = wanted.map(|c| p::Counter { name: c.name, value: c.value }).collect();
        Ok(Response::new(p::CountersReply { counters }))
    }

    async fn drops(&self, request: Request<p::DropsRequest>) -> Reply<p::DropsReply> {
        let looker = request.into_inner().looker;
        let drops = self.ask(move |c| c.drops(&looker)).await?;
        Ok(Response::new(super::drops::reply(&drops)))
    }

    async fn lcores(&self, _: Request<p::LcoresRequest>) -> Reply<p::LcoresReply> {
        let lcores = self.ask(|c| c.lcores()).await?;
        Ok(Response::new(p::LcoresReply { lcores: lcores.into_iter().map(Into::into).collect() }))
    }

    async fn modes(&self, _: Request<p::ModesRequest>) -> Reply<p::ModesReply> {
        self.pairs().await
    }

    async fn set_mode(&self, request: Request<p::SetModeRequest>) -> Reply<p::ModesReply> {
        let p::SetModeRequest { pair, mode, confirm_ms } = request.into_inner();
        let mode = Mode::parse(&mode).ok_or_else(|| {
            fault::invalid(format!("\"{mode}\" is no mode: write \"ips\", \"tap\" or \"ids\""))
        })?;
        let confirm = (confirm_ms > 0).then(|| Duration::from_millis(confirm_ms));
        if confirm.is_some_and(|span| span > LONGEST_CONFIRM) {
            return Err(fault::invalid(
                "a mode waits for its confirmation for 31 days at most (--confirm 5m)",
            ));
        }
        let change = ModeChange { pair, mode, confirm };
        self.ask(move |c| c.set_mode(&change)).await??;
        self.pairs().await
    }

    async fn confirm_modes(&self, request: Request<p::ConfirmModesRequest>) -> Reply<p::ModesReply> {
        let keep = !request.into_inner().revert;
        if self.ask(move |c| c.confirm_modes(keep)).await?? == 0 {
            return Err(fault::refused("no change of a mode waits for a confirmation"));
        }
        self.pairs().await
    }

    async fn balance(&self, _: Request<p::BalanceRequest>) -> Reply<p::BalanceReply> {
        let Balanced { balance: b, paused } = self.ask(|c| c.balance()).await??;
        Ok(Response::new(p::BalanceReply {
            received: b.received,
            generated: b.generated,
            transmitted: b.transmitted,
            dropped: b.dropped,
            held: b.held,
            consumed: b.consumed,
            merged: b.merged,
            in_rings: b.in_rings,
            paused: paused.as_micros() as u64,
        }))
    }

    async fn log_level(&self, _: Request<p::LogLevelRequest>) -> Reply<p::LogLevelReply> {
        let level = self.ask(|c| c.log_level()).await?;
        Ok(Response::new(p::LogLevelReply { level: level.name().into() }))
    }

    async fn set_log_level(&self, request: Request<p::SetLogLevelRequest>) -> Reply<p::LogLevelReply> {
        let who = super::config::who(&request);
        let word = request.into_inner().level;
        let level = LogLevel::parse(&word).ok_or_else(|| {
            fault::invalid(format!(
                "{word:?} is no level: write \"error\", \"warn\", \"info\", \"debug\" or \"trace\""
            ))
        })?;
        self.ask(move |c| c.set_log_level(level, &who)).await??;
        Ok(Response::new(p::LogLevelReply { level: word }))
    }

    async fn stop(&self, _: Request<p::StopRequest>) -> Reply<p::StopReply> {
        self.ask(|c| c.stop()).await?;
        Ok(Response::new(p::StopReply {}))
    }
}

#[tonic::async_trait]
impl p::sessions_server::Sessions for Service {
    async fn list(&self, request: Request<p::SessionsRequest>) -> Reply<p::SessionsReply> {
        let filter = filter(&request.into_inner())?;
        let sessions = self.ask(move |c| c.sessions(&filter)).await??;
        Ok(Response::new(p::SessionsReply { sessions: sessions.into_iter().map(Into::into).collect() }))
    }

    async fn show(&self, request: Request<p::SessionRequest>) -> Reply<p::Session> {
        let flow_id = request.into_inner().flow_id;
        let filter = SessionFilter { limit: 1, flow_id: Some(flow_id), ..SessionFilter::default() };
        let found = self.ask(move |c| c.sessions(&filter)).await??.into_iter().next();
        let none = || {
            fault::missing(format!(
                "no live session has the number {flow_id}; `weir ctl sessions` lists them"
            ))
        };
        Ok(Response::new(found.ok_or_else(none)?.into()))
    }

    async fn kill(&self, request: Request<p::SessionRequest>) -> Reply<p::Session> {
        let who = super::config::who(&request);
        let flow_id = request.into_inner().flow_id;
        Ok(Response::new(self.ask(move |c| c.kill(flow_id, &who)).await??.into()))
    }

    async fn why(&self, request: Request<p::WhyRequest>) -> Reply<p::WhyReply> {
        let between = super::why::between(&request.into_inner())?;
        let why = self.ask(move |c| c.why(&between)).await??;
        Ok(Response::new(super::why::reply(why)))
    }

    async fn ip_actions(&self, request: Request<p::IpActionsRequest>) -> Reply<p::IpActionsReply> {
        let address = super::ip_actions::address(&request.into_inner().address)?;
        let (actions, now) = self.ask(move |c| (c.ip_actions(address), c.status().now)).await?;
        Ok(Response::new(super::ip_actions::reply(actions, now)))
    }

    async fn clear_ip_actions(
        &self,
        request: Request<p::ClearIpActionsRequest>,
    ) -> Reply<p::ClearIpActionsReply> {
        let address = super::ip_actions::address(&request.into_inner().address)?;
        let cleared = self.ask(move |c| c.clear_ip_actions(address)).await? as u64;
        Ok(Response::new(p::ClearIpActionsReply { cleared }))
    }

    async fn passes(&self, _: Request<p::PassesRequest>) -> Reply<p::PassesReply> {
        let (passes, now) = self.ask(|c| (c.passes(), c.status().now)).await?;
        Ok(Response::new(super::passes::reply(&passes, now)))
    }

    async fn add_pass(&self, request: Request<p::AddPassRequest>) -> Reply<p::Pass> {
        let asked = super::passes::request(request.into_inner())?;
        let added = self.ask(move |c| c.add_pass(&asked)).await??;
        Ok(Response::new(super::passes::pass(&added)))
    }

    async fn remove_pass(&self, request: Request<p::RemovePassRequest>) -> Reply<p::Pass> {
        let id = request.into_inner().id;
        let ended = self.ask(move |c| c.remove_pass(id)).await?;
        let ended =
            ended.ok_or_else(|| fault::missing(format!("no {id} on the pass list: weir ctl pass list")))?;
        Ok(Response::new(super::passes::pass(&ended)))
    }
}

#[tonic::async_trait]
impl p::rules_server::Rules for Service {
    async fn reload(&self, _: Request<p::ReloadRequest>) -> Reply<p::ReloadReply> {
        let done = self.ask(|c| c.reload_rules()).await??;
        let (generation, loaded, refused) = (done.generation, done.loaded, done.refused);
        Ok(Response::new(p::ReloadReply { generation, loaded, refused }))
    }

    async fn set_action(&self, request: Request<p::RuleActionRequest>) -> Reply<p::RuleOverrides> {
        let who = super::config::who(&request);
        self.set_rule(request.into_inner(), who).await
    }

    async fn unset_action(&self, request: Request<p::RuleUnsetRequest>) -> Reply<p::RuleOverrides> {
        let who = super::config::who(&request);
        self.unset_rule(request.into_inner(), who).await
    }

    async fn overrides(&self, _: Request<p::RuleOverridesRequest>) -> Reply<p::RuleOverrides> {
        self.overruling(|_| Ok(None)).await
    }

    async fn generations(&self, _: Request<p::RuleGenerationsRequest>) -> Reply<p::RuleGenerations> {
        let generations = self.ask(|c| c.generations()).await??;
        let generations = generations.into_iter().map(Into::into).collect();
        Ok(Response::new(p::RuleGenerations { generations }))
    }

    async fn start_shadow(&self, request: Request<p::StartShadowRequest>) -> Reply<p::ShadowReport> {
        let who = super::config::who(&request);
        self.begin_shadow(request.into_inner(), who).await
    }

    async fn shadow(&self, _: Request<p::ShadowRequest>) -> Reply<p::ShadowReport> {
        let report = self.shadowing(|rules| Ok(rules.report())).await?;
        let none = "no rules are being tried: `weir ctl rules reload --shadow 60s` does";
        Ok(Response::new(report.ok_or_else(|| fault::missing(none))?.into()))
    }

    async fn publish_shadow(&self, request: Request<p::PublishShadowRequest>) -> Reply<p::ReloadReply> {
        let who = super::config::who(&request);
        let done = self.shadowing(move |rules| rules.publish(&who)).await?;
        let (generation, loaded, refused) = (done.generation, done.loaded, done.refused);
        Ok(Response::new(p::ReloadReply { generation, loaded, refused }))
    }

    async fn discard_shadow(&self, request: Request<p::DiscardShadowRequest>) -> Reply<p::ShadowReport> {
        let who = super::config::who(&request);
        Ok(Response::new(self.shadowing(move |rules| rules.discard(&who)).await?.into()))
    }

    async fn stats(&self, _: Request<p::RuleStatsRequest>) -> Reply<p::RuleStats> {
        let (rules, generation) = self.ask(|c| (c.ruleset(), c.status().generation)).await?;
        let (at, loaded, refused, skipped) =
            (wall(rules.at).micros(), rules.loaded, rules.refused, rules.skipped);
        Ok(Response::new(p::RuleStats { generation, at, loaded, refused, skipped }))
    }

    async fn failed(&self, _: Request<p::RuleFailedRequest>) -> Reply<p::RuleFailedReply> {
        let rules = self.ask(|c| c.ruleset()).await?;
        let rules = rules.failed.iter().cloned().map(|rule| {
            let FailedRule { file, line, excerpt, message } = rule;
            p::FailedRule { file, line, excerpt, message }
        });
        Ok(Response::new(p::RuleFailedReply { rules: rules.collect() }))
    }

    async fn dataset(&self, request: Request<p::DatasetRequest>) -> Reply<p::DatasetReply> {
        let command = dataset_command(request.into_inner())?;
        let answer = self.ask(move |c| c.dataset(&command)).await??;
        let sets = answer.sets.into_iter().map(|set| p::Dataset {
            name: set.name,
            r#type: set.kind.to_owned(),
            values: set.values,
            refused: set.refused,
            changes: set.changes,
        });
        Ok(Response::new(p::DatasetReply { said: answer.said, holds: answer.holds, sets: sets.collect() }))
    }
}

fn dataset_command(request: p::DatasetRequest) -> Result<Command, Fault> {
    let command = p::DatasetCommand::try_from(request.command)
        .map_err(|_| fault::invalid(format!("{} is no command for datasets", request.command)))?;
    let p::DatasetRequest { name, r#type: kind, value, .. } = request;
    let named = Named { name, kind };
    use p::DatasetCommand as C;
    Ok(match command {
        C::List => Command::List,
        C::Dump => Command::Dump,
        C::Clear => Command::Clear(named),
        C::Add => Command::Add(named, value),
        C::Remove => Command::Remove(named, value),
        C::Lookup => Command::Lookup(named, value),
    })
}

fn filter(request: &p::SessionsRequest) -> Result<SessionFilter, Fault> {
    let address = match request.address.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| fault::invalid(format!("{text:?} is no address")))?),
    };
    let port = request.port.map(u16::try_from).transpose();
    let proto = request.proto.map(u8::try_from).transpose();
    Ok(SessionFilter {
        limit: request.limit,
        address,
        flow_id: None,
        port: port.map_err(|_| fault::invalid("a port is at most 65535"))?,
        proto: proto.map_err(|_| fault::invalid("an IP protocol is at most 255"))?,
    })
}

impl From<Status> for p::StatusReply {
    fn from(s: Status) -> p::StatusReply {
        let memory = s.memory.into_iter().map(|m| p::Memory { part: m.part, used: m.used, cap: m.cap });
        p::StatusReply {
            running_mode: s.running_mode,
            profile: s.profile,
            started: wall(s.started).micros(),
            now: wall(s.now).micros(),
            generation: s.generation,
            rules_loaded: s.rules_loaded,
            rules_refused: s.rules_refused,
            workers: s.workers,
            sessions: s.sessions,
            memory: memory.collect(),
            pairs: s.pairs.into_iter().map(Into::into).collect(),
            links_down: s.links_down,
            events_sent: s.events_sent,
            events_lost: s.events_lost,
            port_losses: s
                .port_losses
                .into_iter()
                .map(|c| p::Counter { name: c.name, value: c.value })
                .collect(),
        }
    }
}

impl Service {
    async fn pairs(&self) -> Reply<p::ModesReply> {
        let (pairs, now) = self.ask(|c| (c.pairs(), wall(c.status().now).micros())).await?;
        Ok(Response::new(p::ModesReply { pairs: pairs.into_iter().map(Into::into).collect(), now }))
    }
}

impl From<PairStatus> for p::Pair {
    fn from(s: PairStatus) -> p::Pair {
        let (before, until) = s.goes_back.unwrap_or_default();
        p::Pair { ports: s.ports, mode: s.mode, confirm_by: wall(until).micros(), before }
    }
}

impl From<LcoreInfo> for p::Lcore {
    fn from(l: LcoreInfo) -> p::Lcore {
        p::Lcore {
            role: l.role,
            cpu: l.cpu,
            frames: l.frames,
            bytes: l.bytes,
            sessions: l.sessions,
            ring_used: l.ring_used,
            ring_size: l.ring_size,
            turns: l.turns,
            idle_turns: l.idle_turns,
        }
    }
}

impl From<SessionInfo> for p::Session {
    fn from(s: SessionInfo) -> p::Session {
        use crate::base::Dir::{ToClient, ToServer};
        p::Session {
            flow_id: s.flow_id,
            worker: s.worker,
            client: s.tuple.src_ip().to_string(),
            client_port: s.tuple.sport.into(),
            server: s.tuple.dst_ip().to_string(),
            server_port: s.tuple.dport.into(),
            proto: proto_name(s.tuple.proto).into_owned(),
            state: s.state,
            tcp_state: s.tcp_state,
            verdict: s.verdict,
            start: wall(s.start).micros(),
            last: wall(s.last).micros(),
            packets_to_server: s.packets[ToServer],
            packets_to_client: s.packets[ToClient],
            bytes_to_server: s.bytes[ToServer],
            bytes_to_client: s.bytes[ToClient],
            generation: s.generation,
            application: s.app,
            vlans: s.tuple.vlans().map(u32::from).collect(),
        }
    }
}
