//! A query as it was written: sources, operators, expressions. Nothing is resolved yet.
//!
//! Equality ignores where things stand in the text, so that a query equals its printed form.

use super::value::{Type, Value};

/// Definitions, then one pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `let` statements, in order.
    pub lets: Vec<Let>,
    /// What is asked.
    pub body: Pipeline,
}

/// `let name = …;`
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The name that it defines.
    pub name: Name,
    /// What the name means.
    pub value: Meaning,
}

/// What a `let` defines.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// One value, or a table when the expression is the bare name of one.
    Scalar(Expr),
    /// A table.
    Table(Pipeline),
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub struct Name {
    /// Where it starts, in bytes.
    pub at: usize,
    /// The name.
    pub text: String,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A source and what is done to its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Where rows come from.
    pub source: Source,
    /// What is done to them, in order.
    pub operators: Vec<Operator>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A table or a name that `let` defined.
    Table(Name),
    /// `( … )`
    Nested(Box<Pipeline>),
    /// `union …`
    Union(Union),
    /// `search [in (T, …)] …`; no tables means all.
    Search(Vec<Name>, Expr),
    /// `print …`
    Print(Vec<Named>),
    /// `datatable (a: long, …) [ … ]`
    Datatable(Vec<(Name, Type)>, Vec<Expr>),
}

/// `union [withsource=Name] T, (…), …`
#[derive(Clone, Debug, PartialEq)]
pub struct Union {
    /// The column that names each row's table, if one is wanted.
    pub with_source: Option<Name>,
    /// Only the columns that all have.
    pub inner: bool,
    /// What is joined end to end.
    pub members: Vec<Pipeline>,
}

/// `[name =] expression`
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name, unless it follows from the expression.
    pub name: Option<Name>,
    /// The expression.
    pub expr: Expr,
}

/// `expression [asc|desc] [nulls first|last]`
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What is compared.
    pub expr: Expr,
    /// Smallest first.
    pub ascending: bool,
    /// Nulls before all else.
    pub nulls_first: bool,
}

/// One level of `top-nested`.
#[derive(Clone, Debug, PartialEq)]
pub struct Nest {
    /// How many groups are kept; all when absent.
    pub count: Option<u64>,
    /// What is grouped by.
    pub of: Named,
    /// What the groups are ordered by.
    pub by: Named,
    /// Smallest first.
    pub ascending: bool,
}

/// How `join` matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Every pair, after the left side has lost rows of equal keys.
    InnerUnique,
    /// Every pair.
    Inner,
    /// Every pair, and left rows without a partner.
    LeftOuter,
    /// Left rows with a partner.
    LeftSemi,
    /// Left rows without a partner.
    LeftAnti,
}

/// `render chart [with (key = value, …)]`
#[derive(Clone, Debug, PartialEq)]
pub struct Render {
    /// `timechart`, `columnchart`, …
    pub visualization: String,
    /// Its properties, such as `title`.
    pub properties: Vec<(String, String)>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// `where`
    Where(Expr),
    /// `search`
    Search(Expr),
    /// `project`
    Project(Vec<Named>),
    /// `project-away`; names may end in `*`.
    ProjectAway(Vec<Name>),
    /// `project-keep`; names may end in `*`.
    ProjectKeep(Vec<Name>),
    /// `project-rename new = old, …`
    ProjectRename(Vec<(Name, Name)>),
    /// `extend`
    Extend(Vec<Named>),
    /// `summarize … by …`
    Summarize(Vec<Named>, Vec<Named>),
    /// `sort by`, `order by`
    Sort(Vec<SortKey>),
    /// `take`, `limit`
    Take(u64),
    /// `top … by …`
    Top(u64, Vec<SortKey>),
    /// `top-nested …`
    TopNested(Vec<Nest>),
    /// `distinct …`; no expression means `*`.
    Distinct(Vec<Named>),
    /// `count`
    Count,
    /// `join kind=… (…) on …`: pairs of left and right column.
    Join(JoinKind, Box<Pipeline>, Vec<(Name, Name)>),
    /// `union`
    Union(Union),
    /// `render`
    Render(Render),
}

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where it starts, in bytes.
    pub at: usize,
    /// What it is.
    pub kind: ExprKind,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant.
    Literal(Type, Value),
    /// A column or a name that `let` defined.
    Name(String),
    /// A function of its arguments.
    Call(String, Vec<Expr>),
    /// Two operands.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `x in (a, b)`
    In(InKind, Box<Expr>, Vec<Expr>),
    /// `x between (a .. b)`; the flag says `!between`.
    Between(bool, Box<Expr>, Box<Expr>, Box<Expr>),
    /// `x.name` or `x["name"]`
    Field(Box<Expr>, String),
    /// `x[0]`
    Index(Box<Expr>, Box<Expr>),
    /// `*`, as in `arg_max(x, *)`
    Star,
}

