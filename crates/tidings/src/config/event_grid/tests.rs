//! Event Grid in a configuration: what its keys become, and what is refused.

use std::path::Path;

use super::super::outside::fake::Fake;
use super::super::{Config, Context, Flag, Problem, check, check_dev};
use super::*;

const KEY1: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
const KEY2: &str = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg==";

fn read(text: &str, outside: &Fake) -> (Option<Config>, Vec<Problem>) {
    let base = Path::new("/etc/tidings");
    let text = format!("[[resource]]\nname = \"chat\"\nkind = \"webpubsub\"\n{text}");
    check(&text, &Context { mode: Mode::Serve, base, flags: &[], outside })
}

/// The messages of all errors, in one text.
fn refusal(text: &str) -> String {
    let (config, problems) = read(text, &Fake::default());
    assert!(config.is_none(), "{text}");
    problems.iter().map(|problem| format!("{}; ", problem.message)).collect()
}

const TOPIC_ORDERS: &str = "[[eventgrid.topic]]\nname = \"orders\"\n";

fn subscription(keys: &str) -> String {
    format!("{TOPIC_ORDERS}[[eventgrid.subscription]]\nname = \"billing\"\n{keys}")
}

#[test]
fn a_topic_and_its_subscription_become_what_a_call_would_say() {
    let outside = Fake::default().variable("HOOK", "https://h.example/in?code=hunter2");
    let text = subscription(
        "topic = \"orders\"\nurl_env = \"HOOK\"\nevent_types = [\"order.made\"]\n\
         subject_begins_with = \"eu/\"\nmax_attempts = 5\ndead_letters = \"dead\"\n",
    );
    let (config, problems) = read(&text, &outside);
    let config = config.unwrap_or_else(|| panic!("{problems:?}"));
    assert!(!format!("{config:?}").contains("hunter2"));
    let [billing] = &config.event_grid.subscriptions[..] else { panic!("one") };
    assert_eq!(billing.source, EventSource::Topic("orders".to_owned()));
    let properties: Json = serde_json::from_str(billing.properties.expose()).unwrap();
    let destination = &properties["destination"]["properties"];
    assert_eq!(destination["endpointUrl"], "https://h.example/in?code=hunter2");
    assert_eq!(properties["filter"]["includedEventTypes"], json!(["order.made"]));
    assert_eq!(properties["filter"]["subjectBeginsWith"], "eu/");
    assert_eq!(properties["retryPolicy"]["maxDeliveryAttempts"], 5);
    assert_eq!(properties["deadLetterDestination"]["properties"]["name"], "dead");
}

#[test]
fn the_service_is_tuned_by_its_section() {
    let text = "[eventgrid]\nretry_time_scale = 0.001\nretry_delays_seconds = [1, 2]\n\
                give_up_statuses = [400]\ndead_letter_folder = \"dead\"\n";
    let (config, problems) = read(text, &Fake::default());
    let grid = config.unwrap_or_else(|| panic!("{problems:?}")).event_grid;
    assert_eq!(grid.retry_time_scale, Factor { millionths: 1000 });
    assert_eq!(grid.retry_delays, [1, 2].map(Duration::from_secs));
    assert_eq!(grid.give_up_statuses.as_deref(), Some(&[400][..]));
    assert_eq!(grid.dead_letter_folder, Path::new("/etc/tidings/dead"));
    for bad in ["0", "-1", "1001", "\"slow\"", "true"] {
        let message = refusal(&format!("[eventgrid]\nretry_time_scale = {bad}\n"));
        assert!(message.contains("from 0.000001 to 1000"), "{bad}: {message}");
    }
}

#[test]
fn an_empty_list_of_statuses_is_not_an_absent_one() {
    for (keys, expected) in [("give_up_statuses = []\n", Some(Vec::new())), ("", None)] {
        let (config, problems) = read(&format!("[eventgrid]\n{keys}"), &Fake::default());
        let grid = config.unwrap_or_else(|| panic!("{problems:?}")).event_grid;
        assert_eq!(grid.give_up_statuses, expected);
    }
}

