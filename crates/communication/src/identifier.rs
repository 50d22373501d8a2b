//! Who is meant: raw ids and the JSON form of a communication identifier.
//!
//! A raw id says by its prefix what it names. Only users of this installation take part in chats; the
//! other kinds are read and written so that a refusal can name them.

use std::fmt;
use std::sync::Arc;

use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest raw id that is looked at, in bytes. Real ones have about 80.
const MAX_RAW_ID: usize = 256;

const USER: &str = "8:acs:";
/// Users of the service in its public, government and older forms.
const USER_PREFIXES: [&str; 4] = [USER, "8:gcch-acs:", "8:dod-acs:", "8:spool:"];

/// The id of somebody or something, such as `8:acs:<resource>_<user>`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RawId(Arc<str>);

impl RawId {
    /// A raw id as it was stored.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id of a user of a resource: both parts are GUIDs.
    pub fn user(resource: &str, user: &str) -> Self {
        Self(format!("{USER}{resource}_{user}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id without the `8:` that marks the network, as tokens and notifications carry it.
    pub fn without_network(&self) -> &str {
        self.0.strip_prefix("8:").unwrap_or(&self.0)
    }

    /// Whether this is a user of the resource with this immutable id.
    pub fn belongs_to(&self, resource: &str) -> bool {
        let rest = self.0.strip_prefix(USER).and_then(|rest| rest.strip_prefix(resource));
        rest.and_then(|rest| rest.strip_prefix('_')).is_some_and(|user| !user.is_empty())
    }

    /// The identifier object: `kind`, `rawId` and the model that the kind asks for.
    pub fn to_json(&self) -> Value {
        let raw = self.as_str();
        let teams = |prefix: &str, cloud: &str, anonymous: bool| {
            let user = &raw[prefix.len()..];
            json!({
                "kind": "microsoftTeamsUser", "rawId": raw,
                "microsoftTeamsUser": { "userId": user, "isAnonymous": anonymous, "cloud": cloud },
            })
        };
        if USER_PREFIXES.iter().any(|prefix| raw.starts_with(prefix)) {
            return json!({
                "kind": "communicationUser", "rawId": raw, "communicationUser": { "id": raw },
            });
        }
        if let Some(number) = raw.strip_prefix("4:") {
            return json!({
                "kind": "phoneNumber", "rawId": raw, "phoneNumber": { "value": number },
            });
        }
        for (prefix, cloud) in TEAMS_CLOUDS {
            if raw.starts_with(prefix) {
                return teams(prefix, cloud, false);
            }
        }
        if raw.starts_with(TEAMS_VISITOR) {
            return teams(TEAMS_VISITOR, "public", true);
        }
        json!({ "kind": "unknown", "rawId": raw })
    }

    /// Reads an identifier object. `target` names its place in the request for the refusal.
    ///
    /// # Errors
    /// `Invalid` when the object names nobody, or several.
    pub fn from_model(model: &IdentifierModel, target: &'static str) -> Result<Self> {
        let wrong = |what: &str| {
            let message = format!(
                "The identifier is wrong: {what}. It is an object such as \
                 {{\"communicationUser\":{{\"id\":\"8:acs:…\"}}}}."
            );
            Err(Error::new(ErrorKind::Invalid, "BadRequest", message).target(target))
        };
        let nested = [
            model.communication_user.as_ref().map(|user| user.id.clone()),
            model.phone_number.as_ref().map(|phone| format!("4:{}", phone.value)),
            model.microsoft_teams_user.as_ref().map(TeamsUser::raw_id),
            model.microsoft_teams_app.as_ref().map(|app| format!("28:orgid:{}", app.app_id)),
        ];
        let mut nested = nested.into_iter().flatten();
        let (first, second) = (nested.next(), nested.next());
        if second.is_some() {
            return wrong("it names more than one kind of participant");
        }
        let raw = model.raw_id.as_ref().filter(|raw| !raw.is_empty());
        if let (Some(raw), Some(IdHolder { id })) = (raw, &model.communication_user)
            && raw != id
        {
            return wrong("rawId and communicationUser.id differ");
        }
        match raw.or(first.as_ref()) {
            None => wrong("it has neither rawId nor a nested model"),
            Some(raw) if raw.is_empty() => wrong("the id is empty"),
            Some(raw) if raw.len() > MAX_RAW_ID => wrong("the id is longer than 256 bytes"),
            Some(raw) if raw.chars().any(char::is_control) => {
                wrong("the id holds a control character")
            }
            Some(raw) => Ok(Self::new(raw.as_str())),
        }
    }
}

impl fmt::Display for RawId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

const TEAMS_CLOUDS: [(&str, &str); 3] =
    [("8:orgid:", "public"), ("8:dod:", "dod"), ("8:gcch:", "gcch")];
const TEAMS_VISITOR: &str = "8:teamsvisitor:";

/// An identifier as callers send it: a raw id, a nested model, or both.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IdentifierModel {
    raw_id: Option<String>,
    communication_user: Option<IdHolder>,
    phone_number: Option<PhoneNumber>,
    microsoft_teams_user: Option<TeamsUser>,
    microsoft_teams_app: Option<TeamsApp>,
}

#[derive(Clone, Debug, Deserialize)]
struct IdHolder {
    id: String,
}

#[derive(Clone, Debug, Deserialize)]
struct PhoneNumber {
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TeamsUser {
    user_id: String,
    #[serde(default)]
    is_anonymous: bool,
    #[serde(default)]
    cloud: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TeamsApp {
    app_id: String,
}

impl TeamsUser {
    fn raw_id(&self) -> String {
        let cloud = self.cloud.as_deref().unwrap_or("public");
        let of_cloud = TEAMS_CLOUDS.iter().find(|(_, name)| *name == cloud);
        let prefix = match (self.is_anonymous, of_cloud) {
            (true, _) => TEAMS_VISITOR,
            (false, Some((prefix, _))) => prefix,
            (false, None) => TEAMS_CLOUDS[0].0,
        };
        format!("{prefix}{}", self.user_id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: Value) -> Result<RawId> {
        RawId::from_model(&serde_json::from_value(json).unwrap(), "id")
    }

    #[test]
    fn raw_id_nested_model_or_both_name_the_same_user() {
        for json in [
            json!({ "rawId": "8:acs:r_u" }),
            json!({ "communicationUser": { "id": "8:acs:r_u" } }),
            json!({ "kind": "communicationUser", "rawId": "8:acs:r_u",
                    "communicationUser": { "id": "8:acs:r_u" } }),
        ] {
            assert_eq!(read(json).unwrap().as_str(), "8:acs:r_u");
        }
    }

    #[test]
    fn nobody_and_several_are_refused_with_their_place() {
        for json in [
            json!({}),
            json!({ "rawId": "" }),
            json!({ "rawId": "a\nb" }),
            json!({ "rawId": "8:acs:a", "communicationUser": { "id": "8:acs:b" } }),
            json!({ "communicationUser": { "id": "8:acs:a" }, "phoneNumber": { "value": "+1" } }),
        ] {
            assert_eq!(read(json).unwrap_err().target_name(), Some("id"));
        }
    }

    #[test]
    fn every_kind_is_written_with_the_fields_that_clients_insist_on() {
        for (raw, kind) in [
            ("8:acs:r_u", "communicationUser"),
            ("8:spool:r_u", "communicationUser"),
            ("4:+49301234", "phoneNumber"),
            ("8:orgid:u", "microsoftTeamsUser"),
            ("8:teamsvisitor:u", "microsoftTeamsUser"),
            ("28:app", "unknown"),
        ] {
            let json = RawId::new(raw).to_json();
            assert_eq!((json["kind"].as_str(), json["rawId"].as_str()), (Some(kind), Some(raw)));
        }
        assert_eq!(RawId::new("4:+49").to_json()["phoneNumber"]["value"], "+49");
        assert_eq!(RawId::new("8:dod:u").to_json()["microsoftTeamsUser"]["cloud"], "dod");
    }

    #[test]
    fn only_users_of_a_resource_belong_to_it() {
        assert!(RawId::user("r", "u").belongs_to("r"));
        for stranger in ["8:acs:other_u", "8:acs:r_", "8:acs:ru", "8:orgid:r_u", "r_u"] {
            assert!(!RawId::new(stranger).belongs_to("r"), "{stranger}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            raw in "(8:acs:|8:orgid:|8:dod:|8:gcch:|8:teamsvisitor:|4:|x)[a-z0-9_+-]{1,20}"
        ) {
            let id = RawId::new(raw);
            prop_assert_eq!(read(id.to_json()).unwrap(), id);
        }
    }
}
