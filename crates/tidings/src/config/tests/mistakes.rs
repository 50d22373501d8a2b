//! What is said of each mistake, and where.

use super::*;

#[test]
fn every_mistake_is_told_with_its_place() {
    for (text, expected) in FILE_MISTAKES {
        let found = errors(text, &Fake::default());
        let mut rest = found.as_str();
        for beginning in *expected {
            let at = rest.find(beginning).unwrap_or_else(|| panic!("{text}\n{found}"));
            rest = &rest[at + beginning.len()..];
        }
        assert_eq!(found.matches(": error: ").count(), expected.len(), "{text}\n{found}");
    }
}

#[test]
fn every_mistake_of_a_resource_is_told_with_its_place() {
    for (lines, expected) in RESOURCE_MISTAKES {
        let found = errors(&format!("[[resource]]\n{lines}\n"), &Fake::default());
        for beginning in *expected {
            assert!(found.contains(beginning), "{lines}\n{found}");
        }
        assert_eq!(found.matches(": error: ").count(), expected.len(), "{lines}\n{found}");
        assert!(!found.contains("hush"));
    }
}

#[test]
fn every_mistake_of_a_hub_is_told_with_its_place() {
    for (lines, expected) in HUB_MISTAKES {
        let found = errors(&format!("{GOOD}{lines}\n"), &Fake::default());
        for beginning in *expected {
            assert!(found.contains(beginning), "{lines}\n{found}");
        }
        assert_eq!(found.matches(": error: ").count(), expected.len(), "{lines}\n{found}");
        assert!(!found.contains("hush"), "{found}");
    }
}

