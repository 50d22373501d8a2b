// Links a notification hub to the Communication resource, as an operator does once: from then on,
// people who are away are reached on their phones.
import { CommunicationServiceManagementClient } from "@azure/arm-communication";

const SUBSCRIPTION = "00000000-0000-0000-0000-000000000000";
const GROUP = "tidings";

// A development server takes any token; in Azure this is DefaultAzureCredential.
const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };

/** Links the hub `name` of the namespace `local`. */
export async function linkHub(endpoint, connectionString, name) {
  const management = new CommunicationServiceManagementClient(credential, SUBSCRIPTION, { endpoint });
  const resourceId =
    `/subscriptions/${SUBSCRIPTION}/resourceGroups/${GROUP}/providers/Microsoft.NotificationHubs` +
    `/namespaces/local/notificationHubs/${name}`;
  const linkNotificationHubParameters = { resourceId, connectionString };
  await management.communicationServices.linkNotificationHub(GROUP, "local", { linkNotificationHubParameters });
}
