//! Push types, and the topic that each asks for.
//!
//! A topic is the bundle id of the app and a suffix that belongs to the push type. A hub names the
//! bundle id, and may name a suffix with it, as hubs for one type do.

use serde_json::{Map, Value};

/// What a notification is for (`apns-push-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushType {
    /// Shown, or heard.
    Alert,
    /// Wakes the app without showing anything.
    Background,
    /// An incoming call, by PushKit.
    Voip,
    /// Data for a watch face.
    Complication,
    /// A change of files.
    FileProvider,
    /// A question for the place.
    Location,
    /// A Live Activity.
    LiveActivity,
    /// New content of widgets.
    Widgets,
    /// New state of controls.
    Controls,
    /// Push to Talk.
    PushToTalk,
}

impl PushType {
    /// Every push type that a token can be used for (`mdm` needs a certificate).
    pub const ALL: [Self; 10] = [
        Self::Alert,
        Self::Background,
        Self::Voip,
        Self::Complication,
        Self::FileProvider,
        Self::Location,
        Self::LiveActivity,
        Self::Widgets,
        Self::Controls,
        Self::PushToTalk,
    ];

    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Background => "background",
            Self::Voip => "voip",
            Self::Complication => "complication",
            Self::FileProvider => "fileprovider",
            Self::Location => "location",
            Self::LiveActivity => "liveactivity",
            Self::Widgets => "widgets",
            Self::Controls => "controls",
            Self::PushToTalk => "pushtotalk",
        }
    }

    /// The type of a header's value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// What its topic has after the bundle id.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Alert | Self::Background => "",
            Self::Voip => ".voip",
            Self::Complication => ".complication",
            Self::FileProvider => ".pushkit.fileprovider",
            Self::Location => ".location-query",
            Self::LiveActivity => ".push-type.liveactivity",
            Self::Widgets => ".push-type.widgets",
            Self::Controls => ".push-type.controls",
            Self::PushToTalk => ".voip-ptt",
        }
    }

    /// How large a payload may be, in bytes.
    pub fn payload_limit(self) -> usize {
        if self == Self::Voip { 5120 } else { 4096 }
    }

    /// The type that a topic's suffix stands for.
    pub fn of_topic(topic: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| !it.suffix().is_empty() && topic.ends_with(it.suffix()))
    }

    /// The type of a notification that names none: from the topic when its suffix says it, else from
    /// what is in `aps`.
    pub fn infer(topic: &str, payload: &Map<String, Value>) -> Self {
        if let Some(named) = Self::of_topic(topic) {
            return named;
        }
        let aps = payload.get("aps").and_then(Value::as_object);
        let has = |name: &str| aps.is_some_and(|aps| aps.contains_key(name));
        if has("content-state") && has("event") {
            return Self::LiveActivity;
        }
        let shows = ["alert", "badge", "sound"].into_iter().any(has);
        if has("content-available") && !shows { Self::Background } else { Self::Alert }
    }
}

/// The bundle id without the suffix of a push type.
pub fn bare(bundle_id: &str) -> &str {
    let suffix = PushType::of_topic(bundle_id).map_or("", PushType::suffix);
    bundle_id.strip_suffix(suffix).unwrap_or(bundle_id)
}

/// The topic for a push type in the app of `bundle_id`.
pub fn topic(bundle_id: &str, push_type: PushType) -> String {
    format!("{}{}", bare(bundle_id), push_type.suffix())
}

/// Whether a sender may ask for `topic`: it is the app's own, with the suffix of some push type.
pub fn belongs_to(topic: &str, bundle_id: &str) -> bool {
    topic == bundle_id || bare(topic) == bare(bundle_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "com.example.app";

    #[test]
    fn each_push_type_has_its_topic_whatever_suffix_the_hub_names() {
        for configured in [APP, "com.example.app.voip", "com.example.app.push-type.liveactivity"] {
            for push_type in PushType::ALL {
                let topic = topic(configured, push_type);
                assert_eq!(topic, format!("{APP}{}", push_type.suffix()));
                assert!(belongs_to(&topic, configured));
                assert_eq!(PushType::parse(push_type.as_str()), Some(push_type));
            }
        }
        assert_eq!(topic("com.example.app.voip", PushType::Alert), APP);
        assert_eq!(PushType::of_topic("com.example.app.voip-ptt"), Some(PushType::PushToTalk));
    }

    #[test]
    fn topics_of_other_apps_are_not_the_hubs_own() {
        for other in ["com.example.other", "com.example.app.beta", "com.example.app.beta.voip", ""]
        {
            assert!(!belongs_to(other, APP), "{other}");
        }
    }

    #[test]
    fn a_push_type_is_inferred_from_topic_and_payload() {
        use PushType::*;
        for (topic, payload, expected) in [
            (APP, r#"{"aps":{"alert":"x"}}"#, Alert),
            (APP, r#"{"aps":{"badge":1}}"#, Alert),
            (APP, r#"{"aps":{"content-available":1}}"#, Background),
            (APP, r#"{"aps":{"content-available":1,"sound":"x"}}"#, Alert),
            (APP, r#"{"x":1}"#, Alert),
            (APP, r#"{"aps":{"event":"update","content-state":{},"timestamp":1}}"#, LiveActivity),
            ("com.example.app.voip", r#"{"aps":{"alert":"x"}}"#, Voip),
            ("com.example.app.complication", r#"{}"#, Complication),
        ] {
            let payload = serde_json::from_str(payload).unwrap();
            assert_eq!(PushType::infer(topic, &payload), expected, "{topic} {payload:?}");
        }
    }
}
