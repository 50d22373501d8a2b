// The packages that query logs, unmodified, against rows of real traffic: the documentation's sample queries,
// workspaces and resources, batches, errors, and the calls of the resource manager.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { OWN, WORKSPACE, objects } from "./lib/logs.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const CHAT = `${OWN}/providers/Microsoft.Communication/CommunicationServices/local`;
const DAY = { duration: "P1D" };

/** Sample queries of the services' documentation, with the columns of their answers. */
const SAMPLES = [
  ["ACSChatIncomingOperations\n| distinct OperationName", ["OperationName"]],
  [
    "ACSChatIncomingOperations\n// | where TimeGenerated > ago(1h)\n| summarize count() by OperationName, bin(TimeGenerated, 1h)\n| render columnchart",
    ["OperationName", "TimeGenerated", "count_"],
  ],
  [
    "ACSChatIncomingOperations\n| where ResultType == \"Failed\"\n| project TimeGenerated, OperationName, ResultSignature, ResultDescription\n| order by TimeGenerated desc\n| limit 100",
    ["TimeGenerated", "OperationName", "ResultSignature", "ResultDescription"],
  ],
  [
    "ACSChatIncomingOperations\n| summarize percentiles(DurationMs, 90, 95, 99) by OperationName",
    ["OperationName", "percentile_DurationMs_90", "percentile_DurationMs_95", "percentile_DurationMs_99"],
  ],
  [
    "ACSChatIncomingOperations\n| top-nested of OperationName by dummy=max(0), top-nested 5 of UserId by count()\n| project-away dummy",
    ["OperationName", "UserId", "aggregated_UserId"],
  ],
  ["ACSAuthIncomingOperations\n| where OperationName has 'Create'\n| summarize arg_max(TimeGenerated, *) by Identity\n| count", ["Count"]],
  ["union ACSChatIncomingOperations, ACSAuthIncomingOperations | summarize dcount(CorrelationId) by Type", ["Type", "dcount_CorrelationId"]],
  [
    "WebPubSubConnectivity\n| where TimeGenerated > ago(1h)\n| where OperationName startswith 'Connection'\n| summarize Connections = dcount(ConnectionId) by UserId",
    ["UserId", "Connections"],
  ],
];

let server;
let js;
let python;
let user;

before(async () => {
  server = await Server.start();
  js = new Sdk("js", server, "logs");
  python = new Sdk("python", server, "logs");
  const communication = new Sdk("js", server, "communication");
  const made = await communication.client({ client: "identity" }).createUserAndToken(["chat"]);
  user = made.user.communicationUserId;
  const chat = communication.client({ client: "chat", token: made.token });
  const { chatThread } = await chat.createChatThread({ topic: "Plans" });
  const thread = communication.client({ client: "thread", token: made.token, thread: chatThread.id });
  for (const content of ["one", "two"]) await thread.sendMessage({ content });
  await communication.client({ client: "chat", token: made.token }).deleteChatThread("19:none@thread.v2").catch(() => {});
  await communication.close();
});

after(async () => {
  await Promise.all([js?.close(), python?.close()]);
  await server?.stop();
});

const PACKAGES = [
  { package: "monitor-query" },
  { package: "monitor-query-logs" },
  { package: "monitor-query-logs", path: "/v1" },
];

