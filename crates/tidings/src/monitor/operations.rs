//! Which operation of which service a request is, by the names that the services' logs use. Pure.
//!
//! What no service documents has a name of our own: the calls by which chat clients start their
//! real-time notifications, and those by which devices register for pushes.

/// A service whose calls have a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// REST calls to a hub.
    WebPubSub,
    /// WebSockets of clients of a hub.
    Client,
    /// Chat, and what chat clients call.
    Chat,
    /// Users and tokens.
    Identity,
    /// Events to a topic.
    Publishing,
}

/// An operation: its service, its name, and the parts of the path that logs tell, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation<'a> {
    pub service: Service,
    pub name: &'static str,
    /// Hub, thread, identity or topic.
    pub subject: &'a str,
    /// Message, user or connection.
    pub detail: &'a str,
}

const REGISTRAR: &str = "registrar";

/// The operation of a method and path; none when no table has such requests.
pub(super) fn of<'a>(method: &str, path: &'a str) -> Option<Operation<'a>> {
    if method == "OPTIONS" {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let (service, name, subject, detail) = match (method, &parts[..]) {
        (_, ["api", "hubs", hub, rest @ ..]) => {
            (Service::WebPubSub, hub_operation(method, rest), *hub, hub_detail(rest))
        }
        ("GET", ["client", "hubs", hub]) => (Service::Client, "Connect", *hub, ""),
        ("GET", ["client"]) => (Service::Client, "Connect", "", ""),
        (_, ["chat", "threads", rest @ ..]) => {
            (Service::Chat, chat_operation(method, rest), part(2), part(4))
        }
        (_, ["identities", rest @ ..]) => {
            (Service::Identity, identity_operation(method, rest), part(1), "")
        }
        ("POST", ["topics", topic, "api", "events"]) => (Service::Publishing, PUBLISH, *topic, ""),
        ("POST", [topic, "api", "events"]) => (Service::Publishing, PUBLISH, *topic, ""),
        ("POST", ["api", "events"]) => (Service::Publishing, PUBLISH, "", ""),
        _ => (Service::Chat, client_operation(method, &parts)?, "", ""),
    };
    Some(Operation { service, name, subject, detail })
}

const PUBLISH: &str = "Publish";

fn hub_operation(method: &str, rest: &[&str]) -> &'static str {
    match (method, rest) {
        ("POST", [":send"]) => "SendToAll",
        ("POST", ["groups", _, ":send"]) => "SendToGroup",
        ("POST", ["users", _, ":send"]) => "SendToUser",
        ("POST", ["connections", _, ":send"]) => "SendToConnection",
        ("POST", [":generateToken"]) => "GenerateClientToken",
        ("POST", [":addToGroups"]) => "AddConnectionsToGroups",
        ("POST", [":removeFromGroups"]) => "RemoveConnectionsFromGroups",
        ("POST", [":closeConnections"]) => "CloseAllConnections",
        ("POST", ["groups", _, ":closeConnections"]) => "CloseGroupConnections",
        ("POST", ["users", _, ":closeConnections"]) => "CloseUserConnections",
        ("DELETE", ["connections", _]) => "CloseConnection",
        ("HEAD", ["connections", _]) => "CheckConnectionExists",
        ("HEAD", ["groups", _]) => "CheckGroupExists",
        ("HEAD", ["users", _]) => "CheckUserExists",
        ("PUT", ["groups", _, "connections", _]) => "AddConnectionToGroup",
        ("DELETE", ["groups", _, "connections", _]) => "RemoveConnectionFromGroup",
        ("DELETE", ["connections", _, "groups"]) => "RemoveConnectionFromAllGroups",
        ("PUT", ["users", _, "groups", _]) => "AddUserToGroup",
        ("DELETE", ["users", _, "groups", _]) => "RemoveUserFromGroup",
        ("DELETE", ["users", _, "groups"]) => "RemoveUserFromAllGroups",
        ("PUT", ["permissions", ..]) => "GrantPermission",
        ("DELETE", ["permissions", ..]) => "RevokePermission",
        ("HEAD", ["permissions", ..]) => "CheckPermission",
        ("GET", ["groups", _, "connections"]) => "ListConnectionsInGroup",
        _ => "Bad Route",
    }
}

/// The user or connection that a call to a hub is about.
fn hub_detail<'a>(rest: &[&'a str]) -> &'a str {
    match rest {
        ["users" | "connections", it, ..] | [_, _, "connections", it, ..] => it,
        _ => "",
    }
}

