//! The XML byte for byte where clients depend on it, and every kind of registration there and back.

use kernel::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::date;
use crate::notification::State;
use crate::registration::{Description, Key, Registration, RegistrationId};
use crate::tag::{Tag, TagSet};
use crate::template::TemplateText;
use crate::{Handle, Platform};

const URL: &str = "https://h/hub/registrations/1-2-1?api-version=2020-06";
const NOW: Timestamp = Timestamp::from_secs(1_714_558_800);

fn registration(description: Description) -> Registration {
    Registration {
        key: Key(1),
        id: RegistrationId::parse("1-2-1").unwrap(),
        etag: 3,
        expires_at: date::NEVER,
        installation: None,
        description,
    }
}

fn handle(platform: Platform) -> Handle {
    match platform {
        Platform::Apple => Handle::new(platform, "62BC"),
        Platform::Windows | Platform::Mpns => Handle::new(platform, "https://w.example/?a=1&b=2"),
        Platform::Browser => Handle::browser("https://p.example/1", "P", "A"),
        Platform::Baidu => Handle::baidu("u", "1"),
        _ => Handle::new(platform, "token:1"),
    }
    .unwrap()
}

fn template(platform: Platform) -> TemplateText {
    let xml = matches!(platform, Platform::Windows | Platform::Mpns);
    let header = match platform {
        Platform::Apple => vec![("apns-priority".to_owned(), "5".to_owned())],
        Platform::Windows => vec![("X-WNS-Type".to_owned(), "wns/toast".to_owned())],
        Platform::Mpns => vec![("X-NotificationClass".to_owned(), "2".to_owned())],
        _ => Vec::new(),
    };
    TemplateText {
        body: if xml { "<toast><text>$(m)</text></toast>" } else { "{\"a\":\"$(m)\"}" }.to_owned(),
        name: Some("T & t".to_owned()),
        headers: header,
        expiry: (platform == Platform::Apple).then(|| "$(e)".to_owned()),
        priority: (platform == Platform::Apple).then(|| "5".to_owned()),
    }
}

#[test]
fn an_entry_is_what_the_service_writes() {
    let mut description = Description::new(handle(Platform::Apple));
    description.tags = TagSet::parse_list("t1,t2").unwrap();
    description.push_variables = Some("{\"k\":\"v\"}".to_owned());
    let expected = "<entry a:etag=\"W/&quot;3&quot;\" xmlns=\"http://www.w3.org/2005/Atom\" \
        xmlns:a=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\">\
        <id>https://h/hub/registrations/1-2-1?api-version=2020-06</id><title type=\"text\">1-2-1</title>\
        <published>2024-05-01T10:20:00.000Z</published><updated>2024-05-01T10:20:00.000Z</updated>\
        <link rel=\"self\" href=\"https://h/hub/registrations/1-2-1?api-version=2020-06\"/>\
        <content type=\"application/xml\"><AppleRegistrationDescription \
        xmlns=\"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect\" \
        xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><ETag>3</ETag>\
        <ExpirationTime>9999-12-31T23:59:59.999Z</ExpirationTime>\
        <RegistrationId>1-2-1</RegistrationId><Tags>t1,t2</Tags>\
        <PushVariables>{&quot;k&quot;:&quot;v&quot;}</PushVariables><DeviceToken>62BC</DeviceToken>\
        </AppleRegistrationDescription></content></entry>";
    assert_eq!(write_entry(&registration(description), URL, NOW), expected);
}

#[test]
fn members_of_templates_have_the_order_of_net() {
    for (platform, order) in [
        (
            Platform::Apple,
            "DeviceToken BodyTemplate Expiry TemplateName Priority ApnsHeaders ApnsHeader Header Value",
        ),
        (
            Platform::Windows,
            "ChannelUri BodyTemplate WnsHeaders WnsHeader Header Value TemplateName",
        ),
        (
            Platform::Mpns,
            "ChannelUri BodyTemplate MpnsHeaders MpnsHeader Header Value TemplateName",
        ),
        (Platform::Browser, "Endpoint P256DH Auth BodyTemplate TemplateName"),
        (Platform::Baidu, "BaiduUserId BaiduChannelId BodyTemplate TemplateName"),
        (Platform::Gcm, "GcmRegistrationId BodyTemplate TemplateName"),
    ] {
        let mut description = Description::new(handle(platform));
        description.template = Some(template(platform));
        let out = write_entry(&registration(description), URL, NOW);
        let after = &out[out.find("</RegistrationId>").unwrap()..];
        let opened = after.split('<').filter(|it| !it.starts_with('/') && !it.is_empty());
        let names: Vec<_> = opened.map(|it| it.split('>').next().unwrap()).collect();
        assert_eq!(names.join(" "), order, "{platform:?}");
    }
}

