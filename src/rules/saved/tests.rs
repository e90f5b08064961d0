//! Sets written and read, whole and damaged.

use super::*;
use crate::rules::lists::{Kind, Lists};
use crate::rules::{Classifications, Loading, References, SourceFile, Vars, load_listed, threshold_config};

/// A rule of every kind, one that is refused, one that is commented out, and two that give warnings.
const RULES: &str = r#"
alert tcp $HOME_NET any -> [10.0.0.0/8,!10.1.1.1,2001:db8::/32] [80,8000:8080] (msg:"a \"b\""; flow:established,to_server; content:"abc"; nocase; content:!"x"; distance:1; within:9; pcre:"/ab+c/Ri"; classtype:made-up; reference:url,a.b/c; metadata:x y, z w; sid:1; rev:2;)
drop udp any any <> any 53 (msg:"two"; content:"|00 01|"; offset:2; depth:4; byte_test:2,>,5,0,relative; byte_jump:1,0,relative,multiplier 2,align; byte_extract:1,0,n; isdataat:n,relative; threshold:type limit,track by_src,count 1,seconds 60; sid:2; priority:1;)
pass tcp any any -> any any (base64_decode:bytes 40,offset 2,relative; base64_data; content:"in"; pcre:"/(?=x)y/"; sid:3;)
alert http any any -> any any (http.uri; dotprefix; xor:"0d0a"; content:"/x"; fast_pattern:0,2; http.host; pcrexform:"a(.*)b"; content:"h"; dataset:set,hosts,type string,state h.lst,memcap 1mb,hashsize 9; datarep:known,>=,7,type string,load k.rep; flowbits:set,one; flowbits:isset,two|three; sid:4;)
reject tcp any any -> any any (flags:S,12; ttl:>5; xbits:set,bad,track ip_src,expire 60; flowint:n,+,1; flowint:n,>,m; detection_filter:track by_dst,count 3,seconds 9; tag:session,5,packets; target:src_ip; sid:5;)
alert tls any any -> any any (tls.version:1.2; tls.cert_subject; content:"CN"; bsize:>3; app-layer-event:tls.invalid_tls_header; app-layer-protocol:!http; sid:6; noalert;)
alert tcp any any -> any any (entropy:value > 4.0; byte_math:bytes 2,offset 0,oper +,rvalue 3,result r; content:"q"; offset:r; asn1:oversize_length 9; sid:7;)
alert ip any any -> any any (msg:"flow"; ip_proto:!17; fragbits:M; stream_size:client,>,5; flow.age:>3; iprep:src,CnC,>,3; iprep:any,CnC,isnotset; sid:8; bypass; mark_dscp:46;)
alert tcp any any -> any any (content:"refused"; nonsense:1; sid:9;)
# alert tcp any any -> any any (msg:"off"; sid:10;)
alert tcp any any -> any any (msg:"again"; content:"q"; sid:8; rev:1;)
"#;

fn loading() -> Loading {
    let mut lists = Lists::default();
    let disable = SourceFile::new("disable.conf", "2\n99\n");
    assert_eq!(lists.add(Kind::Drop, &disable), []);
    let files = [SourceFile::new("a.rules", RULES), SourceFile::new("b.rules", "# nothing\n")];
    let mut loading =
        load_listed(&files, &Vars::default(), &Classifications::default(), &References::default(), lists);
    let thresholds = "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.0/8\nsuppress gen_id 1, sig_id 2\n\
        rate_filter gen_id 1, sig_id 4, track by_src, count 10, seconds 60, new_action drop, timeout 300\n";
    let (entries, faults) = threshold_config::parse(&SourceFile::new("t", thresholds), &Vars::default());
    assert_eq!(faults, []);
    assert_eq!(threshold_config::apply(&mut loading.rules, &entries), []);
    let windows: [(u64, &[u8]); 2] = [(3, &[1, 0x82, 255]), (u64::MAX, &[])];
    loading.rules.windows = windows.into_iter().collect();
    loading
}

const PRINT: Fingerprint = Fingerprint(*b"0123456789abcdef");

fn file() -> Vec<u8> {
    write(&loading(), PRINT).unwrap()
}

fn read_whole(file: &[u8]) -> Result<Loading, Unreadable> {
    read(file)?.load()
}

