//! `tidings --help` as a manual page: commands in groups, then everything else worth knowing.

use clap::{Command, CommandFactory};

use super::Cli;

/// The commands in the order and the groups in which they are shown.
const GROUPS: &[(&str, &[&str])] = &[
    ("Start", &["dev", "serve"]),
    ("Connect", &["console", "connection-string", "keys", "trust"]),
    ("Try", &["connect", "publish", "events", "push", "fake-push"]),
    ("Understand", &["doctor", "trace", "logs"]),
    ("Configure", &["config"]),
];

/// The command line with its manual.
pub(super) fn command() -> Command {
    let command = Cli::command().disable_help_subcommand(true);
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        listing(&command)
    );
    command
        .help_template(template)
        .long_about(ABOUT)
        .after_help("`tidings --help` shows the whole manual.")
        .after_long_help(MANUAL)
}

fn listing(command: &Command) -> String {
    let width = command.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (group, names) in GROUPS {
        text.push_str(&format!("{group}:\n"));
        for name in *names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:width$}  {about}\n"));
        }
        text.push('\n');
    }
    text
}

const ABOUT: &str = "\
The whole road of a notification in one program.

Tidings speaks the wire protocols of Azure Web PubSub and Event Grid, so that applications and
official SDKs work against it unchanged. One command starts it, with nothing to configure:

  tidings dev

It prints an endpoint and a connection string. Put the connection string into your application,
make it trust the certificate (`tidings trust`), and it runs.";

const MANUAL: &str = "\
Examples:
  tidings dev
      start on http://localhost:8080 and https://localhost:8443, state in ./.tidings
  tidings dev --data state --http-port 0 --https-port 0 --admin-port 0 --ready-file ready.json
      the same for scripts: free ports; ready.json appears, whole, once everything is served
  tidings dev --event-handler 'chat=http://localhost:3000/eventhandler/{event}'
      post the events of the hub \"chat\" to an application on this machine
  export WebPubSubConnectionString=\"$(tidings connection-string local)\"
      hand the connection string to an application
  tidings connect chat --user ann --group news
      a client in the terminal: shows what arrives and sends what is typed
  tidings publish chat '{\"price\": 42}' --json --group news
      send a message to a group
  tidings dev --event-subscription orders=http://localhost:3000/events --retry-time-scale 0.001
      post events of the topic \"local\" to an application; a day of retries passes in 86 seconds
  tidings events send order.made '{\"number\": 7}'
      publish an event to that topic
  tidings events tail
      watch what is published and what becomes of it
  tidings events redrive --subscription orders
      try again what could not be delivered
  tidings trace 5f0c6f1e-6f0c-4ef1-9c3e-2f4b7d1f9a10
      what became of a request, by the x-ms-request-id of its answer
  tidings logs query \"ACSChatIncomingOperations | where ResultSignature == '403' | take 10\"
      the latest chat requests that were forbidden, with the reason
  tidings doctor
      find out why a notification did not arrive; --symptom push or --user ID narrows it
  tidings dev --print-config > tidings.toml
      begin a configuration; then edit it, and:
  tidings config check tidings.toml && tidings serve --config tidings.toml
      start for production
  tidings keys rotate chat secondary --config tidings.toml
      replace the secondary key of the resource \"chat\"

Configuration:
  Defaults, the file, environment variables and flags, later ones winning. `tidings dev` reads no
  file. `tidings config explain` lists every key, `tidings config explain KEY` tells all about one.

Environment:
  TIDINGS_<SECTION>_<KEY>  sets a key of the configuration: TIDINGS_SERVER_HTTP_PORT is http_port
                           of [server]. An empty variable counts as unset.
  NO_COLOR                 set to anything: no colour.

Files:
  ./.tidings               state of `tidings dev`: database, keys, certificates; may be deleted
  ./.tidings/tls/ca.pem    the certificate of the development CA
  /var/lib/tidings         state of `tidings serve`, unless data.folder says otherwise

Signals:
  SIGINT and SIGTERM drain: connections are closed with code 1001, then the process exits with 0.
  A second one exits at once.

Exit codes:
  0  done, or stopped as asked
  1  failed; standard error says why. `config check`: the file has errors. `doctor`: something is
     wrong, and what
  2  the command line was not understood. `doctor`: nothing could be found out
";
