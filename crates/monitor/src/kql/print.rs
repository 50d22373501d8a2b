//! A query as text that reads back as the same query.

use std::fmt::{self, Display, Formatter};

use super::ast::{
    Expr, ExprKind, Meaning, Name, Named, Nest, Operator, Pipeline, Query, Render, SortKey, Source,
    Union,
};
use super::moment;
use super::value::{Type, Value};

impl Display for Query {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for it in &self.lets {
            match &it.value {
                Meaning::Scalar(expr) => writeln!(out, "let {} = {expr};", it.name)?,
                Meaning::Table(pipeline) => writeln!(out, "let {} = {pipeline};", it.name)?,
            }
        }
        write!(out, "{}", self.body)
    }
}

impl Display for Name {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_name(out, &self.text)
    }
}

/// A name that is no plain word stands in brackets.
fn write_name(out: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let stem = name.strip_suffix('*').unwrap_or(name);
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '$';
    let starts = stem.starts_with(|it: char| plain(it) && !it.is_ascii_digit());
    if (starts && stem.chars().all(plain)) || name == "*" {
        return out.write_str(name);
    }
    write!(out, "[{}]", Quoted(name))
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("\"")?;
        for found in self.0.chars() {
            match found {
                '\n' => out.write_str("\\n")?,
                '\t' => out.write_str("\\t")?,
                '\r' => out.write_str("\\r")?,
                '\\' | '"' => write!(out, "\\{found}")?,
                other => write!(out, "{other}")?,
            }
        }
        out.write_str("\"")
    }
}

/// The parts, separated by commas.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{part}")?;
        }
        Ok(())
    }
}

impl Display for Pipeline {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.source)?;
        for operator in &self.operators {
            write!(out, "\n| {operator}")?;
        }
        Ok(())
    }
}

impl Display for Source {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(out, "{name}"),
            Self::Nested(pipeline) => write!(out, "({pipeline})"),
            Self::Union(union) => write!(out, "{union}"),
            Self::Search(tables, expr) if tables.is_empty() => write!(out, "search {expr}"),
            Self::Search(tables, expr) => write!(out, "search in ({}) {expr}", List(tables)),
            Self::Print(values) => write!(out, "print {}", List(values)),
            Self::Datatable(columns, values) => {
                out.write_str("datatable (")?;
                for (index, (name, kind)) in columns.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{name}: {}", kind.name())?;
                }
                write!(out, ") [{}]", List(values))
            }
        }
    }
}

impl Display for Union {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("union ")?;
        if self.inner {
            out.write_str("kind=inner ")?;
        }
        if let Some(name) = &self.with_source {
            write!(out, "withsource={name} ")?;
        }
        for (index, member) in self.members.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match (&member.source, member.operators.is_empty()) {
                (Source::Table(name), true) => write!(out, "{comma}{name}")?,
                _ => write!(out, "{comma}({member})")?,
            }
        }
        Ok(())
    }
}

impl Display for Named {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(out, "{name} = {}", self.expr),
            None => write!(out, "{}", self.expr),
        }
    }
}

impl Display for SortKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let order = if self.ascending { "asc" } else { "desc" };
        let nulls = if self.nulls_first { "first" } else { "last" };
        write!(out, "{} {order} nulls {nulls}", self.expr)
    }
}

impl Display for Nest {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("top-nested ")?;
        if let Some(count) = self.count {
            write!(out, "{count} ")?;
        }
        let order = if self.ascending { " asc" } else { " desc" };
        write!(out, "of {} by {}{order}", self.of, self.by)
    }
}

impl Display for Render {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "render {}", self.visualization)?;
        for (index, (key, value)) in self.properties.iter().enumerate() {
            let before = if index == 0 { " with (" } else { ", " };
            write!(out, "{before}{key}={}", Quoted(value))?;
        }
        out.write_str(if self.properties.is_empty() { "" } else { ")" })
    }
}

impl Display for Operator {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Where(expr) => write!(out, "where {expr}"),
            Self::Search(expr) => write!(out, "search {expr}"),
            Self::Project(columns) => write!(out, "project {}", List(columns)),
            Self::ProjectAway(names) => write!(out, "project-away {}", List(names)),
            Self::ProjectKeep(names) => write!(out, "project-keep {}", List(names)),
            Self::ProjectRename(pairs) => {
                out.write_str("project-rename ")?;
                for (index, (new, old)) in pairs.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}{new} = {old}")?;
                }
                Ok(())
            }
            Self::Extend(columns) => write!(out, "extend {}", List(columns)),
            Self::Summarize(aggregates, by) if by.is_empty() => {
                write!(out, "summarize {}", List(aggregates))
            }
            Self::Summarize(aggregates, by) => {
                write!(out, "summarize {} by {}", List(aggregates), List(by))
            }
            Self::Sort(keys) => write!(out, "sort by {}", List(keys)),
            Self::Take(count) => write!(out, "take {count}"),
            Self::Top(count, keys) => write!(out, "top {count} by {}", List(keys)),
            Self::TopNested(nests) => write!(out, "{}", List(nests)),
            Self::Distinct(columns) if columns.is_empty() => out.write_str("distinct *"),
            Self::Distinct(columns) => write!(out, "distinct {}", List(columns)),
            Self::Count => out.write_str("count"),
            Self::Join(kind, right, on) => {
                write!(out, "join kind={} ({right}) on ", kind.name())?;
                for (index, (left, right)) in on.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(out, "{comma}$left.{left} == $right.{right}")?;
                }
                Ok(())
            }
            Self::Union(union) => write!(out, "{union}"),
            Self::Render(render) => write!(out, "{render}"),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Literal(kind, value) => literal(out, *kind, value),
            ExprKind::Name(name) => write_name(out, name),
            ExprKind::Call(name, arguments) => write!(out, "{name}({})", List(arguments)),
            ExprKind::Binary(binary, left, right) => {
                write!(out, "({left} {} {right})", binary.sign())
            }
            ExprKind::Negate(of) => write!(out, "-({of})"),
            ExprKind::In(kind, needle, list) => {
                write!(out, "({needle} {} ({}))", kind.sign(), List(list))
            }
            ExprKind::Between(not, of, from, to) => {
                let sign = if *not { "!between" } else { "between" };
                write!(out, "({of} {sign} ({from} .. {to}))")
            }
            ExprKind::Field(of, name) => write!(out, "({of})[{}]", Quoted(name)),
            ExprKind::Index(of, index) => write!(out, "({of})[({index})]"),
            ExprKind::Star => out.write_str("*"),
        }
    }
}

fn literal(out: &mut Formatter<'_>, kind: Type, value: &Value) -> fmt::Result {
    match value {
        Value::Text(text) if kind == Type::String => write!(out, "{}", Quoted(text)),
        Value::Long(number) if kind == Type::Long && *number >= 0 => write!(out, "{number}"),
        Value::Bool(truth) => write!(out, "{truth}"),
        Value::Null => write!(out, "{}(null)", kind.name()),
        Value::Real(number) if number.is_infinite() => {
            write!(out, "real({}inf)", if *number > 0.0 { "+" } else { "-" })
        }
        Value::Moment(ticks) => write!(out, "datetime({})", moment::full(*ticks)),
        Value::Dynamic(json) => write!(out, "dynamic({json})"),
        other => write!(out, "{}({})", kind.name(), other.to_text()),
    }
}
