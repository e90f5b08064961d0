//! `weir ctl drops`: what is dropped, since the start and since the last look.

use super::Answer;
use super::span::up_to;
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Between two looks of one command.
const LONGEST: Duration = Duration::from_secs(86_400);

#[derive(Debug, Args)]
pub(super) struct Drops {
    /// Also reasons that never struck
    #[arg(long)]
    all: bool,
    /// A line for each of these together (several: --by reason,port,lcore)
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["reason"])]
    by: Vec<By>,
    /// Look twice, so long apart ("1s", "500ms"; a day at most), and tell what came between
    #[arg(long, value_name = "SPAN", value_parser = up_to(LONGEST))]
    over: Option<Duration>,
    /// Whose last look to compare with: each name has its own (default: one for each user)
    #[arg(long = "as", value_name = "NAME", conflicts_with = "over")]
    looker: Option<String>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Reason,
    Port,
    Lcore,
}

impl Drops {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let reply = match self.over {
            None => look(client, self.looker.clone().unwrap_or_else(own_name)).await?,
            Some(span) => {
                let before = look(client, String::new()).await?;
                tokio::time::sleep(span).await;
                between(&before, look(client, String::new()).await?)
            }
        };
        Ok(self.show(&reply))
    }

    fn show(&self, reply: &p::DropsReply) -> Answer {
        let seconds = reply.now.saturating_sub(reply.since) as f64 / 1e6;
        let lines = self.lines(reply);
        let spared = lines.iter().any(|line| line.spared > 0);
        let mut table = Table::default();
        let head = |by: &By| match by {
            By::Reason => "reason",
            By::Port => "port",
            By::Lcore => "lcore",
        };
        let mut heads: Vec<String> = self.by.iter().map(|by| head(by).to_owned()).collect();
        heads.extend(["frames", "new", "per second", "% of received"].map(str::to_owned));
        heads.extend(spared.then(|| "would drop".to_owned()));
        heads.extend(self.by.contains(&By::Reason).then(|| "meaning".to_owned()));
        table.head(heads);
        let mut json = Vec::new();
        for line in &lines {
            let rate = if seconds > 0.0 { line.frames_new as f64 / seconds } else { 0.0 };
            let percent = share(line.frames_new, reply.received_new);
            let mut cells: Vec<String> = self.by.iter().map(|by| line.name(*by)).collect();
            cells.extend([line.frames.to_string(), line.frames_new.to_string()]);
            cells.extend([format!("{rate:.1}"), format!("{percent:.2}")]);
            cells.extend(spared.then(|| line.spared.to_string()));
            cells.extend(self.by.contains(&By::Reason).then(|| line.help.clone()));
            table.line(cells);
            let mut entry = json!({
                "frames": line.frames,
                "new": line.frames_new,
                "per_second": rate,
                "percent": percent,
                "would_drop": line.spared,
                "would_drop_new": line.spared_new,
            });
            for by in &self.by {
                entry[head(by)] = line.name(*by).into();
            }
            json.push(entry);
        }
        let dropped: u64 = reply.drops.iter().map(|drop| drop.frames_new).sum();
        let table = if lines.is_empty() { "nothing was dropped\n".into() } else { table.to_string() };
        let (new, percent) = (reply.received_new, share(dropped, reply.received_new));
        let table =
            table + &format!("in {seconds:.1} s: {dropped} of {new} received frames ({percent:.2} %)\n");
        let json = json!({
            "seconds": seconds,
            "received": reply.received,
            "received_new": reply.received_new,
            "dropped_new": dropped,
            "drops": Value::Array(json),
        });
        Answer { json, table }
    }

    /// Summed by what was asked for; reasons in their own order, whatever else by name.
    fn lines(&self, reply: &p::DropsReply) -> Vec<p::Drop> {
        if self.by == [By::Reason] {
            let struck = |drop: &&p::Drop| self.all || drop.frames > 0 || drop.spared > 0;
            return reply.drops.iter().filter(struck).cloned().collect();
        }
        let order = |part: &p::Drop| reply.drops.iter().position(|drop| drop.reason == part.reason);
        let mut sums: BTreeMap<Vec<(usize, String)>, p::Drop> = BTreeMap::new();
        for part in &reply.parts {
            let place = |by: &By| if *by == By::Reason { order(part).unwrap_or_default() } else { 0 };
            let key = self.by.iter().map(|by| (place(by), part.name(*by))).collect();
            let sum = sums.entry(key).or_insert_with(|| p::Drop {
                frames: 0,
                frames_new: 0,
                spared: 0,
                spared_new: 0,
                ..part.clone()
            });
            sum.frames += part.frames;
            sum.frames_new += part.frames_new;
            sum.spared += part.spared;
            sum.spared_new += part.spared_new;
        }
        sums.into_values().collect()
    }
}

