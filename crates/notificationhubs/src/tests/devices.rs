//! Registrations and installations over HTTP, where the official client for JavaScript cannot show it:
//! members it does not write, pages as they are, forms of other clients.

use super::*;

#[tokio::test]
async fn every_kind_of_registration_comes_back_as_it_was() {
    let hubs = Hubs::start().await;
    let uri = "<ChannelUri>https://db5.notify.windows.com/?token=a%2Bb&amp;c</ChannelUri>";
    for (kind, members) in [
        ("Apple", "<DeviceToken>AB12</DeviceToken>".to_owned()),
        ("Gcm", "<GcmRegistrationId>g</GcmRegistrationId>".to_owned()),
        ("FcmV1", "<FcmV1RegistrationId>f</FcmV1RegistrationId>".to_owned()),
        ("Windows", format!("{uri}<SecondaryTileName>tile</SecondaryTileName>")),
        ("Mpns", uri.to_owned()),
        ("Adm", "<AdmRegistrationId>a</AdmRegistrationId>".to_owned()),
        ("Baidu", "<BaiduUserId>u</BaiduUserId><BaiduChannelId>1</BaiduChannelId>".to_owned()),
        (
            "Browser",
            "<Endpoint>https://p.example/1</Endpoint><P256DH>P</P256DH><Auth>A</Auth>".to_owned(),
        ),
        ("Xiaomi", "<XiaomiRegistrationId>x</XiaomiRegistrationId>".to_owned()),
    ] {
        let id = hubs.register(kind, &format!("<Tags>t</Tags>{members}")).await;
        let found = hubs.ask("GET", &format!("/registrations/{id}"), "").await;
        assert!(found.body.contains(&members), "{kind}: {}", found.body);
        assert!(found.body.contains(&format!("<{kind}RegistrationDescription ")));
    }
}

#[tokio::test]
async fn every_kind_of_template_comes_back_as_it_was() {
    let hubs = Hubs::start().await;
    let json = "<BodyTemplate>{&quot;a&quot;:&quot;$(b)&quot;}</BodyTemplate>";
    let name = "<TemplateName>T</TemplateName>";
    let header = |platform: &str, name: &str, value: &str| {
        format!(
            "<{platform}Headers><{platform}Header><Header>{name}</Header><Value>{value}</Value>\
             </{platform}Header></{platform}Headers>"
        )
    };
    let toast = "<BodyTemplate>&lt;toast id=&quot;$(b)&quot;/&gt;</BodyTemplate>";
    let channel = "<ChannelUri>https://w.example/</ChannelUri>";
    let baidu = "<BaiduUserId>u</BaiduUserId><BaiduChannelId>1</BaiduChannelId>";
    for (kind, members) in [
        (
            "Apple",
            format!(
                "<DeviceToken>AB</DeviceToken>{json}<Expiry>$(e)</Expiry>{name}\
                 <Priority>5</Priority>{}",
                header("Apns", "apns-collapse-id", "c")
            ),
        ),
        ("Gcm", format!("<GcmRegistrationId>g</GcmRegistrationId>{json}{name}")),
        ("Windows", format!("{channel}{toast}{}{name}", header("Wns", "X-WNS-Type", "wns/toast"))),
        (
            "Mpns",
            format!("{channel}{toast}{}{name}", header("Mpns", "X-WindowsPhone-Target", "toast")),
        ),
        ("Adm", format!("<AdmRegistrationId>a</AdmRegistrationId>{json}{name}")),
        ("Baidu", format!("{baidu}{json}{name}<MessageType>1</MessageType>")),
        ("Xiaomi", format!("<XiaomiRegistrationId>x</XiaomiRegistrationId>{json}{name}")),
    ] {
        let id = hubs.register(&format!("{kind}Template"), &members).await;
        let found = hubs.ask("GET", &format!("/registrations/{id}"), "").await;
        assert!(found.body.contains(&members), "{kind}: {members}\n{}", found.body);
    }
}

#[tokio::test]
async fn a_template_that_a_platform_cannot_have_is_refused_with_the_reason() {
    let hubs = Hubs::start().await;
    for (kind, members, reason) in [
        (
            "WindowsTemplate",
            "<ChannelUri>https://w.example/</ChannelUri><BodyTemplate>&lt;toast/&gt;</BodyTemplate>",
            "X-WNS-Type",
        ),
        (
            "AppleTemplate",
            "<DeviceToken>AB</DeviceToken><BodyTemplate>{\"a\":\"$(b\"}</BodyTemplate>",
            "$(b",
        ),
        ("Apple", "<DeviceToken>xyz</DeviceToken>", "hexadecimal"),
        (
            "FcmV1",
            "<Tags>$InstallationId:{x}</Tags><FcmV1RegistrationId>f</FcmV1RegistrationId>",
            "Tags can not start with $.",
        ),
    ] {
        let body =
            format!("<{kind}RegistrationDescription>{members}</{kind}RegistrationDescription>");
        let answer = hubs.ask("POST", "/registrations", &body).await;
        assert_eq!(answer.status, 400, "{kind}: {}", answer.body);
        assert!(answer.body.contains(reason), "{reason}: {}", answer.body);
    }
}

