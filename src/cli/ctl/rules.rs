//! `weir ctl rules`: new rules, single rules that are overruled, generations.

use super::span::up_to;
use super::{Answer, refused, shadow, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::overrule;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use crate::rules::lists::{Overrule, WORDS};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum Rules {
    /// Read and compile the rule files again; if one is unreadable the old rules stay
    Reload(Reload),
    /// What rules that are tried (`reload --shadow`) make of traffic beside those in force, and the difference by rule
    Shadow,
    /// Put the rules that are or were tried in force
    Publish,
    /// Forget the rules that are or were tried
    Discard,
    /// Set a rule's action, or disable it, whatever the files say; for sessions to come
    Set(Set),
    /// Let a rule go by the files again
    Unset {
        #[arg(value_name = "[GID:]SID", value_parser = id)]
        rule: (u32, u32),
    },
    /// Rules that were set, by whom, and how long that still holds
    Overrides,
    /// Generations of the rules that sessions go by, and how many go by each
    Generations,
    /// What the last load of the rules came to
    Stats,
    /// Rules, and lines of lists, that it refused: the first 1,000, and why
    Failed,
}

#[derive(Debug, Args)]
pub(super) struct Reload {
    /// Put nothing in force: for so long ("60s", "10m") have the new rules judge beside the old without effect, then show how they
    /// differ
    #[arg(long, value_name = "SPAN", value_parser = up_to(crate::mgmt::shadow::LONGEST))]
    shadow: Option<Duration>,
    /// With --shadow: begin and return at once; `rules shadow` shows it
    #[arg(long, requires = "shadow")]
    detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    #[arg(value_name = "[GID:]SID", value_parser = id)]
    rule: (u32, u32),
    /// alert, drop, reject, pass or disable; also rejectsrc, rejectdst, rejectboth, close-client, close-server, close-both
    #[arg(value_parser = action)]
    action: String,
    /// Go back by itself after so long ("3600" seconds, "1h"); else when it is unset, or weir ends
    #[arg(long = "for", value_name = "SPAN", value_parser = up_to(overrule::LONGEST))]
    span: Option<Duration>,
}

fn action(text: &str) -> Result<String, String> {
    let known = Overrule::parse(text).map(|_| text.to_owned());
    known.ok_or_else(|| format!("write one of {}", WORDS.join(", ")))
}

/// `SID` or `GID:SID`.
fn id(text: &str) -> Result<(u32, u32), String> {
    let (gid, sid) = text.split_once(':').unwrap_or(("1", text));
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
    number(gid).zip(number(sid)).ok_or_else(|| "write a rule's sid, or gid:sid".to_owned())
}

impl Rules {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let rules = &mut client.rules;
        Ok(match self {
            Rules::Reload(Reload { shadow: None, .. }) => {
                show::reload(&rules.reload(p::ReloadRequest {}).await.map_err(refused)?.into_inner())
            }
            Rules::Reload(Reload { shadow: Some(span), detach }) => {
                shadow::report(&shadow::start(client, *span, *detach).await?)
            }
            Rules::Shadow => {
                shadow::report(&rules.shadow(p::ShadowRequest {}).await.map_err(refused)?.into_inner())
            }
            Rules::Publish => {
                let done = rules.publish_shadow(p::PublishShadowRequest {}).await.map_err(refused)?;
                show::reload(&done.into_inner())
            }
            Rules::Discard => {
                let last = rules.discard_shadow(p::DiscardShadowRequest {}).await.map_err(refused)?;
                shadow::discarded(&last.into_inner())
            }
            Rules::Set(Set { rule: (gid, sid), action, span }) => {
                let for_ms = span.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
                let request = p::RuleActionRequest { gid: *gid, sid: *sid, action: action.clone(), for_ms };
                overrides(&rules.set_action(request).await.map_err(refused)?.into_inner())
            }
            Rules::Unset { rule: (gid, sid) } => {
                let request = p::RuleUnsetRequest { gid: *gid, sid: *sid };
                overrides(&rules.unset_action(request).await.map_err(refused)?.into_inner())
            }
            Rules::Overrides => {
                overrides(&rules.overrides(p::RuleOverridesRequest {}).await.map_err(refused)?.into_inner())
            }
            Rules::Stats => stats(&rules.stats(p::RuleStatsRequest {}).await.map_err(refused)?.into_inner()),
            Rules::Failed => {
                failed(&rules.failed(p::RuleFailedRequest {}).await.map_err(refused)?.into_inner().rules)
            }
            Rules::Generations => {
                let reply = rules.generations(p::RuleGenerationsRequest {}).await.map_err(refused)?;
                generations(&reply.into_inner().generations)
            }
        })
    }
}

