//! What other tests lean on: the broker and the registry are the real ones and do as they say.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use schemas::EventKind;
use serde_json::json;
use testkit::{
    Broker, Message, Registry, events, produce, produce_all, secure_kafka, shared_kafka,
};

const NOON_MS: i64 = 1_760_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(30);

fn end_offset(bootstrap: &str, topic: &str, partition: i32) -> i64 {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .expect("a client");
    client
        .fetch_watermarks(topic, partition, TIMEOUT)
        .expect("watermarks")
        .1
}

#[test]
fn messages_land_where_they_were_sent_in_their_order() {
    let broker = shared_kafka();
    let topic = testkit::unique_name("order");
    broker.create_topic(&topic, 3).expect("a topic");
    let event = events::heartbeat("T-1", NOON_MS, json!({}));
    let messages = vec![Message::json("T-1", &event).to_partition(2); 5];
    let places = produce_all(broker.bootstrap(), &topic, &messages).expect("acknowledged");
    assert_eq!(places, [(2, 0), (2, 1), (2, 2), (2, 3), (2, 4)]);
    assert_eq!(end_offset(broker.bootstrap(), &topic, 2), 5);
}

#[test]
fn partitions_can_be_added_to_a_live_topic() {
    let broker = shared_kafka();
    let topic = testkit::unique_name("grows");
    broker.create_topic(&topic, 1).expect("a topic");
    broker.add_partitions(&topic, 4).expect("more partitions");
    let offset = produce(broker.bootstrap(), &topic, 3, "T-1", b"{}", NOON_MS).expect("sent");
    assert_eq!(offset, 0);
}

#[test]
fn a_killed_broker_keeps_its_messages_and_its_address() {
    let mut broker = Broker::kafka().expect("a broker");
    let address = broker.bootstrap().to_owned();
    broker.create_topic("kept", 1).expect("a topic");
    let messages = vec![Message::new("T-1", "{}"); 100];
    produce_all(&address, "kept", &messages).expect("acknowledged");
    broker.kill9().expect("killed");
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "something still listens"
    );
    broker.restart().expect("restarted");
    assert_eq!(broker.bootstrap(), address);
    assert_eq!(end_offset(&address, "kept", 0), 100);
}

#[test]
fn the_secure_broker_admits_its_user_and_nobody_else() {
    let kafka = secure_kafka().expect("a broker");
    let client = |password: &str| -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &kafka.bootstrap)
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", &kafka.username)
            .set("sasl.password", password)
            .set(
                "ssl.ca.location",
                kafka.ca_pem_path.to_str().expect("UTF-8"),
            )
            .create()
            .expect("a client")
    };
    let topic = EventKind::Decline.topic();
    let admitted = client(&kafka.password).fetch_metadata(Some(topic), TIMEOUT);
    assert_eq!(
        admitted.expect("metadata").topics()[0].partitions().len(),
        2
    );
    client("guessed")
        .fetch_metadata(None, Duration::from_secs(5))
        .expect_err("wrong password");
}

#[test]
fn the_registry_gives_back_what_was_registered_under_its_id() {
    let mut registry = Registry::start().expect("a registry");
    for kind in EventKind::ALL {
        let avro = kind.contract().avro;
        let id = registry.register(&kind.subject(), avro).expect("an id");
        assert_eq!(registry.schema(id).expect("a schema"), avro);
        assert_eq!(registry.register(&kind.subject(), avro).expect("an id"), id);
    }
    assert_eq!(
        registry.subjects().expect("subjects").len(),
        EventKind::ALL.len()
    );
    registry.stop();
    registry
        .subjects()
        .expect_err("a stopped registry does not answer");
}
