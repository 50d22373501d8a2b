//! The tree of a tag expression.

use std::fmt;

use kernel::Result;

use super::{Tag, TagSet, parse};

/// A tag expression in normal form: no `||` directly within `||`, no `&&` within `&&`, no `!` within
/// `!`, and parentheses only where they are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagExpression(pub(super) Node);

/// One operator with what it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Tag(Tag),
    Not(Box<Self>),
    /// `&&` of two or more.
    All(Vec<Self>),
    /// `||` of two or more.
    Any(Vec<Self>),
}

impl TagExpression {
    /// Reads an expression.
    ///
    /// # Errors
    /// `Invalid` with the place (characters from 1), what was expected there and the cure; also above
    /// a limit.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text).map(Self)
    }

    /// Whether a device with these tags is meant.
    pub fn matches(&self, tags: &TagSet) -> bool {
        self.0.matches(tags)
    }

    /// Every tag, as often and in the order in which they stand.
    pub fn tags(&self) -> Vec<&Tag> {
        let mut tags = Vec::new();
        self.0.collect(&mut tags);
        tags
    }

    pub(crate) fn root(&self) -> &Node {
        &self.0
    }
}

impl fmt::Display for TagExpression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl Node {
    /// `&&` in normal form.
    pub(crate) fn all(nodes: Vec<Self>) -> Self {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Self::All(inner) => inner,
            other => vec![other],
        });
        Self::one_or(flat.collect(), Self::All)
    }

    /// `||` in normal form.
    pub(crate) fn any(nodes: Vec<Self>) -> Self {
        let flat = nodes.into_iter().flat_map(|node| match node {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        Self::one_or(flat.collect(), Self::Any)
    }

    /// `!` in normal form.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    fn one_or(mut nodes: Vec<Self>, join: impl FnOnce(Vec<Self>) -> Self) -> Self {
        if nodes.len() == 1 { nodes.remove(0) } else { join(nodes) }
    }

    fn matches(&self, tags: &TagSet) -> bool {
        match self {
            Self::Tag(tag) => tags.contains(tag),
            Self::Not(inner) => !inner.matches(tags),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(tags)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(tags)),
        }
    }

    pub(super) fn collect<'a>(&'a self, tags: &mut Vec<&'a Tag>) {
        match self {
            Self::Tag(tag) => tags.push(tag),
            Self::Not(inner) => inner.collect(tags),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.collect(tags)),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(out),
            Self::Not(inner) => match **inner {
                Self::Tag(_) => write!(out, "!{inner}"),
                _ => write!(out, "!({inner})"),
            },
            Self::All(nodes) => join(out, nodes, " && ", |node| matches!(node, Self::Any(_))),
            Self::Any(nodes) => join(out, nodes, " || ", |_| false),
        }
    }
}

fn join(
    out: &mut fmt::Formatter<'_>,
    nodes: &[Node],
    operator: &str,
    parenthesised: impl Fn(&Node) -> bool,
) -> fmt::Result {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            out.write_str(operator)?;
        }
        if parenthesised(node) { write!(out, "({node})")? } else { write!(out, "{node}")? }
    }
    Ok(())
}
