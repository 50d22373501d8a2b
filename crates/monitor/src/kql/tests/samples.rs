//! The sample queries of the services' documentation, and one query an operator and function.

use super::*;

/// Requests of chat clients, as they stand in the table of that name.
fn chats() -> Memory {
    let text = |name: &str| Column::new(name, Type::String);
    let columns = vec![
        Column::new("TimeGenerated", Type::Datetime),
        text("OperationName"),
        text("ResultType"),
        text("UserId"),
        Column::new("DurationMs", Type::Int),
        Column::new("Scopes", Type::Dynamic),
    ];
    let row = |time: &str, operation: &str, result: &str, user: &str, ms: Option<i64>| {
        vec![
            Value::Moment(moment::parse(time).unwrap()),
            Value::text(operation),
            Value::text(result),
            Value::text(user),
            ms.map_or(Value::Null, Value::Long),
            Value::dynamic(serde_json::json!({ "first": "chat", "all": ["chat", "voip"] })),
        ]
    };
    let rows = vec![
        row("2026-11-22T11:59:00Z", "SendChatMessage", "Succeeded", "ann", Some(10)),
        row("2026-11-22T11:30:00Z", "SendChatMessage", "Failed", "bob", Some(40)),
        row("2026-11-22T10:15:00Z", "CreateChatThread", "Succeeded", "ann", Some(30)),
        row("2026-11-22T10:05:00Z", "SendChatMessage", "Succeeded", "cid", Some(20)),
        row("2026-11-20T09:00:00Z", "ListChatMessages", "Succeeded", "ann", None),
    ];
    let empty = vec![Column::new("TimeGenerated", Type::Datetime), text("Message")];
    Memory(
        [
            ("ACSChatIncomingOperations".to_owned(), (columns, rows)),
            ("WebPubSubConnectivity".to_owned(), (empty, Vec::new())),
        ]
        .into(),
    )
}

fn check(query: &str, expected: &[&str]) {
    assert_eq!(lines(&chats(), query), expected, "{query}");
}

const CHAT: &str = "ACSChatIncomingOperations";

#[test]
fn the_documented_samples_run() {
    check(
        "ACSChatIncomingOperations\n// | where TimeGenerated > ago(1h)\n| summarize Count=count() by OperationName\n| sort by Count desc",
        &["OperationName,Count", "SendChatMessage,3", "CreateChatThread,1", "ListChatMessages,1"],
    );
    check(
        "ACSChatIncomingOperations\n| where TimeGenerated >= ago(3h) and ResultType == \"Failed\"\n| project TimeGenerated, OperationName, UserId\n| order by TimeGenerated",
        &["TimeGenerated,OperationName,UserId", "2026-11-22T11:30:00Z,SendChatMessage,bob"],
    );
    check(
        "ACSChatIncomingOperations\n| summarize percentiles(DurationMs, 90, 95, 99) by OperationName, bin(TimeGenerated, 1d)\n| where OperationName == 'SendChatMessage'\n| render timechart",
        &[
            "OperationName,TimeGenerated,percentile_DurationMs_90,percentile_DurationMs_95,percentile_DurationMs_99",
            "SendChatMessage,2026-11-22T00:00:00Z,40,40,40",
        ],
    );
    check(
        "ACSChatIncomingOperations\n| where ResultType == \"Succeeded\"\n| top-nested of OperationName by dummy=max(0), top-nested 1 of UserId by count()\n| project-away dummy",
        &[
            "OperationName,UserId,aggregated_UserId",
            "SendChatMessage,ann,1",
            "CreateChatThread,ann,1",
            "ListChatMessages,ann,1",
        ],
    );
    check(
        "let failed = ACSChatIncomingOperations | where ResultType == 'Failed';\nACSChatIncomingOperations\n| where OperationName == 'SendChatMessage'\n| join kind=leftouter (failed | project UserId, Bad=OperationName) on UserId\n| project UserId, Bad",
        &["UserId,Bad", "ann,", "bob,SendChatMessage", "cid,"],
    );
    check(
        "union (ACSChatIncomingOperations | where UserId == 'cid' | project UserId), WebPubSubConnectivity | count",
        &["Count", "1"],
    );
    check(
        "ACSChatIncomingOperations | summarize arg_max(TimeGenerated, *) by UserId | project UserId, OperationName",
        &[
            "UserId,OperationName",
            "ann,SendChatMessage",
            "bob,SendChatMessage",
            "cid,SendChatMessage",
        ],
    );
}

