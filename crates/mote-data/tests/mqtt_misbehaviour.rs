//! MQTT against brokers that do what a real one seldom does.

#![cfg(feature = "mqtt")]
#![allow(clippy::unwrap_used, reason = "it is how a test ends, also in its helpers")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mote_data::mqtt::{Broker, ErrorKind, FirstConnect, Options, Publisher, Status, Subscriber};

const PATIENCE: Duration = Duration::from_secs(60);

const WELCOME_3: [u8; 4] = [0x20, 2, 0, 0];
const WELCOME_5: [u8; 5] = [0x20, 3, 0, 0, 0];

/// A broker that treats each connection by `script`, and its address.
fn broker(query: &str, mut script: impl FnMut(TcpStream) + Send + 'static) -> Broker {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| script(stream.unwrap())));
    Broker::parse(&format!("mqtt://127.0.0.1:{port}/t?client_id=c&{query}")).unwrap()
}

/// Reads one packet of less than 128 bytes: its first byte and its body.
fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; usize::from(header[1])];
    stream.read_exact(&mut body).ok()?;
    Some((header[0], body))
}

/// Reads packets up to one of this type.
fn read_to(stream: &mut TcpStream, kind: u8) -> Option<Vec<u8>> {
    loop {
        let (first, body) = packet(stream)?;
        if first >> 4 == kind {
            return Some(body);
        }
    }
}

fn quick() -> Options {
    Options {
        answer_timeout: Duration::from_millis(400),
        first_connect: FirstConnect::Within(Duration::from_secs(1)),
        keep_alive: Duration::from_secs(1),
        ..Options::default()
    }
}

#[track_caller]
fn check_refused(broker: &Broker, kind: ErrorKind, wanted: &str) {
    let error = Subscriber::open(broker, &[], quick()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(wanted), "{error}");
}

#[test]
fn gives_up_on_a_broker_that_does_not_answer() {
    let mut kept = Vec::new();
    let silent = broker("", move |stream| kept.push(stream));
    check_refused(&silent, ErrorKind::Network, "did not answer the login within 400 ms");
    let mut kept = Vec::new();
    let half = broker("version=3", move |mut stream| {
        stream.write_all(&WELCOME_3).unwrap();
        kept.push(stream);
    });
    check_refused(&half, ErrorKind::Network, "did not answer the subscription within 400 ms");
}

