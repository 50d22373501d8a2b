//! The table of keys as text: `config explain` and the printed configuration.

use super::layers::Settings;
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
    // A name alone is enough where it is unique; a slip is compared with names and whole paths.
    let same_name: Vec<_> = KEYS.iter().filter(|key| key.name() == path).collect();
    if let [key] = same_name.as_slice() {
        return Ok(explain_key(key));
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
    let (settings, _) = layered("", &context, &mut Vec::new());
    let mut text = String::from(PRINTED_HEAD);
    for (section, sentence) in SECTIONS {
        text.push_str(&format!("\n{}\n", wrapped(sentence, "# ", 92)));
        text.push_str(&format!("{}\n", heading(section)));
        for key in KEYS.iter().filter(|key| key.section() == *section) {
            text.push_str(&format!("\n{}\n{}\n", wrapped(key.doc, "# ", 92), line(key, &settings)));
        }
    }
    Ok(text)
}

fn line(key: &Key, settings: &Settings) -> String {
    let value = match settings.get(key.path).map(|setting| &setting.value) {
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Text(text)) => quoted(text),
        // The resource of development, which no layer can change.
        None if key.path == "resource.name" => quoted(super::DEVELOPMENT_RESOURCE),
        None if key.path == "resource.kind" => quoted("webpubsub"),
        Some(Value::List(_)) | None => {
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
        Kind::Address => "an IP address".to_owned(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Path => "a path; relative ones start at the folder of the file".to_owned(),
        Kind::Variable => "the name of an environment variable".to_owned(),
        Kind::Name => "a resource name".to_owned(),
        Kind::Host => "a host name".to_owned(),
        Kind::Endpoint => "an address such as https://chat.example.com".to_owned(),
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
