//! `weir ctl dataset`: what is in datasets, changed while traffic flows.

use super::{Answer, refused};
use crate::cli::Failure;
use crate::cli::table::Table;
use crate::mgmt::rpc::client::Client;
use crate::mgmt::rpc::proto as p;
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(super) enum Dataset {
    /// The sets of the rules in force
    List,
    /// Put a value in: base64 for string, hexadecimal digits for md5 and sha256, an address for ipv4 and ip
    Add { name: String, r#type: String, value: String },
    /// Take a value out
    Remove { name: String, r#type: String, value: String },
    /// Whether a value is in the set; exit code 1 if it is not
    Lookup { name: String, r#type: String, value: String },
    /// Take all values out
    Clear { name: String, r#type: String },
    /// Write every set that has a file and was changed
    Dump,
}

impl Dataset {
    pub(super) async fn ask(&self, client: &mut Client) -> Result<Answer, Failure> {
        let request = |command: p::DatasetCommand, name: &str, kind: &str, value: &str| p::DatasetRequest {
            command: command.into(),
            name: name.to_owned(),
            r#type: kind.to_owned(),
            value: value.to_owned(),
        };
        use p::DatasetCommand as C;
        let request = match self {
            Dataset::List => request(C::List, "", "", ""),
            Dataset::Dump => request(C::Dump, "", "", ""),
            Dataset::Clear { name, r#type } => request(C::Clear, name, r#type, ""),
            Dataset::Add { name, r#type, value } => request(C::Add, name, r#type, value),
            Dataset::Remove { name, r#type, value } => request(C::Remove, name, r#type, value),
            Dataset::Lookup { name, r#type, value } => request(C::Lookup, name, r#type, value),
        };
        let reply = client.rules.dataset(request).await.map_err(refused)?.into_inner();
        Ok(self.show(&reply))
    }

    fn show(&self, reply: &p::DatasetReply) -> Answer {
        if matches!(self, Dataset::List) {
            return list(&reply.sets);
        }
        let json = match self {
            Dataset::Lookup { .. } => json!({ "said": reply.said, "found": reply.holds }),
            _ => json!({ "said": reply.said, "changed": reply.holds }),
        };
        Answer { json, table: format!("{}\n", reply.said) }
    }
}

fn list(sets: &[p::Dataset]) -> Answer {
    let mut table = Table::with_head(["set", "type", "values", "no room", "changes"]);
    let mut list = Vec::new();
    for set in sets {
        let changes = if set.changes { "yes" } else { "no" };
        let (values, refused) = (set.values.to_string(), set.refused.to_string());
        table.row([set.name.as_str(), &set.r#type, &values, &refused, changes]);
        list.push(json!({
            "name": set.name, "type": set.r#type, "values": set.values, "refused": set.refused,
            "changes": set.changes,
        }));
    }
    Answer { json: Value::Array(list), table: table.to_string() }
}