#[test]
fn reports_what_a_broker_says_no_to() {
    let login = broker("version=5", |mut stream| {
        // Code 0x85 with the reason string `no`.
        stream.write_all(&[0x20, 8, 0, 0x85, 5, 31, 0, 2, b'n', b'o']).unwrap();
    });
    let wanted = "client `c` without a user name: the client id is not allowed (no)";
    check_refused(&login, ErrorKind::Refused, wanted);
    let version = broker("version=3", |mut stream| stream.write_all(&[0x20, 2, 0, 1]).unwrap());
    check_refused(&version, ErrorKind::Refused, "`version=5` may help");
    let subscription = broker("version=3", |mut stream| {
        stream.write_all(&WELCOME_3).unwrap();
        let Some(body) = read_to(&mut stream, 8) else { return };
        stream.write_all(&[0x90, 3, body[0], body[1], 0x80]).unwrap();
        read_to(&mut stream, 14);
    });
    let wanted = "the subscription to `t` was refused: no reason given";
    check_refused(&subscription, ErrorKind::Refused, wanted);
    let busy = broker("version=5", |mut stream| {
        stream.write_all(&[0x20, 3, 0, 0x89, 0]).unwrap();
    });
    // That may pass, so the client tries for its whole time.
    let begin = Instant::now();
    check_refused(&busy, ErrorKind::Refused, "the server is busy");
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn two_clients_with_one_id_do_not_fight() {
    let taken = broker("version=5", |mut stream| {
        stream.write_all(&WELCOME_5).unwrap();
        let Some(body) = read_to(&mut stream, 8) else { return };
        stream.write_all(&[0x90, 4, body[0], body[1], 0, 1]).unwrap();
        stream.write_all(&[0xe0, 2, 0x8e, 0]).unwrap();
        let _ = stream.read(&mut [0; 100]);
    });
    let subscriber = Subscriber::open(&taken, &[], quick()).unwrap();
    let error = subscriber.recv(PATIENCE).unwrap_err();
    let wanted = "another client connected with the client id `c` and took the session over";
    assert_eq!(error.to_string(), wanted);
    assert!(matches!(subscriber.status(), Status::Closed { error: Some(_) }));
    // The end is final, for each call.
    assert!(subscriber.recv(PATIENCE).is_err());
}

#[test]
fn notices_that_a_broker_has_fallen_silent() {
    let mut kept = Vec::new();
    let silent = broker("version=3", move |mut stream| {
        stream.write_all(&WELCOME_3).unwrap();
        kept.push(stream);
    });
    let (sender, statuses) = std::sync::mpsc::channel();
    let listener = mote_data::mqtt::Listener::new(move |status: &Status| {
        let _ = sender.send(status.clone());
    });
    let options = Options { listener: Some(listener), ..quick() };
    let publisher = Publisher::open(&silent, options).unwrap();
    assert!(matches!(statuses.recv_timeout(PATIENCE).unwrap(), Status::Connected { .. }));
    match statuses.recv_timeout(PATIENCE).unwrap() {
        Status::Reconnecting { error, .. } => {
            assert!(error.to_string().contains("did not answer a probe within 400 ms"), "{error}");
        }
        status => panic!("{status:?}"),
    }
    drop(publisher);
}

#[test]
fn sends_again_what_was_not_confirmed_and_in_order() {
    let mut connections = 0;
    let (sender, numbers) = std::sync::mpsc::channel();
    let forgetful = broker("version=5", move |mut stream| {
        connections += 1;
        stream.write_all(&WELCOME_5).unwrap();
        // The first connection confirms two of the messages it takes, and ends after the fifth.
        for count in 1.. {
            let Some(body) = read_to(&mut stream, 3) else { return };
            sender.send(body[body.len() - 1]).unwrap();
            if connections > 1 || count <= 2 {
                stream.write_all(&[0x40, 2, body[3], body[4]]).unwrap();
            } else if count == 5 {
                // Not dropped with unread messages, as that might take the confirmations back.
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                while read_to(&mut stream, 3).is_some() {}
                return;
            }
        }
    });
    let publisher = Publisher::open(&forgetful, quick()).unwrap();
    for number in 0..8_u8 {
        publisher.publish("t", [number], false).unwrap();
    }
    publisher.flush(PATIENCE).unwrap();
    let numbers: Vec<u8> = numbers.try_iter().collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn completes_messages_with_qos_2_that_an_old_session_brings() {
    let (sender, answers) = std::sync::mpsc::channel();
    let exact = broker("version=3", move |mut stream| {
        stream.write_all(&[0x20, 2, 1, 0]).unwrap();
        stream.write_all(&[0x34, 6, 0, 1, b't', 0, 9, b'x']).unwrap();
        sender.send(read_to(&mut stream, 5)).unwrap();
        stream.write_all(&[0x62, 2, 0, 9]).unwrap();
        sender.send(read_to(&mut stream, 7)).unwrap();
    });
    let subscriber = Subscriber::open(&exact, &[], quick()).unwrap();
    let message = subscriber.recv(PATIENCE).unwrap().expect("no message came");
    assert_eq!(message.payload, b"x");
    subscriber.ack(message.receipt);
    for kind in ["PUBREC", "PUBCOMP"] {
        assert_eq!(answers.recv_timeout(PATIENCE).unwrap(), Some(vec![0, 9]), "{kind}");
    }
}

#[test]
fn survives_any_bytes() {
    // A linear congruential generator (Knuth's MMIX constants) makes the same bytes in each run.
    let mut state = 1_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let (sender, counted) = std::sync::mpsc::channel();
    let mad = broker("", move |mut stream| {
        let welcome: &[u8] = if random() < 200 { &WELCOME_5 } else { &[] };
        let length = usize::from(random());
        let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
        let _ = stream.write_all(welcome).and_then(|()| stream.write_all(&bytes));
        let _ = sender.send(());
    });
    let mut options = Options { first_connect: FirstConnect::Background, ..quick() };
    options.backoff.first = Duration::from_millis(1);
    options.backoff.last = Duration::from_millis(2);
    let open = || Subscriber::open(&mad, &[], options.clone()).unwrap();
    let mut subscriber = open();
    for _ in 0..1000 {
        counted.recv_timeout(PATIENCE).unwrap();
        while let Ok(Some(_)) = subscriber.recv(Duration::ZERO) {}
        // Some bytes mean an end for good, such as a refused subscription; none may show a bug.
        if let Status::Closed { error } = subscriber.status() {
            let error = error.expect("nobody closed it");
            assert_ne!(error.kind(), ErrorKind::Bug, "{error}");
            subscriber = open();
        }
    }
}
