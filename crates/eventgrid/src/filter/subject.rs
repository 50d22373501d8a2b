//! An event as filters see it.

use std::cell::OnceCell;

use super::condition::Found;
use super::key::Key;
use crate::event::{Event, Shape};
use crate::json::Node;

/// An event under examination. What one filter has read of the data is there for the next, so make
/// one of these for an event and ask all subscriptions' filters about it.
pub struct Subject<'e> {
    event: &'e Event,
    data: OnceCell<Option<Node<'e>>>,
    /// The whole event, for the extension attributes of a CloudEvent.
    original: OnceCell<Option<Node<'e>>>,
}

impl<'e> Subject<'e> {
    /// Begins to examine an event; nothing is read yet.
    pub fn new(event: &'e Event) -> Self {
        Self { event, data: OnceCell::new(), original: OnceCell::new() }
    }

    /// The event itself.
    pub fn event(&self) -> &'e Event {
        self.event
    }

    /// Asks about the value of `key`.
    pub(super) fn find<R>(&self, key: &Key, ask: impl FnOnce(Found<'_, '_>) -> R) -> R {
        let (first, rest) = key.split();
        if rest.is_empty()
            && let Some(attribute) = self.attribute(first)
        {
            return ask(attribute);
        }
        let start = match self.event.shape() {
            _ if first.eq_ignore_ascii_case("data") => self.data(),
            Shape::CloudEvents => self.original().and_then(|original| original.member(first)),
            Shape::EventGrid | Shape::Custom => None,
        };
        let end = start.and_then(|start| {
            rest.iter().try_fold(start, |node: &Node<'e>, name| node.member(name))
        });
        ask(end.map_or(Found::Missing, Found::Node))
    }

    /// An attribute that every event of this shape has, by its name in any case.
    pub(crate) fn attribute(&self, name: &str) -> Option<Found<'e, 'e>> {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let event = self.event;
        let value = if is("id") {
            Some(event.id())
        } else if is("subject") {
            event.subject()
        } else if event.shape() == Shape::CloudEvents {
            match () {
                () if is("source") => Some(event.source()),
                () if is("type") => Some(event.event_type()),
                () if is("time") => event.time(),
                () => return None,
            }
        } else {
            match () {
                () if is("topic") => Some(event.topic()),
                () if is("eventType") => Some(event.event_type()),
                () if is("eventTime") => event.time(),
                () if is("dataVersion") => Some(event.data_version()),
                () if is("metadataVersion") => Some("1"),
                () => return None,
            }
        };
        Some(value.map_or(Found::Missing, Found::Text))
    }

    fn data(&self) -> Option<&Node<'e>> {
        self.data.get_or_init(|| self.event.data().map(Node::new)).as_ref()
    }

    fn original(&self) -> Option<&Node<'e>> {
        let read = || std::str::from_utf8(self.event.original()).ok().map(Node::new);
        self.original.get_or_init(read).as_ref()
    }

    /// The value of a path such as `data.system` as the text of a header: a string, number or truth
    /// value. `None` for everything else, and when it is not there.
    pub fn scalar(&self, path: &str) -> Option<String> {
        self.find(&Key::parse(path)?, |found| found.scalar())
    }
}
