//! `tidings push …`: asking the server what became of notifications, and sending one.
//!
//! What is printed for people is one line for one thing; `--json` prints what the server says.

use std::time::Duration;

use anyhow::bail;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::admin::Admin;
use super::publish::{self, Content};
use crate::terminal;

/// How often a notification that is under way is asked for.
const POLL: Duration = Duration::from_millis(200);
/// How long `push send` waits for its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which hub, and what of it.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// The hub; the first without a name.
    pub hub: Option<String>,
    /// Its namespace; that of the configuration without a name.
    pub namespace: Option<String>,
    /// Devices with this tag.
    pub tag: Option<String>,
    /// This notification.
    pub id: Option<String>,
    /// At most so many; 0 for as many as the server gives.
    pub limit: usize,
}

/// A notification to send.
pub struct NewPush {
    /// The platform, or `template`.
    pub format: String,
    /// Who it is for.
    pub tags: Option<String>,
    /// The payload.
    pub content: Content,
}

impl Chosen {
    fn path(&self, path: &str, after: Option<&str>) -> String {
        let limit = (self.limit > 0).then(|| self.limit.to_string());
        let parts = [
            ("hub", self.hub.as_deref()),
            ("namespace", self.namespace.as_deref()),
            ("tag", self.tag.as_deref()),
            ("id", self.id.as_deref()),
            ("limit", limit.as_deref()),
            ("after", after),
        ];
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let given = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))));
        format!("{path}?{}", given.collect::<Vec<_>>().join("&"))
    }
}