/// Each row: a file, and the beginnings of exactly the errors that it has.
const FILE_MISTAKES: &[(&str, &[&str])] = &[
    (
        "[servr]\n",
        &["t.toml:1:2: error: there is no section \"servr\"\n    help: did you mean server?"],
    ),
    (
        "http_port = 1\n",
        &[
            "t.toml:1:1: error: there is no section \"http_port\"\n    help: http_port belongs below [server]",
        ],
    ),
    ("server = 3\n", &["t.toml:1:1: error: server must be a section"]),
    ("[resource]\nname = \"chat\"\n", &["t.toml:1:2: error: resource must be a list of tables"]),
    ("resource = [1]\n", &["t.toml:1:13: error: a resource must be a table"]),
    (
        "[server]\nhttp_prot = 1\n",
        &["t.toml:2:1: error: there is no key server.http_prot\n    help: did you mean http_port?"],
    ),
    (
        "[server]\nlevel = \"info\"\n",
        &["t.toml:2:1: error: there is no key server.level\n    help: level belongs below [log]"],
    ),
    (
        "[server]\nhttp_port = \"8080\"\n",
        &["t.toml:2:13: error: server.http_port must be a whole number, but it is a string"],
    ),
    (
        "[server]\nhttp_port = 1.5\n",
        &["t.toml:2:13: error: server.http_port must be a whole number, but it is a float"],
    ),
    (
        "[server]\nbind = 127\n",
        &["t.toml:2:8: error: server.bind must be a string, but it is an integer"],
    ),
    (
        "[server]\nbind = \"localhost:80\"\n",
        &["t.toml:2:8: error: server.bind is \"localhost:80\", which is not an IP address"],
    ),
    (
        "[server]\nhttp_port = 65536\n",
        &[
            "t.toml:2:13: error: server.http_port is 65536, which is out of range\n    help: use a number from 0 to 65535",
        ],
    ),
    (
        "[server]\ndrain_seconds = -1\n",
        &["t.toml:2:17: error: server.drain_seconds is -1, which is out of range"],
    ),
    (
        "[server]\nhttp_port = 99999999999999999999\n",
        &["t.toml:2:13: error: server.http_port is too large"],
    ),
    (
        "[server]\nhttp_port = 9464\n",
        &["t.toml:2:13: error: server.http_port and server.admin_port are both 9464"],
    ),
    (
        "[server]\nhttp_port = 1\nhttp_port = 2\n",
        &["t.toml:3:1: error: not valid TOML: duplicate key"],
    ),
    ("[data]\ndurability = \"relax\"\n", &["t.toml:2:14: error: data.durability is \"relax\""]),
    (
        "[data]\nmaster_key = \"x\"\n",
        &["t.toml:2:1: error: data.master_key must not be in the file"],
    ),
    (
        "[data]\ndatabase_url = \"mysql://db/tidings\"\n",
        &[
            "t.toml:2:16: error: the database URL in data.database_url cannot be used: it must begin \
             with postgres://",
        ],
    ),
    (
        "[data]\ndatabase_url = \"postgres://db/tidings\"\ndatabase_url_env = \"URL\"\n",
        &["t.toml:2:16: error: both data.database_url and data.database_url_env are given"],
    ),
    (
        "[data]\ndatabase_extra_ca = \"ca.pem\"\n",
        &[
            "t.toml:2:21: error: data.database_extra_ca names /etc/tidings/ca.pem, which does not exist",
            "t.toml:2:21: error: data.database_extra_ca is given, but no database server is",
        ],
    ),
    ("[data]\nfolder = \"\"\n", &["t.toml:2:10: error: data.folder is empty"]),
    (
        "[gateway]\noutbound_queue_bytes = 65536\n",
        &["t.toml:2:24: error: gateway.outbound_queue_bytes is 65536, less than"],
    ),
    ("[tls]\nkey = \"k\"\n", &["t.toml:2:7: error: tls.key is given without tls.certificate"]),
    (
        "[tls]\ncertificate = \"c\"\nkey = \"k\"\n",
        &[
            "t.toml:2:15: error: tls.certificate names /etc/tidings/c, which does not exist",
            "t.toml:3:7: error: tls.key names /etc/tidings/k, which does not exist",
        ],
    ),
    (
        "[server\nbind = \"::1\"\n[log]\nlevel = \"inof\"\n",
        &["t.toml:1:8: error: not valid TOML", "t.toml:4:9: error: log.level is \"inof\""],
    ),
    (
        "[identity_provider]\nissuer = \"http://login.example.com\"\n",
        &[
            "t.toml:2:10: error: identity_provider.issuer is \"http://login.example.com\", which does",
            "t.toml:2:10: error: identity_provider.issuer is given without identity_provider.audiences",
        ],
    ),
    (
        "[identity_provider]\nrole = \"Operator\"\n",
        &["t.toml:2:8: error: identity_provider.role is given without identity_provider.issuer"],
    ),
    (
        "[console]\nissuer = \"http://login.example.com\"\n",
        &[
            "t.toml:2:10: error: console.issuer is \"http://login.example.com\", which does not",
            "t.toml:2:10: error: console.issuer is given without console.client_id\n    help: register",
            "t.toml:2:10: error: console.issuer is given without console.operators, so nobody could",
        ],
    ),
    (
        "[console]\noperators = [\"ada@example.com\"]\nclient_id = \"x\"\n",
        &[
            "t.toml:2:13: error: console.operators is given without console.issuer",
            "t.toml:3:13: error: console.client_id is given without console.issuer",
        ],
    ),
    (
        "[console]\nclient_secret = \"hush\"\n",
        &["t.toml:2:1: error: console.client_secret must not be in the file"],
    ),
    (
        "[log]\nlevel = info\nformat = \"yaml\"\n",
        &["t.toml:2:9: error: not valid TOML", "t.toml:3:10: error: log.format is \"yaml\""],
    ),
];

