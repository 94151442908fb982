//! `mote run` between two topics of a real Mosquitto: nothing is lost when the broker goes away.

mod support;

#[path = "../../mote-data/tests/support/mosquitto.rs"]
#[allow(dead_code)]
mod mosquitto;

use std::{
    collections::BTreeSet,
    process::Stdio,
    time::{Duration, Instant},
};

use mosquitto::Mosquitto;
use mote_data::mqtt::{Broker, Options, Publisher, Subscriber};
use serde_json::{Value, json};
use support::{mote, trained};

const MESSAGES: usize = 300;

/// What the model reads.
fn columns() -> Vec<String> {
    let facts = support::run(trained(), &["inspect", "pump.mote", "--json"]);
    let facts: Value = serde_json::from_slice(&facts.stdout).expect("JSON");
    let columns = facts["schema"]["columns"].as_array().expect("columns");
    columns.iter().map(|c| c["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn every_message_is_scored_though_the_broker_is_killed() {
    let mut broker = Mosquitto::start(&[], &[]);
    let model = trained().join("pump.mote");
    let columns = columns();
    let open = |topic: &str| {
        let address = Broker::parse(&broker.address(topic)).expect("an address");
        Subscriber::open(&address, &[], Options::default()).expect("a connection")
    };
    let scores = open("/scores?client_id=judge");
    let mut child = mote(
        trained(),
        &[
            "run",
            model.to_str().expect("UTF-8"),
            "--from",
            &broker.address("/plant?client_id=watcher"),
            "--to",
            &broker.address("/scores"),
        ],
    )
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary was built with the tests");

    let address = Broker::parse(&broker.address("/plant")).expect("an address");
    let publisher = Publisher::open(&address, Options::default()).expect("a connection");
    // The watcher has to have subscribed once, or the broker keeps nothing for it.
    broker.wait_saved("watcher");
    let start = 1_704_067_200;
    for i in 0..MESSAGES {
        let mut message = json!({ "time": start + i });
        for (k, name) in columns.iter().enumerate() {
            message[name] = json!(1.0 + ((i + k) % 7) as f64 * 0.01);
        }
        publisher.publish("plant", message.to_string(), false).expect("queued");
        if i == MESSAGES / 3 || i == 2 * MESSAGES / 3 {
            publisher.flush(Duration::from_secs(60)).expect("confirmed");
            broker.kill_saved();
            broker.restart();
        }
    }
    publisher.flush(Duration::from_secs(60)).expect("confirmed");

    // The aligner holds the last record back until a later one comes.
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    while seen.len() < MESSAGES - 1 {
        assert!(Instant::now() < deadline, "only {} of {MESSAGES} arrived", seen.len());
        let Some(message) = scores.recv(Duration::from_millis(500)).expect("a connection") else {
            continue;
        };
        let line: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if line["type"] == "score" {
            seen.insert(line["time"].as_str().expect("a time").to_owned());
        }
        scores.ack(message.receipt);
    }
    let mut interrupt = std::process::Command::new("kill");
    interrupt.args(["-INT", &child.id().to_string()]);
    assert!(interrupt.status().expect("kill").success());
    assert!(child.wait().expect("it ends").success());
}
