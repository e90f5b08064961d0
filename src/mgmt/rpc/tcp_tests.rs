//! gRPC over TCP with mutual TLS; reflection and health.

use super::client::{Address, connect, told};
use super::proto as p;
use super::tests::Fake;
use super::tls::{Credentials, TlsFiles};
use super::*;
use crate::mgmt::gate::{Gate, Speech};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::net::SocketAddr;
use std::path::Path;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A CA that makes certificates into a folder.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new(name: &str) -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ca(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and key of that name, and `peer`'s certificate as the CA of the other side.
    fn issue(&self, folder: &Path, name: &str, peer: &Ca) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let file = |what: &str, text: String| {
            let path = folder.join(format!("{name}.{what}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        TlsFiles {
            certificate: file("pem", certificate.pem()),
            key: file("key", key.serialize_pem()),
            ca: file("ca", peer.0.pem()),
        }
    }
}

/// Serves a fake at a TCP port, with TLS or without, and runs `test` against it.
fn with_server<F: Future<Output = ()>>(
    tls: Option<Credentials>,
    test: impl FnOnce(SocketAddr, watch::Sender<Health>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Gate::tcp(listener, PLACES, "test", Speech::Tls).unwrap();
        let (tell, health) = watch::channel(Health::default());
        let entrances = vec![Entrance { gate, tls: tls.map(Arc::new) }];
        let server = serve(entrances, Arc::new(Fake::default()), health);
        tokio::select! {
            ended = server => panic!("the server ended: {ended:?}"),
            () = test(address, tell) => {}
        }
    });
}

fn by_tls(address: SocketAddr, config: ClientConfig) -> Address {
    Address::Tcp { host: address.ip().to_string(), port: address.port(), tls: Some(Arc::new(config)) }
}

/// Asks for the version; why not, in words.
async fn version(address: &Address) -> Result<String, String> {
    let mut client = connect(address).await.map_err(|error| error.to_string())?;
    let reply = client.appliance.version(p::VersionRequest {}).await;
    reply.map(|reply| reply.into_inner().version).map_err(|status| told(&status))
}

#[test]
fn tcp_is_for_clients_with_a_certificate_of_the_ca() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, clients, strangers) = (Ca::new("a"), Ca::new("b"), Ca::new("c"));
    let credentials = Credentials::load(servers.issue(dir.path(), "server", &clients)).unwrap();
    let client = clients.issue(dir.path(), "client", &servers);
    let stranger = strangers.issue(dir.path(), "stranger", &servers);
    let doubter = clients.issue(dir.path(), "doubter", &strangers);
    with_server(Some(credentials), async |at, _tell| {
        // Who begins nothing keeps nobody else waiting.
        let _silent = tokio::net::TcpStream::connect(at).await.unwrap();
        let url = format!("https://{at}");
        let whom = |files| Address::parse(&url, Some(files)).unwrap();
        assert_eq!(version(&whom(&client)).await, Ok(env!("CARGO_PKG_VERSION").into()));
        let refused = version(&whom(&stranger)).await.unwrap_err();
        assert!(refused.contains("rpc.tls.client-ca"), "{refused}");
        let untrusted = version(&whom(&doubter)).await.unwrap_err();
        assert!(untrusted.contains("UnknownIssuer") && untrusted.contains("--ca"), "{untrusted}");

        let mut roots = RootCertStore::empty();
        roots.add(servers.0.der().clone()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let bare = version(&by_tls(at, config)).await.unwrap_err();
        assert!(bare.contains("rpc.tls.client-ca"), "{bare}");

        let clear = Address::Tcp { host: at.ip().to_string(), port: at.port(), tls: None };
        let untold = version(&clear).await.unwrap_err();
        assert!(
            untold.contains("this is weir's gRPC (rpc.listen) and wants TLS: `weir ctl --address https"),
            "{untold}"
        );
        assert_eq!(version(&whom(&client)).await, Ok(env!("CARGO_PKG_VERSION").into()), "it goes on");
    });
}