for (const which of PACKAGES) {
  const name = `${which.package}${which.path ?? ""}`;
  const client = () => js.client(which);

  test(`${name}: the documentation's sample queries, with types that the SDK reads`, async (t) => {
    const hub = freshHub(t, server);
    await hub.json({ userId: "ann" });
    for (const [query, columns] of SAMPLES) {
      const { status, tables } = await client().queryWorkspace(WORKSPACE, query, DAY);
      assert.equal(status, "Success", query);
      assert.equal(tables[0].name, "PrimaryResult");
      assert.deepEqual(tables[0].columnDescriptors.map((column) => column.name), columns, query);
      assert.ok(tables[0].rows.length > 0, query);
    }
    const typed = await client().queryWorkspace(
      WORKSPACE,
      `ACSChatIncomingOperations | where UserId == '${user}' and OperationName == 'SendChatMessage' | take 1`,
      DAY,
    );
    const types = Object.fromEntries(typed.tables[0].columnDescriptors.map(({ name: column, type }) => [column, type]));
    assert.deepEqual(
      [types.TimeGenerated, types.DurationMs, types.ChatMessageId, types._BilledSize, types._IsBillable, types.TenantId],
      ["datetime", "int", "long", "real", "string", "guid"],
    );
    const [row] = objects(typed.tables[0]);
    assert.ok(Math.abs(new Date(row.TimeGenerated) - Date.now()) < 600_000, row.TimeGenerated);
    assert.equal(typeof row.ChatMessageId, "number");
  });

  test(`${name}: a resource sees its own rows alone`, async () => {
    const query = "union withsource=Source ACSChatIncomingOperations, WebPubSubConnectivity | summarize count() by Source, _ResourceId";
    const whole = await client().queryWorkspace(WORKSPACE, query, DAY);
    assert.deepEqual(new Set(objects(whole.tables[0]).map(({ Source }) => Source)), new Set(["ACSChatIncomingOperations", "WebPubSubConnectivity"]));
    const own = await client().queryResource(CHAT, query, DAY);
    const found = objects(own.tables[0]);
    assert.deepEqual(found.map(({ _ResourceId }) => _ResourceId), [CHAT.toLowerCase()]);
    const none = await client().queryResource(`${CHAT}2`, "ACSChatIncomingOperations", DAY);
    assert.deepEqual(none.tables[0].rows, []);
  });

  test(`${name}: a batch answers each query by itself`, async () => {
    const one = (query, workspaceId = WORKSPACE) => ({ workspaceId, query, timespan: DAY });
    const results = await client().queryBatch([
      one("ACSChatIncomingOperations | count"),
      one("NoSuchTable | count"),
      one("ACSAuthIncomingOperations | count", "local"),
    ]);
    // The newer package calls every failure within a batch partial.
    const failed = which.package === "monitor-query" ? "Failure" : "PartialFailure";
    assert.deepEqual(results.map(({ status }) => status), ["Success", failed, "Success"]);
    assert.ok(results[0].tables[0].rows[0][0] >= 4);
    assert.match(JSON.stringify(results[1]), /BadArgumentError/);
  });

  test(`${name}: ranges of time, statistics and charts are as the options ask`, async () => {
    const query = "ACSChatIncomingOperations | summarize count() by bin(TimeGenerated, 1h) | render timechart";
    const options = { includeQueryStatistics: true, includeVisualization: true, serverTimeoutInSeconds: 30 };
    const { tables, statistics, visualization } = await client().queryWorkspace(WORKSPACE, query, DAY, options);
    assert.ok(tables[0].rows.length > 0);
    assert.ok(statistics.query.executionTime >= 0);
    assert.equal(visualization.visualization, "timechart");
    const range = { startTime: { $date: "2020-01-01T00:00:00Z" }, endTime: { $date: "2020-01-02T00:00:00Z" } };
    const past = await client().queryWorkspace(WORKSPACE, "ACSChatIncomingOperations | count", range);
    assert.deepEqual(past.tables[0].rows, [[0]]);
  });

  test(`${name}: a refusal says where the query goes wrong`, async () => {
    const wrong = (query, workspace = WORKSPACE) =>
      client().queryWorkspace(workspace, query, DAY).then(() => assert.fail("it went well"), (error) => error);
    const syntax = await wrong("ACSChatIncomingOperations | where | take 1");
    assert.equal(syntax.statusCode, 400);
    const [unknown, nowhere] = [await wrong("Nothing | take 1"), await wrong("print 1", "another")];
    assert.deepEqual([unknown.statusCode, nowhere.statusCode], [400, 404]);
  });
}

test("azure-monitor-query: sample queries, a batch, resources and errors", async () => {
  const client = python.client({});
  const range = { workspace: WORKSPACE, seconds: 86_400 };
  for (const [query, columns] of SAMPLES.slice(0, 7)) {
    const { status, tables } = await client.query_workspace({ ...range, query });
    assert.deepEqual([status, tables[0].columns], ["success", columns], query);
    assert.ok(tables[0].rows.length > 0, query);
  }
  const query = "ACSChatIncomingOperations | project TimeGenerated, DurationMs | take 1 | render table";
  const rich = await client.query_workspace({ ...range, query, include_statistics: true, include_visualization: true });
  assert.match(rich.tables[0].rows[0][0], /^20\d\d-\d\d-\d\dT/, "the SDK has read a moment");
  assert.ok(rich.statistics.query);
  const below = await client.query_resource({ resource: CHAT, query: "ACSChatIncomingOperations | count", seconds: 3600 });
  assert.ok(below.tables[0].rows[0][0] >= 4);
  const batch = await client.query_batch({
    batch: [{ ...range, query: "ACSChatIncomingOperations | count" }, { ...range, query: "Nothing" }],
  });
  assert.deepEqual(batch.map(({ status }) => status), ["success", "failure"]);
  const refused = await client.query_workspace({ ...range, query: "Nothing" }).catch((error) => error);
  assert.deepEqual([refused.statusCode, refused.code], [400, "BadArgumentError"]);
  const everything = await client.query_workspace({ workspace: "local", query: "ACSAuthIncomingOperations | count" });
  assert.ok(everything.tables[0].rows[0][0] >= 1);
});

test("plain calls: GET, the resource manager's form, metadata, and who may ask", async () => {
  const ask = (method, path, body, headers = { authorization: "Bearer development" }) =>
    request(`${server.ready.https}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: body && JSON.stringify(body),
      ca: server.ca,
    });
  const count = encodeURIComponent("ACSChatIncomingOperations | count");
  const got = await ask("GET", `/v1/workspaces/${WORKSPACE}/query?query=${count}&timespan=P1D`);
  assert.equal(got.status, 200, got.text);
  assert.ok(got.json().tables[0].rows[0][0] >= 4);
  const workspace = `${OWN}/providers/Microsoft.OperationalInsights/workspaces/local`;
  for (const path of [`${workspace}/query?api-version=2017-10-01`, `${workspace}/api/query?api-version=2017-01-01-preview`]) {
    const managed = await ask("POST", path, { query: "ACSChatIncomingOperations | count" });
    assert.deepEqual([managed.status, managed.json().tables[0].rows], [200, got.json().tables[0].rows], path);
  }
  const metadata = (await ask("GET", `/v1/workspaces/${WORKSPACE}/metadata`)).json();
  assert.ok(metadata.tables.some(({ name }) => name === "ACSChatMessageReceivedEvents"));
  const anonymous = await ask("POST", `/v1/workspaces/${WORKSPACE}/query`, { query: "print 1" }, {});
  assert.deepEqual([anonymous.status, anonymous.json().error.code], [401, "AuthenticationFailed"]);
});
