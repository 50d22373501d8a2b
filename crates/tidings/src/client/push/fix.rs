//! Where a notification may have been dropped: three places, walked in its own order. Pure: what the
//! server knows goes in, text for people comes out.
//!
//! 1. The hub: was it asked at all, did it accept, may somebody send?
//! 2. The push service: does it take the credential, and what did it refuse?
//! 3. The device: is one registered for what is sent, and does its push service still know it?

use serde_json::Value;

/// What stands before a line: all is well, somebody has to act, or nothing is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Well,
    Act,
    Open,
}

/// The lines of one place.
#[derive(Default)]
struct Place(Vec<(Mark, String)>);

impl Place {
    fn say(&mut self, mark: Mark, line: impl Into<String>) {
        self.0.push((mark, line.into()));
    }

    fn needs_somebody(&self) -> bool {
        self.0.iter().any(|(mark, _)| *mark == Mark::Act)
    }

    fn write(&self, out: &mut String) {
        for (mark, line) in &self.0 {
            let mark = match mark {
                Mark::Well => "ok",
                Mark::Act => "!!",
                Mark::Open => "--",
            };
            out.push_str(&format!("    {mark}  {line}\n"));
        }
    }
}

/// What an outcome other than success says about where the notification was dropped.
struct Meaning {
    outcome: &'static str,
    at_device: bool,
    advice: &'static str,
}

const fn at_service(outcome: &'static str, advice: &'static str) -> Meaning {
    Meaning { outcome, at_device: false, advice }
}

const fn at_device(outcome: &'static str, advice: &'static str) -> Meaning {
    Meaning { outcome, at_device: true, advice }
}