#[test]
fn files_that_change_are_read_again_and_bad_ones_are_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (servers, old, new) = (Ca::new("a"), Ca::new("b"), Ca::new("c"));
    let files = servers.issue(dir.path(), "server", &old);
    let ca = files.ca.clone();
    let credentials = Credentials::load(files).unwrap();
    let before = old.issue(dir.path(), "before", &servers);
    let after = new.issue(dir.path(), "after", &servers);
    with_server(Some(credentials), async |at, _tell| {
        let whom = |files| Address::parse(&format!("https://{at}"), Some(files)).unwrap();
        assert!(version(&whom(&after)).await.is_err());
        std::fs::write(&ca, "no certificate").unwrap();
        assert!(version(&whom(&before)).await.is_ok(), "the last good ones serve");
        std::fs::write(&ca, new.0.pem()).unwrap();
        assert!(version(&whom(&after)).await.is_ok());
        assert!(version(&whom(&before)).await.is_err());
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new("a");
    let (good, other) = (ca.issue(dir.path(), "good", &ca), ca.issue(dir.path(), "other", &ca));
    let fault = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = good.clone();
        change(&mut files);
        Credentials::load(files).unwrap_err().to_string()
    };
    let missing = fault(&|files| files.certificate = "/nonexistent/a.pem".into());
    assert!(missing.contains("/nonexistent/a.pem"), "{missing}");
    let empty = fault(&|files| files.ca = files.key.clone());
    assert!(empty.contains("good.key holds no certificate"), "{empty}");
    let mixed = fault(&|files| files.key = other.key.clone());
    assert!(mixed.contains("good.pem") && mixed.contains("other.key"), "{mixed}");
}

#[test]
fn a_certificate_that_clients_will_refuse_for_its_dates_is_named_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new("a");
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let mut files = ca.issue(dir.path(), "dated", &ca);
    std::fs::write(&files.certificate, params.signed_by(&key, &ca.0).unwrap().pem()).unwrap();
    let at = |secs| files.doubts(crate::base::Time::from_secs(secs)).unwrap();
    // 2019-12-31, 2020-07-01, 2021-01-02.
    let [early, good, late] = [1_577_800_000, 1_593_561_600, 1_609_545_600].map(at);
    assert!(early[0].contains("dated.pem is not valid before 2020-01-01T00:00:00Z"), "{early:?}");
    assert_eq!(good, [""; 0]);
    assert!(late[0].contains("dated.pem expired at 2021-01-01T00:00:00Z"), "{late:?}");
    files.certificate = dir.path().join("none.pem");
    assert!(files.doubts(crate::base::Time::ZERO).is_err());
}

#[test]
fn addresses_say_how_they_are_written() {
    let fault = |text: &str| Address::parse(text, None).unwrap_err().to_string();
    for text in ["", "127.0.0.1:1", "ftp://127.0.0.1:1", "http://127.0.0.1", "https://"] {
        assert!(fault(text).contains("https://HOST:PORT"), "{text}: {}", fault(text));
    }
    assert!(fault("http://192.0.2.1:1").contains("is not this machine"));
    assert!(fault("https://192.0.2.1:1").contains("--ca, --cert and --key"));
    let here = Address::parse("http://[::1]:9", None).unwrap();
    assert!(matches!(&here, Address::Tcp { host, port: 9, tls: None } if host == "::1"));
    assert_eq!(here.to_string(), "[::1]:9");
}

#[test]
fn reflection_tells_the_contract_and_health_whether_it_is_ready() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    with_server(None, async |at, tell| {
        let client = connect(&Address::parse(&format!("http://{at}"), None).unwrap()).await.unwrap();
        let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        let questions = [
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol("weir.v1.Appliance".into())),
        ];
        let mut reflection = ServerReflectionClient::new(client.channel.clone());
        let mut answers =
            reflection.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
        let mut next = async || answers.message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(list) = next().await else { panic!("no list") };
        let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
        for name in ["weir.v1.Appliance", "weir.v1.Sessions", "weir.v1.Rules", "grpc.health.v1.Health"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let MessageResponse::FileDescriptorResponse(file) = next().await else { panic!("no file") };
        assert!(!file.file_descriptor_proto.is_empty());

        let mut health = HealthClient::new(client.channel);
        for service in ["", "weir.v1.Rules"] {
            for (well, status) in [(true, ServingStatus::Serving), (false, ServingStatus::NotServing)] {
                let unready = if well { Vec::new() } else { vec!["a set waits".into()] };
                tell.send_replace(Health { unready, ..Health::default() });
                let request = HealthCheckRequest { service: service.into() };
                let told = async || health.clone().check(request.clone()).await.unwrap().into_inner().status;
                while told().await != status as i32 {
                    tokio::task::yield_now().await;
                }
            }
        }
        let mut check =
            async |service: &str| health.check(HealthCheckRequest { service: service.into() }).await;
        assert!(check("weir.v1.None").await.is_err());
    });
}
