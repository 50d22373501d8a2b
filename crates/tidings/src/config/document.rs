//! The table of keys as text: `config explain` and the printed configuration.

use super::file::Table;
use super::layers::{Setting, Settings};
use super::model::Mode;
use super::table::{self, KEYS, Key, Kind, Literal, Modes, Preset, SECTIONS, heading};
use super::value::Value;
use super::{Context, Flag, Outside, Problem, has_errors, layered, names};

/// Everything about one key, or one line for each key when `path` is `None`.
///
/// # Errors
/// For an unknown key, with the nearest known one.
pub fn explain(path: Option<&str>) -> Result<String, String> {
    let Some(path) = path else { return Ok(overview()) };
    if let Some(key) = table::find(path) {
        return Ok(explain_key(key));
    }
    let of_section: Vec<_> = KEYS.iter().filter(|key| key.section() == path).collect();
    if !of_section.is_empty() {
        return Ok(of_section.iter().map(|key| explain_key(key)).collect::<Vec<_>>().join("\n"));
    }
    // A name alone is enough; a slip is compared with names and whole paths.
    let same_name: Vec<_> = KEYS.iter().filter(|key| key.name() == path).map(explain_key).collect();
    if !same_name.is_empty() {
        return Ok(same_name.join("\n"));
    }
    let near = names::nearest(path, KEYS.iter().map(|key| key.path)).or_else(|| {
        let name = names::nearest(path, KEYS.iter().map(Key::name))?;
        KEYS.iter().find(|key| key.name() == name).map(|key| key.path)
    });
    let hint = near.map_or_else(
        || "`tidings config explain` lists every key".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(format!("there is no key \"{path}\"; {hint}"))
}

fn overview() -> String {
    let mut text = String::from(
        "Keys of tidings.toml. Later ones win: default, file, environment variable, flag.\n\
         `tidings config explain KEY` tells everything about one.\n",
    );
    let width = KEYS.iter().map(|key| key.path.len()).max().unwrap_or(0);
    for (section, sentence) in SECTIONS {
        text.push_str(&format!("\n{} {sentence}\n", heading(section)));
        for key in KEYS.iter().filter(|key| key.section() == *section) {
            let preset = preset(&key.preset);
            text.push_str(&format!("  {:width$}  {preset}\n", key.path));
        }
    }
    text
}

fn explain_key(key: &Key) -> String {
    let mut text = format!("{}\n{}", key.path, wrapped(key.doc, "    ", 80));
    let mut fact = |name: &str, value: &str| {
        text.push_str(&format!("\n    {name:<9}{value}"));
    };
    fact("value", &expectation(&key.kind));
    fact("default", &preset(&key.preset));
    fact("file", &format!("{} {} = …", key.heading(), key.name()));
    fact("variable", key.variable().as_deref().unwrap_or("none"));
    fact(
        "applies",
        match key.modes {
            Modes::Both => "to `tidings dev` and `tidings serve`",
            Modes::ServeOnly => "to `tidings serve`",
        },
    );
    text.push('\n');
    text
}

/// The configuration that `mode` would run with, as a complete, commented `tidings.toml`.
///
/// # Errors
/// The problems of the environment and the flags, when they hold errors.
pub fn print(mode: Mode, flags: &[Flag], outside: &dyn Outside) -> Result<String, Vec<Problem>> {
    let context = Context { mode, base: std::path::Path::new(""), flags, outside };
    let (_, problems) = super::check("", &context);
    if has_errors(&problems) {
        return Err(problems);
    }
    let (settings, tables) = layered("", &context, &mut Vec::new());
    let mut printer = Printer { text: String::from(PRINTED_HEAD), explained: Vec::new() };
    for section in table::below("") {
        if !table::is_repeated(section) {
            printer.section(section, Some(&settings));
        }
    }
    for table in &tables {
        printer.table(table);
    }
    for section in [table::EVENT_GRID, table::NOTIFICATION_HUBS].into_iter().flat_map(table::below)
    {
        printer.possible(section);
    }
    Ok(printer.text)
}

/// Writes sections one after another, each explained where it first appears.
struct Printer {
    text: String,
    explained: Vec<&'static str>,
}

impl Printer {
    fn table(&mut self, table: &Table) {
        self.section(table.section, Some(&table.settings));
        for section in table::below(table.section) {
            for below in table.of(section) {
                self.table(below);
            }
            if table.of(section).next().is_none() {
                self.possible(section);
            }
        }
    }

    /// A section that nobody gave, commented out, with those below it.
    fn possible(&mut self, section: &'static str) {
        if !self.explained.contains(&section) {
            self.section(section, None);
            table::below(section).for_each(|below| self.possible(below));
        }
    }

    /// One section with its keys; without settings everything is commented out.
    fn section(&mut self, section: &'static str, settings: Option<&Settings>) {
        let explain = !self.explained.contains(&section);
        self.explained.push(section);
        let sentence = SECTIONS.iter().find(|(path, _)| *path == section).map(|(_, it)| *it);
        self.text.push('\n');
        if let Some(sentence) = sentence.filter(|_| explain) {
            self.text.push_str(&format!("{}\n", wrapped(sentence, "# ", 92)));
        }
        let comment = if settings.is_some() { "" } else { "# " };
        self.text.push_str(&format!("{comment}{}\n", heading(section)));
        for key in KEYS.iter().filter(|key| key.section() == section) {
            if explain {
                self.text.push_str(&format!("\n{}\n", wrapped(key.doc, "# ", 92)));
            }
            let setting = settings.and_then(|settings| settings.get(key.path));
            if explain || setting.is_some() {
                self.text.push_str(&format!("{}\n", line(key, setting)));
            }
        }
    }
}

fn line(key: &Key, setting: Option<&Setting>) -> String {
    let value = match setting.map(|setting| &setting.value) {
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Boolean(boolean)) => boolean.to_string(),
        Some(Value::Text(text)) if matches!(key.kind, Kind::Factor) => text.clone(),
        Some(Value::Text(text)) => quoted(text),
        Some(Value::List(list)) => {
            let plain = matches!(key.kind, Kind::List(Kind::Numeral { .. }));
            let write = |text: &String| if plain { text.clone() } else { quoted(text) };
            let elements: Vec<_> = list.iter().map(|(text, _)| write(text)).collect();
            format!("[{}]", elements.join(", "))
        }
        None => {
            let example = if matches!(key.kind, Kind::List(_)) { "[\"…\"]" } else { "\"…\"" };
            return format!("# {} = {example}  # default: {}", key.name(), preset(&key.preset));
        }
    };
    format!("{} = {value}", key.name())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn preset(preset: &Preset) -> String {
    let show = |literal: Literal| match literal {
        Literal::Integer(number) => number.to_string(),
        Literal::Boolean(boolean) => boolean.to_string(),
        Literal::Text(text) => quoted(text),
    };
    match preset {
        Preset::Always(literal) => show(*literal),
        Preset::ByMode { dev, serve } => {
            format!("{} in dev, {} in serve", show(*dev), show(*serve))
        }
        Preset::Absent(words) => (*words).to_owned(),
        Preset::Required => "none, it must be given".to_owned(),
    }
}

fn expectation(kind: &Kind) -> String {
    match kind {
        Kind::Port => "a port from 0 to 65535; 0 picks a free one".to_owned(),
        Kind::Integer { min, max, unit } => format!("a whole number from {min} to {max} ({unit})"),
        Kind::Numeral { min, max, unit } => {
            format!("a whole number from {min} to {max} ({unit})")
        }
        Kind::Factor => "a number above 0, such as 0.001".to_owned(),
        Kind::Text => "a text".to_owned(),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Address => "an IP address".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Path => "a path; relative ones start at the folder of the file".to_owned(),
        Kind::Variable => "the name of an environment variable".to_owned(),
        Kind::Name => "a resource name".to_owned(),
        Kind::Host => "a host name".to_owned(),
        Kind::Endpoint => "an address such as https://chat.example.com".to_owned(),
        Kind::Range => "a range of addresses such as 10.0.0.0/8".to_owned(),
        Kind::Hub => "the name of a hub, or *".to_owned(),
        Kind::UrlTemplate => {
            "a URL such as https://app.example.com/eventhandler/{event}".to_owned()
        }
        Kind::EventPattern => "* or names with commas between them".to_owned(),
        Kind::SystemEvent => "connect, connected or disconnected".to_owned(),
        Kind::List(element) => format!("a list; each element is {}", expectation(element)),
    }
}

/// `text` in lines of at most `width` characters, each after `indent`.
fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if last.len() > indent.len() && last.len() + 1 + word.len() > width {
            lines.push(format!("{indent}{word}"));
        } else {
            let gap = if last.len() > indent.len() { " " } else { "" };
            last.push_str(&format!("{gap}{word}"));
        }
    }
    lines.join("\n")
}

