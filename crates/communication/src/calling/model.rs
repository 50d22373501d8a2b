//! A call: the connections through which applications hold it, and the people in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use crate::identifier::RawId;

/// One call, as it is stored.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) resource: String,
    pub(crate) correlation: String,
    /// Who calls: a user, or the application that began it.
    pub(crate) from: String,
    pub(crate) display_name: Option<String>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) people: Vec<Person>,
    /// In microseconds; set when the first one answers.
    pub(crate) started: Option<i64>,
    pub(crate) ended: bool,
    /// The journey that it is recorded in, of the request that began it.
    #[serde(default)]
    pub(crate) trace: Option<String>,
}

/// How an application holds a call.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) callback: Option<String>,
    pub(crate) operation_context: Option<String>,
    pub(crate) state: State,
    /// For whom it answered; the one that began the call stands for nobody.
    pub(crate) answered_for: Option<String>,
    /// Counts the lists of participants that it was told.
    pub(crate) sequence: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    Connecting,
    Connected,
    Disconnected,
}

/// Somebody who is in a call, or may come.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) standing: Standing,
    pub(crate) muted: bool,
    /// Whether the last ringing was missed.
    #[serde(default)]
    pub(crate) missed: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Standing {
    Ringing(Invitation),
    Joined,
    Gone,
}

/// A ringing.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Invitation {
    pub(crate) secret: String,
    /// In microseconds.
    pub(crate) until: i64,
    /// Set when somebody was added to a call that was there already.
    pub(crate) added: Option<Added>,
}

/// Who is told how an addition ends.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Added {
    pub(crate) invitation_id: String,
    pub(crate) connection: String,
    pub(crate) callback: Option<String>,
    pub(crate) operation_context: Option<String>,
}

impl Call {
    /// As the outside names the call. Azure writes a URL in base64; clients take it as it is.
    pub(crate) fn server_call_id(&self) -> String {
        STANDARD.encode(format!("tidings:call/{}", self.id))
    }

    pub(crate) fn from(&self) -> RawId {
        RawId::new(self.from.as_str())
    }

    pub(crate) fn connection(&self, id: &str) -> Option<&Connection> {
        self.connections.iter().find(|it| it.id == id)
    }

    pub(crate) fn person(&self, id: &RawId) -> Option<&Person> {
        self.people.iter().find(|it| it.id == id.as_str())
    }

    pub(crate) fn joined(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|it| it.standing == Standing::Joined)
    }

    /// When the next ringing ends.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let untils = self.people.iter().filter_map(|it| it.invitation()).map(|it| it.until);
        untils.min().map(Timestamp::from_micros)
    }

    /// `CallConnectionProperties`
    pub(crate) fn properties(&self, connection: &Connection) -> Value {
        let targets: Vec<Value> =
            self.people.iter().map(|it| RawId::new(it.id.as_str()).to_json()).collect();
        let mut json = json!({
            "callConnectionId": connection.id,
            "serverCallId": self.server_call_id(),
            "correlationId": self.correlation,
            "callConnectionState": connection.state,
            "targets": targets,
        });
        for (name, value) in [
            ("callbackUri", connection.callback.as_deref()),
            ("sourceDisplayName", self.display_name.as_deref()),
        ] {
            if let Some(value) = value {
                json[name] = value.into();
            }
        }
        if self.from.starts_with("8:") {
            json["source"] = self.from().to_json();
        }
        if let Some(user) = &connection.answered_for {
            json["answeredBy"] = json!({ "id": user });
        }
        json
    }
}

impl Person {
    pub(crate) fn raw(&self) -> RawId {
        RawId::new(self.id.as_str())
    }

    pub(crate) fn invitation(&self) -> Option<&Invitation> {
        match &self.standing {
            Standing::Ringing(invitation) => Some(invitation),
            _ => None,
        }
    }

    /// The word that ends this person's ringing.
    pub(crate) fn context(&self, call: &Call) -> Option<Context> {
        let secret = self.invitation()?.secret.clone();
        Some(Context { call: call.id.clone(), secret })
    }

    /// `CallParticipant`
    pub(crate) fn to_json(&self) -> Value {
        json!({ "identifier": self.raw().to_json(), "isMuted": self.muted, "isOnHold": false })
    }
}