/// An operator on two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    EqualText,
    NotEqualText,
    Has,
    NotHas,
    HasCs,
    NotHasCs,
    HasPrefix,
    HasSuffix,
    Contains,
    NotContains,
    ContainsCs,
    NotContainsCs,
    StartsWith,
    NotStartsWith,
    StartsWithCs,
    EndsWith,
    NotEndsWith,
    EndsWithCs,
    MatchesRegex,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Binary {
    /// As it is written. `matches regex` is two words.
    pub fn sign(self) -> &'static str {
        SIGNS.iter().find(|(_, it)| *it == self).map_or("matches regex", |(sign, _)| sign)
    }

    /// The operator that is written so.
    pub(super) fn signed(sign: &str) -> Option<Self> {
        SIGNS.iter().find(|(it, _)| *it == sign).map(|(_, it)| *it)
    }

    /// How tightly it binds; operands of one level group from the left.
    pub(super) fn level(self) -> u8 {
        match self {
            Self::Or => 0,
            Self::And => 1,
            Self::Add | Self::Subtract => 3,
            Self::Multiply | Self::Divide | Self::Modulo => 4,
            _ => 2,
        }
    }
}

const SIGNS: [(&str, Binary); 31] = [
    ("or", Binary::Or),
    ("and", Binary::And),
    ("==", Binary::Equal),
    ("!=", Binary::NotEqual),
    ("<", Binary::Less),
    ("<=", Binary::LessOrEqual),
    (">", Binary::Greater),
    (">=", Binary::GreaterOrEqual),
    ("=~", Binary::EqualText),
    ("!~", Binary::NotEqualText),
    ("has", Binary::Has),
    ("!has", Binary::NotHas),
    ("has_cs", Binary::HasCs),
    ("!has_cs", Binary::NotHasCs),
    ("hasprefix", Binary::HasPrefix),
    ("hassuffix", Binary::HasSuffix),
    ("contains", Binary::Contains),
    ("!contains", Binary::NotContains),
    ("contains_cs", Binary::ContainsCs),
    ("!contains_cs", Binary::NotContainsCs),
    ("startswith", Binary::StartsWith),
    ("!startswith", Binary::NotStartsWith),
    ("startswith_cs", Binary::StartsWithCs),
    ("endswith", Binary::EndsWith),
    ("!endswith", Binary::NotEndsWith),
    ("endswith_cs", Binary::EndsWithCs),
    ("+", Binary::Add),
    ("-", Binary::Subtract),
    ("*", Binary::Multiply),
    ("/", Binary::Divide),
    ("%", Binary::Modulo),
];

/// A membership test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InKind {
    In,
    NotIn,
    InText,
    NotInText,
    HasAny,
    HasAll,
}

impl InKind {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::NotIn => "!in",
            Self::InText => "in~",
            Self::NotInText => "!in~",
            Self::HasAny => "has_any",
            Self::HasAll => "has_all",
        }
    }

    pub(super) fn signed(sign: &str) -> Option<Self> {
        let all =
            [Self::In, Self::NotIn, Self::InText, Self::NotInText, Self::HasAny, Self::HasAll];
        all.into_iter().find(|it| it.sign() == sign)
    }
}

impl JoinKind {
    /// As `kind=` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InnerUnique => "innerunique",
            Self::Inner => "inner",
            Self::LeftOuter => "leftouter",
            Self::LeftSemi => "leftsemi",
            Self::LeftAnti => "leftanti",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        if matches!(name, "anti" | "leftantisemi") {
            return Some(Self::LeftAnti);
        }
        let all = [Self::InnerUnique, Self::Inner, Self::LeftOuter, Self::LeftSemi, Self::LeftAnti];
        all.into_iter().find(|it| it.name() == name)
    }
}
