//! Every operator, key and limit.

use std::sync::Arc;

use axum::http::HeaderMap;
use kernel::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::golden;

use super::*;
use crate::event::{Event, InputSchema, InputSchemaMapping, Intake, Limits, Publication, accept};

fn event_of(schema: &InputSchema, event: &str) -> Event {
    let intake = Intake {
        topic: &Arc::from("/subscriptions/1/topics/T"),
        schema,
        limits: &Limits::default(),
        now: Timestamp::from_secs(1_790_000_000),
        new_id: &String::new,
    };
    let body = format!("[{event}]").into();
    accept(&Publication { headers: &HeaderMap::new(), body: &body }, &intake).unwrap().remove(0)
}

fn event(subject: &str, event_type: &str, data: &str) -> Event {
    let (subject, event_type) = (json!(subject), json!(event_type));
    let event = format!(
        r#"{{"id":"Id-1","subject":{subject},"eventType":{event_type},"dataVersion":"2",
            "eventTime":"2026-01-01T00:00:00Z","data":{data}}}"#
    );
    event_of(&InputSchema::EventGrid, &event)
}

fn filter(json: &Value) -> Filter {
    Filter::parse(json).unwrap()
}

fn matches(json: &Value, event: &Event) -> bool {
    filter(json).judge(&Subject::new(event)).is_wanted
}

fn matches_advanced(advanced: &Value, event: &Event) -> bool {
    matches(&json!({ "advancedFilters": [advanced] }), event)
}

#[test]
fn every_operator_matches_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/filter/golden/operators.txt");
    golden::check(path, |line| {
        let (condition, values) = line.split_once(" against ").unwrap();
        let mut words = condition.splitn(3, ' ');
        let mut advanced = json!({ "operatorType": words.next().unwrap(), "key": "data.v" });
        if let Some(property) = words.next() {
            advanced[property] = serde_json::from_str(words.next().unwrap()).unwrap();
        }
        let that_match = |arrays: bool| -> Vec<&str> {
            let filter = filter(&json!({
                "advancedFilters": [advanced],
                "enableAdvancedFilteringOnArrays": arrays,
            }));
            let data = |value: &str| match value {
                "absent" => "{}".to_owned(),
                value => format!("{{\"v\":{value}}}"),
            };
            let hit = |value: &&str| {
                filter.judge(&Subject::new(&event("s", "t", &data(value)))).is_wanted
            };
            values.split("; ").filter(hit).collect()
        };
        let (off, on) = (that_match(false), that_match(true));
        let shown = |values: &[&str]| match values {
            [] => "nothing".to_owned(),
            values => values.join("; "),
        };
        assert!(off.iter().all(|value| on.contains(value)), "arrays only ever add: {line}");
        let more: Vec<_> = on.into_iter().filter(|value| !off.contains(value)).collect();
        format!("{} | on arrays also: {}", shown(&off), shown(&more))
    });
}

#[test]
fn without_conditions_everything_passes() {
    let event = event("s", "t", "null");
    for json in [
        json!(null),
        json!({}),
        json!({"includedEventTypes": null, "advancedFilters": null}),
        json!({"includedEventTypes": [], "advancedFilters": [], "subjectBeginsWith": ""}),
        json!({"includedEventTypes": ["All"], "subjectEndsWith": ""}),
    ] {
        assert!(matches(&json, &event), "{json}");
    }
}

#[test]
fn event_types_are_compared_whole_and_without_regard_to_case() {
    let event = event("s", "Contoso.Items.ItemReceived", "null");
    for (included, expected) in [
        (json!(["contoso.items.itemreceived"]), true),
        (json!(["Other", "Contoso.Items.ItemReceived"]), true),
        (json!(["Contoso.Items"]), false),
        (json!(["Other", "All"]), true),
        (json!(["Other"]), false),
    ] {
        assert_eq!(matches(&json!({ "includedEventTypes": included }), &event), expected);
    }
}

#[test]
fn subjects_match_by_their_ends() {
    let event = event("/blobs/Images/cat.JPG", "t", "null");
    for (begin, end, plain, case_sensitive) in [
        ("/blobs/", "", true, true),
        ("/BLOBS/images", "", true, false),
        ("", ".jpg", true, false),
        ("", ".JPG", true, true),
        ("/blobs/", ".JPG", true, true),
        ("/blobs/", ".png", false, false),
        ("/files/", ".JPG", false, false),
        ("/blobs/*", "", false, false),
        ("/blobs/Images/cat.JPG", "/blobs/Images/cat.JPG", true, true),
        ("/blobs/Images/cat.JPG.", "", false, false),
    ] {
        for (flag, expected) in [(None, plain), (Some(false), plain), (Some(true), case_sensitive)]
        {
            let json = json!({
                "subjectBeginsWith": begin,
                "subjectEndsWith": end,
                "isSubjectCaseSensitive": flag,
            });
            assert_eq!(matches(&json, &event), expected, "{json}");
        }
    }
}