fn overrides(reply: &p::RuleOverrides) -> Answer {
    let mut table = Table::with_head(["RULE", "ACTION", "BY", "SINCE", "SECONDS LEFT"]);
    let left = |rule: &p::RuleOverride| {
        (rule.until > 0).then(|| rule.until.saturating_sub(reply.now).div_ceil(1_000_000))
    };
    for rule in &reply.overrides {
        table.row([
            format!("{}:{}", rule.gid, rule.sid),
            rule.action.clone(),
            rule.who.clone(),
            show::stamp(rule.since),
            left(rule).map_or("-".into(), |left| left.to_string()),
        ]);
    }
    let json = |rule: &p::RuleOverride| {
        json!({
            "gid": rule.gid,
            "sid": rule.sid,
            "action": rule.action,
            "by": rule.who,
            "since": show::stamp(rule.since),
            "seconds_left": left(rule),
        })
    };
    let said = match reply.generation {
        0 => String::new(),
        generation => format!("generation {generation}\n"),
    };
    let overrides: Vec<Value> = reply.overrides.iter().map(json).collect();
    let generation = (reply.generation > 0).then_some(reply.generation);
    Answer {
        json: json!({ "generation": generation, "overrides": overrides }),
        table: said + &table.to_string(),
    }
}

fn stats(s: &p::RuleStats) -> Answer {
    let mut table = Table::default();
    let numbers = [
        ("generation", s.generation.into()),
        ("loaded", s.loaded),
        ("refused", s.refused),
        ("skipped", s.skipped),
    ];
    table.row(["last load".to_owned(), show::stamp(s.at)]);
    numbers
        .iter()
        .for_each(|(name, number): &(&str, u64)| table.row([(*name).to_owned(), number.to_string()]));
    let json = json!({
        "last_load": show::stamp(s.at),
        "generation": s.generation,
        "loaded": s.loaded,
        "refused": s.refused,
        "skipped": s.skipped,
    });
    Answer { json, table: table.to_string() }
}

fn failed(rules: &[p::FailedRule]) -> Answer {
    let mut table = Table::with_head(["PLACE", "WHY", "TEXT"]);
    for rule in rules {
        table.row([format!("{}:{}", rule.file, rule.line), rule.message.clone(), rule.excerpt.clone()]);
    }
    let json = |rule: &p::FailedRule| json!({ "file": rule.file, "line": rule.line, "message": rule.message, "excerpt": rule.excerpt });
    Answer { json: Value::Array(rules.iter().map(json).collect()), table: table.to_string() }
}

fn generations(generations: &[p::RuleGeneration]) -> Answer {
    let mut table = Table::with_head(["GENERATION", "RULES", "SESSIONS", ""]);
    for g in generations {
        let newest = if g.newest { "newest" } else { "" };
        table.row([&*g.generation.to_string(), &*g.rules.to_string(), &*g.sessions.to_string(), newest]);
    }
    let json = |g: &p::RuleGeneration| json!({ "generation": g.generation, "rules": g.rules, "sessions": g.sessions, "newest": g.newest });
    Answer { json: Value::Array(generations.iter().map(json).collect()), table: table.to_string() }
}