const MEANINGS: [Meaning; 18] = [
    at_service(
        "InvalidCredentials",
        "the push service refuses the credential, or the hub has none for this platform",
    ),
    at_service("InvalidToken", "the access token is refused: check the clock of this machine"),
    at_service("WrongToken", "the devices belong to another app or project than the credential"),
    at_service("WrongChannel", "the devices belong to another app than the credential"),
    at_service(
        "InvalidNotificationFormat",
        "the payload or a header is refused: mend and send it again",
    ),
    at_service(
        "InvalidNotificationSize",
        "the payload is too large: send less, let the app fetch the rest",
    ),
    at_service("Throttled", "too many at once: they are sent when the push service says so"),
    at_service("PnsUnreachable", "the push service is not reached: check name, network and proxy"),
    at_service("PnsServerError", "the push service failed: nothing to do here"),
    at_service("PnsUnavailable", "the push service was not available: nothing to do here"),
    at_service("PnsInterfaceError", "the answer is none of a push service: check the endpoint"),
    at_service("TokenProviderUnreachable", "no access token: the token endpoint is not reached"),
    at_service(
        "TokenProviderInterfaceError",
        "no access token: the token endpoint answers nonsense",
    ),
    at_service(
        "AbandonedNotificationMessages",
        "tried until the delivery window was over: the push service kept failing",
    ),
    at_device(
        "BadChannel",
        "the push service never knew these handles: wrong environment (sandbox or production) or app",
    ),
    at_device(
        "ExpiredChannel",
        "the app was removed or has a new handle: these registrations are gone, the app must register \
         again when it starts",
    ),
    at_device("ChannelThrottled", "too many to the same device"),
    at_device(
        "Skipped",
        "not tried: the device is registered more than once, the message had expired, or the platform has \
         no sender here",
    ),
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The three places of one hub, with what became of `send`: its latest notification, or none.
pub(super) fn findings(hub: &Value, send: &Value) -> String {
    let places = [the_hub(hub, send), the_push_services(hub, send), the_devices(hub, send)];
    let mut out = format!("{}/{}\n", text(&hub["namespace"]), text(&hub["hub"]));
    let names = ["The hub", "The push services", "The devices"];
    for (at, (name, place)) in names.iter().zip(&places).enumerate() {
        out.push_str(&format!("  {} {name}\n", at + 1));
        place.write(&mut out);
    }
    let first = names.iter().zip(&places).find(|(_, place)| place.needs_somebody());
    out.push_str(&match first {
        Some((name, _)) => format!("  Begin here: {name}, the lines with !!.\n"),
        None => "  Nothing found. What a push service has taken it may still drop: the app is not \
                 allowed to notify, the device is off, or a newer message has replaced it.\n"
            .to_owned(),
    });
    out
}

fn the_hub(hub: &Value, send: &Value) -> Place {
    let mut place = Place::default();
    let may_send = |policy: &&Value| text(&policy["rights"]).contains("Send");
    let senders: Vec<&str> =
        list(&hub["policies"]).iter().filter(may_send).map(|it| text(&it["name"])).collect();
    if senders.is_empty() {
        place.say(Mark::Act, "no policy may send: give the right Send to one");
    }
    if send.is_null() {
        let names = senders.join(", ");
        place.say(Mark::Open, format!("has accepted no send yet; these policies may: {names}"));
    } else {
        let (at, tags) = (text(&send["enqueued"]), send["tags"].as_str());
        let tags = tags.map_or_else(|| "everybody".to_owned(), |tags| format!("'{tags}'"));
        let what = format!("{} to {tags}, {}", text(&send["format"]), text(&send["state"]));
        place.say(Mark::Well, format!("accepted a send at {at}: {what}"));
    }
    let sends = &hub["sends"];
    refusal(&mut place, &sends["lastRefused"], &format!("sends refused: {}", sends["refused"]));
    refusal(&mut place, &hub["lastRefusedDevice"], "refused a device");
    refusal(&mut place, &hub["lastUnknownHub"], "was asked for a hub that does not exist");
    if let Some(waiting) = sends["waiting"].as_i64().filter(|it| *it > 0) {
        place
            .say(Mark::Open, format!("{waiting} sends wait for their time or for another attempt"));
    }
    place
}

fn refusal(place: &mut Place, refused: &Value, what: &str) {
    if !refused.is_null() {
        let (at, message) = (text(&refused["at"]), text(&refused["message"]));
        place.say(Mark::Act, format!("{what}, last at {at}: {} {message}", refused["status"]));
    }
}

fn the_push_services(hub: &Value, send: &Value) -> Place {
    let mut place = Place::default();
    let platforms = list(&hub["platforms"]);
    if platforms.is_empty() {
        place.say(Mark::Act, "the hub has no credential: set one, nothing can be sent");
    }
    for platform in platforms {
        let (mark, standing) = standing(platform);
        place.say(mark, format!("{}: {standing}", text(&platform["platform"])));
    }
    for kind in list(&hub["kinds"]) {
        let name = text(&kind["platform"]);
        if kind["hasSender"] == false {
            let text =
                "this server has no sender for it yet; its devices are kept, but get nothing";
            place.say(Mark::Act, format!("{name}: {text}"));
        } else if !platforms.iter().any(|it| text(&it["platform"]) == name) {
            let devices = &kind["devices"];
            place.say(Mark::Act, format!("{name}: no credential, though {devices} are registered"));
        }
    }
    dropped(&mut place, send, false);
    place
}

fn standing(platform: &Value) -> (Mark, String) {
    if let Some(reason) = platform["unusable"].as_str() {
        return (Mark::Act, format!("the credential cannot be used: {reason}"));
    }
    let problem = &platform["lastProblem"];
    let words = [text(&problem["reason"]), text(&problem["explanation"])];
    let words = words.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ");
    let last = |start: &str| match problem["outcome"].as_str() {
        Some(outcome) => {
            format!("{start}; last problem at {}: {outcome}, {words}", text(&problem["at"]))
        }
        None => start.to_owned(),
    };
    if platform["credentialRefused"] == true {
        let text = "the push service REFUSES the credential; one message a minute tries it, all others \
                    wait";
        return (Mark::Act, last(text));
    }
    if platform["keepsDeadDevices"] == true && problem["outcome"] == "BadChannel" {
        let text = "knows none of the devices; they are kept, for the environment (sandbox or \
                    production) is probably wrong";
        return (Mark::Act, last(text));
    }
    match platform["lastSuccess"].as_str() {
        Some(at) => (Mark::Well, last(&format!("took a message at {at}"))),
        None if problem.is_null() => {
            (Mark::Open, "no message was sent since the start of the server".to_owned())
        }
        None => (Mark::Act, last("has taken nothing since the start of the server")),
    }
}

fn the_devices(hub: &Value, send: &Value) -> Place {
    let mut place = Place::default();
    let kinds = list(&hub["kinds"]);
    if kinds.is_empty() {
        place.say(Mark::Act, "no device is registered: the app has to register, with Listen");
        return place;
    }
    let kind = |it: &Value| {
        let template = if it["isTemplate"] == true { " with a template" } else { "" };
        format!("{} {}{template}", it["devices"], text(&it["platform"]))
    };
    let all: Vec<String> = kinds.iter().map(kind).collect();
    place.say(Mark::Well, format!("registered: {}", all.join(", ")));
    if text(&send["state"]) == "NoTargetFound" {
        place.say(Mark::Act, nobody(kinds, send));
    }
    dropped(&mut place, send, true);
    if let Some(taken) = success(send) {
        place.say(Mark::Well, format!("{taken} devices: taken by their push service"));
    }
    place
}

/// Why a send has matched no device.
fn nobody(kinds: &[Value], send: &Value) -> String {
    let format = text(&send["format"]);
    let wants_template = format == "template";
    let fits = |it: &&Value| {
        it["isTemplate"] == wants_template && (wants_template || it["platform"] == format)
    };
    let fitting: i64 = kinds.iter().filter(fits).filter_map(|it| it["devices"].as_i64()).sum();
    match (fitting, wants_template) {
        (0, true) => {
            "the send was for templates, and no device has one: register a template, or send \
                      in the format of a platform"
                .to_owned()
        }
        (0, false) => format!(
            "the send was in the format {format}, which reaches devices of this platform that have no \
             template: there is none"
        ),
        _ => format!(
            "{fitting} devices take the format {format}, but none has the tags '{}': compare with \
             `tidings push devices`",
            text(&send["tags"])
        ),
    }
}

/// Outcomes of a send that belong to this place.
fn dropped(place: &mut Place, send: &Value, at_device: bool) {
    for outcome in list(&send["outcomes"]) {
        let name = text(&outcome["outcome"]);
        if matches!(name, "Success" | "RefreshToken") {
            continue;
        }
        let known = MEANINGS.iter().find(|it| it.outcome == name);
        if known.is_some_and(|it| it.at_device) == at_device {
            let advice = known.map_or("the push service did not deliver it", |it| it.advice);
            let (devices, platform) = (&outcome["devices"], text(&outcome["platform"]));
            let mark = if name == "Skipped" { Mark::Open } else { Mark::Act };
            place.say(mark, format!("{devices} {platform} devices: {name}, {advice}"));
        }
    }
}

fn success(send: &Value) -> Option<i64> {
    let of = |it: &&Value| matches!(text(&it["outcome"]), "Success" | "RefreshToken");
    let taken = list(&send["outcomes"]).iter().filter(of);
    let taken: i64 = taken.filter_map(|it| it["devices"].as_i64()).sum();
    (taken > 0).then_some(taken)
}

#[cfg(test)]
mod tests;
