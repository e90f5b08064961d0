//! `weir rules keywords`: the three tables of the rule language.

use crate::base::Dir;
use crate::cli::table::Table;
use crate::cli::{Failure, Outcome, print};
use crate::rules::app::{DECODED, Protos};
use crate::rules::context::{self, Unit};
use crate::rules::field;
use crate::rules::keyword::{self, Modifies};
use crate::rules::text::nearest;
use clap::{Args, ValueEnum};
use serde::Serialize;

#[derive(Debug, Args)]
pub struct Keywords {
    /// Only keywords whose name or explanation holds this
    #[arg(value_name = "WORD")]
    word: Option<String>,
    /// Only keywords of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// What the rule says of itself or does
    Rule,
    /// Which packets or sessions it looks at
    Packet,
    /// Changes the content before it
    Content,
    /// A step over the buffer in force
    Step,
    /// A sticky buffer that contents look into
    Buffer,
    /// A number, name or flag that a decoder finds
    Field,
}

/// What is said of a keyword; scripts rely on these names.
#[derive(Serialize)]
struct Row {
    name: String,
    also: Vec<&'static str>,
    kind: Kind,
    /// Protocols of a buffer or field.
    protocols: Option<&'static str>,
    /// Nothing it looks at is decoded yet: rules with it are loaded and do not match.
    waits: bool,
    doc: String,
}

pub fn run(args: &Keywords) -> Result<Outcome, Failure> {
    let wanted = args.word.as_deref().unwrap_or_default().to_ascii_lowercase();
    let holds = |row: &Row| {
        let mut names = std::iter::once(row.name.as_str()).chain(row.also.iter().copied());
        names.any(|name| name.contains(&wanted)) || row.doc.to_ascii_lowercase().contains(&wanted)
    };
    let mut rows = rows();
    rows.retain(|row| holds(row) && args.kind.is_none_or(|kind| kind == row.kind));
    let mut text = String::new();
    if args.json {
        for row in &rows {
            text += &(serde_json::to_string(row)? + "\n");
        }
    } else {
        text = table(&rows);
    }
    print(&text)?;
    if rows.is_empty() && !wanted.is_empty() {
        let near = nearest(&wanted, keyword::names())
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        crate::cli::tell(&format!("no keyword of this kind holds `{wanted}`{near}"));
    }
    Ok(Outcome::Clean)
}

fn rows() -> Vec<Row> {
    let waits = |protos: Protos| protos.and(DECODED).is_empty();
    let keywords = keyword::all().map(|k| Row {
        name: k.name.to_owned(),
        also: k.aliases.to_vec(),
        kind: match k.modifies {
            Modifies::Rule => Kind::Rule,
            Modifies::Packet => Kind::Packet,
            Modifies::Content => Kind::Content,
            Modifies::Buffer => Kind::Step,
        },
        protocols: None,
        waits: false,
        doc: k.doc.to_owned(),
    });
    let buffers = context::all().map(|(_, buffer)| Row {
        name: if buffer.unit == Unit::Frame {
            format!("frame:{}", buffer.name)
        } else {
            buffer.name.to_owned()
        },
        also: buffer.aliases.iter().copied().chain(buffer.modifier).collect(),
        kind: Kind::Buffer,
        protocols: Some(buffer.protos.label()),
        waits: waits(buffer.protos),
        doc: about(buffer),
    });
    let fields = field::all().map(|(_, field)| Row {
        name: field.name.to_owned(),
        also: field.aliases.to_vec(),
        kind: Kind::Field,
        protocols: Some(field.protos.label()),
        waits: waits(field.protos),
        doc: field.doc.to_owned(),
    });
    keywords.chain(buffers).chain(fields).collect()
}

fn about(buffer: &context::Buffer) -> String {
    let side = match buffer.dir {
        Some(Dir::ToServer) => "of what the client sends",
        Some(Dir::ToClient) => "of what the server sends",
        None => "of either direction",
    };
    let count = if buffer.many { "several in a transaction" } else { "one in a transaction" };
    match buffer.unit {
        Unit::Transaction => format!("buffer {side}, {count}"),
        Unit::File => format!("buffer {side}, the bytes of files"),
        Unit::Frame => format!("buffer {side}, a record as it stands on the wire"),
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::with_head(["keyword", "kind", "protocols", "state", "meaning"]);
    for row in rows {
        let kind = row.kind.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
        let state = if row.waits { "waits for a decoder" } else { "works" };
        let also =
            if row.also.is_empty() { String::new() } else { format!(" (also {})", row.also.join(", ")) };
        let doc = format!("{}{also}", row.doc);
        table.row([&row.name, &kind, row.protocols.unwrap_or("-"), state, &doc]);
    }
    let waiting = rows.iter().filter(|row| row.waits).count();
    format!("{table}{} keywords, {waiting} of which wait for a decoder\n", rows.len())
}
