//! MQTT against a real broker: what arrives, and what is said where nothing can.

#![cfg(feature = "mqtt")]
#![allow(clippy::unwrap_used, reason = "it is how a test ends, also in its helpers")]

#[allow(dead_code, reason = "other tests use other parts of it")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mosquitto::{Mosquitto, PATIENCE, free_port, until};
use mote_data::mqtt::{
    Availability, Broker, Error, ErrorKind, FirstConnect, Listener, Message, Options, Publisher,
    Session, Status, Subscriber,
};

const VERSIONS: [u8; 2] = [3, 5];

fn broker(address: &str) -> Broker {
    Broker::parse(address).unwrap()
}

/// Waits long for the first connection, as the machine may be slow.
fn patient() -> Options {
    Options { first_connect: FirstConnect::Within(PATIENCE), ..Options::default() }
}

#[track_caller]
fn next(subscriber: &Subscriber) -> Message {
    subscriber.recv(PATIENCE).unwrap().expect("no message came")
}

#[track_caller]
fn next_acked(subscriber: &Subscriber) -> (String, Vec<u8>) {
    let message = next(subscriber);
    subscriber.ack(message.receipt);
    (message.topic, message.payload)
}

#[test]
fn carries_topics_and_payloads_unchanged() {
    let mosquitto = Mosquitto::start(&[], &[]);
    #[track_caller]
    fn check(mosquitto: &Mosquitto, version: u8, qos: u8) {
        let query = format!("version={version}&qos={qos}");
        let address =
            mosquitto.address(&format!("/t/{version}{qos}/#?client_id=s{version}{qos}&{query}"));
        let subscriber = Subscriber::open(&broker(&address), &[], patient()).unwrap();
        let address = mosquitto.address(&format!("?{query}"));
        let publisher = Publisher::open(&broker(&address), patient()).unwrap();
        let messages = [
            (format!("t/{version}{qos}"), Vec::new()),
            (format!("t/{version}{qos}/ä/°C"), b"21.5".to_vec()),
            (format!("t/{version}{qos}/bytes"), (0..=255).collect()),
            (format!("t/{version}{qos}/large"), vec![7; 1_000_000]),
        ];
        for (topic, payload) in &messages {
            publisher.publish(topic, payload.clone(), false).unwrap();
        }
        publisher.close(PATIENCE).unwrap();
        for message in messages {
            assert!(next_acked(&subscriber) == message, "{} with {query}", message.0);
        }
        subscriber.close();
    }
    for version in VERSIONS {
        for qos in [0, 1] {
            check(&mosquitto, version, qos);
        }
    }
}

#[test]
fn knows_retained_messages() {
    let mosquitto = Mosquitto::start(&[], &[]);
    for version in VERSIONS {
        let address = mosquitto.address(&format!("/kept/{version}?version={version}"));
        let publisher = Publisher::open(&broker(&address), patient()).unwrap();
        publisher.publish(&format!("kept/{version}"), "old", true).unwrap();
        publisher.flush(PATIENCE).unwrap();
        let options = Options { session: Session::Clean, ..patient() };
        let subscriber = Subscriber::open(&broker(&address), &[], options).unwrap();
        let message = next(&subscriber);
        assert_eq!((&message.payload[..], message.retained), (&b"old"[..], true));
        publisher.publish(&format!("kept/{version}"), "new", true).unwrap();
        let message = next(&subscriber);
        assert_eq!((&message.payload[..], message.retained), (&b"new"[..], false));
    }
}

