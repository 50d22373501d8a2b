//! What an address below `Microsoft.EventGrid` names.
//!
//! An event subscription has up to two addresses: `{scope}/providers/Microsoft.EventGrid/
//! eventSubscriptions/{name}` for any scope, and for topics and system topics also
//! `{topic}/eventSubscriptions/{name}`. Both name the same thing.

use kernel::{Error, ErrorKind, Result};
use wire::ResourceId;

use super::port::{SYSTEM_TOPICS, TOPICS};
use crate::address::ProviderPath;
use crate::fault;

/// The types of addresses that are named in refusals of any other.
const KNOWN: &str = "Microsoft.EventGrid has topics, systemTopics, eventSubscriptions, topicTypes, \
                     eventTypes, extensionTopics and operations here.";

/// The kinds of topics that have addresses of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Custom,
    System,
}

impl Kind {
    pub(super) fn resource_type(self) -> &'static str {
        match self {
            Self::Custom => TOPICS,
            Self::System => SYSTEM_TOPICS,
        }
    }

    /// The type without its namespace.
    fn word(self) -> &'static str {
        match self {
            Self::Custom => "topics",
            Self::System => "systemTopics",
        }
    }
}

/// An event subscription by one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) scope: ResourceId,
    pub(super) name: String,
    /// Which address it was called by, so that the answer has the same.
    pub(super) form: Form,
}

/// The two forms of addresses of event subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Below the provider of any scope.
    Extension,
    /// Directly below a topic of this kind.
    Child(Kind),
}

/// Which event subscriptions a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) within: ResourceId,
    pub(super) of: Of,
    /// Only those whose source is of this topic type.
    pub(super) topic_type: Option<String>,
}

/// Where listed event subscriptions belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// To the scope itself; shown by addresses of this form.
    Scope(Form),
    /// To anything within the scope that is in this location.
    Location(String),
}

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Topics(Kind, ResourceId),
    Topic(Kind, ResourceId),
    ListKeys(ResourceId),
    RegenerateKey(ResourceId),
    Subscriptions(Listing),
    Subscription(Subscription),
    FullUrl(Subscription),
    DeliveryAttributes(Subscription),
    TopicTypes,
    TopicType(String),
    TopicTypeEvents(String),
    /// The event types of the resource in the scope.
    EventTypes(ResourceId),
    ExtensionTopic(ResourceId),
    Operations,
}

impl Named {
    /// Reads an address.
    ///
    /// # Errors
    /// `InvalidResourceType` when nothing has this form, `InvalidResourceName` for a name that a
    /// topic or event subscription cannot have.
    pub(super) fn read(at: &ProviderPath) -> Result<Self> {
        let lower: Vec<String> = at.path.iter().map(|it| it.to_ascii_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        let named = match &at.scope {
            None => at_root(&words, &at.path),
            Some(scope) => match words.first().copied().and_then(kind) {
                Some(kind) => below_topics(kind, scope, &words, &at.path)?,
                None => below_scope(scope, &words, &at.path)?,
            },
        };
        named.ok_or_else(|| fault::unknown_path(&at.path.join("/"), KNOWN))
    }
}

fn kind(word: &str) -> Option<Kind> {
    [Kind::Custom, Kind::System].into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word))
}

fn at_root(words: &[&str], path: &[String]) -> Option<Named> {
    Some(match words {
        ["operations"] => Named::Operations,
        ["topictypes"] => Named::TopicTypes,
        ["topictypes", _] => Named::TopicType(path[1].clone()),
        ["topictypes", _, "eventtypes"] => Named::TopicTypeEvents(path[1].clone()),
        _ => return None,
    })
}

fn below_topics(
    kind: Kind,
    scope: &ResourceId,
    words: &[&str],
    path: &[String],
) -> Result<Option<Named>> {
    if !scope.resource_type().is_empty() {
        return Ok(None);
    }
    if words.len() == 1 {
        return Ok(Some(Named::Topics(kind, scope.clone())));
    }
    // Topics are in groups; a list alone may span them.
    if scope.resource_group().is_none() {
        return Ok(None);
    }
    check_topic_name(&path[1])?;
    let topic = scope.child(&format!("providers/{}", kind.resource_type()), &path[1]);
    let form = Form::Child(kind);
    Ok(Some(match words[2..] {
        [] => Named::Topic(kind, topic),
        ["listkeys"] if kind == Kind::Custom => Named::ListKeys(topic),
        ["regeneratekey"] if kind == Kind::Custom => Named::RegenerateKey(topic),
        ["eventsubscriptions"] => {
            Named::Subscriptions(Listing { within: topic, of: Of::Scope(form), topic_type: None })
        }
        ["eventsubscriptions", ..] => {
            return subscription(topic, form, &words[3..], &path[3]);
        }
        _ => return Ok(None),
    }))
}

