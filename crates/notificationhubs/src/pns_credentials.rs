//! The credentials of a hub for push services, as management calls write them:
//! `{"apnsCredential": {"properties": {…}}, …}`.
//!
//! Those that this server can send with are checked when they are set; the others are kept as they
//! are, because a hub that moves in brings them all.

use kernel::{Error, ErrorKind, Result, Secret};
use serde_json::{Map, Value};

use crate::Platform;
use crate::push::apns::{ApnsCredential, ApnsFields};
use crate::push::fcm::{FcmCredential, FcmEndpoints, FcmFields};
use crate::push::webpush::{VapidCredential, VapidFields};
use crate::refusal::bad_request;

/// The names that management has for credentials, beside their platforms.
const NAMES: [(&str, Platform); 9] = [
    ("apnsCredential", Platform::Apple),
    ("wnsCredential", Platform::Windows),
    ("gcmCredential", Platform::Gcm),
    ("mpnsCredential", Platform::Mpns),
    ("admCredential", Platform::Adm),
    ("baiduCredential", Platform::Baidu),
    ("browserCredential", Platform::Browser),
    ("xiaomiCredential", Platform::Xiaomi),
    ("fcmV1Credential", Platform::FcmV1),
];

/// The credentials of one hub.
#[derive(Clone, Debug, Default)]
pub struct PnsCredentials(Map<String, Value>);

/// A credential that messages can be sent with.
#[derive(Clone, Debug)]
pub enum Usable {
    /// Of Apple.
    Apns(ApnsCredential),
    /// Of Google.
    Fcm(FcmCredential),
    /// Of browsers.
    Browser(VapidCredential),
}

impl PnsCredentials {
    /// Reads them; members that are no credentials are passed over, those that are null are absent.
    ///
    /// # Errors
    /// `Invalid` when a credential is no object with `properties`.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|_| bad_request("The credentials of a notification hub are a JSON object."))?;
        Self::from_value(&value)
    }

    /// As [`PnsCredentials::parse`], from what has been read.
    ///
    /// # Errors
    /// As [`PnsCredentials::parse`].
    pub fn from_value(value: &Value) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(bad_request("The credentials of a notification hub are a JSON object."));
        };
        let mut kept = Map::new();
        for (name, value) in members {
            let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let Some((known, _)) = known else { continue };
            match value.get("properties") {
                _ if value.is_null() => {}
                Some(Value::Object(_)) => {
                    kept.insert((*known).to_owned(), value.clone());
                }
                _ => {
                    return Err(bad_request(format!(
                        "{known} has no properties; expected {{\"{known}\": {{\"properties\": \
                         {{…}}}}}}."
                    )));
                }
            }
        }
        Ok(Self(kept))
    }

    /// What `changes` gives replaces what is here; what it does not name stays.
    #[must_use]
    pub fn merged(mut self, changes: Self) -> Self {
        self.0.extend(changes.0);
        self
    }

    /// All but those of some platforms.
    #[must_use]
    pub fn without(mut self, platforms: &[Platform]) -> Self {
        for (name, _) in NAMES.iter().filter(|(_, platform)| platforms.contains(platform)) {
            self.0.remove(*name);
        }
        self
    }

    /// The platforms whose credentials a change takes away: those that are null.
    pub fn nulls(changes: &Value) -> Vec<Platform> {
        let is_null = |name: &str| {
            let mut members = changes.as_object().into_iter().flatten();
            members.any(|(own, value)| own.eq_ignore_ascii_case(name) && value.is_null())
        };
        NAMES.iter().filter(|(name, _)| is_null(name)).map(|(_, platform)| *platform).collect()
    }

    /// Checks those that this server sends with.
    ///
    /// # Errors
    /// `Invalid` names the field that is wrong.
    pub fn check(&self, fcm: &FcmEndpoints) -> Result<()> {
        for platform in [Platform::Apple, Platform::FcmV1, Platform::Browser] {
            self.usable(platform, fcm).transpose()?;
        }
        Ok(())
    }

    /// The credential that a platform's devices are reached with. Devices of the retired FCM API have
    /// the same tokens as those of FCM v1 and are reached with its credential.
    pub fn usable(&self, platform: Platform, fcm: &FcmEndpoints) -> Option<Result<Usable>> {
        let platform = if platform == Platform::Gcm { Platform::FcmV1 } else { platform };
        let fields = self.fields(platform)?;
        let text = |name: &str| text_of(fields, name).unwrap_or_default();
        let secret = |name: &str| Secret::new(text(name));
        match platform {
            Platform::Apple => Some(apns(fields).map(Usable::Apns)),
            Platform::FcmV1 => {
                let fields = FcmFields {
                    client_email: text("clientEmail"),
                    private_key: secret("privateKey"),
                    project_id: text("projectId"),
                };
                Some(FcmCredential::parse(&fields, fcm.clone()).map(Usable::Fcm))
            }
            Platform::Browser => {
                let fields = VapidFields {
                    subject: text("subject"),
                    public_key: text("vapidPublicKey"),
                    private_key: secret("vapidPrivateKey"),
                };
                Some(VapidCredential::parse(&fields).map(Usable::Browser))
            }
            _ => Some(Err(Error::new(
                ErrorKind::Invalid,
                "40000",
                format!(
                    "This server does not send to the push service of the platform {} yet.",
                    platform.format()
                ),
            ))),
        }
    }

    /// The platforms that there are credentials for.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> {
        NAMES.iter().filter(|(name, _)| self.0.contains_key(*name)).map(|(_, platform)| *platform)
    }

    /// The text that is kept; a secret as a whole.
    pub fn to_secret(&self) -> Secret {
        Secret::new(Value::Object(self.0.clone()).to_string())
    }

    /// As management shows them to who asks for credentials.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    fn fields(&self, platform: Platform) -> Option<&Map<String, Value>> {
        let (name, _) = NAMES.iter().find(|(_, it)| *it == platform)?;
        self.0.get(*name)?.get("properties")?.as_object()
    }
}

