use super::*;
use crate::rules::ruleset::RuleProtocol;
use crate::rules::{parser, text::Fault};

/// Reads a rule's options as far as the first fault.
fn read(protocol: RuleProtocol, options: &str) -> Result<Draft, Fault> {
    let line = format!("alert tcp any any -> any any ({options};)");
    let ast = parser::parse(line.as_bytes())?;
    let mut draft = Draft::new(protocol);
    ast.options.iter().try_for_each(|option| apply(&mut draft, option))?;
    Ok(draft)
}

#[test]
fn names_are_unique_and_documented() {
    let mut seen = std::collections::HashSet::new();
    for keyword in all() {
        for name in std::iter::once(keyword.name).chain(keyword.aliases.iter().copied()) {
            assert!(seen.insert(name), "{name} is in two entries");
            assert!(unsupported_keyword(name).is_none(), "{name} is supported and is not");
        }
        assert!(!keyword.doc.is_empty(), "{}", keyword.name);
    }
}

/// Forms that Suricata's documentation gives, or its rule sets use.
#[test]
fn what_suricata_writes_is_accepted() {
    let table = [
        r#"msg:"x"; sid:1; rev:2; gid:3; classtype:a-b; priority:255; reference:cve,2001-1; metadata:a b,c d"#,
        "metadata:a; target:src_ip",
        "noalert; alert; bypass; prefilter",
        r#"content:"a|41 42|\;\"\\\:"; nocase; offset:1; depth:9"#,
        r#"content:!"a"; content:"b"; distance:-3; within:8"#,
        r#"content:"a"; startswith; nocase; content:"b"; endswith; rawbytes"#,
        r#"content:"abc"; fast_pattern; content:"abcd""#,
        r#"content:"abc"; fast_pattern:only"#,
        r#"content:"abc"; fast_pattern:1,2"#,
        r#"pcre:"/a\/b\;c/imsxAEGRO""#,
        r#"pcre:!"/a/B""#,
        "pcre:/a/i",
        "byte_test:4,>,1000,20",
        "byte_test:4, !<, 0x10, -4, relative, little",
        "byte_test:2,!&,128,2,relative",
        "byte_test:1,!,5,0",
        "byte_test:10,=,1337,1,relative,string,dec",
        "byte_test:2,=,4,0,big,bitmask 0x0ff0",
        "byte_jump:4,-16,relative,from_beginning,little,post_offset -8",
        "byte_jump:2,0,relative,string,from_end,post_offset -26, bitmask 0xfe",
        "byte_jump:4,2,multiplier 4,align",
        "byte_extract:1, 0, v, relative; byte_jump:v,0,relative",
        "byte_extract:2,1,v,string,hex,multiplier 2,align 4; isdataat:v,relative",
        "byte_extract:1,0,v; byte_math:bytes v, offset 1, oper *,rvalue v, result w; byte_test:v,=,w,v",
        "byte_math:bytes 4, offset 0, oper <<, rvalue 2, result w, relative, endian little, bitmask 0xff",
        "byte_math:bytes 3, offset 0, oper /, rvalue 2, result w, string dec",
        "isdataat:10; isdataat:!1,relative; isdataat:3,rawbytes",
        "bsize:>3; dsize:300<>400",
        "flow:to_server,established,no_frag",
        "flow:from_server, not_established, only_stream",
        "flow:stateless",
        "flowbits:set,a.b; flowbits:isset,a|b; flowbits:isnotset, c; flowbits:toggle,d; flowbits:unset,e",
        "flowbits:noalert; hostbits:noalert",
        "xbits:set,a.b,track ip_pair,expire 60; xbits:isset,a,track ip_src",
        "hostbits:toggle,a,dst; hostbits:isset,a",
        "flags:S,12; tcp.flags:!A; seq:0; tcp.seq:1; ack:0; tcp.ack:2; window:!0; tcp.window:3; tcp.mss:1-9; tcp.wscale:>2",
        "itype:8; icode:>3; icmp_id:0; icmp_seq:\"5\"; icmpv6.mtu:<1280",
        "ttl:<5; tos:!8; tos:x10; id:1; ipopts:lsrr; ip_proto:!17; ip_proto:PIM; fragbits:+MD; fragoffset:>0; sameip",
        "tcpv4-csum:invalid; ipv4-csum:valid; decode-event:ipv4.trunc_pkt",
        "vlan.id:200,1; vlan.id:>3,all; vlan.id:4,-1; vlan.layers:!1",
        "flow.age:>20; flow.pkts:either,=10; flow.bytes:toserver,<3000; flow.pkts_toclient:10; flow.bytes_toserver:>1kb",
        "stream_size:server,<,1111; stream_size:both,!=,3",
        "threshold:type limit, track by_src, seconds 60, count 1",
        "threshold:type backoff, track by_flow, count 1, multiplier 10",
        "detection_filter:track by_dst, count 3, seconds 60, unique_on src_port",
        "tag:session,5,packets",
        "tag:host,100,packets,src",
        "tag:session",
        "sctp.chunk_type:init_ack; sctp.chunk_cnt:1; sctp.vtag:5",
        r#"ether.hdr; content:"a"; ipv4.hdr; content:"b"; tcp.hdr; content:"c"; pkt_data; content:"d""#,
        r#"sctp.chunk_data; content:"a"; sctp.chunk_data; content:"b""#,
    ];
    for options in table {
        if let Err(fault) = read(RuleProtocol::Ip, options) {
            panic!("{options}: {} at {:?}", fault.message, fault.span);
        }
    }
}

