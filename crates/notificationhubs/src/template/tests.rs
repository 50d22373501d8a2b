//! Every expression and every refusal; payloads that stay well-formed whatever a message holds.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn message(json: &str) -> HashMap<String, String> {
    Properties::parse(json).unwrap()
}

fn evaluate(expression: &str, json: &str) -> String {
    let message = message(json);
    Expression::parse(expression).unwrap().evaluate(&Properties::new(&message, None))
}

fn template(platform: Platform, body: &str) -> Result<Template, Error> {
    let wns = || vec![("X-WNS-Type".to_owned(), "wns/toast".to_owned())];
    let headers = if platform == Platform::Windows { wns() } else { Vec::new() };
    Template::compile(
        platform,
        &TemplateText { body: body.to_owned(), headers, ..TemplateText::default() },
    )
}

fn rendered(platform: Platform, body: &str, json: &str) -> String {
    let message = message(json);
    template(platform, body).unwrap().render(&Properties::new(&message, None)).unwrap().body
}

#[test]
fn each_form_of_a_property_does_its_work() {
    let json = r#"{"Name":"Ann & Bob","n":7}"#;
    for (expression, expected) in [
        ("$(name)", "Ann & Bob"),
        ("$( NAME , 3)", "Ann"),
        ("$(name, 0)", ""),
        ("$(name, 99)", "Ann & Bob"),
        (".(name, 6)", "Ann..."),
        (".(name, 9)", "Ann & Bob"),
        (".(name, 2)", ".."),
        ("%(name)", "Ann%20%26%20Bob"),
        ("#(n)", "7"),
        ("$(absent)", ""),
        ("$(absent:{no one})", "no one"),
        ("$(absent:{a\\}b})", "a}b"),
        ("$(name:{no one})", "Ann & Bob"),
        ("{'Hi ' + $(name, 3) + \"!\"}", "Hi Ann!"),
        ("{'it''s'}", "it's"),
        ("{'.5'}", ".5"),
        ("$(n) + ' of ' + $(n)", "7 of 7"),
        ("Hello $(name)", "Hello $(name)"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ] {
        assert_eq!(evaluate(expression, json), expected, "{expression}");
    }
}

#[test]
fn a_wrong_expression_is_refused_with_its_place_and_cure() {
    for (expression, reason) in [
        ("$(a", "Missing closing parentheses"),
        ("$a", "Missing opening parentheses after '$'"),
        ("$body", "$body is not supported"),
        ("$()", "a property's name has 1 to 120"),
        ("$(a-b)", "Missing closing parentheses before '-b)'"),
        (".(a)", "'.' needs a length"),
        ("%(a, 3)", "'%' takes no length"),
        ("#(a, 3)", "'#' takes no length"),
        ("{#(a)}", "#(…) stands alone"),
        ("#(a) + 'x'", "#(…) stands alone"),
        ("{'a'", "Missing closing brace"),
        ("{'a}", "Missing closing quote '"),
        ("{}", "'}' was found; expected"),
        ("{", "it ends where"),
        ("$(a) b", "expected + or the end, found 'b'"),
        ("{'a'} ", "expected the end"),
        ("$(a, x)", "a length is a whole number"),
        ("$(a:b)", "a default stands in braces"),
        ("$(a:{b)", "Missing closing brace of the default"),
        (".5", "Missing opening parentheses after '.'"),
        ("#tag", "Missing opening parentheses after '#'"),
    ] {
        let body = serde_json::json!({ "alert": expression }).to_string();
        let error = template(Platform::FcmV1, &body).unwrap_err();
        assert!(error.message().contains(reason), "{expression}: {error}");
        assert!(error.message().contains("in alert is invalid"), "{error}");
    }
}

#[test]
fn json_keeps_its_order_and_every_value_stays_a_value() {
    let body =
        r##"{"z":{"alert":"$(m)","badge":"#(n)","text":"#(m)"},"a":[1,2.5,true,null,"x",{},[]]}"##;
    assert_eq!(
        rendered(Platform::Apple, body, r#"{"m":"\"},{\"x\":1","n":"12"}"#),
        r#"{"z":{"alert":"\"},{\"x\":1","badge":12,"text":"\"},{\"x\":1"},"a":[1,2.5,true,null,"x",{},[]]}"#
    );
}

#[test]
fn only_what_json_calls_a_number_loses_its_quotes() {
    for (value, number) in [
        ("0", true),
        ("10", true),
        ("1.5", true),
        ("1e9", true),
        ("2.5E-3", true),
        ("01", false),
        ("-1", false),
        ("1.", false),
        (".5", false),
        ("1e", false),
        ("", false),
        ("NaN", false),
        ("1 ", false),
    ] {
        let json = serde_json::json!({ "n": value }).to_string();
        let expected =
            if number { format!("{{\"b\":{value}}}") } else { format!("{{\"b\":\"{value}\"}}") };
        assert_eq!(rendered(Platform::Apple, r##"{"b":"#(n)"}"##, &json), expected);
    }
}

#[test]
fn xml_takes_expressions_in_attributes_and_texts() {
    let body = "<?xml version=\"1.0\" encoding=\"utf-16\"?><toast launch=\"$(url)\"><!-- c -->\
                <text id=\"1\">$(m)</text><text>Hi $(m)</text><e/></toast>";
    assert_eq!(
        rendered(Platform::Windows, body, r#"{"m":"<a & b>","url":"x\"y"}"#),
        "<toast launch=\"x&quot;y\"><text id=\"1\">&lt;a &amp; b&gt;</text><text>Hi $(m)</text><e/></toast>"
    );
    for wrong in ["<toast>", "<toast/><tile/>", "<toast>$(m</toast>", "x<toast/>", "{}", "<page/>"]
    {
        assert!(template(Platform::Windows, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn windows_takes_json_only_for_raw() {
    let compile = |kind: &str| {
        let headers = vec![("x-wns-type".to_owned(), kind.to_owned())];
        let body = "{\"a\":\"$(a)\"}".to_owned();
        Template::compile(
            Platform::Windows,
            &TemplateText { body, headers, ..TemplateText::default() },
        )
    };
    assert!(compile("wns/raw").is_ok());
    assert!(compile("wns/toast").is_err());
    let text = TemplateText { body: "<toast/>".to_owned(), ..TemplateText::default() };
    let error = Template::compile(Platform::Windows, &text).unwrap_err();
    assert!(error.message().contains("X-WNS-Type"), "{error}");
}

#[test]
fn headers_expiry_and_priority_are_checked_and_rendered() {
    let text = |header: &str, expiry: &str, priority: &str| TemplateText {
        body: "{}".to_owned(),
        name: Some("t".to_owned()),
        headers: vec![(header.to_owned(), "$(h)".to_owned())],
        expiry: Some(expiry.to_owned()),
        priority: Some(priority.to_owned()),
    };
    let good = Template::compile(Platform::Apple, &text("apns-collapse-id", "$(e)", "5")).unwrap();
    let message = message(r#"{"h":"x","e":"0"}"#);
    let rendered = good.render(&Properties::new(&message, None)).unwrap();
    assert_eq!(rendered.headers, [("apns-collapse-id".to_owned(), "x".to_owned())]);
    assert_eq!((rendered.expiry.as_deref(), rendered.priority.as_deref()), (Some("0"), Some("5")));
    for (wrong, reason) in [
        (text("X-Other", "0", "5"), "begin with apns-"),
        (text("apns-a b", "0", "5"), "header 'apns-a b' is invalid"),
        (text("apns-x", "soon", "5"), "expiry 'soon' is no date"),
        (text("apns-x", "0", "256"), "priority '256'"),
        (
            TemplateText { name: Some("n".repeat(201)), ..text("apns-x", "0", "5") },
            "201 characters",
        ),
        (TemplateText { body: " ".to_owned(), ..text("apns-x", "0", "5") }, "no body"),
        (TemplateText { body: "[]".to_owned(), ..text("apns-x", "0", "5") }, "no object"),
    ] {
        let error = Template::compile(Platform::Apple, &wrong).unwrap_err();
        assert!(error.message().contains(reason), "{error}");
    }
    for date in ["2030-01-01T00:00:00Z", "Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)", "0"] {
        assert!(Template::compile(Platform::Apple, &text("apns-x", date, "5")).is_ok(), "{date}");
    }
}

#[test]
fn a_devices_variables_fill_what_the_message_lacks() {
    let (message, variables) = (message(r#"{"a":"1"}"#), message(r#"{"A":"2","b":"3"}"#));
    let properties = Properties::new(&message, Some(&variables));
    let expression = Expression::parse("{$(a) + $(B)}").unwrap();
    assert_eq!(expression.evaluate(&properties), "13");
}

#[test]
fn a_message_is_a_flat_object() {
    assert_eq!(message(r#"{"a":1,"b":true,"c":null}"#).len(), 2);
    for wrong in ["", "[]", "x", "\"a\"", r#"{"a":[]}"#, r#"{"a":{}}"#] {
        assert!(Properties::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_small_template_cannot_render_to_a_large_payload() {
    let body = serde_json::json!({ "a": vec!["$(m)"; 100] }).to_string();
    let message = message(&serde_json::json!({ "m": "x".repeat(10_000) }).to_string());
    let compiled = template(Platform::Apple, &body).unwrap();
    assert_eq!(compiled.render(&Properties::new(&message, None)), Err(TooLarge));
}

#[test]
fn the_fuzzing_corpus_renders() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/push_template");
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let platform = if text.starts_with('<') { Platform::Windows } else { Platform::Apple };
        assert!(rendered(platform, &text, r#"{"a":"7"}"#).contains('7'), "{}", path.display());
    }
}

proptest! {
    #[test]
    fn a_payload_stays_json_whatever_the_values(value in ".*", literal in ".*") {
        let body = serde_json::json!({ "a": { "$(k)": "$(v)", "l": ["{'x' + .(v, 3)}", "x".to_owned() + &literal] } });
        let json = serde_json::json!({ "v": value }).to_string();
        let out: serde_json::Value = serde_json::from_str(&rendered(Platform::FcmV1, &body.to_string(), &json)).unwrap();
        prop_assert_eq!(&out["a"]["$(k)"], &serde_json::Value::from(value));
        prop_assert_eq!(&out["a"]["l"][1], &serde_json::Value::from("x".to_owned() + &literal));
    }

    #[test]
    fn a_quoted_literal_is_itself(text in ".*") {
        let expression = format!("{{'{}'}}", text.replace('\'', "''"));
        prop_assert_eq!(evaluate(&expression, "{}"), text);
    }

    #[test]
    fn clipping_counts_characters(text in ".{0,20}", count in 0_usize..24) {
        let json = serde_json::json!({ "v": text }).to_string();
        let clipped = evaluate(&format!("$(v, {count})"), &json);
        prop_assert_eq!(clipped.chars().count(), text.chars().count().min(count));
        let dotted = evaluate(&format!(".(v, {count})"), &json);
        prop_assert_eq!(dotted.chars().count(), text.chars().count().min(count));
    }

    #[test]
    fn near_misses_never_panic(text in "[$.%#{}()'\"+,:\\\\a1é ]{0,30}") {
        let _ = Expression::parse(&text);
        let _ = template(Platform::Apple, &serde_json::json!({ "a": text }).to_string());
        let _ = template(Platform::Windows, &format!("<toast a=\"{text}\">{text}</toast>"));
    }

    #[test]
    fn arbitrary_bodies_never_panic(text in ".*") {
        let _ = template(Platform::Apple, &text);
        let _ = template(Platform::Windows, &text);
    }
}
