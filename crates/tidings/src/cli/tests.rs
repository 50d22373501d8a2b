//! What can be typed, and what the manual says about it.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("tidings").chain(line.split_whitespace()))
}

#[test]
fn the_command_line_is_consistent() {
    manual::command().debug_assert();
}

#[test]
fn every_documented_command_is_understood() {
    for line in [
        "dev",
        "dev --data d --http-port 0 --https-port 0 --admin-port 0 --ready-file r --print-config",
        "dev --event-handler chat=http://localhost:1/{event} --event-handler *=http://h --anonymous *",
        "serve --config tidings.toml --ready-file r",
        "trust --data d",
        "keys show local primary",
        "keys rotate chat secondary --config tidings.toml",
        "connection-string local --secondary --endpoint https://a --data d",
        "logs query T --timespan 1h --json",
        "logs query --file q.kql --config tidings.toml",
        "logs tables --data d",
        "console --data d",
        "console --config tidings.toml",
        "doctor",
        "doctor --symptom push --user 8:acs:x --thread 19:t --device d --since 15m --json",
        "doctor --symptom webhook --subscription s --data d",
        "doctor --token - --endpoint wss://a --proxy http://p --hub h --config tidings.toml",
        "connect chat",
        "connect chat --user u --group g --group h --role r --protocol simple --listen",
        "connect chat --resource local --endpoint https://a --config tidings.toml",
        "publish chat hello --group g --text",
        "publish chat --file f --json --user u --data d",
        "publish chat hello --connection c --resource local --endpoint http://a",
        "dev --event-subscription a=http://h --event-subscription b=http://h --retry-time-scale 0.01",
        "events tail --json --data d",
        "events send order.made {} --subject s --topic t --endpoint https://a",
        "events send order.made --file f",
        "events subscriptions --topic t --json",
        "events dead-letters --subscription s --topic t --reason expired --limit 5 --json",
        "events redrive --all --config tidings.toml",
        "events redrive --id 1",
        "config check tidings.toml",
        "config explain",
        "config explain server.bind",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn mistakes_are_refused_with_the_usage_code() {
    for line in [
        "",
        "serve",
        "dev --http-port 70000",
        "keys show local tertiary",
        "keys show local primary --data d --config c",
        "config check",
        "connect",
        "connect 1chat",
        "connect chat --protocol xml",
        "publish chat",
        "publish chat hello --file f",
        "publish chat hello --json --text",
        "publish chat hello --group g --user u",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn flags_become_the_last_layer_of_the_configuration() {
    let Command::Dev(dev) = parse("dev --https-port 0 --data d").unwrap().command else {
        panic!("not dev")
    };
    let flags = dev.flags();
    let named: Vec<_> = flags.iter().map(|flag| (flag.path, flag.value.as_str())).collect();
    assert_eq!(named, [("data.folder", "d"), ("server.https_port", "0")]);
    let line = "dev --event-handler a=http://h --anonymous b --event-handler *=http://i";
    let Command::Dev(dev) = parse(line).unwrap().command else { panic!("not dev") };
    let values: Vec<_> = dev.flags().into_iter().map(|flag| (flag.name, flag.value)).collect();
    let expected = [
        ("--event-handler", "a=http://h"),
        ("--event-handler", "*=http://i"),
        ("--anonymous", "b"),
    ];
    assert_eq!(values, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn the_manual_lists_each_command_once() {
    let help = manual::command().render_long_help().to_string();
    for command in Cli::command().get_subcommands() {
        let line = format!("\n  {} ", command.get_name());
        let about = command.get_about().unwrap().to_string();
        assert_eq!(help.matches(&about).count(), 1, "{help}");
        assert!(help.contains(&line), "{help}");
    }
    for part in ["Examples:", "Environment:", "Files:", "Exit codes:", "tidings dev\n"] {
        assert!(help.contains(part), "{part}");
    }
    let too_wide = help.lines().find(|line| line.chars().count() > 100);
    assert_eq!(too_wide, None);
}