const PRINTED_HEAD: &str = "\
# The configuration of `tidings dev`, complete, as printed by `tidings dev --print-config`.
# `tidings serve --config FILE` reads the same keys. To serve with this file: name a certificate
# in [tls] or remove https_port, listen on an address that others can reach, and move the data
# folder to a lasting place. Development uses well-known access keys for its resource; from this
# file, serve generates secret ones.
";

#[cfg(test)]
mod tests {
    use super::super::outside::fake::Fake;
    use super::super::{Severity, check};
    use super::*;

    #[test]
    fn explaining_a_key_tells_default_variable_and_doc() {
        let text = explain(Some("server.admin_port")).unwrap();
        for part in ["8081 in dev, 9464 in serve", "TIDINGS_SERVER_ADMIN_PORT", "Prometheus"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(explain(Some("drain_seconds")).unwrap().starts_with("server.drain_seconds\n"));
        let both = explain(Some("keep_alive_seconds")).unwrap();
        assert!(both.contains("gateway.keep_alive_seconds\n"), "{both}");
        assert!(both.contains("resource.hub.keep_alive_seconds\n"), "{both}");
        assert!(explain(Some("tls")).unwrap().contains("tls.key\n"));
    }

    #[test]
    fn explaining_nothing_lists_every_key() {
        let text = explain(None).unwrap();
        assert!(KEYS.iter().all(|key| text.contains(key.path)));
    }

    #[test]
    fn explaining_an_unknown_key_suggests_the_nearest() {
        assert!(explain(Some("server.http_prot")).unwrap_err().contains("server.http_port"));
        assert!(explain(Some("drain_second")).unwrap_err().contains("server.drain_seconds"));
        assert!(explain(Some("zzz")).unwrap_err().contains("lists every key"));
    }

    #[test]
    fn the_printed_configuration_names_every_key_and_follows_flags_and_environment() {
        let outside = Fake::default().variable("TIDINGS_LOG_LEVEL", "debug");
        let flag = Flag { name: "--data", path: "data.folder", value: "a \"b\"\\c".to_owned() };
        let text = print(Mode::Dev, &[flag], &outside).unwrap();
        assert!(text.contains("\nlevel = \"debug\"\n"), "{text}");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["data"]["folder"].as_str(), Some("a \"b\"\\c"));
        for key in KEYS {
            let given = text.contains(&format!("\n{} = ", key.name()));
            let commented = text.contains(&format!("\n# {} = ", key.name()));
            assert!(given || commented, "{}", key.path);
        }
    }