#[test]
fn all_conditions_must_hold() {
    let event = event("s", "t", r#"{"a":1,"b":"x"}"#);
    let number = |value| json!({"operatorType":"NumberIn","key":"data.a","values":[value]});
    let string = json!({"operatorType":"StringIn","key":"data.b","values":["x"]});
    assert!(matches(&json!({ "advancedFilters": [number(1), string] }), &event));
    assert!(!matches(&json!({ "advancedFilters": [number(2), string] }), &event));
    let other_type = json!({ "advancedFilters": [number(1)], "includedEventTypes": ["u"] });
    assert!(!matches(&other_type, &event));
}

#[test]
fn keys_lead_to_the_values_of_each_schema() {
    let mapping = json!({"properties":{"subject":{"sourceField":"what"},
        "eventType":{"defaultValue":"made"},"id":{"sourceField":"n"}}});
    let mapping = InputSchemaMapping::parse(&mapping).unwrap();
    let custom = InputSchema::Custom(Box::new(mapping));
    let custom = event_of(&custom, r#"{"what":"w","n":7,"a":{"B":true}}"#);
    let own = event(
        "Sub",
        "Type",
        r#"{"key1":{"Key2":1.50},"dotted.name":1,"list":[{"a":1}],"a":1,"A":2}"#,
    );
    let cloud = r#"{"specversion":"1.0","id":"c","source":"/s","type":"T","data":"whole",
        "traceparent":"00-a","priority":3}"#;
    let cloud = event_of(&InputSchema::CloudEvents, cloud);
    for (event, key, expected) in [
        (&own, "id", Some("Id-1")),
        (&own, "ID", Some("Id-1")),
        (&own, "topic", Some("/subscriptions/1/topics/T")),
        (&own, "Subject", Some("Sub")),
        (&own, "eventtype", Some("Type")),
        (&own, "dataVersion", Some("2")),
        (&own, "data.key1.Key2", Some("1.50")),
        (&own, "Data.Key1.key2", Some("1.50")),
        (&own, "data.a", Some("1")),
        (&own, "data.A", Some("2")),
        (&own, "data.dotted.name", None),
        (&own, "data.list.a", None),
        (&own, "data.key1", None),
        (&own, "data.key1.Key2.more", None),
        (&own, "subject.more", None),
        (&own, "source", None),
        (&own, "key1.Key2", None),
        (&cloud, "id", Some("c")),
        (&cloud, "Source", Some("/s")),
        (&cloud, "type", Some("T")),
        (&cloud, "specversion", Some("1.0")),
        (&cloud, "traceparent", Some("00-a")),
        (&cloud, "priority", Some("3")),
        (&cloud, "data", Some("whole")),
        (&cloud, "subject", None),
        (&cloud, "time", None),
        (&cloud, "eventType", None),
        (&cloud, "topic", None),
        (&custom, "id", Some("7")),
        (&custom, "subject", Some("w")),
        (&custom, "eventType", Some("made")),
        (&custom, "data.what", Some("w")),
        (&custom, "data.a.b", Some("true")),
        (&custom, "what", None),
    ] {
        let found = Subject::new(event).scalar(key);
        assert_eq!(found.as_deref(), expected, "{key}");
        let is_null = json!({"operatorType":"IsNullOrUndefined","key":key});
        let is_container = matches!(key, "data.key1");
        assert_eq!(matches_advanced(&is_null, event), expected.is_none() && !is_container, "{key}");
    }
}

#[test]
fn attributes_are_compared_like_values() {
    let event = event("Sub", "Type", "null");
    for (advanced, expected) in [
        (json!({"operatorType":"StringBeginsWith","key":"Subject","values":["su"]}), true),
        (json!({"operatorType":"StringNotIn","key":"eventType","values":["type"]}), false),
        (json!({"operatorType":"NumberIn","key":"id","values":[1]}), false),
        (json!({"operatorType":"IsNotNull","key":"topic"}), true),
        (json!({"operatorType":"IsNotNull","key":"data"}), false),
    ] {
        assert_eq!(matches_advanced(&advanced, &event), expected, "{advanced}");
    }
}

#[test]
fn advanced_filters_are_evaluated_up_to_the_first_that_does_not_hold() {
    let filter = filter(&json!({
        "includedEventTypes": ["t"],
        "advancedFilters": [
            {"operatorType":"StringIn","key":"data.a","values":["x"]},
            {"operatorType":"IsNotNull","key":"data.b"},
        ],
    }));
    for (event_type, data, expected) in [
        ("other", r#"{"a":"x","b":1}"#, (false, 0)),
        ("t", r#"{"a":"y","b":1}"#, (false, 1)),
        ("t", r#"{"a":"x"}"#, (false, 2)),
        ("t", r#"{"a":"x","b":1}"#, (true, 2)),
    ] {
        let verdict = filter.judge(&Subject::new(&event("s", event_type, data)));
        assert_eq!((verdict.is_wanted, verdict.advanced_filters), expected, "{event_type} {data}");
    }
}

#[test]
fn older_spellings_are_understood_and_shown_in_the_present_one() {
    let older =
        json!({"AdvancedFilters":[{"Operator":"stringin","Key":"Data.Key1","Values":["A"]}]});
    let filter = filter(&older);
    let present = json!({"advancedFilters":[
        {"operatorType":"StringIn","key":"Data.Key1","values":["A"]}]});
    assert_eq!(filter.to_json(), present);
    assert!(filter.judge(&Subject::new(&event("s", "t", r#"{"key1":"a"}"#))).is_wanted);
}

#[test]
fn every_mistake_names_its_place() {
    let advanced = |filter: Value| json!({ "advancedFilters": [filter] });
    let one = |operator: &str, property: &str, value: Value| {
        let mut filter = json!({ "operatorType": operator, "key": "data.a" });
        filter[property] = value;
        advanced(filter)
    };
    let first = "filter.advancedFilters[0]";
    for (json, at) in [
        (json!("all"), "filter".to_owned()),
        (json!({"includedEventTypes":"All"}), "filter.includedEventTypes".to_owned()),
        (json!({"includedEventTypes":[1]}), "filter.includedEventTypes".to_owned()),
        (json!({"subjectBeginsWith":1}), "filter.subjectBeginsWith".to_owned()),
        (json!({"isSubjectCaseSensitive":"yes"}), "filter.isSubjectCaseSensitive".to_owned()),
        (json!({"advancedFilters":{}}), "filter.advancedFilters".to_owned()),
        (json!({"advancedFilters":[1]}), first.to_owned()),
        (advanced(json!({"key":"a"})), format!("{first}.operatorType")),
        (advanced(json!({"operatorType":"Like","key":"a"})), format!("{first}.operatorType")),
        (advanced(json!({"operatorType":"IsNotNull"})), format!("{first}.key")),
        (advanced(json!({"operatorType":"IsNotNull","key":""})), format!("{first}.key")),
        (advanced(json!({"operatorType":"IsNotNull","key":"data..a"})), format!("{first}.key")),
        (
            advanced(json!({"operatorType":"IsNotNull","key":"k".repeat(513)})),
            format!("{first}.key"),
        ),
        (one("NumberIn", "values", json!([])), format!("{first}.values")),
        (one("NumberIn", "values", json!(["1"])), format!("{first}.values")),
        (one("NumberIn", "value", json!(1)), format!("{first}.values")),
        (one("NumberLessThan", "value", json!("1")), format!("{first}.value")),
        (one("NumberLessThan", "values", json!([1])), format!("{first}.value")),
        (one("NumberInRange", "values", json!([1, 2])), format!("{first}.values")),
        (one("NumberInRange", "values", json!([[1]])), format!("{first}.values")),
        (one("BoolEquals", "value", json!("true")), format!("{first}.value")),
        (one("StringIn", "values", json!([1])), format!("{first}.values")),
        (one("StringIn", "values", json!(["v".repeat(513)])), format!("{first}.values")),
    ] {
        let error = Filter::parse(&json).unwrap_err();
        assert_eq!((error.code(), error.target_name()), ("InvalidRequest", Some(&*at)), "{json}");
        assert!(error.message().contains(&at), "{error}");
    }
}

#[test]
fn limits_hold_to_the_filter_the_value_and_the_character() {
    let with = |filters: Vec<Value>| Filter::parse(&json!({ "advancedFilters": filters }));
    let null = |_| json!({"operatorType":"IsNotNull","key":"data.a"});
    assert!(with((0..25).map(null).collect()).is_ok());
    let error = with((0..26).map(null).collect()).unwrap_err();
    assert!(error.message().contains("has 26 advanced filters, the limit is 25"), "{error}");

    let numbers = |count: u32| {
        let values: Vec<_> = (0..count).collect();
        json!({"operatorType":"NumberIn","key":"data.a","values":values})
    };
    let range = json!({"operatorType":"NumberInRange","key":"data.a","values":[[1,2],[3,4]]});
    let flag = json!({"operatorType":"BoolEquals","key":"data.a","value":true});
    assert!(with(vec![numbers(22), range.clone(), flag.clone()]).is_ok());
    let error = with(vec![numbers(23), range, flag]).unwrap_err();
    assert!(error.message().contains("have 26 values together, the limit is 25"), "{error}");

    let text = |text: String| json!({"operatorType":"StringIn","key":"data.a","values":[text]});
    assert!(with(vec![text("é".repeat(512))]).is_ok(), "characters count, not bytes");
}

#[test]
fn the_fuzzing_corpus_behaves() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/event_filter");
    let mut files = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        if let Ok(json) = serde_json::from_str(&text) {
            behaves(&json);
        }
        files += 1;
    }
    assert!(files > 3, "the corpus has {files} files");
}

/// What must hold for any JSON in place of a filter.
fn behaves(json: &Value) {
    match Filter::parse(json) {
        Ok(filter) => {
            let shown = filter.to_json();
            assert_eq!(Filter::parse(&shown).unwrap(), filter);
            assert_eq!(Filter::parse(&shown).unwrap().to_json(), shown);
            filter.judge(&Subject::new(&event("s", "t", r#"{"a":[1,"x",null,{"b":2}]}"#)));
        }
        Err(error) => assert!(error.target_name().is_some_and(|at| at.starts_with("filter"))),
    }
}

fn any_advanced_filter() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
    ];
    let numbers = proptest::collection::vec(number.clone(), 1..4);
    let ranges = proptest::collection::vec([number.clone(), number.clone()], 1..3);
    let strings = proptest::collection::vec("\\PC{0,8}", 1..4);
    let operand = prop_oneof![
        numbers.prop_flat_map(|values| {
            proptest::sample::select(vec!["NumberIn", "NumberNotIn"])
                .prop_map(move |name| json!({"operatorType":name,"values":values}))
        }),
        number.prop_flat_map(|value| {
            let names = vec![
                "NumberLessThan",
                "NumberLessThanOrEquals",
                "NumberGreaterThan",
                "NumberGreaterThanOrEquals",
            ];
            proptest::sample::select(names)
                .prop_map(move |name| json!({"operatorType":name,"value":value}))
        }),
        ranges.prop_flat_map(|values| {
            proptest::sample::select(vec!["NumberInRange", "NumberNotInRange"])
                .prop_map(move |name| json!({"operatorType":name,"values":values}))
        }),
        strings.prop_flat_map(|values| {
            let names = vec![
                "StringIn",
                "StringNotIn",
                "StringContains",
                "StringNotContains",
                "StringBeginsWith",
                "StringNotBeginsWith",
                "StringEndsWith",
                "StringNotEndsWith",
            ];
            proptest::sample::select(names)
                .prop_map(move |name| json!({"operatorType":name,"values":values}))
        }),
        any::<bool>().prop_map(|value| json!({"operatorType":"BoolEquals","value":value})),
        proptest::sample::select(vec!["IsNullOrUndefined", "IsNotNull"])
            .prop_map(|name| json!({"operatorType":name})),
    ];
    (operand, "[a-zA-Z]{1,8}(\\.[a-z]{1,4}){0,3}").prop_map(|(mut filter, key)| {
        filter["key"] = Value::from(key);
        filter
    })
}

proptest! {
    #[test]
    fn a_filter_shows_itself_as_it_was_given(
        types in proptest::option::of(proptest::collection::vec("[a-zA-Z.]{1,12}", 0..3)),
        begin in proptest::option::of("\\PC{0,8}"),
        flags in any::<(Option<bool>, Option<bool>)>(),
        advanced in proptest::option::of(proptest::collection::vec(any_advanced_filter(), 0..6)),
    ) {
        let mut json = json!({});
        let members = [
            ("includedEventTypes", types.map(Value::from)),
            ("subjectBeginsWith", begin.map(Value::from)),
            ("isSubjectCaseSensitive", flags.0.map(Value::from)),
            ("enableAdvancedFilteringOnArrays", flags.1.map(Value::from)),
            ("advancedFilters", advanced.map(Value::from)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                json[name] = value;
            }
        }
        prop_assert_eq!(filter(&json).to_json(), json.clone());
        behaves(&json);
    }

    #[test]
    fn arbitrary_members_never_panic(
        operator in "(String|Number|Bool|Is)[A-Za-z]{0,12}",
        key in ".{0,12}",
        value in "[0-9\\[\\]\",.a]{0,12}",
    ) {
        let value: Value = serde_json::from_str(&value).unwrap_or(Value::from(value));
        let filter = json!({"operatorType":operator,"key":key,"value":value,"values":value});
        behaves(&json!({ "advancedFilters": [filter] }));
    }
}
