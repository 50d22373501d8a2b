//! What the provider tells about itself: its operations.

use serde_json::{Value, json};

/// The operations, as roles would name them: resource, what is done, and the end of the name.
const OPERATIONS: [(&str, &str, &str); 17] = [
    ("Namespace", "Check the name of a namespace", "CheckNamespaceAvailability/action"),
    ("Namespace", "Read a namespace", "Namespaces/read"),
    ("Namespace", "Create or change a namespace", "Namespaces/write"),
    ("Namespace", "Delete a namespace", "Namespaces/Delete"),
    ("Namespace rule", "Read a rule", "Namespaces/authorizationRules/read"),
    ("Namespace rule", "Create or change a rule", "Namespaces/authorizationRules/write"),
    ("Namespace rule", "Delete a rule", "Namespaces/authorizationRules/delete"),
    ("Namespace rule", "List the keys of a rule", "Namespaces/authorizationRules/listkeys/action"),
    (
        "Namespace rule",
        "Replace a key of a rule",
        "Namespaces/authorizationRules/regenerateKeys/action",
    ),
    ("Hub", "Check the name of a hub", "Namespaces/CheckNotificationHubAvailability/action"),
    ("Hub", "Read a hub", "Namespaces/NotificationHubs/read"),
    ("Hub", "Create or change a hub", "Namespaces/NotificationHubs/write"),
    ("Hub", "Delete a hub", "Namespaces/NotificationHubs/Delete"),
    ("Hub", "Send a test notification", "Namespaces/NotificationHubs/debugSend/action"),
    ("Hub", "Read the credentials of a hub", "Namespaces/NotificationHubs/pnsCredentials/action"),
    (
        "Hub rule",
        "Change the rules of a hub",
        "Namespaces/NotificationHubs/authorizationRules/write",
    ),
    ("Operations", "Read this list", "operations/read"),
];

/// `GET /providers/Microsoft.NotificationHubs/operations`
pub(super) fn operations() -> Vec<Value> {
    let operation = |(resource, what, name): &(&str, &str, &str)| {
        json!({
            "name": format!("Microsoft.NotificationHubs/{name}"),
            "display": {
                "provider": "Microsoft Notification Hubs", "resource": resource,
                "operation": what, "description": format!("{what}.")
            },
            "isDataAction": false
        })
    };
    OPERATIONS.iter().map(operation).collect()
}
