//! The metrics that the service documents, under the names by which people and clients know them, and
//! what each is the sum of. Names hold dots; they are never taken apart.
//!
//! FCM v1 and browsers are not in the documents, which are older than both; they have the names that
//! their neighbours suggest. Platforms that nothing can be sent to yet have their names too, and stay 0.

use super::{Measure, Request};
use crate::Platform;
use crate::push::OutcomeName;

/// A documented metric. Its unit is a count, and it has no dimension but the notification hub.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in the resource provider `Microsoft.NotificationHubs/namespaces/notificationHubs`.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// What it tells.
    pub help: &'static str,
    pub(super) of: Measure,
}

/// How a metric behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows from the start of the server on.
    Counter,
    /// The present state.
    Gauge,
}

const fn requests(name: &'static str, of: &'static [Request], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help, of: Measure::Accepted(of) }
}

/// A metric of outcomes: what its last part means is the same for every platform but for a few words.
const fn pushes(
    name: &'static str,
    platform: Platform,
    of: &'static [OutcomeName],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, help, of: Measure::Pushes(Some(platform), of) }
}

const fn all_pushes(name: &'static str, of: &'static [OutcomeName], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, help, of: Measure::Pushes(None, of) }
}

use OutcomeName as O;
use Platform::{Apple, Browser, FcmV1, Gcm, Mpns, Windows};
use Request as R;

const TAKEN: &[O] = &[O::Success, O::RefreshToken];
const BAD: &[O] = &[O::BadChannel];
const EXPIRED: &[O] = &[O::ExpiredChannel];
const WRONG: &[O] = &[O::WrongChannel];
const OFFLINE: &[O] = &[O::ChannelDisconnected];
const DROPPED: &[O] = &[O::Dropped];
const BUSY: &[O] = &[O::Throttled];
const BUSY_AT_ALL: &[O] = &[O::Throttled, O::ChannelThrottled];
const BUSY_CHANNEL: &[O] = &[O::ChannelThrottled];
const CREDENTIALS: &[O] = &[O::InvalidCredentials];
const ANY_CREDENTIAL: &[O] = &[O::InvalidCredentials, O::InvalidToken, O::WrongToken];
const AUTHENTICATION: &[O] = &[O::InvalidToken, O::WrongToken];
const TOKEN: &[O] = &[O::InvalidToken];
const OTHER_APP: &[O] = &[O::WrongToken];
const NO_TOKENS: &[O] = &[O::TokenProviderUnreachable];
const FORMAT: &[O] = &[O::InvalidNotificationFormat];
const SIZE: &[O] = &[O::InvalidNotificationSize];
const PAYLOAD: &[O] = &[O::InvalidNotificationFormat, O::InvalidNotificationSize];
const GONE: &[O] = &[O::BadChannel, O::ExpiredChannel];
const CHANNEL: &[O] = &[
    O::BadChannel,
    O::ExpiredChannel,
    O::WrongChannel,
    O::WrongToken,
    O::ChannelThrottled,
    O::ChannelDisconnected,
];
/// Where the platform has no metric of its own for access tokens that are not to be had.
const SERVICE: &[O] = &[
    O::PnsUnreachable,
    O::PnsInterfaceError,
    O::PnsServerError,
    O::PnsUnavailable,
    O::TokenProviderUnreachable,
    O::TokenProviderInterfaceError,
    O::UnknownError,
];

const IS_TAKEN: &str = "Pushes that the push service has taken";
const IS_BAD: &str = "Pushes to handles that are malformed or were never valid";
const IS_EXPIRED: &str = "Pushes to handles that were valid once";
const IS_WRONG: &str = "Pushes to handles of another app";
const IS_OFFLINE: &str = "Pushes to devices that are offline";
const IS_DROPPED: &str = "Pushes that the push service has discarded";
const IS_BUSY: &str = "Pushes that were too many for the push service";
const IS_BUSY_CHANNEL: &str = "Pushes that were too many for the device";
const IS_REFUSED: &str = "Pushes whose credential the push service refuses";
const IS_UNPROVEN: &str = "Pushes whose access token the push service refuses for the handle";
const IS_OTHER_APP: &str = "Pushes with an access token of another app than the handle";
const IS_TOKEN: &str = "Pushes whose access token the push service calls invalid";
const IS_NO_TOKENS: &str = "Pushes for which no access token was to be had";
const IS_FORMAT: &str = "Pushes whose payload or headers the push service refuses";
const IS_SIZE: &str = "Pushes whose payload is too large";
const IS_SERVICE: &str = "Pushes that failed at the push service or on the way to it";

