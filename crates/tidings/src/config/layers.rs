//! The layers of a configuration, later ones winning: defaults, the file, the environment, flags.
//!
//! This file knows the layers that are flat; `file.rs` reads TOML. Checks that need more than one
//! key are in `build.rs`.

use std::collections::BTreeMap;

use super::model::Mode;
use super::names;
use super::outside::Outside;
use super::problem::{Place, Problem};
use super::table::{self, KEYS, Key, Kind, Modes, PREFIX};
use super::value::{self, Complaint, Raw, Value};

/// A value and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// The value of each key of one section or of the whole configuration, by path. Every key with a
/// default has an entry.
#[derive(Debug, Clone)]
pub(super) struct Settings(BTreeMap<&'static str, Setting>);

/// One flag of the command line that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as typed, such as `--http-port`.
    pub name: &'static str,
    /// The key that it sets, such as `server.http_port`.
    pub path: &'static str,
    /// The value as typed.
    pub value: String,
}

impl Flag {
    /// Whether it is about one hub, which its value names first.
    pub(super) fn is_of_hub(&self) -> bool {
        self.path.starts_with(table::HUB)
    }

    /// Whether it is about something that may exist many times, which its value names first.
    fn is_of_table(&self) -> bool {
        self.path.rsplit_once('.').is_some_and(|(section, _)| table::is_repeated(section))
    }
}

impl Settings {
    /// Every default of `mode`, of the sections that exist once.
    pub(super) fn defaults(mode: Mode) -> Self {
        Self::presets(mode, |section| !table::is_repeated(section))
    }

    /// The defaults of one table of a section that may appear many times.
    pub(super) fn defaults_of(section: &str, mode: Mode) -> Self {
        Self::presets(mode, |other| other == section)
    }

    fn presets(mode: Mode, wanted: impl Fn(&'static str) -> bool) -> Self {
        let keys = KEYS.iter().filter(|key| wanted(key.section()));
        let with_default = keys.filter_map(|key| Some((key, key.preset.literal(mode)?)));
        Self(
            with_default
                .map(|(key, literal)| {
                    (key.path, Setting { value: literal.into(), place: Place::Default })
                })
                .collect(),
        )
    }

    pub(super) fn set(&mut self, key: &'static Key, value: Value, place: Place) {
        self.0.insert(key.path, Setting { value, place });
    }

    pub(super) fn get(&self, path: &str) -> Option<&Setting> {
        debug_assert!(table::find(path).is_some(), "{path} is a key");
        self.0.get(path)
    }

    /// The place where a key was set; the default's place when nobody did.
    pub(super) fn place(&self, path: &str) -> Place {
        self.get(path).map_or(Place::Default, |setting| setting.place.clone())
    }

    /// A number that has a default.
    pub(super) fn integer(&self, path: &str) -> u64 {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::Integer(number)) => *number,
            Some(Value::Text(_) | Value::List(_) | Value::Boolean(_)) | None => {
                unreachable!("{path} is a number with a default")
            }
        }
    }

    /// Yes or no, which has a default.
    pub(super) fn boolean(&self, path: &str) -> bool {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::Boolean(boolean)) => *boolean,
            Some(Value::Text(_) | Value::List(_) | Value::Integer(_)) | None => {
                unreachable!("{path} is true or false and has a default")
            }
        }
    }

    /// A text, if it was set or has a default.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match &self.get(path)?.value {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Boolean(_) | Value::List(_) => {
                unreachable!("{path} is a text")
            }
        }
    }

    /// The elements of a list, none when it was not set.
    pub(super) fn list(&self, path: &str) -> &[(String, Place)] {
        match self.get(path).map(|setting| &setting.value) {
            Some(Value::List(list)) => list,
            Some(Value::Text(_) | Value::Integer(_) | Value::Boolean(_)) => {
                unreachable!("{path} is a list")
            }
            None => &[],
        }
    }
}

/// Lays the environment over `settings`. An empty variable counts as unset, as in most shells'
/// and containers' habits.
pub(super) fn apply_environment(
    settings: &mut Settings,
    mode: Mode,
    outside: &dyn Outside,
    problems: &mut Vec<Problem>,
) {
    let known: BTreeMap<String, &'static Key> =
        KEYS.iter().filter_map(|key| Some((key.variable()?, key))).collect();
    for (name, text) in outside.variables() {
        if !name.starts_with(PREFIX) || text.is_empty() {
            continue;
        }
        let place = Place::Environment(name.clone());
        match known.get(&name) {
            Some(key) if mode == Mode::Dev && key.modes == Modes::ServeOnly => {
                problems.push(Problem::warning(
                    &place,
                    format!("{} has no effect in development", key.path),
                    "it belongs to `tidings serve`; unset it here",
                ));
            }
            Some(key) => apply_text(settings, key, &text, place, problems),
            None => problems.extend(unknown_variable(&name, &known, &place)),
        }
    }
}

/// A warning about a variable that looks like a slip. Others are left alone: a service named
/// "tidings" makes Kubernetes set TIDINGS_PORT, TIDINGS_SERVICE_HOST and more in every pod.
fn unknown_variable(
    name: &str,
    known: &BTreeMap<String, &'static Key>,
    place: &Place,
) -> Option<Problem> {
    let near = names::nearest(name, known.keys().map(String::as_str));
    let in_section = table::SECTIONS.iter().any(|(section, _)| {
        name[PREFIX.len()..].starts_with(&format!("{}_", section.to_uppercase()))
    });
    let help = match near {
        Some(near) => format!("did you mean {near}?"),
        None if in_section => {
            "`tidings config explain` lists every key and its variable".to_owned()
        }
        None => return None,
    };
    let message = "it sets no key of the configuration and is ignored".to_owned();
    Some(Problem::warning(place, message, help))
}

/// Lays the flags over `settings`, but for those of hubs and event subscriptions; see `dev_hubs.rs`
/// and `dev_topics.rs`.
pub(super) fn apply_flags(settings: &mut Settings, flags: &[Flag], problems: &mut Vec<Problem>) {
    for flag in flags.iter().filter(|flag| !flag.is_of_table()) {
        let key = table::find(flag.path).expect("flags name keys of the table");
        apply_text(settings, key, &flag.value, Place::Flag(flag.name), problems);
    }
}

fn apply_text(
    settings: &mut Settings,
    key: &'static Key,
    text: &str,
    place: Place,
    problems: &mut Vec<Problem>,
) {
    debug_assert!(!table::is_repeated(key.section()));
    match accept_text(key, text, &place) {
        Ok(value) => settings.set(key, value, place),
        Err(complaint) => {
            problems.push(Problem::error(&place, complaint.message, complaint.help));
        }
    }
}

/// The value that a text stands for; the elements of a list stand between commas.
pub(super) fn accept_text(
    key: &'static Key,
    text: &str,
    place: &Place,
) -> Result<Value, Complaint> {
    let Kind::List(element) = &key.kind else {
        return value::accept(key, &key.kind, Raw::Unquoted(text));
    };
    let mut list = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if let Value::Text(text) = value::accept(key, element, Raw::Unquoted(part))? {
            list.push((text, place.clone()));
        }
    }
    Ok(Value::List(list))
}
