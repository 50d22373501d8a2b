//! The push platforms, under the four names that each goes by.
//!
//! A device of any platform can be kept here, because a hub that moves in brings all its devices; not
//! every one can be sent to.

use crate::refusal::{bad_request, shown};
use kernel::Result;

/// A push platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Platform {
    /// Apple Push Notification service.
    Apple,
    /// Firebase Cloud Messaging, the retired legacy API.
    Gcm,
    /// Firebase Cloud Messaging, HTTP v1.
    FcmV1,
    /// Windows Push Notification Services.
    Windows,
    /// Microsoft Push Notification Service, for Windows Phone.
    Mpns,
    /// Amazon Device Messaging.
    Adm,
    /// Baidu Cloud Push.
    Baidu,
    /// Web Push.
    Browser,
    /// Xiaomi Push.
    Xiaomi,
}

/// The names of one platform, in the order of the accessors below.
struct Names {
    format: &'static str,
    installation: &'static str,
    element: &'static str,
    outcome: &'static str,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; 9] = [
        Self::Apple,
        Self::Gcm,
        Self::FcmV1,
        Self::Windows,
        Self::Mpns,
        Self::Adm,
        Self::Baidu,
        Self::Browser,
        Self::Xiaomi,
    ];

    const fn names(self) -> Names {
        let (format, installation, element, outcome) = match self {
            Self::Apple => ("apple", "apns", "Apple", "Apns"),
            Self::Gcm => ("gcm", "gcm", "Gcm", "Gcm"),
            Self::FcmV1 => ("fcmv1", "fcmv1", "FcmV1", "FcmV1"),
            Self::Windows => ("windows", "wns", "Windows", "Wns"),
            Self::Mpns => ("windowsphone", "mpns", "Mpns", "Mpns"),
            Self::Adm => ("adm", "adm", "Adm", "Adm"),
            Self::Baidu => ("baidu", "baidu", "Baidu", "Baidu"),
            Self::Browser => ("browser", "browser", "Browser", "Browser"),
            Self::Xiaomi => ("xiaomi", "xiaomi", "Xiaomi", "Xiaomi"),
        };
        Names { format, installation, element, outcome }
    }

    /// The name in the header `ServiceBusNotification-Format`, in outcomes and in the store: `apple`.
    pub const fn format(self) -> &'static str {
        self.names().format
    }

    /// The name in an installation: `apns`.
    pub const fn installation_name(self) -> &'static str {
        self.names().installation
    }

    /// What a registration's root element begins with: `Apple`.
    pub const fn element_prefix(self) -> &'static str {
        self.names().element
    }

    /// What the element of outcome counts begins with: `Apns`.
    pub const fn outcome_prefix(self) -> &'static str {
        self.names().outcome
    }

    /// Whether this server has a sender for it.
    pub const fn has_sender(self) -> bool {
        matches!(self, Self::Apple | Self::Gcm | Self::FcmV1 | Self::Browser)
    }

    /// What people are told who send to a platform without a sender.
    pub(crate) fn without_sender(self) -> String {
        let name = self.format();
        format!(
            "This server has no sender for the platform {name} yet: its devices are kept, but nothing is \
             sent to them."
        )
    }

    /// The platform of a `ServiceBusNotification-Format`, whatever its case; `template` is none.
    pub fn from_format(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.format().eq_ignore_ascii_case(name))
    }

    /// The platform of an installation, whatever its case. `fcm`, which old documents use, is the
    /// legacy API.
    ///
    /// # Errors
    /// `Invalid` with the names that there are.
    pub fn from_installation_name(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("fcm") {
            return Ok(Self::Gcm);
        }
        let found =
            Self::ALL.into_iter().find(|it| it.installation_name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::installation_name).join(", ");
            bad_request(format!(
                "The platform '{}' of the installation is unknown; expected one of {known}.",
                shown(name)
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_platform() {
        for platform in Platform::ALL {
            assert_eq!(Platform::from_format(&platform.format().to_uppercase()), Some(platform));
            let name = platform.installation_name().to_uppercase();
            assert_eq!(Platform::from_installation_name(&name).unwrap(), platform);
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        assert_eq!(Platform::from_format("template"), None);
        assert_eq!(Platform::from_format("fcm"), None, "the service refuses it too");
        let error = Platform::from_installation_name("palm\n").unwrap_err();
        assert!(error.message().contains("'palm\\n'") && error.message().contains("apns, gcm"));
    }
}
