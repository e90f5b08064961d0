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
            assert!(!is_refused(name), "{name} is supported and is not");
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
        "noalert; alert; bypass; mark_dscp:46; prefilter",
        "dns.query; content:\"x\"; config: logging disable, type tx, scope tx",
        r#"content:"a|41 42|\;\"\\\:"; nocase; offset:1; depth:9"#,
        r#"content:!"a"; content:"b"; distance:-3; within:8"#,
        r#"content:"a"; startswith; nocase; content:"b"; endswith; rawbytes"#,
        r#"content:"abc"; fast_pattern; content:"abcd""#,
        r#"content:"abc"; fast_pattern:only"#,
        r#"content:"abc"; fast_pattern:1,2"#,
        r#"pcre:"/a\/b\;c/imsxAEGRO""#,
        r#"pcre:!"/a/B""#,
        r#"pcre:"/([a-z]+)\/[a-z]+\/(.+)\/(.+)\/log$/GUR, flow:ua/repo,flow:ua/pkg/base,alert:ua/pkg/version""#,
        r#"pcre:"/^([A-Z]+) (.*)/, pkt:key,pkt:value""#,
        r#"pcre:"/a\/,b/i""#,
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
        "app-layer-protocol:unknown|tls|http",
        "app-layer-protocol:!tls|http,final",
        "app-layer-protocol:tls|dns,either,exact",
        "app-layer-protocol:tls; app-layer-protocol:tls|http; app-layer-protocol:!ssh; app-layer-protocol:http,original",
        "filestore; filestore:both,flow; filestore:request,file",
        "ssh.protoversion:2_compat",
        "ssh.protoversion:1.99",
        "tls_cert_notbefore:2016-02-29<>2016-02-29",
        "engine-event:stream.3whs_ack_in_wrong_dir; engine-event:ipv4.trunc_pkt",
        "xbits:set,a,track tx; xbits:isset,a,track tx",
        "tag:session; tag:host; tag:session,5,packets; tag:host,100,packets,src; tag:host,3600,seconds",
        "isdataat:10; isdataat:!1,relative; isdataat:3,rawbytes",
        "tcp.hdr; bsize:>3; dsize:300<>400; dsize:&1=1; ttl:!&0x80=0x80",
        "igmp.type:17; vxlan_vni:5; geoip:any,DE; rpc:100000,2,*; hostbits:set,a,src,60; entropy:> 4.5",
        "dns.query; domain; content:\"x\"; dns.query; tld; content:\"x\"",
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
        "detection_filter:track by_dst, count 3, seconds 60",
        "tag:session,5,packets",
        "tag:host,100,packets,src",
        "tag:session",
        "sctp.chunk_type:init_ack; sctp.chunk_cnt:1; sctp.vtag:5",
        r#"ether.hdr; content:"a"; ipv4.hdr; content:"b"; tcp.hdr; content:"c"; pkt_data; content:"d""#,
        r#"sctp.chunk_data; content:"a"; sctp.chunk_data; content:"b""#,
        r#"http.method; content:"GET"; http.uri; content:"/a"; startswith; pcre:"/b/Ri"; urilen:<70; urilen:17, raw"#,
        r#"content:"a"; http_uri; nocase; content:"b"; http_header; distance:0; pcre:"/c/RH"; uricontent:!"d""#,
        r#"file_data; content:"a"; pkt_data; content:"b"; http_stat_code; bsize:3"#,
        r#"dns.query; dotprefix; content:".evil.example"; endswith; dns.rcode:!2; dns.opcode:0"#,
        r#"tls.sni; to_lowercase; content:"x"; tls.certs; content:"y"; tls.version:1.2; ssl_state:client_hello|server_hello"#,
        r#"ja3.hash; content:"fae0e5d973c96ae1888b99538efa0363"; tls.cert_chain_len:0<>4; ssl_version:!tls1.3"#,
        r#"http.uri; content:"gzb64"; from_base64: offset 13 ; zlib_deflate: max-size 8; content:"This is ""#,
        r#"http.uri; xor:"0d0ac8ff"; content:"a"; http.host; xor:offset   1,  extract 1 0; content:"b""#,
        r#"http.user_agent; subslice: -20, -30, truncate; bsize: 0; http.uri; pcrexform:"get\?data=(.*)"; content:"a""#,
        r#"content:"arg"; http_uri; base64_decode:bytes 10, offset 1, relative; base64_data; content:"test"; depth:9"#,
        "file.data; absent; http.request_header; absent: or_else; content:!\"abc\"",
        r#"file.data; entropy: value !4-5; entropy:offset 10, value > 4.14; filename:!"S.PDF"; fileext:"pdf"; filesize:<70"#,
        "asn1:double_overflow, bitstring_overflow, relative_offset 54, oversize_length 2048",
        "flowint:a,notset; flowint:a,+,1; flowint:a.b,==,c; flowint:c,isset",
        "frame:http1.response; content:\"AAA\"; endswith",
        "app-layer-protocol:!http,final; app-layer-event:applayer_detect_protocol_only_one_direction",
        "app-layer-event:http.request_auth_unrecognized",
        "ftpbounce",
        "dcerpc.iface:afa8bd80-7d8a-11c9-bef4-08002b102989,>1,any_frag; dcerpc.opnum:>3",
        "krb5_err_code:!0; krb5_msg_type:!AS_REQ",
        "dns.query; dataset:isset,bad,type string,load bad.lst; iprep:src,CnC,>,30; geoip:src,RU; filestore",
        r#"pcre:"/(a)(b)/i,flow:one,pkt:two""#,
        "requires:version >= 8.0.1",
        r#"dce_stub_data; content:"a"; byte_test:2,=,14080,0,relative,dce; byte_jump:2,0,relative,dce"#,
        r#"file.data:to_client; content:"a""#,
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
    ("http.uri; http.host", "nothing looks into this sticky buffer", "http.uri"),
    ("http.uri:1", "`http.uri` takes no value", "1"),
    ("file.data:up", "`up` is not known here", "up"),
    ("app-layer-event:dns.not_a_request", "dns has no event `not_a_request`", "not_a_request"),
    ("http_cookie", "`http_cookie` needs a content before it", "http_cookie"),
    (
        "tcp.hdr; content:\"a\"; http_uri",
        "`http_uri` is for a content of the payload, not of a sticky buffer",
        "http_uri",
    ),
    ("http.uri; content:\"a\"; tls.sni", "`tls.sni` is of tls, but the rule is for http", "tls.sni"),
    ("quic.sni", "`quic.sni` is of quic, which a packet of this rule's protocol does not carry", "quic.sni"),
    ("dotprefix", "`dotprefix` stands behind a sticky buffer", "dotprefix"),
    ("content:\"a\"; dotprefix", "`dotprefix` stands behind a sticky buffer", "dotprefix"),
    (
        "luaxform:x",
        "`luaxform` runs a Lua script, and Weir has no interpreter where packets pass",
        "luaxform",
    ),
    ("http.uri; xor:\"0g\"", "a key is written in hexadecimal, two digits a byte", "0g"),
    ("http.uri; xor:extract 0 1", "a key has at least one byte", "0 1"),
    ("http.uri; from_base64:mode loose", "`loose` is not known here", "loose"),
    ("http.uri; pcrexform:\"(a\"", "missing closing parenthesis", "(a"),
    ("http.uri; pcrexform:\"a\"", "the expression captures nothing", "a"),
    ("http.uri; pcrexform:\"(?:a)\"", "the expression captures nothing", "(?:a)"),
    (r#"http.uri; pcrexform:"\(a""#, "the expression captures nothing", r"\(a"),
    ("http.uri; pcrexform:\"a[(]\"", "the expression captures nothing", "a[(]"),
    ("http.uri; pcrexform:\"(?=a)a\"", "the expression captures nothing", "(?=a)a"),
    ("http.uri; subslice:1,2,3", "expected `offset[, bytes][, truncate]`", "3"),
    ("http.uri; gunzip:all", "expected `max-size N`", "all"),
    ("base64_data", "`base64_data` needs a `base64_decode` before it", "base64_data"),
    ("base64_decode:bytes 0", "0 bytes decode to nothing", "0"),
    ("base64_decode:loose", "`loose` is no option here", "loose"),
    (
        "base64_decode; base64_data; base64_decode",
        "what `base64_decode` yields is not decoded again",
        "base64_decode",
    ),
    ("absent", "`absent` stands behind a sticky buffer", "absent"),
    ("http.uri; content:\"a\"; absent", "`absent` stands directly behind the sticky buffer", "absent"),
    ("http.uri; absent:maybe", "`maybe` is not known here", "maybe"),
    ("urilen:x", "`x` is not a number", "x"),
    ("urilen:5,full", "`full` is not known here", "full"),
    (
        "tcp.hdr; uricontent:\"a\"",
        "`uricontent` looks into http.uri, but another buffer is in force",
        "uricontent",
    ),
    ("frame:tls.pud", "no frame is called `tls.pud`", "tls.pud"),
    ("app-layer-protocol:htpp", "no application protocol is called `htpp`", "htpp"),
    ("app-layer-protocol:http,left", "`left` is not known here", "left"),
    ("app-layer-event:http", "`http` is no event of every protocol", "http"),
    ("app-layer-event:htp.x", "no application protocol is called `htp`", "htp"),
    ("app-layer-event:http.X y", "`X y` is no event's name", "X y"),
    ("app-layer-state:done", "a state is one of a protocol, and this rule names none", "app-layer-state"),
    ("dataset:isset,x", "`dataset` stands behind a sticky buffer", "dataset"),
    ("dns.query; dataset:has,x", "`has` is not known here", "has"),
    ("flowint:a", "expected `name, isset|isnotset` or `name, operator, number or name`", "a"),
    ("flowint:a,~,1", "`~` is not known here", "~"),
    ("flowint:a,isset,1", "`isset` takes no value", "1"),
    ("flowint:1a,+,1", "a number's name begins with a letter and is one word", "1a"),
    ("entropy:bytes 4", "`value` is missing", "bytes 4"),
    ("entropy:value > 9", "`9` is not a number of bits", "9"),
    ("entropy:value 5-4", "a range goes from the lower to the higher number", "5-4"),
    ("asn1:relative_offset 1", "this asks for nothing that could be wrong", "relative_offset 1"),
    (
        "asn1:double_overflow, absolute_offset 1, relative_offset 1",
        "an `asn1` has one offset",
        "relative_offset 1",
    ),
    ("requires:luck", "expected `version`, `feature` or `keyword`", "luck"),
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
    ("pcre:\"/a/UH\"", "an expression looks into one buffer", "H"),
    ("http.host; pcre:\"/a/U\"", "`/U` names another buffer than the sticky one in force", "U"),
    ("pcre:\"/a/k\"", "`k` is no flag of an expression", "k"),
    ("pcre:\"/(a)/,x\"", "expected `flow:name`, `pkt:name` or `alert:name`", "x"),
    ("pcre:\"/(a)/,flwo:x\"", "`flwo` is not known here", "flwo"),
    ("byte_test:4,>,1000", "expected `bytes, [!]operator, value, offset`", "4,>,1000"),
    ("byte_test:9,>,1,0", "1 to 8 bytes", "9"),
    ("byte_test:4,~,1,0", "expected one of < <= = != > >= & ^, `!` in front to negate", "~"),
    ("byte_test:4,>,1,0,hex", "hex, dec and oct are for `string` numbers", "4,>,1,0,hex"),
    ("http.uri; byte_test:4,>,1,0,dce", "`byte_test` is of dcerpc, but the rule is for http", "byte_test"),
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
    ("tcp.hdr; bsize:5<>6", "no number can be so", "5<>6"),
    ("bsize:5", "`bsize` stands behind a sticky buffer, whose length it compares", "bsize"),
    ("flowbits:noalert,a", "`noalert` is about the rule, and no bit stands behind it", "noalert"),
    ("ip_proto:foo", "no IP protocol is called `foo` here", "foo"),
    ("xbits:set,a", "`track` is missing: whose bit this is", "set,a"),
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
    ("ip_proto:tpc", "no IP protocol is called `tpc` here", "tpc"),
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
    (
        "app-layer-protocol:!unknown",
        "`unknown` is not negated: what is not known yet is no protocol",
        "unknown",
    ),
    ("app-layer-protocol:foo|tls", "no application protocol is called `foo`", "foo"),
    ("app-layer-protocol:tls,either,final", "which side is said once", "final"),
    (
        "app-layer-protocol:tls; app-layer-protocol:http",
        "the rule asks for other protocols too, and a session has one",
        "http",
    ),
    ("filestore:sideways", "`sideways` is not known here", "sideways"),
    ("filestore:both,flow,x", "nothing stands behind direction and scope", "x"),
    ("byte_math:bytes 4,offset 0,oper +,rvalue 1,result x,bytes 2", "`bytes` is said twice", "bytes"),
    ("tls_cert_notbefore:2015<>2014", "a range goes from the earlier to the later date", "2015<>2014"),
    ("tls_cert_notbefore:2015-02-29", "expected a date", "2015-02-29"),
    ("ssh.protoversion:a", "`a` is no version of SSH", "a"),
    ("smb.version:4", "at most 2 fits here", "4"),
    ("vlan.layers:4", "at most 3 fits here", "4"),
    (
        "pcre:\"/a(b)/,pkt:key\"",
        "`pkt:key` and `pkt:value` go together: one group is the name, the other its value",
        "pkt:key",
    ),
    ("xbits:set,a,track ip_src,expire 0", "a bit that stays 0 seconds is never set", "0"),
    ("hostbits:set,a,src,0", "a bit that stays 0 seconds is never set", "0"),
    ("xbits:set,a,expire 5", "`track` is missing: whose bit this is", "set,a,expire 5"),
    ("xbits:set,a,track ip_src,track ip_dst", "`track` is said twice", "track"),
    (
        "xbits:toggle,a,track tx",
        "a transaction's bit is only set and asked for: set or isset",
        "toggle,a,track tx",
    ),
    ("xbits:set,a,track tx,expire 5", "a transaction's bit stays as long as the transaction", "expire"),
    ("byte_test:4,>,1,0,big,little", "`little` contradicts the order that is said before", "little"),
    ("byte_test:4,>,1,0,string,hex,dec", "`dec` contradicts the base that is said before", "dec"),
    ("byte_test:0,>,1,0", "1 to 8 bytes", "0"),
    ("byte_test:1,=,256,0", "1 bytes hold at most 255: no number can be so", "256"),
    ("byte_test:2,>,65535,0", "2 bytes hold at most 65535: no number can be so", "65535"),
    ("byte_jump:4,0,align 4", "`align` takes no value here", "4"),
    ("base64_decode:bytes 4,bytes 5", "`bytes` is said twice", "bytes"),
    ("http.uri; entropy:value <0", "no entropy can be so", "<0"),
    ("classtype:a b", "a class's name is one word", "a b"),
    ("itype:8", "`itype` cannot be in a packet of this rule's protocol", "itype"),
    ("igmp.type:1", "`igmp.type` cannot be in a packet of this rule's protocol", "igmp.type"),
    ("tag:host,1", "a count needs its unit: packets, bytes or seconds", "1"),
    ("tag:session,1,packets,src", "a direction is for `host` only", "src"),
    ("tag:host,1,packets,src,dst", "nothing may follow the direction", "dst"),
    ("tag:host,src", "a count needs its unit: packets, bytes or seconds", "src"),
    (
        "byte_extract:1,0,two words",
        "a variable's name is one word: letters, digits, `_`, `-` and `.`",
        "two words",
    ),
    (
        "byte_math:bytes 1, offset 0, oper +, rvalue 1, result two words",
        "a variable's name is one word: letters, digits, `_`, `-` and `.`",
        "two words",
    ),
    ("stream_size:server,>,>5", "`>5` is not a number", ">5"),
    ("stream_size:server,<,=5", "`=5` is not a number", "=5"),
    ("stream_size:server,=,5-9", "`5-9` is not a number", "5-9"),
    ("stream_size:server,<,0", "no number can be so", "0"),
    ("content:\"a\" nocase", "expected `;` behind the closing quote", "nocase"),
    ("msg:\"a \\\" b\" rev:1", "expected `;` behind the closing quote", "rev:1"),
    ("msg:\"a", "this quote is never closed", "\"a"),
    ("msg:a\"", "expected a value in double quotes", "a\""),
    (
        "content:\"a\"; startswith; offset:3",
        "`offset` contradicts `startswith` of the same content",
        "offset",
    ),
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
    assert_eq!(help("ttx:1"), "did you mean `ttl`?");
    assert_eq!(help("flow:to_sever"), "did you mean `to_server`?");
    assert_eq!(help("decode-event:ipv4.trunc_pkg"), "did you mean `ipv4.trunc_pkt`?");
    assert_eq!(help("byte_extract:1,0,length; content:\"a\"; depth:lenght"), "did you mean `length`?");
}

