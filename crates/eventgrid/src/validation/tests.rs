//! The handshake without a network: requests, answers, what follows.

use super::*;

fn question<'a>(source: &'a ResourceId, schema: DeliverySchema) -> Question<'a> {
    Question {
        source,
        name: "billing",
        schema,
        origin: "eventgrid.azure.net",
        code: "0f3b",
        validation_url: "http://localhost/eventsubscriptions/billing/validate?id=0f3b",
    }
}

fn source() -> ResourceId {
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/Orders";
    ResourceId::parse(id).unwrap()
}

fn judged(schema: DeliverySchema, status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let headers = headers.iter().map(pair).collect();
    let source = source();
    let status = StatusCode::from_u16(status).unwrap();
    question(&source, schema).judge(status, &headers, body.as_bytes())
}

#[test]
fn the_validation_event_has_the_documented_form() {
    let source = source();
    let question = question(&source, DeliverySchema::EventGrid);
    let request = question.request(Uri::from_static("http://h/in"), Timestamp::default());
    assert_eq!(request.headers()["aeg-event-type"], "SubscriptionValidation");
    assert_eq!(request.headers()["aeg-subscription-name"], "BILLING");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body.as_array().unwrap().len(), 1);
    let event = &body[0];
    assert_eq!(event["eventType"], "Microsoft.EventGrid.SubscriptionValidationEvent");
    assert_eq!(event["topic"], source.as_str());
    assert_eq!(event["data"]["validationCode"], "0f3b");
    assert_eq!(event["data"]["validationUrl"], question.validation_url);
}

#[test]
fn the_code_is_consent_and_a_status_alone_is_not() {
    use DeliverySchema::EventGrid;
    let consent = Answer::Consent { rate: None };
    assert_eq!(judged(EventGrid, 200, &[], r#"{"validationResponse":"0f3b"}"#), consent);
    assert_eq!(judged(EventGrid, 200, &[], r#"{"ValidationResponse":"0F3B"}"#), consent);
    for body in ["", "ok", "{}", "[]", "null"] {
        assert_eq!(judged(EventGrid, 200, &[], body), Answer::Silence, "{body}");
    }
    let other = judged(EventGrid, 200, &[], r#"{"validationResponse":"x"}"#);
    assert!(matches!(other, Answer::Refusal(_)));
    for status in [202, 204, 301, 404, 500] {
        let answer = judged(EventGrid, status, &[], r#"{"validationResponse":"0f3b"}"#);
        assert!(matches!(answer, Answer::Failure(_)), "{status}");
    }
}

#[test]
fn options_ask_with_our_origin_and_a_way_for_people() {
    let source = source();
    let question = question(&source, DeliverySchema::CloudEvents);
    let request = question.request(Uri::from_static("http://h/in"), Timestamp::default());
    assert_eq!(request.method(), Method::OPTIONS);
    assert_eq!(request.headers()["webhook-request-origin"], "eventgrid.azure.net");
    assert_eq!(request.headers()["webhook-request-callback"], question.validation_url);
}

#[test]
fn options_need_our_origin_or_a_star() {
    use DeliverySchema::CloudEvents;
    let origin = "WebHook-Allowed-Origin";
    let rated = judged(CloudEvents, 200, &[(origin, "*"), ("WebHook-Allowed-Rate", "120")], "");
    assert_eq!(rated, Answer::Consent { rate: Some(120) });
    let any = judged(CloudEvents, 204, &[(origin, "EventGrid.Azure.net")], "");
    assert_eq!(any, Answer::Consent { rate: None });
    let star = judged(CloudEvents, 200, &[(origin, "*"), ("WebHook-Allowed-Rate", "*")], "");
    assert_eq!(star, Answer::Consent { rate: None });
    assert_eq!(judged(CloudEvents, 200, &[], ""), Answer::Silence);
    assert!(matches!(judged(CloudEvents, 200, &[(origin, "a.b")], ""), Answer::Refusal(_)));
    assert!(matches!(judged(CloudEvents, 405, &[(origin, "*")], ""), Answer::Failure(_)));
}

#[test]
fn a_failure_is_tried_once_more_and_a_refusal_is_not() {
    let pause = Duration::from_secs(5);
    let failure = || Answer::Failure("500".to_owned());
    let mut handshake = Handshake::new(pause);
    assert_eq!(handshake.begin(), Step::Ask { pause: None });
    assert_eq!(handshake.answered(failure(), false), Step::Ask { pause: Some(pause) });
    let failed = Step::Done(Conclusion::Failed("500".to_owned()));
    assert_eq!(handshake.answered(failure(), false), failed);

    let mut handshake = Handshake::new(pause);
    handshake.begin();
    let refusal = Answer::Refusal("no".to_owned());
    let failed = Step::Done(Conclusion::Failed("no".to_owned()));
    assert_eq!(handshake.answered(refusal, false), failed);
}

#[test]
fn an_opened_url_counts_even_before_the_answer() {
    let begun = || {
        let mut handshake = Handshake::new(Duration::ZERO);
        handshake.begin();
        handshake
    };
    let consent = Step::Done(Conclusion::Consent { rate: None });
    assert_eq!(begun().answered(Answer::Silence, true), consent);
    let waits = Step::Done(Conclusion::AwaitsPerson);
    assert_eq!(begun().answered(Answer::Silence, false), waits);
}