#[test]
fn every_kind_is_read_back_as_it_was_written() {
    for platform in Platform::ALL {
        for with_template in [false, true] {
            let mut description = Description::new(handle(platform));
            description.tags = TagSet::parse_list("a,ü").unwrap();
            description.template = with_template.then(|| template(platform));
            let out = write_entry(&registration(description.clone()), URL, NOW);
            let read = read_registration(out.as_bytes()).unwrap();
            assert_eq!(read.description, description, "{out}");
        }
    }
}

#[test]
fn what_the_javascript_client_sends_is_read() {
    let body = "<entry xmlns=\"http://www.w3.org/2005/Atom\"><updated>2024-05-01T10:20:00.000Z</updated>\
        <content type=\"application/xml\"><AppleTemplateRegistrationDescription xmlns=\"x\" xmlns:i=\"y\">\
        <RegistrationId>1-2-1</RegistrationId><Tags>a, b</Tags><DeviceToken>62bc</DeviceToken>\
        <BodyTemplate><![CDATA[{\"aps\":{\"alert\":\"$(m)\"}}]]></BodyTemplate>\
        <TemplateName>T</TemplateName><Expiry i:nil=\"true\"/><ApnsHeaders><ApnsHeader>\
        <Header>apns-priority</Header><Value>5</Value></ApnsHeader></ApnsHeaders>\
        </AppleTemplateRegistrationDescription></content></entry>";
    let description = read_registration(body.as_bytes()).unwrap().description;
    assert_eq!(description.tags.to_list(), "a,b");
    assert_eq!(description.handle.address(), "62BC");
    let template = description.template.unwrap();
    assert_eq!(template.body, "{\"aps\":{\"alert\":\"$(m)\"}}");
    assert_eq!(template.headers, [("apns-priority".to_owned(), "5".to_owned())]);
    assert_eq!(template.expiry, None);
}

#[test]
fn system_tags_are_told_apart() {
    let body = "<GcmRegistrationDescription><Tags>$InstallationId:{i},a</Tags>\
        <GcmRegistrationId>g</GcmRegistrationId></GcmRegistrationDescription>";
    let read = read_registration(body.as_bytes()).unwrap();
    assert_eq!(read.system_tags, [Tag::installation("i")]);
    assert_eq!(read.description.tags.to_list(), "a");
}

#[test]
fn what_is_missing_is_named() {
    for (body, reason) in [
        ("", "XML is malformed"),
        ("<entry/>", "has no content"),
        ("<PalmRegistrationDescription/>", "'PalmRegistrationDescription' is no registration"),
        ("<AppleRegistrationDescription/>", "has no DeviceToken"),
        (
            "<BrowserRegistrationDescription><Endpoint>https://p</Endpoint></BrowserRegistrationDescription>",
            "no P256DH",
        ),
        (
            "<AdmTemplateRegistrationDescription><AdmRegistrationId>a</AdmRegistrationId></AdmTemplateRegistrationDescription>",
            "no BodyTemplate",
        ),
        (
            "<AdmRegistrationDescription><Tags>a b</Tags><AdmRegistrationId>a</AdmRegistrationId></AdmRegistrationDescription>",
            "tag 'a b' is invalid",
        ),
        (
            "<AdmRegistrationDescription><Tags>$x</Tags><AdmRegistrationId>a</AdmRegistrationId></AdmRegistrationDescription>",
            "Tags can not start with $.",
        ),
    ] {
        let error = read_registration(body.as_bytes()).unwrap_err();
        assert!(error.message().contains(reason), "{body}: {error}");
    }
    assert!(read_registration(&[0xff]).is_err());
}