#[test]
fn brings_what_was_not_acknowledged_again() {
    let mosquitto = Mosquitto::start(&[], &[]);
    for version in VERSIONS {
        let address =
            mosquitto.address(&format!("/again/{version}?client_id=a{version}&version={version}"));
        let open = || Subscriber::open(&broker(&address), &[], patient()).unwrap();
        let publisher = mosquitto.address(&format!("?version={version}"));
        let publisher = Publisher::open(&broker(&publisher), patient()).unwrap();

        let subscriber = open();
        for number in 0..10_u8 {
            publisher.publish(&format!("again/{version}"), [number], false).unwrap();
        }
        for number in 0..10_u8 {
            let message = next(&subscriber);
            assert_eq!((&message.payload[..], message.redelivered), (&[number][..], false));
            if number < 4 {
                subscriber.ack(message.receipt);
            }
        }
        drop(subscriber);

        let subscriber = open();
        assert!(matches!(subscriber.status(), Status::Connected { resumed: true }));
        for number in 4..10_u8 {
            let message = next(&subscriber);
            assert_eq!((&message.payload[..], message.redelivered), (&[number][..], true));
            subscriber.ack(message.receipt);
        }
        drop(subscriber);

        // What came while nobody was there comes later, and what was acknowledged does not.
        publisher.publish(&format!("again/{version}"), "last", false).unwrap();
        publisher.flush(PATIENCE).unwrap();
        assert_eq!(next_acked(&open()).1, b"last");
    }
}

#[test]
fn opens_with_more_waiting_messages_than_its_queue_holds() {
    let mosquitto = Mosquitto::start(&[], &[]);
    for version in VERSIONS {
        let address =
            mosquitto.address(&format!("/many/{version}?client_id=m{version}&version={version}"));
        let options = Options { queue: 4, in_flight: 500, ..patient() };
        let open = || Subscriber::open(&broker(&address), &[], options.clone()).unwrap();
        drop(open());
        let publisher = mosquitto.address(&format!("?version={version}"));
        let publisher = Publisher::open(&broker(&publisher), patient()).unwrap();
        for number in 0..200_u8 {
            publisher.publish(&format!("many/{version}"), [number], true).unwrap();
        }
        publisher.close(PATIENCE).unwrap();
        let subscriber = open();
        for number in 0..200_u8 {
            assert_eq!(next_acked(&subscriber).1, [number]);
        }
    }
}

#[test]
fn a_window_of_one_message_waits_for_nothing_but_confirmations() {
    let mosquitto = Mosquitto::start(&[], &[]);
    for version in VERSIONS {
        // A stall would last until the connection is probed, which is never here.
        let keep_alive = Duration::from_secs(u64::from(u16::MAX));
        let options = Options { in_flight: 1, queue: 300, keep_alive, ..patient() };
        let address = mosquitto.address(&format!("?version={version}"));
        let publisher = Publisher::open(&broker(&address), options).unwrap();
        for _ in 0..300 {
            publisher.publish("one", "by one", false).unwrap();
        }
        publisher.flush(PATIENCE).unwrap();
    }
}