#[test]
fn keys_of_a_topic_come_together_and_are_base64() {
    let with = |key2: &str| {
        let text = format!("{TOPIC_ORDERS}key1_env = \"K1\"\n{key2}");
        read(
            &text,
            &Fake::default()
                .variable("K1", KEY1)
                .variable("K2", KEY2)
                .variable("K3", "!".repeat(40).as_str()),
        )
    };
    let (config, _) = with("key2_env = \"K2\"\n");
    let topic = &config.unwrap().event_grid.topics[0];
    assert!(matches!(&topic.key1, KeySource::Given { secret, .. } if secret.expose() == KEY1));
    let (_, problems) = with("");
    assert!(problems.iter().any(|it| it.message.contains("only one of the two keys")));
    let (_, problems) = with("key2_env = \"K3\"\n");
    assert!(problems.iter().any(|it| it.message.contains("not base64")), "{problems:?}");
}

#[test]
fn what_cannot_be_is_said_with_its_cure() {
    for (keys, says) in [
        ("url = \"https://h\"\n", "neither of topic and resource"),
        (
            "topic = \"orders\"\nresource = \"chat\"\nurl = \"https://h\"\n",
            "both topic and resource",
        ),
        ("topic = \"other\"\nurl = \"https://h\"\n", "no [[eventgrid.topic]] named \"other\""),
        ("resource = \"other\"\nurl = \"https://h\"\n", "no [[resource]] named \"other\""),
        ("topic = \"orders\"\n", "one destination"),
        ("topic = \"orders\"\nurl = \"https://h\"\nhub = \"a\"\n", "one destination"),
        ("topic = \"orders\"\nurl = \"ftp://h\"\n", "absolute URL"),
        ("topic = \"orders\"\nhub = \"a\"\ngroup = \"g\"\nuser = \"u\"\n", "not both"),
        (
            "topic = \"orders\"\nurl = \"https://h\"\nschema = \"CustomInputSchema\"\n",
            "cannot be delivered",
        ),
        ("topic = \"orders\"\nurl = \"https://h\"\nmax_attempts = 31\n", "out of range"),
    ] {
        let message = refusal(&subscription(keys));
        assert!(message.contains(says), "{keys}: {message}");
    }
    let twice = refusal(&format!("{TOPIC_ORDERS}{TOPIC_ORDERS}"));
    assert!(twice.contains("name of a topic"), "{twice}");
    let billing = subscription("topic = \"orders\"\nhub = \"a\"\n");
    let again = billing.replace(TOPIC_ORDERS, "");
    let twice = refusal(&format!("{billing}{again}"));
    assert!(twice.contains("\"orders/billing\" already stands"), "{twice}");
    let literal = refusal(&format!("{TOPIC_ORDERS}key1 = \"{KEY1}\"\n"));
    assert!(literal.contains("must not be in the file"), "{literal}");
}

#[test]
fn development_has_a_topic_and_what_its_flags_subscribe() {
    let flag = |value: &str| Flag {
        name: "--event-subscription",
        path: "eventgrid.subscription.url",
        value: value.to_owned(),
    };
    let outside = Fake::default();
    let (config, problems) = check_dev(&[flag("orders=http://localhost:1/?a=b")], &outside);
    let grid = config.unwrap_or_else(|| panic!("{problems:?}")).event_grid;
    assert_eq!(grid.topics[0].name, "local");
    assert!(matches!(grid.topics[0].key1, KeySource::Seeded(_)));
    assert_eq!(grid.subscriptions[0].name, "orders");
    assert!(grid.subscriptions[0].properties.expose().contains("http://localhost:1/?a=b"));
    let (config, problems) = check_dev(&[flag("http://localhost:1/")], &outside);
    assert!(config.is_none() && problems[0].help.contains("NAME=URL"), "{problems:?}");
}