#[test]
fn a_feed_holds_entries() {
    let all = [registration(Description::new(handle(Platform::Adm)))];
    let out = write_feed(&all, "https://h/hub/registrations?a=1&b=2", |_| URL.to_owned(), NOW);
    let root = crate::xml::parse(&out).unwrap();
    assert_eq!(root.name, "feed");
    assert_eq!(root.text_of("id"), Some("https://h/hub/registrations?a=1&b=2"));
    assert_eq!(root.children.iter().filter(|it| it.name == "entry").count(), 1);
    assert!(!out.contains("> <") && !out.contains('\n') && !out.starts_with("<?xml"));
}

#[test]
fn an_outcome_has_its_list_even_when_it_is_empty() {
    assert!(write_outcome(0, 0, &[]).ends_with("<Results></Results></NotificationOutcome>"));
    let result = TestResult {
        platform: "apple".to_owned(),
        handle: "AB".to_owned(),
        registration_id: "1-2-1".to_owned(),
        outcome: "a < b".to_owned(),
    };
    assert!(write_outcome(1, 0, &[result]).contains(
        "<Success>1</Success><Failure>0</Failure><Results><RegistrationResult>\
         <ApplicationPlatform>apple</ApplicationPlatform><PnsHandle>AB</PnsHandle>\
         <RegistrationId>1-2-1</RegistrationId><Outcome>a &lt; b</Outcome>"
    ));
}

#[test]
fn details_have_counts_in_order_and_no_empty_ones() {
    let counts = |platform, count| (platform, vec![("Success".to_owned(), count)]);
    let details = Details {
        id: "n".to_owned(),
        location: "sb://h/hub/messages/n?api-version=2015-04".to_owned(),
        state: State::Completed,
        enqueued_at: NOW,
        started_at: Some(NOW),
        ended_at: None,
        body: "{\"a\":\"<\"}".to_owned(),
        tags: None,
        target_platforms: "apple,fcmv1".to_owned(),
        counts: vec![
            counts(Platform::FcmV1, 2),
            counts(Platform::Apple, 3),
            counts(Platform::Adm, 0),
        ],
        errors_url: Some("https://e".to_owned()),
    };
    let root = crate::xml::parse(&write_details(&details)).unwrap();
    let names: Vec<_> = root.children.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "NotificationId Location State EnqueueTime StartTime NotificationBody TargetPlatforms \
         ApnsOutcomeCounts PnsErrorDetailsUri FcmV1OutcomeCounts"
    );
}

#[test]
fn feedback_and_errors_have_the_services_form() {
    let feedback = Feedback {
        at: NOW,
        error: "ExpiredChannel".to_owned(),
        platform: Platform::Windows,
        handle: "https://w".to_owned(),
        registration_id: None,
        installation_id: Some("i".to_owned()),
        notification_id: None,
        new_handle: None,
    };
    assert!(write_feedback(&feedback).ends_with(
        "<FeedbackTime>2024-05-01T10:20:00.000Z</FeedbackTime>\
         <NotificationSystemError>ExpiredChannel</NotificationSystemError><Platform>windows</Platform>\
         <PnsHandle>https://w</PnsHandle><InstallationId>i</InstallationId></PnsFeedback>"
    ));
    assert_eq!(
        write_error(400, "a & b.", "guid_G1", NOW),
        "<Error><Code>400</Code><Detail>a &amp; b.TrackingId:guid_G1,TimeStamp:5/1/2024 10:20:00 AM\
         </Detail></Error>"
    );
}

proptest! {
    #[test]
    fn texts_survive_the_way_there_and_back(
        token in "[!-~]{1,40}", name in "[a-z<>&\"' ]{0,10}", value in "[^\\p{Cc}]{0,20}",
    ) {
        let mut description = Description::new(Handle::new(Platform::FcmV1, &token).unwrap());
        let body = serde_json::json!({ "a": format!("x{value}") }).to_string();
        let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        description.template = Some(TemplateText { body, name, ..TemplateText::default() });
        let out = write_entry(&registration(description.clone()), URL, NOW);
        prop_assert_eq!(read_registration(out.as_bytes()).unwrap().description, description);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_registration(&body);
    }
}