/// Sends a notification and tells what became of it.
///
/// # Errors
/// When the server refuses it, or a device was not reached.
pub async fn send(admin: &Admin, chosen: &Chosen, push: &NewPush) -> anyhow::Result<()> {
    let payload = String::from_utf8(publish::read(&push.content)?.to_vec())?;
    let body = json!({
        "hub": chosen.hub, "namespace": chosen.namespace, "format": push.format,
        "tags": push.tags, "payload": payload,
    });
    let sent = admin.post("/push/send", &body).await?;
    let id = sent["id"].as_str().unwrap_or_default().to_owned();
    let wanted = Chosen { id: Some(id.clone()), limit: 1, ..chosen.clone() };
    let begun = tokio::time::Instant::now();
    loop {
        let found = admin.get(&wanted.path("/push/notifications", None)).await?;
        let line = &found[0];
        if line["ended"].is_string() {
            terminal::say(&notification(line))?;
            return match line["state"].as_str() {
                Some("Completed") => Ok(()),
                _ => bail!("nobody was reached; `tidings push fix` tells where to look"),
            };
        }
        if begun.elapsed() > PATIENCE {
            terminal::say(&notification(line))?;
            bail!("it is still under way; see `tidings push outcomes --id {id}`");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Lists notifications with their outcomes.
///
/// # Errors
/// When the server does not answer, or has no such hub.
pub async fn outcomes(admin: &Admin, chosen: &Chosen, as_json: bool) -> anyhow::Result<()> {
    let found = admin.get(&chosen.path("/push/notifications", None)).await?;
    for line in found.as_array().into_iter().flatten() {
        terminal::say(&if as_json { format!("{line}\n") } else { notification(line) })?;
    }
    Ok(())
}

fn notification(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let tags = line["tags"].as_str().map_or_else(String::new, |tags| format!(" to {tags}"));
    let mut out = format!(
        "{}  {:<14} {}{tags}  {}\n",
        text("enqueued"),
        text("state"),
        text("format"),
        text("id")
    );
    for outcome in line["outcomes"].as_array().into_iter().flatten() {
        out.push_str(&format!(
            "    {:>8}  {}  {}\n",
            outcome["devices"],
            outcome["platform"].as_str().unwrap_or_default(),
            outcome["outcome"].as_str().unwrap_or_default(),
        ));
    }
    out
}

/// Lists devices.
///
/// # Errors
/// As [`outcomes`].
pub async fn devices(admin: &Admin, chosen: &Chosen, as_json: bool) -> anyhow::Result<()> {
    let (mut left, mut after) = (chosen.limit, None::<String>);
    while left > 0 {
        let wanted = Chosen { limit: left.min(100), ..chosen.clone() };
        let page = admin.get(&wanted.path("/push/devices", after.as_deref())).await?;
        let found = page["devices"].as_array().cloned().unwrap_or_default();
        for it in &found {
            terminal::say(&if as_json { format!("{it}\n") } else { device(it) })?;
        }
        left = left.saturating_sub(found.len());
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

fn device(it: &Value) -> String {
    let text = |name: &str| it[name].as_str().unwrap_or_default();
    let kind = match (it["isTemplate"].as_bool(), it["template"].as_str()) {
        (Some(true), Some(name)) => format!("template {name}"),
        (Some(true), None) => "template".to_owned(),
        _ => "native".to_owned(),
    };
    format!(
        "{:<9} {:<10} {kind:<20} {}  {}\n",
        text("platform"),
        format!("{}…", text("handle")),
        text("id"),
        text("tags")
    )
}

/// Walks the places where a notification can be dropped and says what to do about each.
///
/// # Errors
/// When the server does not answer, or has no such hub.
pub async fn fix(admin: &Admin, hub: Option<&str>) -> anyhow::Result<()> {
    let hubs = admin.get("/push/hubs").await?;
    let hubs = hubs.as_array().cloned().unwrap_or_default();
    let mut found = false;
    for it in &hubs {
        let name = it["hub"].as_str().unwrap_or_default();
        if hub.is_some_and(|hub| !hub.eq_ignore_ascii_case(name)) {
            continue;
        }
        found = true;
        let chosen = Chosen {
            hub: Some(name.to_owned()),
            namespace: it["namespace"].as_str().map(str::to_owned),
            limit: 1,
            ..Chosen::default()
        };
        let latest = admin.get(&chosen.path("/push/notifications", None)).await?;
        terminal::say(&findings(it, &latest[0]))?;
    }
    if !found {
        let names: Vec<_> = hubs.iter().filter_map(|it| it["hub"].as_str()).collect();
        bail!("there is no such notification hub; there are: {}", names.join(", "));
    }
    Ok(())
}

/// The three places, for one hub.
fn findings(hub: &Value, latest: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("{}/{}\n", text(&hub["namespace"]), text(&hub["hub"]));
    let mut say = |mark: &str, line: String| out.push_str(&format!("  {mark:<5} {line}\n"));
    let devices = hub["devices"].as_i64().unwrap_or(0);

    let senders: Vec<String> = hub["policies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|it| text(&it["rights"]).contains("Send"))
        .map(|it| text(&it["name"]))
        .collect();
    match (senders.is_empty(), latest.is_null()) {
        (true, _) => say("1 hub", "no policy may send: add the right Send to one".to_owned()),
        (false, true) => say(
            "1 hub",
            format!(
                "has accepted nothing yet: requests do not come, or are refused with 401 or 400 and \
                 a line in the log. Policies that may send: {}",
                senders.join(", ")
            ),
        ),
        (false, false) => say(
            "1 hub",
            format!("accepted its latest notification at {}", text(&latest["enqueued"])),
        ),
    }

    let platforms = hub["platforms"].as_array().cloned().unwrap_or_default();
    if platforms.is_empty() {
        say("2 pns", "the hub has no credential: set one, nothing can be sent".to_owned());
    }
    for platform in &platforms {
        say("2 pns", format!("{}: {}", text(&platform["platform"]), standing(platform)));
    }

    let empty = text(&latest["state"]) == "NoTargetFound";
    let line = match (devices, empty) {
        (0, _) => "no device is registered".to_owned(),
        (_, true) => format!(
            "{devices} registrations, but the latest notification ({}) matched none: compare its tags \
             and format with `tidings push devices`; native sends reach registrations without a \
             template only",
            text(&latest["tags"])
        ),
        _ => format!(
            "{devices} registrations. What a push service has taken it may still drop: the app is \
             not allowed to notify, the phone is off, or an old message was replaced"
        ),
    };
    say("3 dev", line);
    out
}

fn standing(platform: &Value) -> String {
    if let Some(reason) = platform["unusable"].as_str() {
        return format!("the credential cannot be used: {reason}");
    }
    let problem = &platform["lastProblem"];
    let last = problem["outcome"].as_str().map_or_else(String::new, |outcome| {
        let words = [&problem["reason"], &problem["explanation"]];
        let words: Vec<_> =
            words.into_iter().filter_map(Value::as_str).filter(|it| !it.is_empty()).collect();
        format!("; last problem {outcome}: {}", words.join(", "))
    });
    let state = if platform["credentialRefused"] == true {
        "the push service REFUSES the credential, messages wait"
    } else if platform["lastSuccess"].is_string() {
        "works"
    } else {
        "nothing was taken yet since the start of the server"
    };
    let doubt = match (platform["keepsDeadDevices"] == true, problem.is_null()) {
        (true, false) => "; devices that are called dead are kept, see the environment",
        _ => "",
    };
    format!("{state}{last}{doubt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_line() {
        let hub = json!({
            "namespace": "local", "hub": "local", "devices": 2,
            "policies": [{"name": "Full", "rights": "Listen,Manage,Send"}],
            "platforms": [{
                "platform": "apple", "unusable": null, "credentialRefused": true,
                "keepsDeadDevices": true, "lastSuccess": null,
                "lastProblem": {"outcome": "InvalidCredentials", "reason": "InvalidProviderToken",
                                "explanation": "check the key"},
            }],
        });
        let latest = json!({"enqueued": "now", "state": "NoTargetFound", "tags": "a && b"});
        let text = findings(&hub, &latest);
        for expected in ["1 hub accepted", "REFUSES", "InvalidProviderToken", "a && b"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let nothing = findings(&json!({"hub": "h", "devices": 0}), &Value::Null);
        for expected in ["no policy may send", "no credential", "no device"] {
            assert!(nothing.contains(expected), "{expected} in {nothing}");
        }
    }
}
