//! Filters, ETags and ids as clients send them, and what a description may not be.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Platform, refusal};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn addresses(filter: &str) -> Vec<String> {
    match ListFilter::parse(filter).unwrap() {
        ListFilter::Addresses(addresses) => addresses,
        ListFilter::Tag(tag) => panic!("a tag: {tag}"),
    }
}

#[test]
fn filters_of_all_clients_are_read() {
    for (filter, address) in [
        ("DeviceToken eq 'AB12'", "AB12"),
        ("deviceToken eq 'ab12'", "AB12"),
        ("GcmRegistrationId eq 'g:1'", "g:1"),
        ("FcmV1RegistrationId eq 'f''1'", "f'1"),
        ("AdmRegistrationId eq 'a'", "a"),
        ("ChannelUri eq 'https%3A%2F%2Fw.example%2F1'", "https://w.example/1"),
        ("ChannelUri eq 'https://w.example/1'", "https://w.example/1"),
        (
            "Endpoint eq 'https%3A%2F%2Fp.example%2F1' and P256DH eq 'P=' and Auth eq 'A'",
            "https://p.example/1",
        ),
        ("BaiduChannelId eq 123' and BaiduUserId eq 'u'", "u-123"),
    ] {
        assert!(
            addresses(filter).iter().any(|it| it == address),
            "{filter}: {:?}",
            addresses(filter)
        );
    }
    let tag = ListFilter::parse("Tags eq '$InstallationId:{i}'").unwrap();
    assert_eq!(tag, ListFilter::Tag(Tag::installation("i")));
}

#[test]
fn other_filters_are_refused() {
    for filter in [
        "",
        "x",
        "Color eq 'red'",
        "DeviceToken ne 'a'",
        "DeviceToken eq 'a",
        "DeviceToken eq 'a' or Tags eq 'b'",
        "DeviceToken eq 'a' and Tags eq 'b'",
    ] {
        let error = ListFilter::parse(filter).unwrap_err();
        assert!(error.message().contains("not supported"), "{filter}: {error}");
    }
}

#[test]
fn etags_are_read_in_every_spelling() {
    for (header, expected) in [
        ("\"3\"", IfMatch::Version(3)),
        ("W/\"3\"", IfMatch::Version(3)),
        ("3", IfMatch::Version(3)),
        ("*", IfMatch::Any),
    ] {
        assert_eq!(IfMatch::parse(header).unwrap(), expected, "{header}");
    }
    assert!(IfMatch::parse("W/\"abc\"").is_err());
    let error = IfMatch::Version(3).check(4).unwrap_err();
    assert_eq!(error.kind(), kernel::ErrorKind::PreconditionFailed);
    assert!(IfMatch::Any.check(4).is_ok() && IfMatch::Version(4).check(4).is_ok());
}

#[test]
fn keys_grow_and_tell_their_time() {
    let source = KeySource::default();
    let keys: Vec<Key> = (0..1000).map(|_| source.next(NOW)).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(keys[0].made_at().since(NOW) < Duration::from_secs(1));
    assert!(NOW.since(keys[0].made_at()) < Duration::from_secs(1));
    let earlier = source.next(NOW - Duration::from_secs(60));
    assert!(earlier > keys[999], "a clock that goes back does not reuse keys");
}

#[test]
fn only_ids_that_were_issued_go_stale() {
    let id = RegistrationId::issue(KeySource::default().next(NOW), 1);
    assert!(id.check_usable(NOW).is_ok());
    let later = NOW + Duration::from_secs(31 * 24 * 3600);
    assert_eq!(id.check_usable(later).unwrap_err().kind(), kernel::ErrorKind::Gone);
    for own in ["123-234-1", "my-device", "5267365982808935704-4914086341193203009-2"] {
        assert!(RegistrationId::parse(own).unwrap().check_usable(later).is_ok(), "{own}");
    }
    for wrong in ["", "a/b", "a b", &"x".repeat(129)] {
        assert!(RegistrationId::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn system_tags_are_kept_but_not_invented() {
    let handle = Handle::new(Platform::FcmV1, "f").unwrap();
    let stored: TagSet = [Tag::installation("i"), Tag::parse("old").unwrap()].into_iter().collect();
    let mut description = Description::new(handle);
    description.tags.insert(Tag::parse("new").unwrap());
    description.keep_system_tags(&[Tag::installation("I")], Some(&stored)).unwrap();
    assert_eq!(description.tags.to_list(), "new,$InstallationId:{i}");
    let error = description.keep_system_tags(&[Tag::user("u")], Some(&stored)).unwrap_err();
    assert_eq!(error.message(), refusal::bad_request("Tags can not start with $.").message());
    assert!(description.keep_system_tags(&[Tag::user("u")], None).is_err());
}

#[test]
fn a_description_is_checked_as_a_whole() {
    let mut description = Description::new(Handle::new(Platform::Apple, "AB").unwrap());
    assert!(description.check().is_ok());
    description.push_variables = Some("[]".to_owned());
    assert!(description.check().unwrap_err().message().contains("PushVariables"));
    description.push_variables = Some("{\"a\":\"b\"}".to_owned());
    description.template =
        Some(TemplateText { body: "{\"a\":\"$(\"}".to_owned(), ..TemplateText::default() });
    assert!(description.check().is_err());
}

proptest! {
    #[test]
    fn arbitrary_filters_never_panic(text in ".*") {
        let _ = ListFilter::parse(&text);
    }

    #[test]
    fn near_filters_never_panic(text in "((Tags|Endpoint|BaiduUserId) ?(eq)? ?'?[a%2 ']{0,6}'?( and )?){0,4}") {
        let _ = ListFilter::parse(&text);
    }
}
