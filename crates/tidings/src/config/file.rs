//! The file layer: TOML into settings, with the line and column of everything.
//!
//! Reading goes on after every problem, so that one run tells them all. Only shape and single
//! values are judged here; what needs several keys is judged in `build.rs`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::Settings;
use super::model::Mode;
use super::names;
use super::problem::{Place, Problem};
use super::table::{self, KEYS, Key, Kind, REFUSED, SECTIONS};
use super::value::{self, Raw, Value};

/// One table of a section that may appear many times: a `[[resource]]`, or what stands below one.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) section: &'static str,
    /// Where the table starts.
    pub(super) place: Place,
    pub(super) settings: Settings,
    /// Keys that were given but not understood, so that nobody calls them missing.
    pub(super) faulty: Vec<&'static str>,
    /// The tables below this one.
    pub(super) below: Vec<Self>,
}

impl Table {
    /// An empty table, but for the defaults of its keys.
    pub(super) fn new(section: &'static str, place: Place, mode: Mode) -> Self {
        let settings = Settings::defaults_of(section, mode);
        Self { section, place, settings, faulty: Vec::new(), below: Vec::new() }
    }

    /// The tables of a section directly below this one.
    pub(super) fn of(&self, section: &str) -> impl Iterator<Item = &Self> {
        self.below.iter().filter(move |table| table.section == section)
    }
}

/// Reads `text` over `settings` and returns the resources.
pub(super) fn apply_file(
    settings: &mut Settings,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Table> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems: Vec::new() };
    let resources = reader.root(root.get_ref(), settings);
    let syntax: Vec<Problem> = errors.iter().map(|error| syntax_problem(text, error)).collect();
    // What the parser guessed after a syntax error must not be held against the writer.
    let is_follow_up =
        |problem: &Problem| syntax.iter().any(|s| same_line(&s.place, &problem.place));
    reader.problems.retain(|problem| !is_follow_up(problem));
    problems.extend(reader.problems);
    problems.extend(syntax);
    resources
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let offset = error.span().map_or(text.len(), |span| span.start);
    let message = error.message().trim();
    let help = if message.contains("duplicate key") {
        "keep one of the two"
    } else {
        "a line is key = value, [section] or [[resource]]; strings stand in double quotes"
    };
    Problem::error(&Place::in_text(text, offset), format!("not valid TOML: {message}"), help)
}

