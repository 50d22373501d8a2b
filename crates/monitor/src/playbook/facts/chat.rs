//! Who should have been told of chat messages, and what stands between.

use kernel::Timestamp;

/// Those who should have been told in the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// The user asked about, or whoever messages were for, bounded.
    pub receivers: Vec<Receiver>,
    /// Whether there were more than are listed.
    pub more: bool,
}

/// One user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiver {
    /// The raw id.
    pub user: String,
    /// Whether the identity exists.
    pub exists: bool,
    /// Messages of others in the window, in threads that the user is in.
    pub messages: u64,
    /// Open connections for notifications.
    pub connected: u64,
    /// When the latest registration for notifications ends, or has ended.
    pub registered_until: Option<Timestamp>,
    /// Devices that are to be pushed to.
    pub phones: Vec<Phone>,
}

/// A device that is to be pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Its registration id.
    pub id: String,
    /// `apple` or `fcmv1`.
    pub platform: String,
    /// When its registration ends, or has ended.
    pub expires: Timestamp,
}

/// A registration that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapsed {
    /// What was registered.
    pub what: String,
    /// The registration id, of a device.
    pub device: Option<String>,
    /// When it ended.
    pub at: Timestamp,
}

impl Receiver {
    /// Whether anything reaches the user at `now`.
    pub(crate) fn is_reachable(&self, now: Timestamp) -> bool {
        self.connected > 0 || self.phones.iter().any(|phone| phone.expires > now)
    }

    /// What of the user's registrations has ended, while none is left that holds.
    pub(crate) fn lapsed(&self, now: Timestamp) -> Vec<Lapsed> {
        let mut lapsed = Vec::new();
        if let Some(at) = self.registered_until.filter(|at| *at <= now)
            && self.connected == 0
        {
            lapsed.push(Lapsed { what: "real-time registration".to_owned(), device: None, at });
        }
        let over = self.phones.iter().filter(|phone| phone.expires <= now);
        lapsed.extend(over.map(|phone| Lapsed {
            what: format!("{} device '{}'", phone.platform, phone.id),
            device: Some(phone.id.clone()),
            at: phone.expires,
        }));
        lapsed
    }
}

/// Whether a user is in a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// The thread.
    pub thread: String,
    /// The user.
    pub user: String,
    /// Whether the thread exists.
    pub thread_exists: bool,
    /// Whether the user is in it now.
    pub is_member: bool,
    /// When the user was removed, if that is so.
    pub left: Option<Timestamp>,
}

/// How clients have answered one kind of notification since the server was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The notification, such as `chatMessageReceived`.
    pub event: String,
    /// Taken by the client.
    pub handled: u64,
    /// Answered with 404: nothing in the client took it.
    pub unhandled: u64,
    /// Answered with anything else.
    pub failed: u64,
}