    #[test]
    fn hubs_of_flags_are_printed_as_a_file_would_hold_them() {
        let flag = |name, path, value: &str| Flag { name, path, value: value.to_owned() };
        let handler = "resource.hub.event_handler.url_template";
        let flags = [
            flag("--event-handler", handler, "chat=http://localhost:1/{event}?a=b=c"),
            flag("--event-handler", handler, "*=http://localhost:2/"),
            flag("--event-handler", handler, "Chat=http://localhost:3/"),
            flag("--anonymous", "resource.hub.anonymous_connect", "*"),
        ];
        let outside = Fake::default();
        let text = print(Mode::Dev, &flags, &outside).unwrap();
        let without_https = text.replace("https_port = 8443", "");
        let base = std::path::Path::new("/etc/tidings");
        let context = Context { mode: Mode::Serve, base, flags: &[], outside: &outside };
        let (config, problems) = check(&without_https, &context);
        let served = config.unwrap_or_else(|| panic!("{problems:?}\n{text}"));
        let developed = super::super::check_dev(&flags, &outside).0.unwrap();
        assert_eq!(served.resources[0].hubs, developed.resources[0].hubs);
        let [chat, other] = developed.resources[0].hubs.as_slice() else { panic!("two hubs") };
        assert_eq!(chat.name.as_ref().map(|name| name.as_str()), Some("chat"));
        assert_eq!((chat.event_handlers.len(), chat.anonymous_connect), (2, false));
        assert_eq!(
            (&other.name, other.event_handlers.len(), other.anonymous_connect),
            (&None, 1, true)
        );
        let url = chat.event_handlers[0].url.fill("chat", "order").to_string();
        assert_eq!(url, "http://localhost:1/order?a=b=c");
    }

    #[test]
    fn serve_objects_to_the_printed_configuration_only_for_the_missing_certificate() {
        let outside = Fake::default();
        let text = print(Mode::Dev, &[], &outside).unwrap();
        let base = std::path::Path::new("/etc/tidings");
        let context = Context { mode: Mode::Serve, base, flags: &[], outside: &outside };
        let (config, problems) = check(&text, &context);
        assert!(config.is_none());
        let errors: Vec<_> =
            problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].message.contains("no certificate"));
        let without = text.replace("https_port = 8443", "");
        assert!(check(&without, &context).0.is_some());
    }
}