fn same_line(left: &Place, right: &Place) -> bool {
    matches!((left, right), (Place::File { line: a, .. }, Place::File { line: b, .. }) if a == b)
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn place<T>(&self, at: &Spanned<T>) -> Place {
        Place::in_text(self.text, at.span().start)
    }

    fn complain(&mut self, place: &Place, message: String, help: impl Into<String>) {
        self.problems.push(Problem::error(place, message, help));
    }

    fn root(&mut self, root: &DeTable<'_>, settings: &mut Settings) -> Vec<Table> {
        let mut tables = Vec::new();
        for (name, value) in root {
            let place = self.place(name);
            let known = table::below("").find(|known| known == name.get_ref());
            match (known, value.get_ref()) {
                (None, _) => self.unknown_section(name.get_ref(), &place),
                (Some(section), _) if table::is_repeated(section) => {
                    tables.extend(self.tables(section, &place, value));
                }
                (Some(section), DeValue::Table(keys)) => {
                    let (_, below) = self.keys(section, keys, settings);
                    tables.extend(below);
                }
                (Some(section), _) => self.complain(
                    &place,
                    format!("{section} must be a section"),
                    format!("write [{section}] on a line of its own and its keys below"),
                ),
            }
        }
        tables
    }

    fn unknown_section(&mut self, name: &str, place: &Place) {
        let home = KEYS.iter().find(|key| key.name() == name);
        let deeper =
            SECTIONS.iter().find(|(path, _)| path.contains('.') && table::last(path) == name);
        let help = match (home, deeper, names::nearest(name, table::below(""))) {
            (_, Some((path, _)), _) => format!("write {}", table::heading(path)),
            (Some(key), None, _) => format!("{name} belongs below {}", key.heading()),
            (None, None, Some(near)) => format!("did you mean {near}?"),
            (None, None, None) => {
                let known: Vec<_> = table::below("").collect();
                format!("the sections are {}", known.join(", "))
            }
        };
        self.complain(place, format!("there is no section \"{name}\""), help);
    }

    /// Every table of a section that may appear many times.
    fn tables(
        &mut self,
        section: &'static str,
        place: &Place,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<Table> {
        let heading = table::heading(section);
        let DeValue::Array(tables) = value.get_ref() else {
            self.complain(
                place,
                format!("{section} must be a list of tables"),
                format!(
                    "write {heading}, with two brackets, once for each {}",
                    table::last(section)
                ),
            );
            return Vec::new();
        };
        let mut read = Vec::new();
        for item in tables.iter() {
            let place = self.place(item);
            let DeValue::Table(keys) = item.get_ref() else {
                let help = format!("write {heading} on a line of its own and its keys below");
                let name = table::last(section).replace('_', " ");
                self.complain(&place, format!("a {name} must be a table"), help);
                continue;
            };
            // Only `tidings serve` reads files.
            let mut table = Table::new(section, place, Mode::Serve);
            (table.faulty, table.below) = self.keys(section, keys, &mut table.settings);
            read.push(table);
        }
        read
    }

    /// Reads one table; returns the keys that were given but not accepted, and the tables below.
    fn keys(
        &mut self,
        section: &str,
        table: &DeTable<'_>,
        settings: &mut Settings,
    ) -> (Vec<&'static str>, Vec<Table>) {
        let (mut faulty, mut below) = (Vec::new(), Vec::new());
        for (name, value) in table {
            let path = format!("{section}.{}", name.get_ref());
            if let Some(section) = table::below(section).find(|it| *it == path) {
                below.extend(self.tables(section, &self.place(name), value));
                continue;
            }
            let Some(key) = table::find(&path) else {
                self.unknown_key(section, &path, &self.place(name));
                continue;
            };
            match self.value(key, value) {
                Some(accepted) => settings.set(key, accepted, self.place(value)),
                None => faulty.push(key.path),
            }
        }
        (faulty, below)
    }

    fn unknown_key(&mut self, section: &str, path: &str, place: &Place) {
        if let Some((_, cure)) = REFUSED.iter().find(|(refused, _)| *refused == path) {
            return self.complain(place, format!("{path} must not be in the file"), *cure);
        }
        let name = path.strip_prefix(section).map_or(path, |rest| &rest[1..]);
        let tables = table::below(section).map(table::last);
        let siblings = KEYS.iter().filter(|key| key.section() == section).map(Key::name);
        let siblings: Vec<_> = siblings.chain(tables).collect();
        let elsewhere = KEYS.iter().find(|key| key.name() == name);
        let help = match (names::nearest(name, siblings.iter().copied()), elsewhere) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some(key)) => format!("{name} belongs below {}", key.heading()),
            (None, None) => {
                format!("the keys here are {}", siblings.join(", "))
            }
        };
        self.complain(place, format!("there is no key {path}"), help);
    }

    fn value(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let Kind::List(element) = &key.kind else {
            return self.single(key, &key.kind, value);
        };
        let DeValue::Array(elements) = value.get_ref() else {
            let found = format!("a {}", value.get_ref().type_str());
            let complaint = value::wrong_type(key, &key.kind, &found);
            self.complain(&self.place(value), complaint.message, complaint.help);
            return None;
        };
        let mut list = Vec::new();
        let mut complete = true;
        for item in elements.iter() {
            match self.single(key, element, item) {
                Some(Value::Text(text)) => list.push((text, self.place(item))),
                Some(Value::Integer(_) | Value::Boolean(_) | Value::List(_)) | None => {
                    complete = false;
                }
            }
        }
        complete.then_some(Value::List(list))
    }

    fn single(
        &mut self,
        key: &'static Key,
        kind: &Kind,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text),
            DeValue::Integer(number) => {
                Raw::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => {
                number.as_str().replace('_', "").parse().map_or(Raw::Other("float"), Raw::Decimal)
            }
            DeValue::Boolean(boolean) => Raw::Boolean(*boolean),
            other => Raw::Other(other.type_str()),
        };
        match value::accept(key, kind, raw) {
            Ok(accepted) => Some(accepted),
            Err(complaint) => {
                self.complain(&self.place(value), complaint.message, complaint.help);
                None
            }
        }
    }
}