impl p::Drop {
    fn name(&self, by: By) -> String {
        let name = match by {
            By::Reason => &self.reason,
            By::Port => &self.port,
            By::Lcore => &self.lcore,
        };
        if name.is_empty() { "-".to_owned() } else { name.clone() }
    }

    fn is_of(&self, other: &p::Drop) -> bool {
        (&self.reason, &self.port, &self.lcore) == (&other.reason, &other.port, &other.lcore)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// A user's own last look.
fn own_name() -> String {
    std::fs::metadata("/proc/self").map_or_else(|_| "ctl".to_owned(), |meta| format!("uid {}", meta.uid()))
}

async fn look(client: &mut Client, looker: String) -> Result<p::DropsReply, Failure> {
    let reply = client.appliance.drops(p::DropsRequest { looker }).await;
    Ok(reply.map_err(super::refused)?.into_inner())
}

/// What came between two looks that the server did not keep.
fn between(before: &p::DropsReply, mut after: p::DropsReply) -> p::DropsReply {
    let new = |drop: &mut p::Drop, old: &[p::Drop]| {
        let old = old.iter().find(|old| old.is_of(drop));
        drop.frames_new = drop.frames - old.map_or(0, |old| old.frames.min(drop.frames));
        drop.spared_new = drop.spared - old.map_or(0, |old| old.spared.min(drop.spared));
    };
    after.drops.iter_mut().for_each(|drop| new(drop, &before.drops));
    after.parts.iter_mut().for_each(|drop| new(drop, &before.parts));
    after.received_new = after.received.saturating_sub(before.received);
    after.since = before.now;
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop(port: &str, lcore: &str, frames: u64) -> p::Drop {
        let (reason, frames_new) = ("rules".to_owned(), frames);
        p::Drop { reason, port: port.into(), lcore: lcore.into(), frames, frames_new, ..p::Drop::default() }
    }

    fn reply(now: u64, frames: u64) -> p::DropsReply {
        let parts = vec![drop("a", "main", frames), drop("b", "main", 1), drop("b", "worker 0", 2)];
        let sum = p::Drop { frames: frames + 3, ..drop("", "", frames + 3) };
        p::DropsReply { drops: vec![sum], now, received: 10 * frames, parts, ..p::DropsReply::default() }
    }

    #[test]
    fn two_looks_tell_what_came_between_them() {
        let got = between(&reply(1_000_000, 5), reply(3_000_000, 9));
        assert_eq!((got.since, got.received_new, got.drops[0].frames_new), (1_000_000, 40, 4));
        assert_eq!(got.parts.iter().map(|part| part.frames_new).collect::<Vec<_>>(), [4, 0, 0]);
        let ask = Drops { all: false, by: vec![By::Reason], over: None, looker: None };
        let shown = ask.show(&got);
        let line = &shown.json["drops"][0];
        assert_eq!((&line["per_second"], &line["percent"]), (&json!(2.0), &json!(10.0)), "{line}");
        assert!(shown.table.ends_with("in 2.0 s: 4 of 40 received frames (10.00 %)\n"), "{}", shown.table);
    }

    #[test]
    fn parts_are_summed_by_what_is_asked_for() {
        let ask = Drops { all: false, by: vec![By::Port], over: None, looker: None };
        let sums: Vec<_> = ask.lines(&reply(0, 5)).iter().map(|d| (d.port.clone(), d.frames)).collect();
        assert_eq!(sums, [("a".to_owned(), 5), ("b".to_owned(), 3)]);
    }
}
