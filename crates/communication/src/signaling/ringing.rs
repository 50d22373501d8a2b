//! Calls that ring, told to the devices that are connected.
//!
//! How the real calling clients are told is not public. Here it is the same road as that of chat: a
//! device that is connected is pushed a request whose path ends in `incomingCall`, with the fields of
//! the push that wakes a phone and with what answers the call, and one that ends in `callEnded` when it
//! rings no more. Clients that know neither, such as the official chat client, answer 404 and go on.

use std::sync::Arc;

use kernel::Timestamp;
use serde_json::{Map, Value, json};

use super::devices::Ring;
use super::notice::Notice;
use super::{EventKind, Signaling};
use crate::calling::{Ringing, Signal, What};
use crate::time;

impl Ringing for Signaling {
    fn signal(&self, signal: &Signal) {
        let (user, ring) = (&signal.user, told(signal, self.now()));
        match signal.what {
            What::Ring { .. } => self.0.devices.ring(user, ring),
            What::Stop { .. } => self.0.devices.hush(user, &ring),
        }
    }
}

/// What devices are told. The call names the transaction, by which its ringing is found again.
fn told(signal: &Signal, at: Timestamp) -> Ring {
    let kind = match signal.what {
        What::Ring { .. } => EventKind::IncomingCall,
        What::Stop { .. } => EventKind::CallEnded,
    };
    let call: Arc<str> = signal.server_call_id.as_str().into();
    let notice = Notice::with_fields(kind, Arc::clone(&call), &fields(kind, signal));
    Ring { call, notice: Arc::new(notice), at }
}

fn fields(kind: EventKind, signal: &Signal) -> Map<String, Value> {
    let mut fields = json!({
        "eventId": kind.number(),
        "senderId": signal.from.as_str(),
        "transactionId": signal.server_call_id,
        "collapseId": "",
        "callId": signal.correlation_id,
        "serverCallId": signal.server_call_id,
        "callerId": signal.from.as_str(),
        "displayName": signal.display_name,
    });
    match &signal.what {
        What::Ring { context, until } => {
            fields["videoCall"] = "false".into();
            fields["incomingCallContext"] = context.as_str().into();
            fields["ringsUntil"] = time::seconds(*until).into();
        }
        What::Stop { missed } => fields["missedCall"] = missed.to_string().into(),
    }
    crate::push::members(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::RawId;
    use crate::signaling::sample;

    fn signal(what: What) -> Signal {
        Signal {
            user: RawId::new(sample::BOB),
            from: RawId::new(sample::ALICE),
            server_call_id: "c2VydmVy".to_owned(),
            correlation_id: "the call".to_owned(),
            display_name: "Alice 50%41 ☃".to_owned(),
            what,
        }
    }

    #[test]
    fn devices_are_told_what_answers_the_call_and_when_it_is_over() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/signaling/calls.txt");
        let until = Timestamp::from_secs(1_767_366_305);
        testkit::golden::check(path, |name| {
            let what = match name {
                "incomingCall" => What::Ring { context: "eyJ.cc.".to_owned(), until },
                _ => What::Stop { missed: true },
            };
            let ring = told(&signal(what), until);
            let push = ring.notice.push(7, &RawId::new(sample::BOB));
            assert!(push.text.contains(&format!("/v4/f/chat/{name}")), "{}", push.text);
            let request: Value =
                serde_json::from_str(push.text.strip_prefix("3:::").unwrap()).unwrap();
            request["body"].as_str().unwrap().to_owned()
        });
    }
}
