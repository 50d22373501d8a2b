//! `tidings push …`: asking the server what became of notifications, and sending one.
//!
//! What is printed for people is one line for one thing; `--json` prints what the server says.
//!
//! - `fix`: where a notification may have been dropped

mod fix;

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
            return verdict(line);
        }
        if begun.elapsed() > PATIENCE {
            terminal::say(&notification(line))?;
            bail!("it is still under way; `tidings push fix --id {id}` tells what it waits for");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether everybody who was meant was reached.
fn verdict(line: &Value) -> anyhow::Result<()> {
    let (mut reached, mut failed) = (0, 0);
    for outcome in line["outcomes"].as_array().into_iter().flatten() {
        let devices = outcome["devices"].as_i64().unwrap_or(0);
        match outcome["outcome"].as_str() {
            Some("Success" | "RefreshToken") => reached += devices,
            // The device gets the message through another of its registrations.
            Some("Skipped") => {}
            _ => failed += devices,
        }
    }
    let id = line["id"].as_str().unwrap_or_default();
    if failed > 0 {
        let all = reached + failed;
        bail!("{failed} of {all} devices were not reached; `tidings push fix --id {id}` tells why");
    }
    match (line["state"].as_str(), line["format"].as_str()) {
        (Some("Completed"), _) => Ok(()),
        (_, Some("template")) => bail!(
            "no device is meant: none has a template and the tags. Without --format the payload is for \
             templates; see `tidings push devices`"
        ),
        _ => bail!("no device is meant; `tidings push fix --id {id}` tells why"),
    }
}

/// Lists notifications with their outcomes.
///
/// # Errors
/// When the server does not answer, or has no such hub.
pub async fn outcomes(admin: &Admin, chosen: &Chosen, as_json: bool) -> anyhow::Result<()> {
    let found = admin.get(&chosen.path("/push/notifications", None)).await?;
    if !as_json && found.as_array().is_some_and(Vec::is_empty) {
        terminal::say("nothing was sent yet\n")?;
    }
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
            outcome["devices"].to_string(),
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
    let mut any = false;
    while left > 0 {
        let wanted = Chosen { limit: left.min(100), ..chosen.clone() };
        let page = admin.get(&wanted.path("/push/devices", after.as_deref())).await?;
        let found = page["devices"].as_array().cloned().unwrap_or_default();
        for it in &found {
            terminal::say(&if as_json { format!("{it}\n") } else { device(it) })?;
        }
        any |= !found.is_empty();
        left = left.saturating_sub(found.len());
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if !any && !as_json {
        terminal::say(&match &chosen.tag {
            Some(tag) => format!("no device has the tag {tag}\n"),
            None => "no device is registered\n".to_owned(),
        })?;
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
    let id = match text("installation") {
        "" => text("id").to_owned(),
        installation => format!("installation {installation}"),
    };
    let (platform, tags) = (text("platform"), text("tags"));
    let handle = format!("{}…", text("handle"));
    format!("{platform:<9} {handle:<10} {kind:<20} {id}  {tags}\n")
}

/// Walks the places where a notification can be dropped and says what to do about each: for one
/// notification, or for the latest of each hub.
///
/// # Errors
/// When the server does not answer, or has no such hub or notification.
pub async fn fix(admin: &Admin, chosen: &Chosen) -> anyhow::Result<()> {
    let hubs = admin.get("/push/hubs").await?;
    let hubs = hubs.as_array().cloned().unwrap_or_default();
    let mut found = false;
    for it in &hubs {
        let name = it["hub"].as_str().unwrap_or_default();
        let namespace = it["namespace"].as_str().unwrap_or_default();
        let is = |wanted: &Option<String>, own: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(own))
        };
        if !is(&chosen.hub, name) || !is(&chosen.namespace, namespace) {
            continue;
        }
        found = true;
        let of_hub = Chosen {
            hub: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            limit: 1,
            ..chosen.clone()
        };
        let send = admin.get(&of_hub.path("/push/notifications", None)).await?;
        terminal::say(&fix::findings(it, &send[0]))?;
    }
    if !found {
        let names: Vec<_> = hubs.iter().filter_map(|it| it["hub"].as_str()).collect();
        bail!("there is no such notification hub; there are: {}", names.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(state: &str, format: &str, outcomes: &[(&str, i64)]) -> Value {
        let outcome = |(name, devices): &(&str, i64)| json!({"outcome": name, "devices": devices});
        let outcomes: Vec<Value> = outcomes.iter().map(outcome).collect();
        json!({ "state": state, "format": format, "id": "i", "outcomes": outcomes })
    }

    #[test]
    fn a_send_that_did_not_reach_everybody_is_a_failure_that_says_so() {
        for (send, expected) in [
            (sent("Completed", "apple", &[("Success", 3), ("Skipped", 1)]), None),
            (
                sent("Completed", "apple", &[("Success", 3), ("ExpiredChannel", 2)]),
                Some("2 of 5 devices were not reached"),
            ),
            (sent("Abandoned", "apple", &[("AbandonedNotificationMessages", 2)]), Some("2 of 2")),
            (sent("NoTargetFound", "apple", &[]), Some("no device is meant")),
            (sent("NoTargetFound", "template", &[]), Some("--format")),
        ] {
            let said = verdict(&send).err().map(|error| error.to_string());
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            let (said, expected) = (said.unwrap_or_default(), expected.unwrap_or_default());
            assert!(said.contains(expected), "{expected} in {said}");
        }
    }
}
