//! `weir ctl rules reload --shadow`, `rules shadow`: rules that are tried beside those in force, and how they differ.

use super::{Answer, refused, show};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks at a trial that somebody waits for.
const LOOK: Duration = Duration::from_secs(1);

/// Begins a trial, and waits for its end unless it is left to itself.
pub(super) async fn start(
    client: &mut Client,
    span: Duration,
    detach: bool,
) -> Result<p::ShadowReport, Failure> {
    let for_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let request = p::StartShadowRequest { for_ms };
    let mut report = client.rules.start_shadow(request).await.map_err(refused)?.into_inner();
    let began = report.began;
    while report.running && !detach {
        let left = Duration::from_micros(report.until.saturating_sub(report.now));
        tokio::time::sleep(left.clamp(LOOK / 10, LOOK)).await;
        let next = client.rules.shadow(p::ShadowRequest {}).await.map_err(refused)?.into_inner();
        if next.began != began {
            return Err("somebody has ended this trial and begun another: `weir ctl rules shadow`".into());
        }
        report = next;
    }
    Ok(report)
}

fn signed(pair: p::ShadowPair) -> i128 {
    i128::from(pair.shadow) - i128::from(pair.live)
}

/// What a trial came to, with what can be done with its rules.
pub(super) fn report(report: &p::ShadowReport) -> Answer {
    let next = match (report.running, report.beside == report.in_force) {
        (true, true) => String::new(),
        (false, true) => {
            "`weir ctl rules publish` puts them in force, `weir ctl rules discard` forgets them\n".into()
        }
        (_, false) => format!(
            "generation {} is in force by now, so these cannot be published: `weir ctl rules discard`, and try anew\n",
            report.in_force
        ),
    };
    told(report, &next)
}

/// What one came to of which nothing is left.
pub(super) fn discarded(report: &p::ShadowReport) -> Answer {
    told(report, "they are forgotten\n")
}

fn told(report: &p::ShadowReport, next: &str) -> Answer {
    let span = |from: u64, to: u64| to.saturating_sub(from).div_ceil(1_000_000);
    let state = match report.running {
        true => format!("running, {} s left", span(report.now, report.until)),
        false => format!("ended, ran for {} s", span(report.began, report.until)),
    };
    let mut head = Table::default();
    head.row(["tried", &format!("{} rules, {} refused, by {}", report.loaded, report.refused, report.who)]);
    head.row(["beside", &format!("generation {}", report.beside)]);
    head.row(["state", &state]);
    let seen = format!("{} packets, {} sessions", report.packets, report.sessions);
    let seen = match report.unfollowed {
        0 => seen,
        n => format!("{seen} ({n} more found no room)"),
    };
    head.row(["judged by both", &seen]);
    let totals = [report.alerts.unwrap_or_default(), report.drops.unwrap_or_default()];
    let without_rule = report.drops_without_rule.unwrap_or_default();
    let mut table = Table::with_head(["RULE", "ALERTS", "SHADOW", "DIFF", "DROPS", "SHADOW", "DIFF", "MSG"]);
    let mut row = |name: &str, [alerts, drops]: [p::ShadowPair; 2], msg: &str| {
        let cells = |pair: p::ShadowPair| {
            [pair.live.to_string(), pair.shadow.to_string(), format!("{:+}", signed(pair))]
        };
        let ([a, b, c], [d, e, f]) = (cells(alerts), cells(drops));
        table.row([name, &a, &b, &c, &d, &e, &f, msg]);
    };
    for rule in &report.rules {
        let pairs = [rule.alerts.unwrap_or_default(), rule.drops.unwrap_or_default()];
        row(&format!("{}:{}", rule.gid, rule.sid), pairs, &rule.msg);
    }
    if without_rule != p::ShadowPair::default() {
        row("-", [p::ShadowPair::default(), without_rule], "by no rule");
    }
    row("all", totals, "");
    let more = match report.left_out {
        0 => String::new(),
        n => format!("{n} more rules, which differ less\n"),
    };
    Answer { json: as_json(report, totals, without_rule), table: format!("{head}{table}{more}{next}") }
}

fn pair_json(pair: p::ShadowPair) -> Value {
    json!({ "live": pair.live, "shadow": pair.shadow, "difference": signed(pair) as i64 })
}

fn as_json(
    report: &p::ShadowReport,
    [alerts, drops]: [p::ShadowPair; 2],
    without_rule: p::ShadowPair,
) -> Value {
    let rule = |rule: &p::ShadowRule| {
        json!({
            "gid": rule.gid,
            "sid": rule.sid,
            "msg": rule.msg,
            "alerts": pair_json(rule.alerts.unwrap_or_default()),
            "drops": pair_json(rule.drops.unwrap_or_default()),
        })
    };
    json!({
        "running": report.running,
        "by": report.who,
        "loaded": report.loaded,
        "refused": report.refused,
        "beside": report.beside,
        "in_force": report.in_force,
        "began": show::stamp(report.began),
        "until": show::stamp(report.until),
        "seconds_left": report.running.then(|| report.until.saturating_sub(report.now).div_ceil(1_000_000)),
        "packets": report.packets,
        "sessions": report.sessions,
        "unfollowed": report.unfollowed,
        "memory": report.memory,
        "alerts": pair_json(alerts),
        "drops": pair_json(drops),
        "drops_without_rule": pair_json(without_rule),
        "rules": report.rules.iter().map(rule).collect::<Vec<_>>(),
        "left_out": report.left_out,
    })
}