/// Every documented metric.
pub const METRICS: &[Metric] = &[
    requests("incoming", &[R::Send, R::Schedule], "Sends that were accepted"),
    Metric {
        name: "incoming.all.requests",
        kind: Kind::Counter,
        help: "All requests",
        of: Measure::Requests,
    },
    Metric {
        name: "incoming.all.failedrequests",
        kind: Kind::Counter,
        help: "Requests that were refused or failed",
        of: Measure::Failed,
    },
    requests("incoming.scheduled", &[R::Schedule], "Scheduled sends that were accepted"),
    requests("incoming.scheduled.cancel", &[R::Cancel], "Scheduled sends that were taken back"),
    Metric {
        name: "scheduled.pending",
        kind: Kind::Gauge,
        help: "Scheduled sends that wait for their time",
        of: Measure::Scheduled,
    },
    requests(
        "installation.all",
        &[R::InstallationGet, R::InstallationPut, R::InstallationPatch, R::InstallationDelete],
        "Operations on installations",
    ),
    requests("installation.get", &[R::InstallationGet], "Installations that were read"),
    requests("installation.upsert", &[R::InstallationPut], "Installations made or replaced"),
    requests("installation.patch", &[R::InstallationPatch], "Installations changed in parts"),
    requests("installation.delete", &[R::InstallationDelete], "Installations deleted"),
    requests(
        "registration.all",
        &[R::RegistrationCreate, R::RegistrationPut, R::RegistrationGet, R::RegistrationDelete],
        "Operations on registrations",
    ),
    requests("registration.create", &[R::RegistrationCreate], "Registrations made"),
    requests("registration.update", &[R::RegistrationPut], "Registrations made or replaced by id"),
    requests("registration.get", &[R::RegistrationGet], "Registrations read or listed"),
    requests("registration.delete", &[R::RegistrationDelete], "Registrations deleted"),
    Metric {
        name: "notificationhub.pushes",
        kind: Kind::Counter,
        help: "Pushes that were attempted",
        of: Measure::AllPushes,
    },
    all_pushes("outgoing.allpns.success", TAKEN, IS_TAKEN),
    all_pushes("outgoing.allpns.badorexpiredchannel", GONE, "Pushes to handles that are not valid"),
    all_pushes("outgoing.allpns.channelerror", CHANNEL, "Pushes that failed for their handle"),
    all_pushes("outgoing.allpns.invalidpayload", PAYLOAD, "Pushes that failed for their payload"),
    all_pushes("outgoing.allpns.pnserror", SERVICE, IS_SERVICE),
    pushes("outgoing.apns.success", Apple, TAKEN, IS_TAKEN),
    pushes("outgoing.apns.badchannel", Apple, BAD, IS_BAD),
    pushes("outgoing.apns.expiredchannel", Apple, EXPIRED, IS_EXPIRED),
    pushes("outgoing.apns.invalidcredentials", Apple, ANY_CREDENTIAL, IS_REFUSED),
    pushes("outgoing.apns.invalidnotificationsize", Apple, SIZE, IS_SIZE),
    pushes("outgoing.apns.pnserror", Apple, SERVICE, IS_SERVICE),
    pushes("outgoing.gcm.success", Gcm, TAKEN, IS_TAKEN),
    pushes("outgoing.gcm.authenticationerror", Gcm, AUTHENTICATION, IS_UNPROVEN),
    pushes("outgoing.gcm.badchannel", Gcm, BAD, IS_BAD),
    pushes("outgoing.gcm.expiredchannel", Gcm, EXPIRED, IS_EXPIRED),
    pushes("outgoing.gcm.invalidcredentials", Gcm, CREDENTIALS, IS_REFUSED),
    pushes("outgoing.gcm.invalidnotificationformat", Gcm, FORMAT, IS_FORMAT),
    pushes("outgoing.gcm.invalidnotificationsize", Gcm, SIZE, IS_SIZE),
    pushes("outgoing.gcm.pnserror", Gcm, SERVICE, IS_SERVICE),
    pushes("outgoing.gcm.throttled", Gcm, BUSY_AT_ALL, IS_BUSY),
    pushes("outgoing.gcm.wrongchannel", Gcm, WRONG, IS_WRONG),
    pushes("outgoing.fcmv1.success", FcmV1, TAKEN, IS_TAKEN),
    pushes("outgoing.fcmv1.authenticationerror", FcmV1, AUTHENTICATION, IS_UNPROVEN),
    pushes("outgoing.fcmv1.badchannel", FcmV1, BAD, IS_BAD),
    pushes("outgoing.fcmv1.expiredchannel", FcmV1, EXPIRED, IS_EXPIRED),
    pushes("outgoing.fcmv1.invalidcredentials", FcmV1, CREDENTIALS, IS_REFUSED),
    pushes("outgoing.fcmv1.invalidnotificationformat", FcmV1, FORMAT, IS_FORMAT),
    pushes("outgoing.fcmv1.invalidnotificationsize", FcmV1, SIZE, IS_SIZE),
    pushes("outgoing.fcmv1.pnserror", FcmV1, SERVICE, IS_SERVICE),
    pushes("outgoing.fcmv1.throttled", FcmV1, BUSY_AT_ALL, IS_BUSY),
    pushes("outgoing.fcmv1.wrongchannel", FcmV1, WRONG, IS_WRONG),
    pushes("outgoing.browser.success", Browser, TAKEN, IS_TAKEN),
    pushes("outgoing.browser.badchannel", Browser, BAD, IS_BAD),
    pushes("outgoing.browser.expiredchannel", Browser, EXPIRED, IS_EXPIRED),
    pushes("outgoing.browser.invalidcredentials", Browser, ANY_CREDENTIAL, IS_REFUSED),
    pushes("outgoing.browser.invalidnotificationformat", Browser, FORMAT, IS_FORMAT),
    pushes("outgoing.browser.invalidnotificationsize", Browser, SIZE, IS_SIZE),
    pushes("outgoing.browser.pnserror", Browser, SERVICE, IS_SERVICE),
    pushes("outgoing.browser.throttled", Browser, BUSY_AT_ALL, IS_BUSY),
    pushes("outgoing.wns.success", Windows, TAKEN, IS_TAKEN),
    pushes("outgoing.wns.authenticationerror", Windows, AUTHENTICATION, IS_UNPROVEN),
    pushes("outgoing.wns.badchannel", Windows, BAD, IS_BAD),
    pushes("outgoing.wns.channeldisconnected", Windows, OFFLINE, IS_OFFLINE),
    pushes("outgoing.wns.channelthrottled", Windows, BUSY_CHANNEL, IS_BUSY_CHANNEL),
    pushes("outgoing.wns.dropped", Windows, DROPPED, IS_DROPPED),
    pushes("outgoing.wns.expiredchannel", Windows, EXPIRED, IS_EXPIRED),
    pushes("outgoing.wns.invalidcredentials", Windows, CREDENTIALS, IS_REFUSED),
    pushes("outgoing.wns.invalidnotificationformat", Windows, FORMAT, IS_FORMAT),
    pushes("outgoing.wns.invalidnotificationsize", Windows, SIZE, IS_SIZE),
    pushes("outgoing.wns.invalidtoken", Windows, TOKEN, IS_TOKEN),
    pushes("outgoing.wns.pnserror", Windows, SERVICE, IS_SERVICE),
    pushes("outgoing.wns.throttled", Windows, BUSY, IS_BUSY),
    pushes("outgoing.wns.tokenproviderunreachable", Windows, NO_TOKENS, IS_NO_TOKENS),
    pushes("outgoing.wns.wrongtoken", Windows, OTHER_APP, IS_OTHER_APP),
    pushes("outgoing.mpns.success", Mpns, TAKEN, IS_TAKEN),
    pushes("outgoing.mpns.authenticationerror", Mpns, AUTHENTICATION, IS_UNPROVEN),
    pushes("outgoing.mpns.badchannel", Mpns, BAD, IS_BAD),
    pushes("outgoing.mpns.channeldisconnected", Mpns, OFFLINE, IS_OFFLINE),
    pushes("outgoing.mpns.dropped", Mpns, DROPPED, IS_DROPPED),
    pushes("outgoing.mpns.invalidcredentials", Mpns, CREDENTIALS, IS_REFUSED),
    pushes("outgoing.mpns.invalidnotificationformat", Mpns, FORMAT, IS_FORMAT),
    pushes("outgoing.mpns.pnserror", Mpns, SERVICE, IS_SERVICE),
    pushes("outgoing.mpns.throttled", Mpns, BUSY_AT_ALL, IS_BUSY),
];
