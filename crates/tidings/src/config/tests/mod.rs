//! Whole configurations, checked on a machine made of two maps.

use std::time::Duration;

use webpubsub::upstream::{EventName, HandlerAuth};

use super::outside::fake::Fake;
use super::*;

mod mistakes;

/// A file that serve accepts without a word, but for plain HTTP.
const GOOD: &str = r#"
[[resource]]
name = "chat"
kind = "webpubsub"
"#;

const KEY_A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=";

fn serve(text: &str, outside: &Fake) -> (Option<Config>, Vec<Problem>) {
    let base = Path::new("/etc/tidings");
    check(text, &Context { mode: Mode::Serve, base, flags: &[], outside })
}

/// The rendered errors of a file, without warnings.
fn errors(text: &str, outside: &Fake) -> String {
    let (config, mut problems) = serve(text, outside);
    problems.retain(|problem| problem.severity == Severity::Error);
    assert_eq!(config.is_none(), !problems.is_empty());
    render(&problems, "t.toml")
}

/// A fresh certificate and its private key, as PEM.
fn key_pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["test.invalid".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn an_empty_dev_configuration_has_one_loopback_resource_with_known_keys() {
    let (config, problems) = check_dev(&[], &Fake::default());
    let config = config.unwrap();
    assert_eq!(problems, []);
    assert!(config.server.bind.is_loopback());
    assert_eq!((config.server.http_port, config.server.https_port), (8080, Some(8443)));
    assert_eq!(config.server.admin_port, 8081);
    assert_eq!(config.data.folder, Path::new(".tidings"));
    assert_eq!(config.gateway.keep_alive, Duration::from_secs(20));
    let [resource] = config.resources.as_slice() else { panic!("one resource") };
    assert_eq!(resource.name, "local");
    let known = kernel::Secret::new(DEVELOPMENT_PRIMARY_KEY);
    assert_eq!(resource.primary_key, KeySource::Seeded(known));
}

#[test]
fn later_layers_win_over_earlier_ones() {
    let text = "[server]\nhttp_port = 1001\nadmin_port = 1002\ndrain_seconds = 3\n";
    let outside = Fake::default()
        .variable("TIDINGS_SERVER_HTTP_PORT", "2001")
        .variable("TIDINGS_SERVER_ADMIN_PORT", "2002")
        .variable("TIDINGS_LOG_FORMAT", "");
    let flag = Flag { name: "--http-port", path: "server.http_port", value: "3001".to_owned() };
    let base = Path::new("");
    let context = Context { mode: Mode::Serve, base, flags: &[flag], outside: &outside };
    let config = check(text, &context).0.unwrap();
    assert_eq!(config.server.http_port, 3001);
    assert_eq!(config.server.admin_port, 2002);
    assert_eq!(config.server.drain, Duration::from_secs(3));
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn relative_paths_start_at_the_file_or_at_the_working_folder() {
    let folder = |text: &str, outside: &Fake| serve(text, outside).0.unwrap().data.folder;
    let text = "[data]\nfolder = \"state\"\n";
    assert_eq!(folder(text, &Fake::default()), Path::new("/etc/tidings/state"));
    let outside = Fake::default().variable("TIDINGS_DATA_FOLDER", "state");
    assert_eq!(folder(text, &outside), Path::new("state"));
    assert_eq!(folder("[data]\nfolder = \"/s\"\n", &Fake::default()), Path::new("/s"));
}

#[test]
fn a_complete_file_becomes_a_configuration() {
    let (certificate, key) = key_pair();
    let outside = Fake::default()
        .file("/etc/tidings/tls/chain.pem", &certificate)
        .file("/etc/tidings/tls/key.pem", &key)
        .file("/etc/tidings/chat.key", &format!("{KEY_A}\n"))
        .variable("CHAT_SECONDARY", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    let text = r#"
        [server]
        bind = "::1"
        https_port = 443
        [tls]
        certificate = "tls/chain.pem"
        key = "tls/key.pem"
        [[resource]]
        name = "chat"
        kind = "webpubsub"
        hosts = ["Chat.Example.com"]
        public_endpoints = ["https://Chat.Example.com/"]
        primary_key_file = "chat.key"
        secondary_key_env = "CHAT_SECONDARY"
    "#;
    let (config, problems) = serve(text, &outside);
    assert_eq!(problems, []);
    let config = config.unwrap();
    assert_eq!(config.server.https_port, Some(443));
    assert_eq!(config.tls.unwrap().certificate, Path::new("/etc/tidings/tls/chain.pem"));
    let resource = &config.resources[0];
    assert_eq!(resource.hosts, ["chat.example.com"]);
    assert_eq!(resource.public_endpoints, ["https://chat.example.com"]);
    let KeySource::Given { secret, origin } = &resource.primary_key else { panic!("given") };
    assert_eq!((secret.expose(), origin.as_str()), (KEY_A, "file chat.key"));
    assert!(matches!(&resource.secondary_key, KeySource::Given { .. }));
}

#[test]
fn a_database_url_comes_from_the_file_a_variable_or_a_file_of_its_own() {
    const URL: &str = "postgres://me:hunter2@db.example:5433/tidings";
    let database = |text: &str, outside: &Fake| {
        let (config, problems) = serve(&format!("{text}{GOOD}"), outside);
        assert!(!has_errors(&problems), "{}", render(&problems, "t.toml"));
        config.unwrap().data.database
    };
    let given = |url: &str| {
        let url = kernel::Secret::new(url);
        Database::Postgres { url, extra_ca: None }
    };
    assert_eq!(database("", &Fake::default()), Database::File);
    let harmless = "postgres://me@db/tidings?sslmode=require";
    let text = format!("[data]\ndatabase_url = \"{harmless}\"\n");
    assert_eq!(database(&text, &Fake::default()), given(harmless));
    let outside = Fake::default().variable("TIDINGS_DATA_DATABASE_URL", URL);
    assert_eq!(database("", &outside), given(URL));
    let outside = Fake::default().variable("DATABASE_URL", URL);
    assert_eq!(database("[data]\ndatabase_url_env = \"DATABASE_URL\"\n", &outside), given(URL));
    let outside = Fake::default().file("/etc/tidings/db", &format!("{URL}\n"));
    assert_eq!(database("[data]\ndatabase_url_file = \"db\"\n", &outside), given(URL));
}

#[test]
fn a_password_in_the_file_is_refused_and_never_repeated() {
    for url in [
        "postgres://me:hunter2@db/tidings",
        "postgres://me@db/tidings?password=hunter2",
        "postgres://me:hunter2@db:port/tidings",
    ] {
        let text = format!("[data]\ndatabase_url = \"{url}\"\n{GOOD}");
        let told = errors(&text, &Fake::default());
        assert!(told.contains("data.database_url holds a password"), "{told}");
        assert!(told.contains("database_url_file or database_url_env"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn development_ignores_a_database_server() {
    let outside = Fake::default().variable("TIDINGS_DATA_DATABASE_URL", "postgres://db/tidings");
    let (config, problems) = check_dev(&[], &outside);
    assert_eq!(config.unwrap().data.database, Database::File);
    let told = render(&problems, "dev");
    assert!(told.contains("data.database_url has no effect in development"), "{told}");
}

#[test]
fn serve_without_a_certificate_warns_unless_https_was_asked_for() {
    let (config, problems) = serve(GOOD, &Fake::default());
    assert_eq!(config.unwrap().server.https_port, None);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].severity, Severity::Warning);
    assert!(problems[0].message.contains("only plain HTTP"));
    let asked = errors(&format!("[server]\nhttps_port = 443\n{GOOD}"), &Fake::default());
    assert!(asked.starts_with("t.toml:2:14: error: server.https_port is set, but no"), "{asked}");
}

#[test]
fn keys_that_are_known_short_or_unfit_are_refused_without_being_shown() {
    let text = format!("{GOOD}primary_key_env = \"K\"\n");
    let rows = [
        (DEVELOPMENT_PRIMARY_KEY, "well-known development key"),
        (DEVELOPMENT_SECONDARY_KEY, "well-known development key"),
        ("tooshort-hush", "has 13 characters, fewer than 32"),
        ("hush;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "holds a space, a semicolon"),
        ("hush aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "holds a space, a semicolon"),
    ];
    for (key, expected) in rows {
        let found = errors(&text, &Fake::default().variable("K", key));
        assert!(found.contains(expected), "{found}");
        assert!(!found.contains("hush") && !found.contains(key), "{found}");
    }
}

#[test]
fn the_same_key_twice_is_worth_a_warning() {
    let text = format!("{GOOD}primary_key_env = \"K\"\nsecondary_key_env = \"K\"\n");
    let (config, problems) = serve(&text, &Fake::default().variable("K", KEY_A));
    assert!(config.is_some());
    assert!(render(&problems, "t").contains("warning: the primary and the secondary key"));
}

#[test]
fn a_certificate_with_another_key_or_without_pem_is_refused() {
    let text = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    let (certificate, key) = key_pair();
    let (_, other) = key_pair();
    let machine = |certificate: &str, key: &str| {
        Fake::default().file("/etc/tidings/c", certificate).file("/etc/tidings/k", key)
    };
    assert_eq!(errors(text, &machine(&certificate, &key)), "");
    let mismatch = errors(text, &machine(&certificate, &other));
    assert!(mismatch.contains("3:7: error: the private key does not belong"), "{mismatch}");
    let swapped = errors(text, &machine(&key, &certificate));
    assert!(swapped.contains("2:15: error: tls.certificate names c, but it holds no certificate"));
    assert!(swapped.contains("3:7: error: tls.key names k, but it holds no private key"));
}

#[test]
fn a_resource_with_hubs_becomes_a_configuration() {
    let outside = Fake::default().file("/etc/tidings/token", "hush-token\n");
    let text = format!(
        r#"{GOOD}
        [[resource.hub]]
        name = "Chat"
        anonymous_connect = "allow"
        keep_alive_seconds = 120
        [[resource.hub.event_handler]]
        url_template = "https://app.example.com/{{hub}}/{{event}}?code=hush"
        user_events = "order, refund"
        system_events = ["connect", "disconnected"]
        auth = "bearer"
        bearer_token_file = "token"
        [[resource.hub.event_handler]]
        url_template = "https://other.example.com/"
        user_events = "*"
        [[resource.hub]]
        name = "*"
        [gateway]
        keep_alive_seconds = 7
        [outbound]
        allow_private = true
        allow = ["10.0.0.0/8", "fd00::/8"]
        [upstream]
        timeout_seconds = 5
        "#
    );
    let config = serve(&text, &outside).0.unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let [chat, other] = config.resources[0].hubs.as_slice() else { panic!("two hubs") };
    assert_eq!(chat.name.as_ref().map(|name| name.as_str()), Some("chat"));
    assert!(chat.anonymous_connect && !other.anonymous_connect);
    assert_eq!(chat.keep_alive, Duration::from_secs(120));
    assert_eq!((&other.name, other.keep_alive), (&None, Duration::from_secs(7)));
    let [first, second] = chat.event_handlers.as_slice() else { panic!("two handlers") };
    let url = first.url.fill("chat", "connect").to_string();
    assert_eq!(url, "https://app.example.com/chat/connect?code=hush");
    let wants = |handler: &EventHandler, event| handler.wants(event);
    assert!(wants(first, EventName::User("REFUND")) && !wants(first, EventName::User("message")));
    assert!(wants(first, EventName::Connect) && !wants(first, EventName::Connected));
    assert!(wants(second, EventName::User("message")) && !wants(second, EventName::Connect));
    let HandlerAuth::Bearer(value) = &first.auth else { panic!("a token is named") };
    assert_eq!(value, "Bearer hush-token");
    assert_eq!(second.auth, HandlerAuth::None);
    assert!(config.outbound.allow_private);
    assert_eq!(config.outbound.allow.len(), 2);
    assert_eq!(config.upstream.timeout, Duration::from_secs(5));
}

#[test]
fn outgoing_calls_reach_private_addresses_in_development_only() {
    assert!(check_dev(&[], &Fake::default()).0.unwrap().outbound.allow_private);
    let config = serve(GOOD, &Fake::default()).0.unwrap();
    assert!(!config.outbound.allow_private && config.outbound.allow.is_empty());
    assert_eq!(config.upstream.timeout, Duration::from_secs(100));
    let outside = Fake::default()
        .variable("TIDINGS_OUTBOUND_ALLOW_PRIVATE", "true")
        .variable("TIDINGS_OUTBOUND_ALLOW", "10.0.0.0/8, 192.168.1.1");
    let config = serve(GOOD, &outside).0.unwrap();
    assert!(config.outbound.allow_private);
    assert_eq!(config.outbound.allow.len(), 2);
}

#[test]
fn a_handler_that_wants_nothing_is_worth_a_warning() {
    let text = format!(
        "{GOOD}[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\n\
         url_template = \"http://h/\"\n"
    );
    let (config, problems) = serve(&text, &Fake::default());
    assert!(config.is_some());
    assert!(render(&problems, "t").contains("t:7:1: warning: this event handler wants no event"));
}

#[test]
fn mistakes_in_flags_of_hubs_name_the_flag() {
    let handler = "resource.hub.event_handler.url_template";
    for (name, path, value, expected) in [
        ("--event-handler", handler, "http://h/", "names no hub or no URL"),
        ("--event-handler", handler, "a b=http://h/", "Invalid hub name 'a b'"),
        ("--event-handler", handler, "a=h", "begins with http:// or https://"),
        ("--event-handler", handler, "a=http://{hub}/", "host of the URL holds {hub}"),
        ("--anonymous", "resource.hub.anonymous_connect", "1", "Invalid hub name '1'"),
    ] {
        let flag = Flag { name, path, value: value.to_owned() };
        let (config, problems) = check_dev(&[flag], &Fake::default());
        let text = render(&problems, "dev");
        assert!(config.is_none(), "{value}");
        assert!(text.starts_with(&format!("flag {name}: error: ")), "{text}");
        assert!(text.contains(expected) && problems.len() == 1, "{text}");
    }
}

#[test]
fn development_refuses_to_be_reached_from_outside() {
    let (config, problems) =
        check_dev(&[], &Fake::default().variable("TIDINGS_SERVER_BIND", "0.0.0.0"));
    assert!(config.is_none());
    let text = render(&problems, "dev");
    assert!(text.starts_with("environment variable TIDINGS_SERVER_BIND: error: "), "{text}");
}

#[test]
fn slips_in_variables_are_warned_of_and_strangers_left_alone() {
    let outside = Fake::default()
        .variable("TIDINGS_SERVER_HTTP_PROT", "1")
        .variable("TIDINGS_SERVER_COLOUR", "red")
        .variable("TIDINGS_TLS_KEY", "k")
        .variable("TIDINGS_SERVICE_HOST", "10.0.0.1")
        .variable("TIDINGS_PORT", "tcp://10.0.0.1:8080");
    let (config, problems) = check_dev(&[], &outside);
    assert!(config.is_some());
    let text = render(&problems, "dev");
    assert!(text.contains("did you mean TIDINGS_SERVER_HTTP_PORT?"), "{text}");
    assert!(text.contains("TIDINGS_SERVER_COLOUR: warning"), "{text}");
    assert!(text.contains("TIDINGS_TLS_KEY: warning: tls.key has no effect"), "{text}");
    assert_eq!(problems.len(), 3, "{text}");
}

#[test]
fn flags_are_checked_like_everything_else() {
    let flag = Flag { name: "--data", path: "data.folder", value: String::new() };
    let (_, problems) = check_dev(&[flag], &Fake::default());
    assert!(render(&problems, "dev").starts_with("flag --data: error: data.folder is empty"));
}

#[test]
fn a_configuration_can_be_printed_without_its_secrets() {
    let text = format!("{GOOD}primary_key_env = \"K\"\n");
    let config = serve(&text, &Fake::default().variable("K", KEY_A)).0.unwrap();
    assert!(!format!("{config:?}").contains(KEY_A));
}

#[test]
fn no_text_makes_the_check_panic() {
    proptest::proptest!(|(text in "(\\[\\[?(server|resource|tls)\\]?\\]\n|name|hosts|bind|=|\"|[\\x20-\\x7eäß]|\n){0,60}")| {
        let _ = serve(&text, &Fake::default());
    });
}

#[test]
fn a_resource_does_not_take_the_names_of_the_servers_own_keys() {
    for name in ["management", "communication"] {
        let text = GOOD.replace("chat", name);
        let told = errors(&text, &Fake::default());
        assert!(told.contains(&format!("tidings keys show {name}")), "{told}");
    }
}
