//! Datasets and reputation as packets and transactions meet them.

use super::*;
use crate::app::{Apps, Source};
use crate::base::Dir::ToServer;
use crate::rules::dataset::{Set, Settings as Sets, attach::attach};
use crate::rules::lists::Lists;
use crate::rules::{load_listed, reputation};

/// The inspector of rules with the files that they name.
fn with_files(rules: &str, files: &[(&str, &str)]) -> (Inspecting, Vec<Arc<Set>>) {
    let (classes, references) = (Classifications::default(), References::default());
    let sources = [SourceFile::new("t", rules)];
    let mut loading = load_listed(&sources, &Vars::default(), &classes, &references, Lists::default());
    let open = |path: &std::path::Path| {
        let found = files.iter().find(|(name, _)| std::path::Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    attach(&mut loading, &Sets { memcap: 1 << 14, ..Sets::default() }, &[], open);
    let named = reputation::attach::Files { categories: Some("c".into()), lists: vec!["l".into()] };
    reputation::attach::attach(&mut loading, &named, open);
    assert_eq!(loading.diagnostics, [], "{rules}");
    let sets = loading.rules.datasets.clone();
    let settings = Settings::default();
    let hosts = Arc::new(HostState::new(&settings));
    let engine = Arc::new(Engine::compile(Arc::new(loading.rules)).unwrap());
    (Inspecting { inspector: Inspector::new(settings, hosts), rules: InForce::new(engine) }, sets)
}

/// What rules say of one packet with that payload.
fn says(inspecting: &mut Inspecting, payload: &[u8]) -> Vec<u32> {
    let packet = packet(ToServer, 1, payload);
    inspecting.inspect(&packet.facts(), None, Payload::Packet);
    let mut found = sids(inspecting);
    found.sort_unstable();
    found
}

const NOTHING: [u32; 0] = [];

#[test]
fn a_value_is_put_in_where_all_else_of_the_rule_holds_and_is_there_for_the_next_packet() {
    let (mut rules, sets) = with_files(
        "alert tcp any any -> any any (pkt_data; content:\"a\"; dataset:set,seen,type string; tcp.hdr; content:!\"zz\"; sid:1;)\n\
         alert tcp any any -> any any (pkt_data; dataset:set,never,type string; tcp.hdr; content:\"zz\"; sid:2;)\n\
         alert tcp any any -> any any (pkt_data; dataset:isset,seen; sid:3;)\n\
         alert tcp any any -> any any (pkt_data; dataset:isnotset,seen; sid:4;)\n\
         alert tcp any any -> any any (pkt_data; content:\"del\"; strip_whitespace; dataset:unset,seen; sid:5;)\n",
        &[],
    );
    assert_eq!(says(&mut rules, b"abc"), [1, 3], "in the order of the rules");
    assert_eq!(says(&mut rules, b"abc"), [3], "it was there");
    assert_eq!(says(&mut rules, b"xyz"), [4], "the content does not hold");
    let of = |name: &str| sets.iter().find(|set| set.name() == name).unwrap();
    assert_eq!((of("seen").len(), of("never").len()), (1, 0), "the header does not hold");
    assert_eq!(says(&mut rules, b"a del"), [1, 3]);
    assert_eq!(says(&mut rules, b"adel"), [1, 3, 5]);
    assert!(!of("seen").contains(b"adel"));
}

#[test]
fn transformed_buffers_and_addresses_are_looked_up() {
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    let (mut rules, _) = with_files(
        "alert tcp any any -> any any (pkt_data; to_md5; dataset:isset,sums,type md5,load sums; sid:1;)\n\
         alert tcp any any -> any any (pkt_data; to_md5; datarep:sums,>,5; sid:2;)\n\
         alert tcp any any -> any any (pkt_data; to_md5; datarep:sums,<=,5; sid:3;)\n\
         alert tcp any any -> any any (pkt_data; dataset:isset,sums; sid:4;)\n",
        &[("sums", &format!("{md5},9\n")), ("c", "1,CnC,"), ("l", "")],
    );
    assert_eq!(says(&mut rules, b"abc"), [1, 2]);
    assert_eq!(says(&mut rules, b"abd"), NOTHING);
}

#[test]
fn reputation_is_asked_of_the_first_packet_of_a_direction() {
    let (mut rules, _) = with_files(
        "alert ip any any -> any any (iprep:src,CnC,>,30; sid:1;)\n\
         alert ip any any -> any any (iprep:dst,CnC,isset; sid:2;)\n\
         alert tcp any any -> any any (content:\"a\"; iprep:src,CnC,<,30; sid:3;)\n",
        &[("c", "1,CnC,bad"), ("l", "10.0.0.1,1,50\n")],
    );
    assert_eq!(says(&mut rules, b"abc"), [1]);
    let later = packet(ToServer, 2, b"abc");
    rules.inspect(&later.facts(), None, Payload::Packet);
    assert_eq!(sids(&rules), NOTHING);
}

#[test]
fn in_a_transaction_a_value_is_put_in_when_the_rest_holds() {
    let (mut rules, sets) = with_files(
        "alert http any any -> any any (http.user_agent; dataset:set,ua,type string; http.request_body; content:\"secret\"; sid:1;)\n",
        &[],
    );
    let (mut apps, mut handle) = (Apps::new(Default::default()), u32::MAX);
    let mut says = |bytes: &str| {
        let packet = packet(ToServer, 1, b"");
        let source =
            Source { tuple: packet.decoded.tuple, time: packet.time, dir: ToServer, opening_seen: true };
        let wanted = *rules.rules.engine.wanted();
        apps.data(&mut handle, &source, &wanted, bytes.as_bytes());
        let transactions = &mut apps.get_mut(handle).unwrap().transactions;
        let Inspecting { inspector, rules: in_force } = &mut rules;
        inspector.inspect_transactions(in_force, &packet.facts(), None, Payload::Packet, transactions, 0);
        apps.sweep(handle);
        sids(&rules)
    };
    let head = "POST /a HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(says(head), NOTHING);
    assert_eq!(sets[0].len(), 0, "not before the rest holds");
    assert_eq!(says("secret"), [1]);
    assert_eq!((sets[0].len(), sets[0].contains(b"me")), (1, true));
    assert_eq!(says(head), NOTHING);
    assert_eq!(says("secret"), NOTHING, "it is known");
}