#[test]
fn rendering_changes_no_row_and_is_told_apart() {
    let prepared =
        prepare(&chats(), &format!("{CHAT} | render columnchart with (title='x', kind=stacked)"));
    let render = prepared.render.unwrap();
    assert_eq!(render.visualization, "columnchart");
    assert_eq!(render.properties[1], ("kind".to_owned(), "stacked".to_owned()));
}

#[test]
fn aggregates_have_the_names_and_values_of_the_language() {
    check(
        "ACSChatIncomingOperations | summarize count(), countif(ResultType == 'Failed'), sum(DurationMs), avg(DurationMs), min(DurationMs), max(DurationMs), dcount(UserId), round(100.0 * countif(ResultType == 'Failed') / count(), 1)",
        &[
            "count_,countif_,sum_DurationMs,avg_DurationMs,min_DurationMs,max_DurationMs,dcount_UserId,Column1",
            "5,1,100,25.0,10,40,3,20.0",
        ],
    );
    check(
        "ACSChatIncomingOperations | where UserId == 'ann' | summarize make_set(ResultType), make_list(DurationMs), arg_min(DurationMs, OperationName) by UserId",
        &[
            "UserId,set_ResultType,list_DurationMs,DurationMs,OperationName",
            "ann,[\"Succeeded\"],[10,30],10,SendChatMessage",
        ],
    );
    check(
        "WebPubSubConnectivity | summarize count(), max(TimeGenerated)",
        &["count_,max_TimeGenerated", "0,null"],
    );
    check("WebPubSubConnectivity | summarize count() by Message", &["Message,count_"]);
}

#[test]
fn filters_know_every_operator() {
    let users = |condition: &str| {
        lines(
            &chats(),
            &format!("{CHAT} | where {condition} | distinct UserId | sort by UserId asc"),
        )[1..]
            .join(" ")
    };
    for (condition, expected) in [
        ("UserId == 'ann'", "ann"),
        ("UserId != 'ann'", "bob cid"),
        ("UserId =~ 'ANN'", "ann"),
        ("UserId !~ 'ANN'", "bob cid"),
        ("UserId in ('ann', 'bob')", "ann bob"),
        ("UserId !in ('ann', 'bob')", "cid"),
        ("UserId in~ ('ANN')", "ann"),
        ("UserId startswith 'B'", "bob"),
        ("UserId endswith 'D'", "cid"),
        ("UserId contains 'i' or UserId !contains 'i' and UserId has 'bob'", "bob cid"),
        ("UserId matches regex '^[ab]'", "ann bob"),
        ("DurationMs between (20 .. 30)", "ann cid"),
        ("DurationMs !between (20 .. 30)", "ann bob"),
        ("isnull(DurationMs)", "ann"),
        ("isnotnull(DurationMs) and not(DurationMs < 40)", "bob"),
        ("isempty(UserId)", ""),
        ("TimeGenerated between (datetime(2026-11-20) .. 1d)", "ann"),
        ("Scopes.all[0] == 'chat' and Scopes['first'] == 'chat' and UserId == 'cid'", "cid"),
        ("Scopes.all[-1] has 'voip' and Scopes.none == '' or UserId == 'bob'", "bob"),
        ("UserId has_any ('bob', 'cid')", "bob cid"),
    ] {
        assert_eq!(users(condition), expected, "{condition}");
    }
}