#[test]
fn says_within_the_time_that_no_broker_is_there() {
    let port = free_port();
    let timeout = Duration::from_millis(700);
    let options = Options { first_connect: FirstConnect::Within(timeout), ..Options::default() };
    let begin = Instant::now();
    let error = Publisher::open(&broker(&format!("mqtt://127.0.0.1:{port}")), options).unwrap_err();
    let waited = begin.elapsed();
    assert!((timeout..timeout + Duration::from_secs(5)).contains(&waited), "{waited:?}");
    assert_eq!(error.kind(), ErrorKind::Network);
    let wanted = format!("no connection to `127.0.0.1:{port}`: Connection refused (os error 111)");
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn says_that_a_host_is_not_known() {
    let options = Options {
        first_connect: FirstConnect::Within(Duration::from_secs(3)),
        ..Options::default()
    };
    let error = Publisher::open(&broker("mqtt://no-such-host.invalid"), options).unwrap_err();
    // Without a network, the resolver may still be looking after this time.
    assert!(matches!(error, Error::UnknownHost { .. } | Error::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn says_that_a_login_is_refused() {
    let passwords = mosquitto::password_file("ann", "right");
    let lines = ["allow_anonymous false", "password_file {dir}/passwords"];
    let mosquitto = Mosquitto::start(&lines, &[("passwords", &passwords)]);
    let port = mosquitto.port();
    let check = |address: &str, wanted: &str| {
        let begin = Instant::now();
        let error = Publisher::open(&broker(address), patient()).unwrap_err();
        assert!(begin.elapsed() < PATIENCE, "it went on trying");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().ends_with(wanted), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    };
    let at = format!("127.0.0.1:{port}");
    check(
        &format!("mqtt://ann:wrong@{at}?version=5"),
        "refused the login of user `ann`: not authorized",
    );
    check(
        &format!("mqtt://ann:wrong@{at}?version=3"),
        "refused the login of user `ann`: not authorized",
    );
    check(
        &format!("mqtt://{at}?client_id=c"),
        "refused the login of client `c` without a user name: not authorized",
    );
    Publisher::open(&broker(&format!("mqtt://ann:right@{at}")), patient()).unwrap();
}

#[test]
fn refuses_messages_over_the_limit_and_goes_on() {
    let mosquitto = Mosquitto::start(&[], &[]);
    for version in VERSIONS {
        let address = mosquitto.address(&format!("/size?client_id=z{version}&version={version}"));
        let options = Options { message_bytes_max: 1000, ..patient() };
        let subscriber = Subscriber::open(&broker(&address), &[], options.clone()).unwrap();
        let own = mosquitto.address(&format!("?version={version}"));
        let limited = Publisher::open(&broker(&own), options).unwrap();
        let error = limited.publish("size", vec![0; 997], false).unwrap_err();
        let wanted = "the message on `size` has 1001 bytes with its topic: the limit is 1000";
        assert_eq!(error.to_string(), wanted);
        limited.publish("size", vec![0; 996], false).unwrap();
        limited.flush(PATIENCE).unwrap();
        assert_eq!(next_acked(&subscriber).1.len(), 996);

        let publisher = Publisher::open(&broker(&own), patient()).unwrap();
        for size in [997, 6_000, 900_000] {
            publisher.publish("size", vec![0; size], false).unwrap();
        }
        publisher.publish("size", "small", false).unwrap();
        for size in [997, 6_000, 900_000] {
            match subscriber.recv(PATIENCE).unwrap_err() {
                Error::MessageTooLarge { topic, bytes, limit: 1000 } => {
                    assert_eq!(topic, "size");
                    assert!((size + 4..=size + 5).contains(&bytes), "{bytes}");
                }
                error => panic!("{error}"),
            }
        }
        assert_eq!(next_acked(&subscriber).1, b"small");
        drop(subscriber);
        // They were acknowledged: they do not come again.
        let subscriber = Subscriber::open(&broker(&address), &[], patient()).unwrap();
        publisher.publish("size", "after", false).unwrap();
        assert_eq!(next_acked(&subscriber).1, b"after");
    }
}

#[test]
fn reports_what_the_broker_refuses() {
    let rules: &[u8] = b"topic readwrite open/#\n";
    let lines = ["acl_file {dir}/rules", "max_packet_size 2000"];
    let mosquitto = Mosquitto::start(&lines, &[("rules", rules)]);
    let publisher = Publisher::open(&broker(&mosquitto.address("?version=5")), patient()).unwrap();
    publisher.publish("open/a", "yes", false).unwrap();
    publisher.flush(PATIENCE).unwrap();
    publisher.publish("closed/a", "no", false).unwrap();
    let error = publisher.flush(PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), "the message on `closed/a` was refused: not authorized");
    publisher.publish("open/a", vec![0; 3000], false).unwrap();
    let error = publisher.flush(PATIENCE).unwrap_err();
    assert!(matches!(error, Error::MessageTooLarge { limit: 2000, .. }), "{error}");
    publisher.publish("open/a", "yes", false).unwrap();
    publisher.close(PATIENCE).unwrap();
}

#[test]
fn waits_in_the_background_for_a_broker() {
    let mut mosquitto = Mosquitto::start(&[], &[]);
    mosquitto.kill();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let listener = Listener::new(move |status: &Status| told.lock().unwrap().push(status.clone()));
    let options = Options {
        first_connect: FirstConnect::Background,
        listener: Some(listener),
        queue: 3,
        ..Options::default()
    };
    let address = broker(&mosquitto.address("/late"));
    let publisher = Publisher::open(&address, options).unwrap();
    for text in ["a", "b", "c"] {
        publisher.publish("late", text, true).unwrap();
    }
    let short = Duration::from_millis(20);
    let full = publisher.publish_within("late", "d", true, short).unwrap_err();
    assert!(matches!(full, Error::QueueFull { messages: 3, .. }), "{full}");
    let unconfirmed = publisher.flush(short).unwrap_err();
    assert!(matches!(unconfirmed, Error::Unconfirmed { messages: 3, .. }), "{unconfirmed}");
    until("a second attempt failed", || {
        matches!(publisher.status(), Status::Reconnecting { attempt: 2.., .. })
    });

    mosquitto.restart();
    publisher.close(PATIENCE).unwrap();
    let seen = seen.lock().unwrap();
    assert!(matches!(seen[0], Status::Reconnecting { attempt: 1, .. }), "{seen:?}");
    assert!(matches!(seen[seen.len() - 2], Status::Connected { .. }), "{seen:?}");
    assert!(matches!(seen[seen.len() - 1], Status::Closed { error: None }), "{seen:?}");
    let options = Options { session: Session::Clean, ..patient() };
    let subscriber = Subscriber::open(&address, &[], options).unwrap();
    assert_eq!(next(&subscriber).payload, b"c");
}

#[test]
fn a_closed_connection_ends_at_once_also_while_it_waits() {
    let options = Options { first_connect: FirstConnect::Background, ..Options::default() };
    let begin = Instant::now();
    for host in ["127.0.0.1", "no-such-host.invalid"] {
        let address = broker(&format!("mqtt://{host}:{}", free_port()));
        drop(Publisher::open(&address, options.clone()).unwrap());
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn tells_others_whether_it_is_there() {
    let mosquitto = Mosquitto::start(&[], &[]);
    let options = Options { session: Session::Clean, ..patient() };
    let watcher = broker(&mosquitto.address("/is/there"));
    let watcher = Subscriber::open(&watcher, &[], options).unwrap();
    let availability = Availability {
        topic: "is/there".to_owned(),
        online: b"yes".to_vec(),
        offline: b"no".to_vec(),
    };
    for version in VERSIONS {
        let address = broker(&mosquitto.address(&format!("?client_id=p&version={version}")));
        let options = Options { availability: Some(availability.clone()), ..patient() };
        let publisher = Publisher::open(&address, options.clone()).unwrap();
        assert_eq!(next_acked(&watcher).1, b"yes");
        drop(publisher);
        assert_eq!(next_acked(&watcher).1, b"no");
    }
    // The broker speaks for a client whose connection ends without a goodbye.
    let address = broker(&mosquitto.address("?client_id=p&version=5"));
    let options = Options { availability: Some(availability), ..patient() };
    let publisher = Publisher::open(&address, options).unwrap();
    assert_eq!(next_acked(&watcher).1, b"yes");
    let _other = Publisher::open(&address, patient()).unwrap();
    assert_eq!(next_acked(&watcher).1, b"no");
    drop(publisher);
}

#[test]
fn refuses_what_cannot_work_before_it_connects() {
    #[track_caller]
    fn check(address: &str, filters: &[&str], wanted: &str) {
        let error = Subscriber::open(&broker(address), filters, Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(wanted), "{error}");
    }
    check("mqtt://h?client_id=a", &[], "wanted a topic behind the host");
    check("mqtt://h/a", &[], "`?client_id=…`, by which the broker knows");
    check("mqtt://h?client_id=a", &["a", "b/#/c"], "`#` only as the last level");
    check("mqtts://h/a?client_id=a", &[], "nobody to trust");
}