/// Each row: the lines of a resource after its heading, and the beginnings of its errors.
const RESOURCE_MISTAKES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "t.toml:1:1: error: this resource has no name",
            "t.toml:1:1: error: this resource has no kind",
        ],
    ),
    (
        "name = \"Chat\"\nkind = \"webpubsub\"",
        &["t.toml:2:8: error: resource.name is \"Chat\", which is not a resource name"],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsb\"",
        &[
            "t.toml:3:8: error: resource.kind is \"webpubsb\", which it does not know\n    help: did you mean \"webpubsub\"?",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nhosts = \"a\"",
        &["t.toml:4:9: error: resource.hosts must be a list of strings"],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nhosts = [\"a\", \"http://b\"]",
        &["t.toml:4:15: error: resource.hosts holds \"http://b\", which is not a host name"],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nhosts = [\"a\", \"A\"]",
        &["t.toml:4:15: error: \"a\" already stands in the hosts of a resource above (line 4)"],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\npublic_endpoints = [\"a.b\"]",
        &[
            "t.toml:4:21: error: resource.public_endpoints holds an address that cannot be used: it must start",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nprimary_key = \"hush\"",
        &[
            "t.toml:4:1: error: resource.primary_key must not be in the file\n    help: a key written here leaks",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nprimary_key_file = \"f\"\nprimary_key_env = \"V\"",
        &[
            "t.toml:5:19: error: both resource.primary_key_file and resource.primary_key_env are given",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nprimary_key_file = \"f\"",
        &[
            "t.toml:4:20: error: resource.primary_key_file names /etc/tidings/f, which does not exist",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\nprimary_key_env = \"V\"",
        &[
            "t.toml:4:19: error: resource.primary_key_env names the environment variable V, which is not set",
        ],
    ),
    (
        "name = \"chat\"\nkind = \"webpubsub\"\n[[resource]]\nname = \"chat\"\nkind = \"webpubsub\"\nhosts = [\"a\"]",
        &[
            "t.toml:1:1: error: several resources have this kind, and this one has no hosts",
            "t.toml:5:8: error: \"chat\" already stands in the name of a resource above (line 2)",
        ],
    ),
];

/// Each row: lines below a resource, the first of them line 5, and the beginnings of their errors.
const HUB_MISTAKES: &[(&str, &[&str])] = &[
    ("hub = 1", &["t.toml:5:1: error: resource.hub must be a list of tables"]),
    ("[resource.hub]", &["t.toml:5:11: error: resource.hub must be a list of tables"]),
    (
        "hubs = []",
        &["t.toml:5:1: error: there is no key resource.hubs\n    help: did you mean hub?"],
    ),
    (
        "[[hub]]",
        &["t.toml:5:3: error: there is no section \"hub\"\n    help: write [[resource.hub]]"],
    ),
    ("[[resource.hub]]", &["t.toml:5:1: error: this hub has no name"]),
    (
        "[[resource.hub]]\nname = \"1a\"\nanonymous_connect = true",
        &[
            "t.toml:6:8: error: resource.hub.name cannot be used: Invalid hub name '1a'",
            "t.toml:7:21: error: resource.hub.anonymous_connect must be a string, but it is a boolean",
        ],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\nkeep_alive_seconds = 121\nanonymus_connect = 1",
        &[
            "t.toml:7:22: error: resource.hub.keep_alive_seconds is 121, which is out of range",
            "t.toml:8:1: error: there is no key resource.hub.anonymus_connect\n    help: did you mean anonymous_connect?",
        ],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub]]\nname = \"A\"",
        &["t.toml:8:8: error: \"a\" already stands in the name of a hub above (line 6)"],
    ),
    (
        "[[resource.hub]]\nname = \"*\"\n[[resource.hub]]\nname = \"*\"",
        &["t.toml:8:8: error: \"*\" already stands"],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]",
        &["t.toml:7:1: error: this event handler has no url_template"],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\nurl_template = \"ftp://h\"\nuser_events = \"a b\"\nsystem_events = [\"connect\", \"conected\"]",
        &[
            "t.toml:8:16: error: resource.hub.event_handler.url_template cannot be used: an event handler's URL begins with http://",
            "t.toml:9:15: error: resource.hub.event_handler.user_events cannot be used: 'a b' is no event name",
            "t.toml:10:29: error: resource.hub.event_handler.system_events cannot be used: 'conected' is no system event",
        ],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\nurl_template = \"http://{hub}.x/\"\nuser_events = \"*\"\nbearer_token = \"hush\"",
        &[
            "t.toml:8:16: error: resource.hub.event_handler.url_template cannot be used: the host of the URL holds {hub}",
            "t.toml:10:1: error: resource.hub.event_handler.bearer_token must not be in the file\n    help: a token written here leaks",
        ],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\nurl_template = \"http://h/\"\nuser_events = \"*\"\nauth = \"bearer\"",
        &[
            "t.toml:10:8: error: resource.hub.event_handler.auth is \"bearer\", but there is no token",
        ],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\nurl_template = \"http://h/\"\nuser_events = \"*\"\nbearer_token_env = \"T\"",
        &["t.toml:10:20: error: a bearer token is given, but not used\n    help: add auth"],
    ),
    (
        "[[resource.hub]]\nname = \"a\"\n[[resource.hub.event_handler]]\nurl_template = \"http://h/\"\nuser_events = \"*\"\nauth = \"bearer\"\nbearer_token_env = \"T\"\nbearer_token_file = \"f\"",
        &["t.toml:11:20: error: both resource.hub.event_handler.bearer_token_file and"],
    ),
    (
        "[outbound]\nallow = [\"10.1.2.3/8\"]\nallow_private = \"yes\"\nextra_ca_file = \"f\"",
        &[
            "t.toml:6:10: error: outbound.allow cannot be used: '10.1.2.3/8' names an address inside a range; the range itself is 10.0.0.0/8",
            "t.toml:7:17: error: outbound.allow_private must be true or false, but it is a string",
            "t.toml:8:17: error: outbound.extra_ca_file names /etc/tidings/f, which does not exist",
        ],
    ),
];
