//! A query that is resolved: columns by their place, types checked, constants folded.

use std::fmt;
use std::sync::Arc;

use super::aggregate::Aggregate;
use super::ast::JoinKind;
use super::value::{Row, Type, Value};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub kind: Type,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<Arc<str>>, kind: Type) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The tables that a query may name.
pub trait Catalogue {
    /// The columns of a table; none when there is no such table.
    fn columns(&self, table: &str) -> Option<Vec<Column>>;

    /// The names of all tables.
    fn names(&self) -> Vec<String>;
}

/// What is read of a table. The bounds are a help to read less: they hold for at least the rows that
/// the query wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// The table.
    pub table: String,
    /// The earliest `TimeGenerated`, in ticks.
    pub from: Option<i64>,
    /// The latest `TimeGenerated`, in ticks.
    pub to: Option<i64>,
    /// Columns that equal a text.
    pub equals: Vec<(String, Arc<str>)>,
    /// The id of the resource that rows are about, or that holds it. Queries cannot say this; who
    /// runs them does.
    pub under: Option<Arc<str>>,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Scan(Scan),
    Rows(Vec<Row>),
    All(Vec<Member>),
}

/// One part of a union: its rows, and where each column of the union comes from.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub plan: Plan,
    pub columns: Vec<Bound>,
}

/// A source, steps, and the columns that come out.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) columns: Vec<Column>,
    pub(super) origin: Origin,
    pub(super) steps: Vec<Step>,
    /// Scans and steps in it and all its parts.
    pub(super) size: usize,
}

impl Plan {
    /// The columns that come out.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Every scan in it.
    pub fn scans_mut(&mut self) -> Vec<&mut Scan> {
        let mut found = Vec::new();
        self.gather(&mut found);
        found
    }

    fn gather<'a>(&'a mut self, found: &mut Vec<&'a mut Scan>) {
        match &mut self.origin {
            Origin::Scan(scan) => found.push(scan),
            Origin::Rows(_) => {}
            Origin::All(members) => {
                for member in members {
                    member.plan.gather(found);
                }
            }
        }
        for step in &mut self.steps {
            if let Step::Join(join) = step {
                join.right.gather(found);
            }
        }
    }
}

/// What is done to rows.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Where(Bound),
    Project(Vec<Bound>),
    Summarize { by: Vec<Bound>, aggregates: Vec<Aggregate> },
    Sort(Vec<Key>),
    Take(u64),
    Top(u64, Vec<Key>),
    TopNested(Vec<Level>),
    Join(Join),
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub of: Bound,
    pub ascending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Level {
    pub count: Option<u64>,
    pub of: Bound,
    pub by: Aggregate,
    pub ascending: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Join {
    pub kind: JoinKind,
    pub right: Box<Plan>,
    /// Places of left and right columns that must be equal.
    pub on: Vec<(usize, usize)>,
}

/// A function of values.
pub(super) type Run = Arc<dyn Fn(&[Value]) -> Value + Send + Sync>;

/// An expression over the columns of a row.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) kind: Type,
    pub(super) node: Node,
}

#[derive(Clone)]
pub(super) enum Node {
    Constant(Value),
    Column(usize),
    And(Box<Bound>, Box<Bound>),
    Or(Box<Bound>, Box<Bound>),
    Apply(Run, Vec<Bound>),
}

impl fmt::Debug for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Constant(value) => write!(out, "{value:?}"),
            Node::Column(place) => write!(out, "column {place}"),
            Node::And(one, two) => write!(out, "({one:?} and {two:?})"),
            Node::Or(one, two) => write!(out, "({one:?} or {two:?})"),
            Node::Apply(_, arguments) => write!(out, "apply {arguments:?}"),
        }
    }
}

impl Bound {
    pub(super) fn constant(kind: Type, value: Value) -> Self {
        Self { kind, node: Node::Constant(value) }
    }

    pub(super) fn column(kind: Type, place: usize) -> Self {
        Self { kind, node: Node::Column(place) }
    }

    /// A function of arguments; one of constants is a constant.
    pub(super) fn apply(
        kind: Type,
        arguments: Vec<Self>,
        run: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Self {
        let constants: Option<Vec<Value>> =
            arguments.iter().map(|it| it.as_constant().cloned()).collect();
        match constants {
            Some(values) => Self::constant(kind, run(&values)),
            None => Self { kind, node: Node::Apply(Arc::new(run), arguments) },
        }
    }

    /// Its value, when that is the same for every row.
    pub(super) fn as_constant(&self) -> Option<&Value> {
        match &self.node {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// Its value for a row.
    pub(super) fn eval(&self, row: &[Value]) -> Value {
        match &self.node {
            Node::Constant(value) => value.clone(),
            Node::Column(place) => row.get(*place).cloned().unwrap_or(Value::Null),
            Node::And(one, two) => match (one.truth(row), || two.truth(row)) {
                (Some(false), _) => Value::Bool(false),
                (one, two) => match (one, two()) {
                    (_, Some(false)) => Value::Bool(false),
                    (Some(true), Some(true)) => Value::Bool(true),
                    _ => Value::Null,
                },
            },
            Node::Or(one, two) => match (one.truth(row), || two.truth(row)) {
                (Some(true), _) => Value::Bool(true),
                (one, two) => match (one, two()) {
                    (_, Some(true)) => Value::Bool(true),
                    (Some(false), Some(false)) => Value::Bool(false),
                    _ => Value::Null,
                },
            },
            Node::Apply(run, arguments) => {
                let values: Vec<Value> = arguments.iter().map(|it| it.eval(row)).collect();
                run(&values)
            }
        }
    }

    /// Whether it holds for a row; none when that is unknown.
    pub(super) fn truth(&self, row: &[Value]) -> Option<bool> {
        match self.eval(row) {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }
}
