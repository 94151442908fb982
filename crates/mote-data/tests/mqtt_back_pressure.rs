//! MQTT with a slow subscriber: the messages wait at the broker, and not in this process.
//!
//! It measures the memory of its process, so nothing else may run in it.

#![cfg(feature = "mqtt")]
#![allow(clippy::unwrap_used, reason = "it is how a test ends, also in its helpers")]

#[allow(dead_code, reason = "other tests use other parts of it")]
#[path = "support/mosquitto.rs"]
mod mosquitto;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mosquitto::{Mosquitto, PATIENCE};
use mote_data::mqtt::{Broker, FirstConnect, Listener, Options, Publisher, Status, Subscriber};

const MESSAGES: u32 = 1000;
const PAYLOAD_BYTES: usize = 40_000;
/// All messages together have 40 MB. The queue has 0.3 MB, and allocators keep some more.
const GROWTH_BYTES_MAX: usize = 8 << 20;

/// Bytes of memory that this process has in use (Linux: `VmRSS`).
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[track_caller]
fn check(version: u8) {
    let mosquitto = Mosquitto::start(&["persistence false"], &[]);
    let losses = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&losses);
    let listener = Listener::new(move |status: &Status| {
        counted.fetch_add(matches!(status, Status::Reconnecting { .. }).into(), Ordering::Relaxed);
    });
    let patient = FirstConnect::Within(PATIENCE);
    let options = Options {
        queue: 8,
        in_flight: 65_535,
        keep_alive: Duration::from_secs(1),
        first_connect: patient,
        listener: Some(listener),
        ..Options::default()
    };
    let address = mosquitto.address(&format!("/slow?client_id=slow&version={version}"));
    let subscriber = Subscriber::open(&Broker::parse(&address).unwrap(), &[], options).unwrap();
    let options = Options { queue: 8, first_connect: patient, ..Options::default() };
    let address = Broker::parse(&mosquitto.address(&format!("?version={version}"))).unwrap();
    let publisher = Publisher::open(&address, options).unwrap();
    let payload = |number: u32| {
        let mut payload = vec![0; PAYLOAD_BYTES];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        payload
    };
    let before = resident_bytes();
    for number in 0..MESSAGES {
        publisher.publish("slow", payload(number), false).unwrap();
    }
    publisher.flush(PATIENCE).unwrap();
    // The broker ends a connection after 1.5 s without a sign of life: the subscriber, which reads
    // nothing now, must give some. This time is what is tested, and waits for nothing.
    thread::sleep(Duration::from_secs(4));
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_BYTES_MAX, "version {version}: grew by {growth} bytes");

    for number in 0..MESSAGES {
        let message = subscriber.recv(PATIENCE).unwrap().expect("no message came");
        assert!(message.payload == payload(number), "version {version}: message {number}");
        subscriber.ack(message.receipt);
    }
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < GROWTH_BYTES_MAX, "version {version}: grew by {growth} bytes");
    assert_eq!(losses.load(Ordering::Relaxed), 0, "version {version}: the connection was lost");
}

#[test]
fn a_slow_subscriber_neither_grows_nor_loses_its_connection() {
    check(3);
    check(5);
}
