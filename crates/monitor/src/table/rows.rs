//! The tables and their columns, as the services' documentation lists them.
//!
//! `time` becomes `TimeGenerated` and `resource`, an id as the resource manager writes it, becomes
//! `_ResourceId`. What a row does not know is left empty.

use kernel::Timestamp;
use serde_json::Value as Json;

use super::schema::{Cell, Schema, TableRow};
use crate::kql::Type;

macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident { $($(#[$note:meta])* $field:ident $column:literal $kind:ident,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default)]
            pub struct $table {
                /// When it happened.
                pub time: Timestamp,
                /// The id of the resource that it is about.
                pub resource: String,
                $(#[doc = concat!("`", $column, "`")] $(#[$note])* pub $field: tables!(@type $kind),)*
            }

            impl TableRow for $table {
                const SCHEMA: &'static Schema = &Schema {
                    name: stringify!($table),
                    columns: &[$(($column, Type::$kind)),*],
                };

                fn into_cells(self) -> (Timestamp, String, Vec<Json>) {
                    (self.time, self.resource, vec![$(Cell::into_json(self.$field)),*])
                }
            }
        )*

        /// Every table, by name.
        pub static TABLES: &[&Schema] = &[$(<$table as TableRow>::SCHEMA),*];
    };
    (@type String) => { String };
    (@type Int) => { Option<i64> };
    (@type Long) => { Option<i64> };
    (@type Real) => { Option<f64> };
    (@type Dynamic) => { Json };
}

tables! {
    /// Identity operations: users and tokens.
    ACSAuthIncomingOperations {
        operation_name "OperationName" String,
        correlation_id "CorrelationId" String,
        operation_version "OperationVersion" String,
        category "Category" String,
        result_type "ResultType" String,
        result_signature "ResultSignature" String,
        result_description "ResultDescription" String,
        duration_ms "DurationMs" Int,
        caller_ip_address "CallerIpAddress" String,
        level "Level" String,
        uri "URI" String,
        identity "Identity" String,
        scopes "Scopes" Dynamic,
        sdk_type "SdkType" String,
        platform_type "PlatformType" String,
    }

    /// Chat operations, one row a request.
    ACSChatIncomingOperations {
        operation_name "OperationName" String,
        correlation_id "CorrelationId" String,
        operation_version "OperationVersion" String,
        category "Category" String,
        result_type "ResultType" String,
        result_signature "ResultSignature" String,
        result_description "ResultDescription" String,
        duration_ms "DurationMs" Int,
        caller_ip_address "CallerIpAddress" String,
        level "Level" String,
        uri "URI" String,
        user_id "UserId" String,
        chat_thread_id "ChatThreadId" String,
        /// Ids have more than 32 bits.
        chat_message_id "ChatMessageId" Long,
        sdk_type "SdkType" String,
        platform_type "PlatformType" String,
    }

    /// Chat messages that somebody was told of: one row for each client of a participant that
    /// answered, and one for each push to a device.
    ///
    /// No service documents a table of this name, though users look for it; its columns are ours. They
    /// are those of `ACSChatIncomingOperations` as far as both have them, so that the tables join on
    /// `CorrelationId`, `ChatThreadId` and `ChatMessageId`.
    ACSChatMessageReceivedEvents {
        /// `ChatMessageReceived`, `ChatMessageEdited`, `ChatMessageDeleted`; of a push
        /// `PushNotification`.
        operation_name "OperationName" String,
        /// That of the request that made the change, the same for all whom it was told to.
        correlation_id "CorrelationId" String,
        chat_thread_id "ChatThreadId" String,
        chat_message_id "ChatMessageId" Long,
        sender_user_id "SenderUserId" String,
        recipient_user_id "RecipientUserId" String,
        /// The chat client as it names itself, or the id of a registered device.
        device_id "DeviceId" String,
        /// How it was told: `WebSocket`, `LongPolling` or `Push`.
        channel "Channel" String,
        /// `Succeeded` or `Failed`.
        result_type "ResultType" String,
        /// What the client answered: `200` it took it, `404` nothing in it did. Of a push, what became
        /// of it.
        result_signature "ResultSignature" String,
        result_description "ResultDescription" String,
        /// From the change to the answer.
        duration_ms "DurationMs" Int,
        level "Level" String,
    }

    /// Deliveries of events that failed: attempts that are repeated, and those that were given up.
    AegDeliveryFailureLogs {
        category "Category" String,
        event_subscription_name "EventSubscriptionName" String,
        message "Message" String,
        operation_name "OperationName" String,
        sub_resource_name "SubResourceName" String,
    }

    /// Publications of events that were refused.
    AegPublishFailureLogs {
        category "Category" String,
        message "Message" String,
        operation_name "OperationName" String,
        sub_resource_name "SubResourceName" String,
    }

    /// Clients of hubs that come and go.
    WebPubSubConnectivity {
        caller_ip_address "CallerIpAddress" String,
        connection_id "ConnectionId" String,
        level "Level" String,
        location "Location" String,
        message "Message" String,
        operation_name "OperationName" String,
        user_id "UserId" String,
    }

    /// REST requests to hubs.
    WebPubSubHttpRequest {
        caller_ip_address "CallerIpAddress" String,
        level "Level" String,
        location "Location" String,
        message "Message" String,
        operation_name "OperationName" String,
        trace_id "TraceId" String,
        http_method "HttpMethod" String,
        /// Without its query, which may hold a token.
        url "Url" String,
        route_template "RouteTemplate" String,
        status_code "StatusCode" Int,
        /// In milliseconds.
        duration "Duration" Real,
        headers "Headers" String,
        hub "Hub" String,
        user_id "UserId" String,
        connection_id "ConnectionId" String,
    }

    /// Messages on their way through hubs.
    WebPubSubMessaging {
        caller_ip_address "CallerIpAddress" String,
        connection_id "ConnectionId" String,
        level "Level" String,
        location "Location" String,
        message "Message" String,
        operation_name "OperationName" String,
        user_id "UserId" String,
        trace_id "TraceId" String,
    }
}

/// The table of this name.
pub(crate) fn find(name: &str) -> Option<&'static Schema> {
    TABLES.iter().find(|table| table.name == name).copied()
}