/// The names of the chat metrics and logs; what is none of them is a `Bad Route` there too.
fn chat_operation(method: &str, rest: &[&str]) -> &'static str {
    match (method, rest) {
        ("POST", []) => "CreateChatThread",
        ("GET", []) => "ListChatThreads",
        ("GET", [_]) => "GetChatThread",
        ("PATCH", [_]) => "UpdateChatThread",
        ("DELETE", [_]) => "DeleteChatThread",
        ("POST", [_, "messages"]) => "SendChatMessage",
        ("GET", [_, "messages"]) => "ListChatMessages",
        ("GET", [_, "messages", _]) => "GetChatMessage",
        ("PATCH", [_, "messages", _]) => "UpdateChatMessage",
        ("DELETE", [_, "messages", _]) => "DeleteChatMessage",
        ("GET", [_, "participants"]) => "ListChatThreadParticipants",
        ("POST", [_, "participants", ":add"]) => "AddChatThreadParticipants",
        ("POST", [_, "participants", ":remove"]) => "RemoveChatThreadParticipant",
        ("GET", [_, "readReceipts"]) => "GetReadReceipts",
        ("POST", [_, "readReceipts"]) => "SendReadReceipt",
        ("POST", [_, "typing"]) => "SendTypingIndicator",
        _ => "Bad Route",
    }
}

/// What chat clients call on their way to notifications; names of our own.
fn client_operation(method: &str, parts: &[&str]) -> Option<&'static str> {
    Some(match (method, parts) {
        ("GET", ["chat", "config", "realTimeNotifications"]) => "StartRealTimeNotifications",
        ("GET", ["socket.io", "1"]) => "ConnectRealTimeNotifications",
        ("POST", [REGISTRAR, _, "v3", "registrations"]) => "RegisterRealTimeNotifications",
        ("DELETE", [REGISTRAR, _, "v3", "registrations", _]) => "UnregisterRealTimeNotifications",
        ("POST", [REGISTRAR, _, "v2", "registrations"] | ["v2", "registrations"]) => {
            "RegisterPushNotifications"
        }
        ("DELETE", [REGISTRAR, _, "v2", "registrations", _] | ["v2", "registrations", _]) => {
            "UnregisterPushNotifications"
        }
        _ => return None,
    })
}

fn identity_operation(method: &str, rest: &[&str]) -> &'static str {
    match (method, rest) {
        ("POST", []) => "CreateIdentity",
        ("GET", [_]) => "GetIdentity",
        ("DELETE", [_]) => "DeleteIdentity",
        ("POST", [_, ":issueAccessToken"]) => "CreateToken",
        ("POST", [_, ":revokeAccessTokens"]) => "RevokeToken",
        _ => "Bad Route",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_the_operations_that_logs_name() {
        use Service::{Chat, Client, Identity, Publishing, WebPubSub};
        for (request, service, name, subject, detail) in [
            ("POST /api/hubs/chat/:send", WebPubSub, "SendToAll", "chat", ""),
            ("PUT /api/hubs/h/groups/g/connections/c", WebPubSub, "AddConnectionToGroup", "h", "c"),
            ("POST /api/hubs/h/users/u/:send", WebPubSub, "SendToUser", "h", "u"),
            ("GET /client/hubs/h", Client, "Connect", "h", ""),
            ("GET /client/", Client, "Connect", "", ""),
            ("POST /chat/threads", Chat, "CreateChatThread", "", ""),
            ("PATCH /chat/threads/19:x/messages/17", Chat, "UpdateChatMessage", "19:x", "17"),
            ("POST /chat/threads/19:x/other", Chat, "Bad Route", "19:x", ""),
            ("POST /registrar/prod/v2/registrations", Chat, "RegisterPushNotifications", "", ""),
            ("POST /identities/8:acs:u/:issueAccessToken", Identity, "CreateToken", "8:acs:u", ""),
            ("POST /topics/orders/api/events", Publishing, "Publish", "orders", ""),
        ] {
            let (method, path) = request.split_once(' ').unwrap();
            let expected = Operation { service, name, subject, detail };
            assert_eq!(of(method, path), Some(expected), "{request}");
        }
        for request in ["GET /api/events", "OPTIONS /chat/threads", "GET /v4/a", "GET /"] {
            let (method, path) = request.split_once(' ').unwrap();
            assert_eq!(of(method, path), None, "{request}");
        }
    }
}