#[test]
fn scalar_functions_compute() {
    for (expression, expected) in [
        ("strcat('a', 1, true)", "a1true"),
        ("split('a/b/c', '/')[1]", "\"b\""),
        ("tostring(split('a/b/c', '/')[1])", "b"),
        ("iff(1 > 2, 'x', 'y')", "y"),
        ("case(1 == 2, 'a', 2 == 2, 'b', 'c')", "b"),
        ("coalesce(long(null), 3)", "3"),
        ("parse_json('{\"a\":{\"b\":[1,2]}}').a.b[1]", "2"),
        ("tolong('12') + toint(3.9)", "15"),
        ("todouble('1.5') * 2", "3.0"),
        ("7 / 2", "3"),
        ("7 % 4", "3"),
        ("round(2.345, 2)", "2.35"),
        ("bin(17, 5)", "15"),
        (
            "format_datetime(datetime(2026-01-02T03:04:05.6), 'yyyy-MM-dd HH:mm:ss.fff')",
            "2026-01-02 03:04:05.600",
        ),
        ("startofday(datetime(2026-01-02T03:04:05))", "2026-01-02T00:00:00Z"),
        ("endofmonth(datetime(2026-02-02))", "2026-02-28T23:59:59.9999999Z"),
        ("datetime_diff('hour', datetime(2026-01-02T01:00), datetime(2026-01-01T22:59))", "3"),
        ("datetime(2026-01-02) - datetime(2026-01-01T12:00)", "12:00:00"),
        ("datetime(2026-01-01) + 1.5h", "2026-01-01T01:30:00Z"),
        ("1d / 1h", "24.0"),
        ("now() - ago(5m)", "00:05:00"),
        ("todatetime('2026-01-01T00:00:00Z')", "2026-01-01T00:00:00Z"),
        ("tolower('ÀB')", "àb"),
        ("extract('a(.)c', 1, 'xabcx')", "b"),
        ("substring('abcdef', 2, 3)", "cde"),
        ("array_length(dynamic([1,2,3]))", "3"),
        ("toguid('74BE27DE-1E4E-49D9-B579-FE0B331D3642')", "74be27de-1e4e-49d9-b579-fe0b331d3642"),
        ("@'a\\b'", "a\\b"),
    ] {
        let got = lines(&Memory::default(), &format!("print x = {expression}"));
        assert_eq!(got[1], expected, "{expression}");
    }
}

#[test]
fn columns_are_chosen_renamed_and_added() {
    let table = "datatable (a: long, b: string, abc: real) [1, 'x', 2.5, 3, 'y', 4]";
    let check = |operators: &str, expected: &[&str]| {
        assert_eq!(
            lines(&Memory::default(), &format!("{table} | {operators}")),
            expected,
            "{operators}"
        );
    };
    check("project-away a*", &["b", "x", "y"]);
    check("project-keep a*", &["a,abc", "1,2.5", "3,4.0"]);
    check("project-rename c = b", &["a,c,abc", "1,x,2.5", "3,y,4.0"]);
    check("extend a = a + 1, d = strcat(b, a) | project a, d", &["a,d", "2,x2", "4,y4"]);
    check("top 1 by a", &["a,b,abc", "3,y,4.0"]);
    check("sort by a asc | take 1 | project ['b']", &["b", "x"]);
    check("union (print a = 7) | summarize sum(a)", &["sum_a", "11"]);
    check("search 'Y' | count", &["Count", "1"]);
    check(
        "join kind=inner (print a = 3, z = 1) on $left.a == $right.a",
        &["a,b,abc,a1,z", "3,y,4.0,3,1"],
    );
    check("join kind=leftanti (print a = 3) on a | project a", &["a", "1"]);
}