#[test]
fn a_rule_has_bounds_of_its_own() {
    let refused = |options: &str| read(RuleProtocol::Tcp, options).map(|_| ()).unwrap_err();
    let contents = |count: usize| vec!["content:\"a\""; count].join("; ");
    assert!(read(RuleProtocol::Tcp, &contents(1024)).is_ok());
    let fault = refused(&contents(65_537));
    assert_eq!(fault.message, "a rule has at most 1024 steps, and this is one more");
    assert_eq!(
        fault.span.start as usize,
        "alert tcp any any -> any any (".len() + 1024 * "content:\"a\"; ".len()
    );
    let urilens = vec!["urilen:5"; 1025].join("; ");
    assert_eq!(refused(&urilens).message, "a rule has at most 1024 steps, and this is one more");
    let buffers = |count: usize| vec!["tls.certs; content:\"a\""; count].join("; ");
    assert!(read(RuleProtocol::Tcp, &buffers(256)).is_ok());
    assert_eq!(refused(&buffers(257)).message, "a rule has at most 256 buffers, and this is one more");
    let hashed = |count: usize| format!("http.uri; {}content:\"a\"", "to_md5; ".repeat(count));
    assert!(read(RuleProtocol::Tcp, &hashed(16)).is_ok());
    assert_eq!(refused(&hashed(17)).message, "a buffer is transformed at most 16 times");
    // Also where each one is looked into.
    let between = format!("http.uri; {}", "to_md5; content:\"a\"; ".repeat(17));
    assert_eq!(refused(between.trim_end_matches("; ")).message, "a buffer is transformed at most 16 times");
}

#[test]
fn numbers_of_a_header_are_for_protocols_that_have_it() {
    let refused = |protocol, options: &str| read(protocol, options).is_err();
    for options in ["flags:S", "seq:1", "window:5", "tcp.mss:>5", "stream_size:both,>,5"] {
        assert!(refused(RuleProtocol::Udp, options) && refused(RuleProtocol::Icmp, options), "{options}");
        for protocol in [RuleProtocol::Tcp, RuleProtocol::Ip, RuleProtocol::TcpOrUdp, RuleProtocol::TcpPacket]
        {
            assert!(!refused(protocol, options), "{options} {protocol:?}");
        }
    }
    assert!(!refused(RuleProtocol::Icmpv6, "itype:8; icmpv6.mtu:>5"));
    assert!(refused(RuleProtocol::Icmpv4, "icmpv6.mtu:5"));
    assert!(!refused(RuleProtocol::Icmp, "icmp_id:!5; icmp_seq:>3"));
    assert!(!refused(RuleProtocol::Tcp, "id:1-5"));
}