fn apns(fields: &Map<String, Value>) -> Result<ApnsCredential> {
    let text = |name: &str| text_of(fields, name).unwrap_or_default();
    let token = text_of(fields, "token").filter(|it| !it.trim().is_empty());
    ApnsCredential::parse(&ApnsFields {
        endpoint: text("endpoint"),
        key_id: text("keyId"),
        app_name: text("appName"),
        app_id: text("appId"),
        token: token.map(Secret::new),
        has_certificate: !text("apnsCertificate").is_empty(),
    })
}

/// A field by its name, whatever its case: clients differ.
fn text_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let found = fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Accounts;

    #[test]
    fn credentials_of_management_calls_can_be_sent_with() {
        let accounts = Accounts::generate();
        let text = serde_json::json!({
            "apnsCredential": {"properties": {
                "endpoint": "https://api.sandbox.push.apple.com:443/3/device",
                "keyId": accounts.apns.key_id, "appId": accounts.apns.app_id,
                "appName": accounts.apns.app_name, "token": accounts.apns.token,
            }},
            "FcmV1Credential": {"properties": accounts.fcm_v1},
            "browserCredential": {"properties": accounts.browser},
            "admCredential": null,
        });
        let credentials = PnsCredentials::parse(&text.to_string()).unwrap();
        let fcm = FcmEndpoints::default();
        credentials.check(&fcm).unwrap();
        assert!(matches!(
            credentials.usable(Platform::Gcm, &fcm).unwrap().unwrap(),
            Usable::Fcm(_)
        ));
        assert!(credentials.usable(Platform::Adm, &fcm).is_none());
        assert_eq!(credentials.platforms().count(), 3);
    }

    #[test]
    fn what_is_not_named_in_a_change_stays() {
        let parse = |text| PnsCredentials::parse(text).unwrap();
        let old = parse(r#"{"gcmCredential":{"properties":{"googleApiKey":"a"}}}"#);
        let new = old.merged(parse(r#"{"admCredential":{"properties":{}}}"#));
        assert_eq!(new.platforms().collect::<Vec<_>>(), [Platform::Gcm, Platform::Adm]);
    }

    #[test]
    fn what_is_null_in_a_change_is_taken_away() {
        let changes = serde_json::json!({ "GcmCredential": null, "admCredential": {} });
        assert_eq!(PnsCredentials::nulls(&changes), [Platform::Gcm]);
        let old = r#"{"gcmCredential":{"properties":{}},"admCredential":{"properties":{}}}"#;
        let left = PnsCredentials::parse(old).unwrap().without(&[Platform::Gcm]);
        assert_eq!(left.platforms().collect::<Vec<_>>(), [Platform::Adm]);
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        for text in
            ["[]", "x", r#"{"apnsCredential":{}}"#, r#"{"apnsCredential":{"properties":1}}"#]
        {
            assert!(PnsCredentials::parse(text).is_err(), "{text}");
        }
    }
}
