//! What push services refused, as a container of storage.

use super::*;

impl Hubs {
    /// Follows an address that the service has given, with its own signature alone.
    async fn follow(&self, url: &str) -> Answer {
        let path = url.strip_prefix("https://localhost:8443").unwrap();
        let request = Request::get(path).header("host", "localhost:8443").body(Body::empty());
        let (parts, body) = self.service.handle(request.unwrap()).await.into_parts();
        let body = edge::body::read(body, 1 << 24).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn container(&self) -> String {
        let answer = self.ask("GET", "/feedbackcontainer?api-version=2020-06", "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// An address within the container.
    fn blob(container: &str, name: &str) -> String {
        container.replacen("/feedback?", &format!("/feedback/{name}?"), 1)
    }
}

#[tokio::test]
async fn refusals_are_files_of_days_in_a_container() {
    let hubs = Hubs::start().await;
    let mut sent = Vec::new();
    for number in 0..2 {
        hubs.androids(1).await;
        hubs.fail(Rule::once(Service::Fcm, "UNREGISTERED"));
        let id = hubs.send("fcmv1").await;
        hubs.settled(&id).await;
        sent.push(id);
        if number == 0 {
            hubs.world.pass(Duration::from_secs(86_400));
        }
    }
    let container = hubs.container().await;
    let listed = hubs.follow(&format!("{container}&restype=container&comp=list")).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let names: Vec<_> = listed.body.split("<Name>").skip(1).map(|it| &it[..8]).collect();
    assert_eq!(names, ["11142023", "11152023"]);
    assert!(listed.body.contains("<Last-Modified>Tue, 14 Nov 2023 22:13:20 GMT<"));
    let day = hubs.follow(&Hubs::blob(&container, "11142023")).await;
    assert_eq!(day.body.lines().count(), 1, "{}", day.body);
    assert_eq!(within("Content-Length", &listed.body), day.body.len().to_string());
    let start = "<PnsFeedback xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xmlns=\"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect\">\
        <FeedbackTime>2023-11-14T22:13:20.000Z</FeedbackTime>\
        <NotificationSystemError>ExpiredChannel</NotificationSystemError>\
        <Platform>fcmv1</Platform><PnsHandle>android-0</PnsHandle><RegistrationId>";
    assert!(day.body.starts_with(start), "{}", day.body);
    assert_eq!(within("NotificationId", &day.body), sent[0]);

    let telemetry = hubs.ask("GET", &format!("/messages/{}", sent[1]), "").await.body;
    let errors = within("PnsErrorDetailsUri", &telemetry).replace("&amp;", "&");
    let of_one = hubs.follow(&errors).await;
    assert_eq!(of_one.body.lines().count(), 1, "{}", of_one.body);
    assert_eq!(within("NotificationId", &of_one.body), sent[1]);
}

#[tokio::test]
async fn the_address_of_the_container_holds_for_a_day_and_no_other_hub() {
    let hubs = Hubs::start().await;
    let container = hubs.container().await;
    assert_eq!(hubs.follow(&container).await.status, 200);
    let forged = container.replace("se=2023", "se=2033");
    assert_ne!(forged, container);
    assert_eq!(hubs.follow(&forged).await.status, 401);
    hubs.service.put_hub("local", "other", HubRequest::default()).await.unwrap();
    let other = container.replace(&format!("/{HUB}/"), "/other/");
    assert_eq!(hubs.follow(&other).await.status, 401);
    hubs.world.pass(Duration::from_secs(24 * 3600 + 1));
    let late = hubs.follow(&container).await;
    assert_eq!(late.status, 401);
    assert!(late.body.contains("feedbackcontainer"), "{}", late.body);
}