/// Options, the message, and the part of the options that is pointed at.
const REFUSED: &[(&str, &str, &str)] = &[
    ("contnet:\"a\"", "no keyword is called `contnet`", "contnet"),
    ("http.uri", "`http.uri` needs the http decoder, which this version does not have", "http.uri"),
    ("http_cookie", "`http_cookie` needs the http decoder, which this version does not have", "http_cookie"),
    ("ja3.hash", "`ja3.hash` needs the ja3 decoder, which this version does not have", "ja3.hash"),
    ("dotprefix", "`dotprefix` is not supported by this version", "dotprefix"),
    ("geoip:src,RU", "`geoip` is not supported by this version", "geoip"),
    ("sid", "`sid` needs a value", "sid"),
    ("sid:x", "`x` is not a number", "x"),
    ("sid:0", "0 is no number for a rule", "0"),
    ("sid:1; sid:2", "`sid` may be said once", "sid"),
    ("noalert:1", "`noalert` takes no value", "1"),
    ("msg:\"x", "this quote is never closed", "\"x"),
    ("priority:0", "a priority is 1 to 255", "0"),
    ("priority:256", "at most 255 fits here", "256"),
    ("reference:cve", "expected `system,id`", "cve"),
    ("target:source", "`source` is not known here", "source"),
    ("content:abc", "expected a value in double quotes", "abc"),
    ("content:\"\"", "an empty content would always be found", "\"\""),
    ("content:\"a|4\"", "this `|` is never closed", "|"),
    ("content:\"a|4g|\"", "this is no hexadecimal digit", "g"),
    ("content:\"a|414|\"", "a byte has two hexadecimal digits", "414"),
    ("content:\"a\\n\"", "only `\"`, `;`, `:` and `\\` are escaped", "\\n"),
    ("content:\"a\"b\"", "a quote inside a content is written `\\\"` or `|22|`", "\""),
    ("nocase", "`nocase` needs a content before it", "nocase"),
    ("content:\"a\"; tcp.hdr; depth:3", "`depth` needs a content before it", "depth"),
    ("content:\"a\"; nocase; nocase", "this content is `nocase` already", "nocase"),
    ("content:\"a\"; depth:x", "no byte_extract or byte_math before this defines `x`", "x"),
    ("content:\"a\"; depth:-1", "`depth` is not negative", "-1"),
    ("content:\"a\"; depth:1; depth:2", "`depth` may be said once", "depth"),
    (
        "content:\"a\"; depth:1; within:2",
        "`within` contradicts `depth` or `offset` of the same content",
        "within",
    ),
    (
        "content:\"a\"; distance:1; offset:2",
        "`offset` contradicts `distance` or `within` of the same content",
        "offset",
    ),
    (
        "content:\"a\"; offset:1; startswith",
        "`startswith` contradicts depth, offset, distance or within of the same content",
        "startswith",
    ),
    ("content:\"a\"; fast_pattern:1,2", "this reaches past the content's 1 bytes", "1,2"),
    (
        "content:\"a\"; offset:2; fast_pattern:only",
        "`fast_pattern:only` is for a content that may stand anywhere",
        "only",
    ),
    ("pcre:\"a\"", "expected an expression between slashes", "a"),
    ("pcre:\"//\"", "an empty expression would always match", "//"),
    (
        "pcre:\"/a/U\"",
        "`/U` looks into http.uri, which needs the http decoder, which this version does not have",
        "U",
    ),
    ("pcre:\"/a/k\"", "`k` is no flag of an expression", "k"),
    ("pcre:\"/(a)/,flow:x\"", "captures into variables are not supported", "flow:x"),
    ("byte_test:4,>,1000", "expected `bytes, [!]operator, value, offset`", "4,>,1000"),
    ("byte_test:9,>,1,0", "0 to 8 bytes", "9"),
    ("byte_test:4,~,1,0", "expected one of < <= = != > >= & ^, `!` in front to negate", "~"),
    ("byte_test:4,>,1,0,hex", "hex, dec and oct are for `string` numbers", "4,>,1,0,hex"),
    ("byte_test:4,>,1,0,dce", "`dce` needs the dcerpc decoder, which this version does not have", "dce"),
    ("byte_test:4,>,1,0,fast", "`fast` is no option here", "fast"),
    ("byte_test:4,>,1,0,bitmask 0", "a mask of 0 leaves nothing", "0"),
    (
        "byte_jump:4,0,from_beginning,from_end",
        "from_beginning contradicts from_end",
        "4,0,from_beginning,from_end",
    ),
    ("byte_jump:4,0,multiplier 0", "a multiplier is at least 1", "0"),
    ("byte_extract:1,0,1v", "a variable's name begins with a letter", "1v"),
    ("byte_extract:0,0,v", "1 to 8 bytes", "0"),
    (
        "byte_math:bytes 4, offset 0, oper +, rvalue 1",
        "`result` is missing",
        "bytes 4, offset 0, oper +, rvalue 1",
    ),
    ("byte_math:bytes 4, offset 0, oper /, rvalue 0, result v", "`rvalue` is at least 1", "0"),
    ("byte_math:bytes 4, offset 0, oper %, rvalue 1, result v", "`%` is not known here", "%"),
    ("isdataat:-1", "`isdataat` looks forward only", "-1"),
    ("isdataat:1,relativ", "`relativ` is no option here", "relativ"),
    ("tcp.hdr; udp.hdr", "`udp.hdr` cannot be in a packet of this rule's protocol", "udp.hdr"),
    ("tcp.hdr; ether.hdr", "nothing looks into this sticky buffer", "tcp.hdr"),
    ("bsize:5<>6", "no number can be so", "5<>6"),
    ("dsize:65536", "at most 65535 fits here", "65536"),
    ("flow:to_client,to_server", "`to_server` contradicts what the same `flow` says before", "to_server"),
    ("flow:established,stateless", "`stateless` contradicts what the same `flow` says before", "stateless"),
    ("flow:to_sever", "`to_sever` is not known here", "to_sever"),
    ("flow:to_server; flow:established", "`flow` may be said once", "flow"),
    ("flowbits:set", "a bit's name is missing", "set"),
    ("flowbits:put,a", "`put` is not known here", "put"),
    ("flowbits:set,a|b", "`|` is for isset and isnotset only", "set,a|b"),
    ("flowbits:set,a b", "a bit's name is one word", "a b"),
    ("xbits:set,a,track ip_sr", "`ip_sr` is not known here", "ip_sr"),
    ("flags:X", "this is no TCP flag", "X"),
    ("flags:+0", "a sign before `0` says nothing", "+0"),
    ("fragbits:X", "this is no fragment bit", "X"),
    ("ttl:256", "at most 255 fits here", "256"),
    ("tos:xyz", "expected two hexadecimal digits after `x`", "xyz"),
    ("ipopts:foo", "`foo` is not known here", "foo"),
    ("ip_proto:tpc", "`tpc` is not known here", "tpc"),
    ("vlan.id:4096", "at most 4095 fits here", "4096"),
    ("vlan.id:1,3", "a layer is 0 to 2, -1 to -3, `any` or `all`", "3"),
    ("tcpv4-csum:bad", "`bad` is not known here", "bad"),
    (
        "decode-event:ipv4.trunc_pkg",
        "no decode event is called `ipv4.trunc_pkg` in this version",
        "ipv4.trunc_pkg",
    ),
    ("flow.pkts:10", "expected `direction, number`", "10"),
    ("stream_size:server,5", "expected `client|server|both|either, operator, number`", "server,5"),
    ("stream_size:server,~,5", "expected one of < > = != <= >=", "~"),
    (
        "threshold:type limit, track by_src, count 1",
        "`seconds` is missing in `threshold`",
        "type limit, track by_src, count 1",
    ),
    ("threshold:type limt, track by_src", "`limt` is not known here", "limt"),
    ("threshold:kind limit", "`kind` is not known here", "kind"),
    ("detection_filter:type limit", "`type` is not known here", "type"),
    (
        "detection_filter:track by_src,count 1,seconds 1; threshold:type limit,track by_src,count 1,seconds 1",
        "a rule has `threshold` or `detection_filter`, not both",
        "threshold",
    ),
    ("tag:host,1,packets", "`host` needs a direction: src or dst", "host"),
    ("sctp.chunk_type:dada", "`dada` is not known here", "dada"),
];

#[test]
fn what_is_wrong_is_told_and_pointed_at() {
    for (options, message, place) in REFUSED {
        let fault = match read(RuleProtocol::Tcp, options) {
            Ok(_) => panic!("{options} was accepted"),
            Err(fault) => fault,
        };
        let line = format!("alert tcp any any -> any any ({options};)");
        let pointed = line.get(fault.span.range()).unwrap_or("(outside)");
        assert_eq!((fault.message.as_str(), pointed), (*message, *place), "{options}");
    }
}

#[test]
fn a_slip_of_the_pen_is_answered_with_the_nearest_word() {
    let help = |options: &str| read(RuleProtocol::Tcp, options).unwrap_err().help.unwrap_or_default();
    assert_eq!(help("contnet:\"a\""), "did you mean `content`?");
    assert_eq!(help("http_methd"), "did you mean `http_method`?");
    assert_eq!(help("flow:to_sever"), "did you mean `to_server`?");
    assert_eq!(help("decode-event:ipv4.trunc_pkg"), "did you mean `ipv4.trunc_pkt`?");
    assert_eq!(help("byte_extract:1,0,length; content:\"a\"; depth:lenght"), "did you mean `length`?");
}
