//! The events and pushes that calls cause. Pure.

use kernel::Timestamp;
use serde_json::{Value, json};

use super::model::{Call, Person};
use crate::events::Event;
use crate::identifier::RawId;
use crate::push::{Payload, Urgency, members};
use crate::signaling::EventKind;

/// `IncomingCall`, for whoever answers on the user's behalf.
pub(crate) fn incoming_call(call: &Call, person: &Person, at: Timestamp) -> Option<Event> {
    let (to, from) = (person.raw(), call.from());
    let data = json!({
        "to": to.to_json(),
        "from": from.to_json(),
        "serverCallId": call.server_call_id(),
        "callerDisplayName": call.display_name.as_deref().unwrap_or_default(),
        "incomingCallContext": person.context(call)?.encode(),
        "correlationId": call.correlation,
    });
    let subject = format!("/caller/{from}/recipient/{to}");
    Some(Event { event_type: "Microsoft.Communication.IncomingCall", subject, time: at, data })
}

pub(crate) fn started(call: &Call, at: Timestamp) -> Event {
    let subject = format!("call/{}/startedBy/{}", call.server_call_id(), call.from);
    event("Microsoft.Communication.CallStarted", subject, at, shared(call))
}

pub(crate) fn participant(call: &Call, user: &RawId, added: bool, at: Timestamp) -> Event {
    let mut data = shared(call);
    data["user"] = json!({ "communicationIdentifier": user.to_json(), "role": "Attendee" });
    data["displayName"] = "".into();
    data["participantId"] = format!("{}-{user}", call.id).into();
    data["userAgent"] = "".into();
    let subject = format!("call/{}/participant/{user}", call.server_call_id());
    let event_type = match added {
        true => "Microsoft.Communication.CallParticipantAdded",
        false => "Microsoft.Communication.CallParticipantRemoved",
    };
    event(event_type, subject, at, data)
}

pub(crate) fn ended(call: &Call, at: Timestamp) -> Event {
    let mut data = shared(call);
    let started = call.started.map_or(at, Timestamp::from_micros);
    data["callDurationInSeconds"] = at.since(started).as_secs_f64().into();
    data["reason"] = json!({ "code": 0, "subCode": 0, "phrase": "NormalClearing" });
    let subject = format!("call/{}", call.server_call_id());
    event("Microsoft.Communication.CallEnded", subject, at, data)
}

fn shared(call: &Call) -> Value {
    json!({
        "startedBy": { "communicationIdentifier": call.from().to_json(), "role": "Organizer" },
        "serverCallId": call.server_call_id(),
        "group": { "id": call.id },
        "isTwoParty": call.people.len() < 3,
        "isRoomsCall": false,
        "correlationId": call.correlation,
    })
}

fn event(event_type: &'static str, subject: String, time: Timestamp, data: Value) -> Event {
    Event { event_type, subject, time, data }
}

/// The push that makes a sleeping device ring.
pub(crate) fn ring(call: &Call, person: &Person) -> Option<Payload> {
    let fields = json!({
        "cp": person.context(call)?.cc(),
        "callId": call.correlation,
        "recipientId": person.id,
        "callerId": call.from,
        "displayName": call.display_name.as_deref().unwrap_or_default(),
        "videoCall": "false",
    });
    Some(Payload {
        event: EventKind::IncomingCall.number(),
        urgency: Urgency::Ring,
        fields: members(fields),
    })
}

/// The push that makes it stop, and tells of a missed call.
pub(crate) fn stop(call: &Call, user: &RawId, missed: bool) -> Payload {
    let fields = json!({
        "callId": call.correlation,
        "recipientId": user.as_str(),
        "callerId": call.from,
        "displayName": call.display_name.as_deref().unwrap_or_default(),
        "missedCall": missed.to_string(),
    });
    Payload {
        event: EventKind::CallEnded.number(),
        urgency: Urgency::Ring,
        fields: members(fields),
    }
}
