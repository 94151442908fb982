//! MQTT over TLS against a real broker, with authorities made here.

#![cfg(feature = "mqtt")]
#![allow(clippy::unwrap_used, reason = "it is how a test ends, also in its helpers")]

#[allow(dead_code, reason = "other tests use other parts of it")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::time::Duration;

use mosquitto::{Mosquitto, PATIENCE};
use mote_data::mqtt::{Broker, Error, ErrorKind, FirstConnect, Options, Publisher, Subscriber};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

/// An authority, which signs certificates for hosts and clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "an authority for a test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key, as PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn start(authority: &Authority, lines: &[&str]) -> Mosquitto {
    let (certificate, key) = authority.sign("localhost");
    let mut all = vec!["cafile {dir}/ca.pem", "certfile {dir}/cert.pem", "keyfile {dir}/key.pem"];
    all.extend(lines);
    let files: [(&str, &[u8]); 3] = [
        ("ca.pem", authority.pem().as_bytes()),
        ("cert.pem", certificate.as_bytes()),
        ("key.pem", key.as_bytes()),
    ]
    .map(|(name, content)| (name, &*content.to_vec().leak()));
    Mosquitto::start(&all, &files)
}

fn patient() -> Options {
    Options { first_connect: FirstConnect::Within(PATIENCE), ..Options::default() }
}

fn broker(host: &str, port: u16, rest: &str) -> Broker {
    Broker::parse(&format!("mqtts://{host}:{port}{rest}")).unwrap()
}

#[track_caller]
fn check_refused(broker: &Broker, kind: ErrorKind, wanted: &str) {
    // A lasting error is reported at once, and not after this time.
    let error = Publisher::open(broker, patient()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn carries_messages_of_all_sizes_encrypted() {
    let authority = Authority::new();
    let mosquitto = start(&authority, &[]);
    for version in [3, 5] {
        let rest = format!("/t/{version}?client_id=s{version}&version={version}");
        let address = broker("localhost", mosquitto.port(), &rest);
        let address = address.with_authorities(authority.pem());
        let subscriber = Subscriber::open(&address, &[], patient()).unwrap();
        let address = address.with_client_id(format!("p{version}"));
        let publisher = Publisher::open(&address, patient()).unwrap();
        // Records of TLS hold 16 KiB, and the library's own buffer 64 KiB.
        let sizes = [0, 1, 16_383, 16_384, 16_385, 65_536, 1_000_000];
        for size in sizes {
            publisher.publish(&format!("t/{version}"), vec![size as u8; size], false).unwrap();
        }
        publisher.close(PATIENCE).unwrap();
        for size in sizes {
            let message = subscriber.recv(PATIENCE).unwrap().expect("no message came");
            assert!(message.payload == vec![size as u8; size], "{size}");
            subscriber.ack(message.receipt);
        }
    }
}

#[test]
fn trusts_nobody_else() {
    let authority = Authority::new();
    let mosquitto = start(&authority, &[]);
    let port = mosquitto.port();
    let other = Authority::new().pem();
    check_refused(
        &broker("localhost", port, "").with_authorities(other),
        ErrorKind::Trust,
        &format!("no trusted connection to `localhost:{port}`: invalid peer certificate"),
    );
    check_refused(
        &broker("127.0.0.1", port, "").with_authorities(authority.pem()),
        ErrorKind::Trust,
        "not valid for name \"127.0.0.1\"",
    );
}

#[test]
fn notices_when_only_one_side_encrypts() {
    let authority = Authority::new();
    let plain = Mosquitto::start(&[], &[]);
    let encrypted = start(&authority, &[]);
    let short = FirstConnect::Within(Duration::from_secs(1));
    let options = Options { first_connect: short, ..Options::default() };
    for address in [
        broker("127.0.0.1", plain.port(), "").with_authorities(authority.pem()),
        Broker::parse(&format!("mqtt://127.0.0.1:{}", encrypted.port())).unwrap(),
    ] {
        let error = Publisher::open(&address, options.clone()).unwrap_err();
        // The broker ends the connection, and how that arrives is chance.
        assert!(matches!(error, Error::Lost { .. }), "{error}");
        assert!(error.to_string().contains("before it let us in"), "{error}");
    }
}

#[test]
fn shows_a_client_certificate_where_it_is_asked_for_one() {
    let authority = Authority::new();
    let lines = ["require_certificate true", "use_identity_as_username true"];
    let mosquitto = start(&authority, &lines);
    let anonymous = broker("localhost", mosquitto.port(), "").with_authorities(authority.pem());
    check_refused(&anonymous, ErrorKind::Trust, "no trusted connection");
    let (chain, key) = authority.sign("device-7");
    Publisher::open(&anonymous.clone().with_identity(chain.clone(), key), patient()).unwrap();
    let (_, other_key) = authority.sign("device-7");
    check_refused(
        &anonymous.with_identity(chain, other_key),
        ErrorKind::Usage,
        "the client certificate with its key is not usable",
    );
}
