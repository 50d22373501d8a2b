//! Which of our series are about a resource, by its id.

use wire::ResourceId;

use super::{Catalogue, Namespace};

/// The labels that a series must have.
pub(in crate::metrics) type Labels = Vec<(&'static str, String)>;

/// A resource that has metrics.
#[derive(Debug)]
pub(in crate::metrics) struct Resource<'c> {
    pub id: String,
    pub namespace: &'c Namespace,
    /// A series is about the resource when it has all labels of any of these.
    pub any_of: Vec<Labels>,
}

const PROVIDERS: &str = "/providers/";

impl Catalogue {
    /// The resource with this id, if its type has metrics; `source_of` tells whose events a system
    /// topic carries.
    pub(in crate::metrics) fn resource(
        &self,
        id: &str,
        source_of: impl Fn(&ResourceId) -> Option<String>,
    ) -> Option<Resource<'_>> {
        let parsed = ResourceId::parse(id).ok()?;
        let kind = parsed.resource_type().to_ascii_lowercase();
        let name = parsed.name().to_owned();
        let (namespace, any_of) = match kind.as_str() {
            "microsoft.signalrservice/webpubsub" => (kind, vec![vec![("resource", name)]]),
            // A server has one.
            "microsoft.communication/communicationservices" => (kind, vec![Labels::new()]),
            "microsoft.notificationhubs/namespaces/notificationhubs" => {
                let namespace = parsed.as_str().rsplit('/').nth(2).unwrap_or_default().to_owned();
                (kind, vec![vec![("namespace", namespace), ("hub", name)]])
            }
            "microsoft.eventgrid/topics" => (kind, vec![topic(&parsed)]),
            "microsoft.eventgrid/systemtopics" => {
                // Event subscriptions are those of the topic, and those that name its source.
                let source = source_of(&parsed).and_then(|it| ResourceId::parse(&it).ok());
                (
                    kind,
                    [Some(topic(&parsed)), source.as_ref().map(topic)]
                        .into_iter()
                        .flatten()
                        .collect(),
                )
            }
            "microsoft.eventgrid/extensiontopics" => {
                (kind, vec![topic(&scope(&parsed, PROVIDERS)?)])
            }
            "microsoft.eventgrid/eventsubscriptions" => {
                (kind, vec![subscription(&scope(&parsed, PROVIDERS)?, name)])
            }
            // The other address of the same thing.
            "microsoft.eventgrid/topics/eventsubscriptions"
            | "microsoft.eventgrid/systemtopics/eventsubscriptions" => {
                let topic = scope(&parsed, "/eventsubscriptions/")?;
                (
                    "microsoft.eventgrid/eventsubscriptions".to_owned(),
                    vec![subscription(&topic, name)],
                )
            }
            _ => return None,
        };
        let namespace = self.namespace(&namespace)?;
        Some(Resource { id: id.to_owned(), namespace, any_of })
    }
}

/// What stands before the last `word` of an id.
fn scope(id: &ResourceId, word: &str) -> Option<ResourceId> {
    let at = id.key().rfind(word)?;
    ResourceId::parse(&id.as_str()[..at]).ok()
}

/// The labels of events that a topic, or another resource, has raised.
fn topic(id: &ResourceId) -> Labels {
    let kind = id.resource_type().to_ascii_lowercase();
    vec![("topic_type", kind), ("topic", id.name().to_owned())]
}

fn subscription(scope: &ResourceId, name: String) -> Labels {
    let mut labels = topic(scope);
    labels.push(("event_subscription", name));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers";
    const CHAT: &str = "Microsoft.Communication/CommunicationServices/local";

    fn labels(id: &str) -> Option<(&'static str, Vec<String>)> {
        let catalogue = Catalogue::new([]);
        let source = |_: &ResourceId| Some(format!("{GROUP}/{CHAT}"));
        let found = catalogue.resource(&format!("{GROUP}/{id}"), source)?;
        let text = |(name, value): &(&str, String)| format!("{name}={value}");
        let texts = |labels: &Labels| labels.iter().map(text).collect::<Vec<_>>().join(" ");
        Some((found.namespace.name, found.any_of.iter().map(texts).collect()))
    }

    #[test]
    fn a_resource_is_told_by_its_labels_whatever_the_case_of_its_type() {
        let chat = "topic_type=microsoft.communication/communicationservices topic=local";
        for (id, namespace, expected) in [
            (
                "microsoft.eventgrid/TOPICS/orders",
                "Microsoft.EventGrid/topics",
                vec!["topic_type=microsoft.eventgrid/topics topic=orders"],
            ),
            (
                "Microsoft.EventGrid/systemTopics/chat",
                "Microsoft.EventGrid/systemTopics",
                vec!["topic_type=microsoft.eventgrid/systemtopics topic=chat", chat],
            ),
            (
                &format!("{CHAT}/providers/Microsoft.EventGrid/extensionTopics/default"),
                "Microsoft.EventGrid/extensionTopics",
                vec![chat],
            ),
            (
                &format!("{CHAT}/Providers/Microsoft.EventGrid/eventSubscriptions/Inbox"),
                "Microsoft.EventGrid/eventSubscriptions",
                vec![&format!("{chat} event_subscription=Inbox")],
            ),
            (
                "Microsoft.EventGrid/topics/orders/eventSubscriptions/Inbox",
                "Microsoft.EventGrid/eventSubscriptions",
                vec!["topic_type=microsoft.eventgrid/topics topic=orders event_subscription=Inbox"],
            ),
            (
                "Microsoft.NotificationHubs/Namespaces/ns/notificationHubs/hub",
                "Microsoft.NotificationHubs/namespaces/notificationHubs",
                vec!["namespace=ns hub=hub"],
            ),
            (CHAT, "Microsoft.Communication/CommunicationServices", vec![""]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(labels(id), Some((namespace, expected)), "{id}");
        }
    }

    #[test]
    fn what_has_no_metrics_is_no_resource() {
        for id in ["x/y/z", "Microsoft.EventGrid/topics", "Microsoft.NotificationHubs/namespaces/n"]
        {
            assert_eq!(labels(id), None, "{id}");
        }
    }
}
