use super::*;
use crate::base::{Addr, Family, FlowTuple};
use crate::service::Policy;

/// Management's side: what was attached, and what was taken away.
#[derive(Default)]
struct Attachments {
    policies: Vec<Policy>,
    detached: usize,
}

impl Desk for Attachments {
    fn attach(&mut self, _set: SetId, data: Arc<dyn Any + Send + Sync>) -> u32 {
        let generation = self.policies.len() as u32 + 1;
        self.policies.push(Policy { generation, data });
        generation
    }

    fn detach(&mut self, _set: SetId) {
        self.detached += 1;
    }
}

const SET: SetId = SetId(0);

fn init<'a>(config: &'a str) -> ControlEvent<'a> {
    ControlEvent::Init { set: SET, set_name: "edge", config }
}

fn blob(op: BlobOp, text: &str) -> ControlEvent<'_> {
    ControlEvent::ConfigBlob { set: SET, op, generation: 1, bytes: text.as_bytes() }
}

fn to_port(dport: u16) -> FlowTuple {
    FlowTuple { proto: 6, dport, src: Addr::v4([10, 0, 0, 1]), family: Family::V4, ..FlowTuple::default() }
}

fn decided(policy: &Policy, dport: u16) -> (u32, bool) {
    let decision = policy.data.downcast_ref::<Database>().unwrap().decide(&to_port(dport));
    (decision.rule, decision.allow)
}

const TEXT: &str = "deny tcp to any port 81 # no\nallow tcp from 10.0.0.0/8 to any port 80-88 # web\n";

#[test]
fn the_first_rule_in_order_decides_and_else_the_default() {
    let (mut filter, mut desk) = (Filter::plugin(), Attachments::default());
    filter.control(init(TEXT), &mut desk).unwrap();
    let policy = &desk.policies[0];
    let got = [80, 81, 22].map(|port| decided(policy, port));
    assert_eq!(got, [(1, true), (0, false), (2, false)]);
    filter.control(init("default allow"), &mut desk).unwrap();
    assert_eq!(decided(&desk.policies[1], 22), (0, true));
}

#[test]
fn a_block_replaces_the_database_and_a_deletion_takes_rules_out_of_it() {
    let (mut filter, mut desk) = (Filter::plugin(), Attachments::default());
    let early = filter.control(blob(BlobOp::Delete, "no"), &mut desk).unwrap_err();
    assert!(early.0.contains("add a database first"), "{early}");
    filter.control(init("default allow"), &mut desk).unwrap();
    filter.control(blob(BlobOp::Add, TEXT), &mut desk).unwrap();
    assert_eq!(decided(&desk.policies[1], 81), (0, false));
    let unknown = filter.control(blob(BlobOp::Delete, "wbe\n"), &mut desk).unwrap_err();
    assert_eq!(unknown.0, "no rule is called `wbe`; did you mean `web`?");
    filter.control(blob(BlobOp::Delete, "no\n"), &mut desk).unwrap();
    assert_eq!((decided(&desk.policies[2], 81), desk.policies.len()), ((0, true), 3));
    filter.control(blob(BlobOp::Delete, ""), &mut desk).unwrap();
    assert_eq!(desk.detached, 1);
}

#[test]
fn a_text_with_faults_changes_nothing_and_names_them_all() {
    let (mut filter, mut desk) = (Filter::plugin(), Attachments::default());
    let text =
        "alow tcp\nallow tcp to 10.0.0.1/8 # a\ndeny udp # a\ndeny icmp # a\ndefault deny\ndefault allow\n";
    let fault = filter.control(blob(BlobOp::Add, text), &mut desk).unwrap_err().0;
    let places: Vec<_> = fault.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(places, ["line 1, column 1", "line 2, column 14", "line 4, column 1", "line 6, column 9"]);
    assert!(fault.contains("did you mean `allow`?") && desk.policies.is_empty(), "{fault}");
    let not_text = ControlEvent::ConfigBlob { set: SET, op: BlobOp::Add, generation: 1, bytes: &[0xff] };
    assert!(filter.control(not_text, &mut desk).is_err());
    let many = "deny\n".repeat(database::MAX_RULES + 1);
    assert_eq!(Rules::parse(&many).unwrap_err()[0].line, database::MAX_RULES + 1);
}

#[test]
fn tables_show_each_generation_that_lives_with_its_hits_of_all_workers() {
    let (mut filter, mut desk) = (Filter::plugin(), Attachments::default());
    filter.control(init(TEXT), &mut desk).unwrap();
    filter.control(blob(BlobOp::Add, "default allow"), &mut desk).unwrap();
    for worker in 0..2 {
        let prepared = filter.prepare(&desk.policies[0], WorkerId(worker)).unwrap();
        prepared.downcast::<worker::Counted>().unwrap().hits[1].add(u64::from(worker) + 3);
    }
    let shown = |filter: &dyn Plugin| {
        let (name, rows) = filter.tables().remove(0);
        assert_eq!(name, "rules");
        let row = |row: ShownRow| row.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" | ");
        rows.into_iter().map(row).collect::<Vec<_>>()
    };
    let web = "0 | 1 | web | allow tcp from 10.0.0.0/8 to any port 80-88 | 7";
    let no = "0 | 1 | no | deny tcp to any port 81 | 0";
    let defaults = ["0 | 1 | (default) | default deny | 0", "0 | 2 | (default) | default allow | 0"];
    assert_eq!(shown(&*filter), [no, web, defaults[0], defaults[1]]);
    // The last session of the first generation has ended.
    desk.policies.remove(0);
    assert_eq!(shown(&*filter), [defaults[1]]);
}