fn below_scope(scope: &ResourceId, words: &[&str], path: &[String]) -> Result<Option<Named>> {
    let is_resource = !scope.resource_type().is_empty();
    let listing =
        |of, topic_type| Named::Subscriptions(Listing { within: scope.clone(), of, topic_type });
    let global = || Of::Location(crate::GLOBAL.to_owned());
    Ok(Some(match words {
        ["eventsubscriptions"] if is_resource => listing(Of::Scope(Form::Extension), None),
        ["eventsubscriptions"] => listing(global(), None),
        ["eventsubscriptions", ..] => {
            return subscription(scope.clone(), Form::Extension, &words[1..], &path[1]);
        }
        ["eventtypes"] if is_resource => Named::EventTypes(scope.clone()),
        ["extensiontopics", "default"] => Named::ExtensionTopic(scope.clone()),
        _ if is_resource => return Ok(None),
        ["topictypes", _, "eventsubscriptions"] => listing(global(), Some(path[1].clone())),
        ["locations", _, "eventsubscriptions"] => listing(Of::Location(path[1].clone()), None),
        ["locations", _, "topictypes", _, "eventsubscriptions"] => {
            listing(Of::Location(path[1].clone()), Some(path[3].clone()))
        }
        _ => return Ok(None),
    }))
}

/// `words` begin with the name; what follows may be an action.
fn subscription(
    scope: ResourceId,
    form: Form,
    words: &[&str],
    name: &str,
) -> Result<Option<Named>> {
    check_subscription_name(name)?;
    let it = Subscription { scope, name: name.to_owned(), form };
    Ok(match words[1..] {
        [] => Some(Named::Subscription(it)),
        ["getfullurl"] => Some(Named::FullUrl(it)),
        ["getdeliveryattributes"] => Some(Named::DeliveryAttributes(it)),
        _ => None,
    })
}

fn check_topic_name(name: &str) -> Result<()> {
    if is_plain(name, 3, 50) {
        return Ok(());
    }
    let message = "A topic's name has 3 to 50 letters, digits and hyphens.";
    Err(fault::name("topicName", message))
}

fn check_subscription_name(name: &str) -> Result<()> {
    if is_plain(name, 3, 64) {
        return Ok(());
    }
    let message = "An event subscription's name has 3 to 64 letters, digits and hyphens.";
    Err(fault::name("eventSubscriptionName", message))
}

fn is_plain(name: &str, least: usize, most: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (least..=most).contains(&name.len()) && name.bytes().all(plain)
}

impl Subscription {
    /// Its id in the form of address that it was called by.
    pub(super) fn id(scope: &ResourceId, name: &str, form: Form) -> ResourceId {
        match form {
            Form::Extension => {
                scope.child("providers/Microsoft.EventGrid/eventSubscriptions", name)
            }
            Form::Child(_) => scope.child("eventSubscriptions", name),
        }
    }
}

impl Form {
    /// The type of event subscriptions at such addresses.
    pub(super) fn resource_type(self) -> String {
        match self {
            Self::Extension => "Microsoft.EventGrid/eventSubscriptions".to_owned(),
            Self::Child(kind) => format!("{}/eventSubscriptions", kind.resource_type()),
        }
    }
}

/// The refusal of something whose topic does not exist.
pub(super) fn no_parent(topic: &ResourceId) -> Error {
    let message = format!(
        "The topic '{}' does not exist in resource group '{}', so it has no event subscriptions. \
         Create it with PUT on {topic}.",
        topic.name(),
        topic.resource_group().unwrap_or_default(),
    );
    Error::new(ErrorKind::NotFound, "ParentResourceNotFound", message)
}

#[cfg(test)]
mod tests;
