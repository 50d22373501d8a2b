//! What becomes of chat messages that somebody is told of, as rows of `ACSChatMessageReceivedEvents`:
//! what chat clients answer, and what hubs say to pushes.

use std::sync::Arc;

use ::communication::link::Sent;
use ::communication::push::{self, SentPush};
use ::communication::signaling::{self, Answer, EventKind, Transport};
use ::monitor::table::LogTables;
use ::monitor::table::rows::ACSChatMessageReceivedEvents;
use kernel::Clock;
use uuid::Uuid;

use super::call::millis;
use crate::config::DEVELOPMENT_RESOURCE;
use crate::event_grid::communication_id;

/// Writes a row for each answer to a message, and for each push about one.
pub(super) struct Told {
    pub tables: LogTables,
    pub clock: Arc<dyn Clock>,
}

/// How it went, in the words of the table.
struct Verdict<'a> {
    result: &'static str,
    signature: String,
    description: &'a str,
}

impl signaling::Observer for Told {
    fn answered(&self, answer: &Answer) {
        let Some(operation) = operation(answer.event) else { return };
        let now = self.clock.now();
        // A message has to be read for its row, so first it is seen whether there will be one.
        if !self.tables.has_room::<ACSChatMessageReceivedEvents>(now) {
            return;
        }
        let about = answer.about().unwrap_or_default();
        let channel = match answer.transport {
            Transport::WebSocket => "WebSocket",
            Transport::LongPolling => "LongPolling",
        };
        let row = ACSChatMessageReceivedEvents {
            operation_name: operation.to_owned(),
            correlation_id: correlation(answer.transaction()),
            chat_thread_id: about.thread,
            chat_message_id: about.message.parse().ok(),
            sender_user_id: about.sender,
            recipient_user_id: answer.user.to_string(),
            device_id: answer.device.clone(),
            channel: channel.to_owned(),
            duration_ms: millis(now.since(answer.at)),
            ..ACSChatMessageReceivedEvents::default()
        };
        self.append(row, of_answer(answer.status));
    }
}

impl push::Observer for Told {
    fn sent(&self, push: &SentPush<'_>) {
        // Calls are pushed, too.
        let Some(message) = push.message() else { return };
        let row = ACSChatMessageReceivedEvents {
            operation_name: "PushNotification".to_owned(),
            correlation_id: correlation(push.transaction()),
            chat_thread_id: push.thread().to_owned(),
            chat_message_id: Some(message),
            sender_user_id: push.sender().to_owned(),
            recipient_user_id: push.user.to_string(),
            device_id: push.device.to_owned(),
            channel: "Push".to_owned(),
            ..ACSChatMessageReceivedEvents::default()
        };
        let fault = match push.outcome {
            Sent::Fault(fault) => fault.to_string(),
            _ => String::new(),
        };
        self.append(row, of_push(push.outcome, &fault));
    }
}

impl Told {
    fn append(&self, row: ACSChatMessageReceivedEvents, verdict: Verdict<'_>) {
        let Verdict { result, signature, description } = verdict;
        let id = communication_id(DEVELOPMENT_RESOURCE).map(|id| id.to_string());
        let level = if result == SUCCEEDED { "Informational" } else { "Warning" };
        self.tables.append(ACSChatMessageReceivedEvents {
            time: self.clock.now(),
            resource: id.unwrap_or_default(),
            result_type: result.to_owned(),
            result_signature: signature,
            result_description: description.to_owned(),
            level: level.to_owned(),
            ..row
        });
    }
}

const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";

/// A change is named as the request that made it; in the tables a request's id has dashes.
fn correlation(transaction: &str) -> String {
    Uuid::try_parse(transaction).map_or_else(|_| transaction.to_owned(), |id| id.to_string())
}

/// The operation of a notification; none of what is no message.
fn operation(event: EventKind) -> Option<&'static str> {
    match event {
        EventKind::MessageReceived => Some("ChatMessageReceived"),
        EventKind::MessageEdited => Some("ChatMessageEdited"),
        EventKind::MessageDeleted => Some("ChatMessageDeleted"),
        _ => None,
    }
}

fn of_answer(status: u16) -> Verdict<'static> {
    let (result, description) = match status {
        200 => (SUCCEEDED, "The client took the notification."),
        404 => (
            FAILED,
            "Nothing in the client takes the notification: it could not read it, or it is no chat \
             client.",
        ),
        _ => (FAILED, "The client took the notification, but did not finish with it."),
    };
    Verdict { result, signature: status.to_string(), description }
}

fn of_push<'a>(outcome: &'a Sent, fault: &'a str) -> Verdict<'a> {
    let (result, signature, description) = match outcome {
        Sent::Accepted => (SUCCEEDED, "Accepted", "The notification hub took the push."),
        Sent::DeviceGone => {
            (FAILED, "DeviceGone", "The platform does not know the device any more.")
        }
        Sent::Refused(why) => (FAILED, "Refused", why.as_str()),
        Sent::Busy(why, _) => (FAILED, "Busy", why.as_str()),
        Sent::Fault(of) => (FAILED, of.kind.code(), fault),
    };
    Verdict { result, signature: signature.to_owned(), description }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_alone_have_rows_and_answers_have_words() {
        assert_eq!(operation(EventKind::MessageReceived), Some("ChatMessageReceived"));
        assert_eq!(operation(EventKind::TypingIndicator), None);
        let results = [200, 404, 504].map(|status| of_answer(status).result);
        assert_eq!(results, [SUCCEEDED, FAILED, FAILED]);
    }

    #[test]
    fn a_change_is_correlated_as_its_request() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(correlation(&id.replace('-', "")), id);
        assert_eq!(correlation("tx"), "tx", "written by an older program");
    }

    #[test]
    fn a_push_is_told_in_the_words_of_the_hub() {
        let sent = Sent::Refused("too large".to_owned());
        let verdict = of_push(&sent, "");
        assert_eq!((verdict.result, verdict.description), (FAILED, "too large"));
        assert_eq!(of_push(&Sent::Accepted, "").signature, "Accepted");
    }
}