#[test]
fn what_is_read_is_what_was_written() {
    let first = loading();
    let (kept, refused) =
        (first.rules.rules.len(), first.diagnostics.iter().filter(|d| d.is_fault()).count());
    assert_eq!(
        (kept, refused, first.disabled.len(), first.touched.len()),
        (8, 1, 2, 2),
        "{:#?}",
        first.diagnostics
    );
    let file = write(&first, PRINT).unwrap();
    let saved = read(&file).unwrap();
    assert_eq!(saved.fingerprint(), PRINT);
    let second = saved.load().unwrap();
    // Expressions are shared as before, so the same lists come to be.
    assert!(write(&second, PRINT).unwrap() == file);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    let caret = |loading: &Loading| loading.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(caret(&first), caret(&second));
}

#[test]
fn an_empty_set_is_a_set() {
    let none = load_listed(
        &[],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
        Lists::default(),
    );
    let read = read_whole(&write(&none, PRINT).unwrap()).unwrap();
    assert_eq!((read.rules.rules.len(), read.rules.transforms.len()), (0, 1));
}

#[test]
fn every_byte_that_changes_is_noticed() {
    let file = file();
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 1 << (at % 8);
        let print = read(&other).map(|saved| saved.fingerprint());
        assert!(read_whole(&other).is_err(), "byte {at}");
        assert!(print.is_err() || print == Ok(PRINT) || (52..68).contains(&at), "byte {at}");
    }
}

#[test]
fn every_cut_is_noticed_and_what_is_too_much() {
    let file = file();
    for length in 0..file.len() {
        let fault = read_whole(&file[..length]).unwrap_err();
        let expected = if length == 0 {
            matches!(fault, Unreadable::Foreign)
        } else {
            matches!(fault, Unreadable::Cut { .. })
        };
        assert!(expected, "{length}: {fault}");
    }
    let longer = [&file[..], b"x"].concat();
    assert_eq!(read_whole(&longer).unwrap_err(), Unreadable::Longer(1));
}

#[test]
fn the_header_says_why_a_file_is_not_read() {
    let file = file();
    let with = |at: usize, bytes: &[u8]| {
        let mut other = file.clone();
        other[at..at + bytes.len()].copy_from_slice(bytes);
        read_whole(&other).unwrap_err().to_string()
    };
    assert_eq!(with(0, b"alert tc"), "it is no saved rule set");
    assert_eq!(with(8, &[9]), "it has format 9, and this version of weir reads format 1");
    let other = with(12, b"12345678");
    assert!(other.starts_with("it was written by another build of weir, 0.1.0 ("), "{other}");
    assert_eq!(with(200, b"????????"), "it is damaged: its checksum is wrong");
}

/// Past the checksum, which only a fault of ours or somebody's intent would be.
#[test]
fn no_body_makes_a_panic() {
    let rules = "alert tcp any any -> any 80 (content:\"abc\"; pcre:\"/a/R\"; base64_decode; base64_data; content:\"x\"; flowbits:set,a; sid:1;)\n\
        alert dns any any -> any any (dns.query; to_lowercase; content:\"x\"; flowint:n,+,1; sid:2;)\n";
    let set = load_listed(
        &[SourceFile::new("a", rules)],
        &Vars::default(),
        &Classifications::default(),
        &References::default(),
        Lists::default(),
    );
    let body = write(&set, PRINT).unwrap().split_off(84);
    assert_eq!(read_body(&body).unwrap().rules.rules.len(), 2);
    let mut refused = 0;
    for at in 0..body.len() {
        for flip in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut other = body.clone();
            other[at] ^= flip;
            refused += usize::from(read_body(&other).is_err());
        }
        assert!(read_body(&body[..at]).is_err(), "cut at {at}");
    }
    assert!(refused > body.len(), "{refused} of {}", body.len());
}

#[test]
fn numbers_of_nothing_are_refused() {
    let mut loading = loading();
    loading.rules.flowbits.pop();
    let fault = read_whole(&write(&loading, PRINT).unwrap()).unwrap_err().to_string();
    assert!(fault.starts_with("it is damaged: sid 4 names flowbit "), "{fault}");
}

#[test]
fn a_fingerprint_tells_names_contents_and_where_they_end() {
    let of = |parts: &[&str]| {
        let mut printer = Printer::default();
        parts.iter().for_each(|part| printer.text(part));
        printer.file("f", Digest::of(parts.concat().as_bytes()));
        printer.finish()
    };
    assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    let dir = tempfile::tempdir().unwrap();
    let (path, content) = (dir.path().join("f"), vec![b'x'; 600_000]);
    std::fs::write(&path, &content).unwrap();
    assert_eq!(Digest::of_file(&path).unwrap(), Digest::of(&content));
}
