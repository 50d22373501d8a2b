//! A tag expression as an order to an index that lists the devices of each tag.
//!
//! To find everyone who is meant, one walks through the devices of some tags and asks each for the
//! rest. Walking through few is what makes it fast, so a plan picks, among all ways that miss nobody,
//! the one with the fewest devices. A list that is not much longer than that one is gone through in
//! step with it, which is cheaper than to look each device up. Pure: how many devices a tag has is an
//! argument.

use super::{Node, Tag, TagExpression};

/// Entries of an index that are passed in the time in which one is looked up; in SQLite it is ten or
/// more.
const STEPS_PER_LOOKUP: u64 = 8;

/// How to find the devices that an expression means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Everyone who is meant has at least one of these tags; `None` when only a walk through all
    /// devices finds everyone, as for `!a`.
    pub drivers: Option<Vec<Tag>>,
    /// Tags that all who are meant have beside a single driver, with lists to be gone through in step
    /// with its list. Empty with several drivers.
    pub with: Vec<Tag>,
    /// Tags that none of them has, likewise.
    pub without: Vec<Tag>,
    /// What is still to be asked of each device that is found so; `!` stands before tags only.
    pub filter: Option<Node>,
}

impl Plan {
    /// The plan that finds every device.
    pub(crate) fn everyone() -> Self {
        Self { drivers: None, with: Vec::new(), without: Vec::new(), filter: None }
    }

    /// Plans an expression; `devices` says how many devices have a tag, at least roughly.
    pub(crate) fn new(expression: &TagExpression, devices: &impl Fn(&Tag) -> u64) -> Self {
        let node = negations_inwards(expression.root(), false);
        let Some((_, mut drivers)) = cover(&node, devices) else {
            return Self { filter: Some(node), ..Self::everyone() };
        };
        drivers.sort();
        drivers.dedup();
        let filter = match &drivers[..] {
            [only] => match assume(&node, only) {
                Known::Open(filter) => Some(filter),
                // Impossible is what a contradiction such as `a && !a` becomes; the index will say so.
                Known::No => Some(node),
                Known::Yes => None,
            },
            // Tags joined by `||` only: each driver is reason enough.
            _ => match &node {
                Node::Any(nodes) if nodes.iter().all(|it| matches!(it, Node::Tag(_))) => None,
                _ => Some(node),
            },
        };
        let mut plan = Self { filter, ..Self::everyone() };
        if let [only] = &drivers[..] {
            plan.take_lists(devices(only).saturating_mul(STEPS_PER_LOOKUP), devices);
        }
        plan.drivers = Some(drivers);
        plan
    }

    /// Moves the tags out of the filter that decide by themselves and have at most so many devices.
    fn take_lists(&mut self, longest: u64, devices: &impl Fn(&Tag) -> u64) {
        let nodes = match self.filter.take() {
            None => return,
            Some(Node::All(nodes)) => nodes,
            Some(node) => vec![node],
        };
        let mut rest = Vec::new();
        for node in nodes {
            match &node {
                Node::Tag(tag) if devices(tag) <= longest => self.with.push(tag.clone()),
                Node::Not(inner) => match &**inner {
                    Node::Tag(tag) if devices(tag) <= longest => self.without.push(tag.clone()),
                    _ => rest.push(node),
                },
                _ => rest.push(node),
            }
        }
        self.filter = (!rest.is_empty()).then(|| Node::all(rest));
    }
}

/// The same expression with `!` before tags only, by De Morgan's laws.
fn negations_inwards(node: &Node, negate: bool) -> Node {
    let each = |nodes: &[Node]| nodes.iter().map(|it| negations_inwards(it, negate)).collect();
    match node {
        Node::Tag(tag) if negate => Node::Tag(tag.clone()).negated(),
        Node::Tag(tag) => Node::Tag(tag.clone()),
        Node::Not(inner) => negations_inwards(inner, !negate),
        Node::All(nodes) if negate => Node::any(each(nodes)),
        Node::All(nodes) => Node::all(each(nodes)),
        Node::Any(nodes) if negate => Node::all(each(nodes)),
        Node::Any(nodes) => Node::any(each(nodes)),
    }
}

/// The cheapest tags of which everyone meant has one, with the number of their devices.
fn cover(node: &Node, devices: &impl Fn(&Tag) -> u64) -> Option<(u64, Vec<Tag>)> {
    match node {
        Node::Tag(tag) => Some((devices(tag), vec![tag.clone()])),
        Node::Not(_) => None,
        Node::All(nodes) => {
            nodes.iter().filter_map(|it| cover(it, devices)).min_by_key(|(cost, _)| *cost)
        }
        Node::Any(nodes) => {
            let mut sum = (0_u64, Vec::new());
            for node in nodes {
                let (cost, tags) = cover(node, devices)?;
                sum.0 = sum.0.saturating_add(cost);
                sum.1.extend(tags);
            }
            Some(sum)
        }
    }
}

enum Known {
    Yes,
    No,
    Open(Node),
}

/// What is left of an expression for those who have `tag`.
fn assume(node: &Node, tag: &Tag) -> Known {
    match node {
        Node::Tag(own) if own == tag => Known::Yes,
        Node::Not(inner) if **inner == Node::Tag(tag.clone()) => Known::No,
        Node::Tag(_) | Node::Not(_) => Known::Open(node.clone()),
        Node::All(nodes) => {
            let mut open = Vec::new();
            for node in nodes {
                match assume(node, tag) {
                    Known::Yes => {}
                    Known::No => return Known::No,
                    Known::Open(node) => open.push(node),
                }
            }
            if open.is_empty() { Known::Yes } else { Known::Open(Node::all(open)) }
        }
        Node::Any(nodes) => {
            let mut open = Vec::new();
            for node in nodes {
                match assume(node, tag) {
                    Known::Yes => return Known::Yes,
                    Known::No => {}
                    Known::Open(node) => open.push(node),
                }
            }
            if open.is_empty() { Known::No } else { Known::Open(Node::any(open)) }
        }
    }
}
