//! What applications are told: CloudEvents, one in an array. Pure.

use serde_json::{Value, json};

use super::machine::Callback;
use super::model::Call;

/// The body of a callback. `id` is its own, `time` RFC 3339.
pub(crate) fn body(call: &Call, callback: &Callback, id: &str, time: &str) -> Value {
    let event_type = format!("Microsoft.Communication.{}", callback.kind);
    let source = format!("calling/callConnections/{}", callback.connection);
    let mut data = callback.data.clone();
    for (name, value) in [
        ("callConnectionId", callback.connection.as_str()),
        ("serverCallId", &call.server_call_id()),
        ("correlationId", &call.correlation),
        ("version", "2023-06-15-preview"),
        ("publicEventType", &event_type),
    ] {
        data[name] = value.into();
    }
    if let Some(context) = &callback.operation_context {
        data["operationContext"] = context.as_str().into();
    }
    json!([{
        "id": id, "source": source, "subject": source, "type": event_type, "data": data,
        "time": time, "specversion": "1.0", "datacontenttype": "application/json",
    }])
}
