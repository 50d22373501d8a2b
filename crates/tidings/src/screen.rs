//! The one screen that `tidings dev` prints when it is ready.
//!
//! It shows connection strings with their keys: it is for standard output, never for the log.

use crate::started::Started;
use crate::terminal::Style;

/// Renders the screen, at most 24 lines.
pub fn screen(started: &Started, style: Style) -> String {
    let paint = Paint(style);
    let mut lines = vec![String::new(), paint.title("  Tidings is ready.")];
    if let Some(access) = &started.webpubsub {
        lines.push(String::new());
        let endpoint = started.https.as_ref().unwrap_or(&started.http);
        lines.push(paint.row("Web PubSub", endpoint));
        lines.push(paint.connection_string(access.connection_string.expose()));
    }
    if let Some(access) = &started.communication {
        let https = started.https.as_ref().unwrap_or(&started.http);
        lines.push(paint.row("Chat", https));
        lines.push(paint.connection_string(access.connection_string.expose()));
    }
    if let Some(topic) = &started.event_grid {
        lines.push(paint.row("Event Grid", &topic.endpoint));
        lines.push(paint.connection_string(topic.key.expose()));
    }
    if let Some(push) = &started.notification_hubs {
        let arrives = format!("hub {}, what arrives is at {}", push.hub, push.inbox);
        lines.push(paint.row("Push", &arrives));
        lines.push(paint.connection_string(push.connection_string.expose()));
    }
    lines.push(String::new());
    if started.https.is_some() {
        lines.push(paint.row("Plain HTTP", &started.http));
    }
    if let Some(console) = &started.console {
        lines.push(paint.row("Console", console));
    }
    let admin = &started.admin;
    lines.push(paint.row("Admin", &format!("{admin}   /metrics /healthz /readyz")));
    let data = format!("{}   {}", started.data.display(), started.database);
    lines.push(paint.row("Data", &data));
    if let Some(ca) = &started.ca {
        lines.push(paint.row("CA", &ca.display().to_string()));
        let trust = crate::trust::command(&started.data);
        lines.push(paint.row("", &format!("to trust it, see: {trust}")));
    }
    lines.push(String::new());
    lines.push(paint.quiet("  Ctrl-C stops, a second Ctrl-C stops at once."));
    lines.push(String::new());
    lines.join("\n") + "\n"
}

struct Paint(Style);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        match self.0 {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn title(&self, text: &str) -> String {
        self.with("1;32", text)
    }

    fn quiet(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn row(&self, name: &str, value: &str) -> String {
        format!("  {}{value}", self.with("1", &format!("{name:<12}")))
    }

    /// On a line of its own and unpainted, so that it can be selected by a double or triple click.
    fn connection_string(&self, text: &str) -> String {
        format!("  {text}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use kernel::Secret;

    use super::*;
    use crate::started::ServiceAccess;

    pub(crate) fn example() -> Started {
        Started {
            http: "http://localhost:8080".to_owned(),
            https: Some("https://localhost:8443".to_owned()),
            admin: "http://127.0.0.1:8081".to_owned(),
            ca: Some(PathBuf::from("/app/.tidings/tls/ca.pem")),
            data: PathBuf::from("/app/.tidings"),
            database: "SQLite".to_owned(),
            console: None,
            webpubsub: Some(ServiceAccess {
                connection_string: Secret::new(format!(
                    "Endpoint=https://localhost:8443;AccessKey={};Version=1.0;",
                    crate::config::DEVELOPMENT_PRIMARY_KEY
                )),
            }),
            communication: Some(ServiceAccess {
                connection_string: Secret::new("endpoint=https://localhost:8443/;accesskey=a2V5"),
            }),
            event_grid: Some(crate::started::TopicAccess {
                endpoint: "https://localhost:8443/topics/local/api/events".to_owned(),
                key: Secret::new("a2V5"),
            }),
            notification_hubs: Some(crate::started::HubAccess {
                hub: "local".to_owned(),
                connection_string: Secret::new(
                    "Endpoint=sb://localhost:8443/;SharedAccessKeyName=Full;SharedAccessKey=a2V5",
                ),
                listen_connection_string: Secret::new(
                    "Endpoint=sb://localhost:8443/;SharedAccessKeyName=Li;SharedAccessKey=a2V5",
                ),
                inbox: "https://localhost:8443/fake-push".to_owned(),
                apns: Some("https://localhost:4443".to_owned()),
            }),
        }
    }

    #[test]
    fn the_plain_screen_holds_everything_a_newcomer_needs() {
        let text = screen(&example(), Style::Plain);
        let expected = "
  Tidings is ready.

  Web PubSub  https://localhost:8443
  Endpoint=https://localhost:8443;AccessKey=tidingsDevelopmentKeyPrimaryNotASecret00000=;Version=1.0;
  Chat        https://localhost:8443
  endpoint=https://localhost:8443/;accesskey=a2V5
  Event Grid  https://localhost:8443/topics/local/api/events
  a2V5
  Push        hub local, what arrives is at https://localhost:8443/fake-push
  Endpoint=sb://localhost:8443/;SharedAccessKeyName=Full;SharedAccessKey=a2V5

  Plain HTTP  http://localhost:8080
  Admin       http://127.0.0.1:8081   /metrics /healthz /readyz
  Data        /app/.tidings   SQLite
  CA          /app/.tidings/tls/ca.pem
              to trust it, see: tidings trust --data /app/.tidings

  Ctrl-C stops, a second Ctrl-C stops at once.

";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_console_appears_only_where_there_is_one() {
        let mut started = example();
        assert!(!screen(&started, Style::Plain).contains("Console"));
        started.console = Some("http://localhost:8080/console".to_owned());
        let text = screen(&started, Style::Plain);
        assert!(text.contains("Console     http://localhost:8080/console\n"), "{text}");
        assert!(text.lines().count() <= 24);
    }

    #[test]
    fn colour_adds_only_escapes() {
        let coloured = screen(&example(), Style::Colour);
        assert!(coloured.contains("\x1b["));
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some(start) = rest.find("\x1b[") {
            bare.push_str(&rest[..start]);
            rest = &rest[start + rest[start..].find('m').unwrap() + 1..];
        }
        bare.push_str(rest);
        assert_eq!(bare, screen(&example(), Style::Plain));
    }
}