#[tokio::test]
async fn pages_are_as_long_as_asked_and_lead_to_one_another() {
    let hubs = Hubs::start().await;
    hubs.androids(5).await;
    for path in ["/registrations?%24top=2", "/tags/google/registrations?$top=2"] {
        let (mut found, mut sizes, mut next) = (Vec::new(), Vec::new(), String::new());
        loop {
            let answer = hubs.ask("GET", &format!("{path}{next}"), "").await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let ids: Vec<_> = answer.body.split("<RegistrationId>").skip(1).collect();
            sizes.push(ids.len());
            found.extend(ids.iter().map(|it| it.split('<').next().unwrap().to_owned()));
            let token = answer.header("x-ms-continuationtoken");
            if token.is_empty() {
                break;
            }
            // Clients encode it once more, or not at all: nothing in it may change by that.
            assert!(token.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it)));
            next = format!("&ContinuationToken={token}");
        }
        assert_eq!(sizes, [2, 2, 1], "{path}");
        found.dedup();
        assert_eq!(found.len(), 5, "{path}: none twice");
    }
}

#[tokio::test]
async fn handles_are_found_by_the_filters_of_all_clients() {
    let hubs = Hubs::start().await;
    let uri = "https://w.example/?token=a%2Bb";
    hubs.register("Apple", "<DeviceToken>AB12</DeviceToken>").await;
    hubs.register("Windows", &format!("<ChannelUri>{uri}</ChannelUri>")).await;
    let baidu = "<BaiduUserId>u</BaiduUserId><BaiduChannelId>123</BaiduChannelId>";
    hubs.register("Baidu", baidu).await;
    hubs.register("Xiaomi", "<XiaomiRegistrationId>x1</XiaomiRegistrationId>").await;
    for (filter, found) in [
        ("DeviceToken eq 'AB12'", 1),
        ("deviceToken eq 'ab12'", 1),
        ("ChannelUri eq 'ab12'", 1),
        ("ChannelUri eq 'https://w.example/?token=a%2Bb'", 1),
        ("ChannelUri eq 'https%3A%2F%2Fw.example%2F%3Ftoken%3Da%252Bb'", 1),
        ("BaiduChannelId eq 123' and BaiduUserId eq 'u'", 1),
        ("XiaomiRegistrationId eq 'x1'", 1),
        ("DeviceToken eq 'CD'", 0),
    ] {
        let query: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        // A device may look itself up.
        let asked = ("GET", &*format!("/registrations?$filter={query}"));
        let answer = hubs.ask_as(DEFAULT_LISTEN, asked, &[], "").await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
        assert_eq!(answer.body.matches("<entry").count(), found, "{filter}");
    }
    let all = hubs.ask_as(DEFAULT_LISTEN, ("GET", "/registrations"), &[], "").await;
    assert_eq!(all.status, 401, "but nobody else: {}", all.body);
}

#[tokio::test]
async fn installations_of_every_platform_come_back_as_they_were() {
    let hubs = Hubs::start().await;
    for (platform, channel) in [
        ("apns", json!("AB12")),
        ("gcm", json!("g")),
        ("fcmv1", json!("f")),
        ("wns", json!("https://w.example/1")),
        ("mpns", json!("https://w.example/2")),
        ("adm", json!("a")),
        ("baidu", json!("user-1")),
        ("xiaomi", json!("x")),
        ("browser", json!({"endpoint": "https://p.example/1", "p256dh": "P", "auth": "A"})),
    ] {
        let path = format!("/installations/on-{platform}");
        let sent = json!({
            "installationId": format!("on-{platform}"), "platform": platform.to_uppercase(),
            "pushChannel": channel, "tags": ["t"], "userId": "alice",
            "expirationTime": "2030-05-01T10:20+0000", "pushVariables": {"city": "Rome"},
        });
        let put = hubs.ask("PUT", &path, &sent.to_string()).await;
        assert_eq!(put.status, 200, "{platform}: {}", put.body);
        let got: Value = serde_json::from_str(&hubs.ask("GET", &path, "").await.body).unwrap();
        for (member, expected) in [
            ("platform", json!(platform)),
            ("pushChannel", channel),
            ("pushChannelExpired", json!(false)),
            ("expirationTime", json!("2030-05-01T10:20:00.0000000Z")),
            ("userId", json!("alice")),
            ("tags", json!(["t"])),
            ("pushVariables", json!({"city": "Rome"})),
        ] {
            assert_eq!(got[member], expected, "{platform} {member}");
        }
    }
    let listed = hubs.ask("GET", "/registrations?$filter=Tags%20eq%20't'", "").await;
    assert_eq!(listed.body.matches("$UserId:{alice}").count(), 9, "{}", listed.body);
}