#[test]
fn a_search_names_the_table_of_each_row() {
    check(
        "search 'bob' | project $table, UserId",
        &["$table,UserId", "ACSChatIncomingOperations,bob"],
    );
    check(
        "search in (ACSChatIncomingOperations) UserId:'cid' and 'Succeeded' | count",
        &["Count", "1"],
    );
}

#[test]
fn refusals_say_where_and_what_instead() {
    let tables = chats();
    for (query, expected) in [
        (
            "ACSChatIncomingOperations | tolower(UserId) == 'a'",
            "Line 1, column 29: tolower(…) is a function, not an operator",
        ),
        (
            "ACSChatIncomingOperations\n| whre a",
            "Line 2, column 3: The operator whre is not supported",
        ),
        ("acschatincomingoperations", "but there is ACSChatIncomingOperations; case matters"),
        ("Nothing | take 1", "There is no table Nothing. There are: ACSChat"),
        ("ACSChatIncomingOperations | where userid == 'a'", "but there is UserId; case matters"),
        (
            "ACSChatIncomingOperations | where TimeGenerated > '2026'",
            "cannot compare datetime with string; write datetime(",
        ),
        ("ACSChatIncomingOperations | extend a = UserId + 1", "join texts with strcat()"),
        (
            "ACSChatIncomingOperations | extend a = count()",
            "works on many rows at once; use it in summarize",
        ),
        ("ACSChatIncomingOperations | extend a = to_lower(UserId)", "Did you mean tolower()?"),
        ("ACSChatIncomingOperations | summarize UserId", "group by it instead"),
        ("ACSChatIncomingOperations | take", "Expected a number of rows, but the query ends"),
        ("ACSChatIncomingOperations | mv-expand Scopes", "The operator mv-expand is not supported"),
        ("let f = (x: long) { x }; print 1", "Line 1"),
        ("print datetime(soon)", "such as datetime(2026-01-31T12:00:00Z)"),
        ("", "Expected the name of a table, but the query ends"),
    ] {
        let message = refusal(&tables, query);
        assert!(message.contains(expected), "{query}: {message}");
    }
}

#[test]
fn time_and_equality_reach_the_store() {
    let mut prepared = prepare(
        &chats(),
        "ACSChatIncomingOperations | where TimeGenerated > ago(1h) and UserId == 'ann' | where now() >= TimeGenerated | extend x = 1 | where TimeGenerated < ago(30m)",
    );
    let scans = prepared.plan.scans_mut();
    let hour = 36_000_000_000;
    assert_eq!(
        *scans[0],
        Scan {
            table: CHAT.to_owned(),
            from: Some(now() - hour),
            to: Some(now()),
            equals: vec![("UserId".to_owned(), "ann".into())],
            under: None,
        }
    );
}

#[test]
fn what_a_query_may_take_is_bounded() {
    let deep = format!("print x = {}1{}", "(".repeat(1000), ")".repeat(1000));
    assert!(refusal(&Memory::default(), &deep).contains("nests deeper"));
    let long = format!("print x = 1{}", " + 1".repeat(1000));
    assert!(refusal(&Memory::default(), &long).contains("more than 400 operators"));
    let mut doubling = String::from("let a0 = print 1;");
    for step in 1..30 {
        let before = step - 1;
        doubling.push_str(&format!("let a{step} = union a{before}, a{before};"));
    }
    assert!(refusal(&Memory::default(), &format!("{doubling} a29")).contains("simplify it"));

    let tables = chats();
    let plan = prepare(&tables, CHAT).plan;
    let few = Limits { rows: 2, ..Limits::default() };
    let answer = ready(run(&plan, &tables, few)).unwrap();
    assert_eq!((answer.rows.len(), answer.cut.is_some()), (2, true));
    let plan = prepare(&tables, &format!("{CHAT} | sort by UserId")).plan;
    let small = Limits { held_bytes: 100, ..Limits::default() };
    let Err(Failure::Query(error)) = ready(run(&plan, &tables, small)) else { panic!("it fits") };
    assert_eq!(error.fault, Fault::Limit);
}
