//! The XML on the wire: registrations in Atom entries and feeds, outcomes, telemetry, feedback, errors.
//!
//! Reading takes members in any order. Writing has the order that the .NET client needs, which drops
//! what comes out of order without a word, and no white space between elements, which it stumbles
//! over. Empty members are left out: clients take them for values.

mod read;
mod report;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Submission, read_registration};
pub use report::{
    Details, Feedback, TestResult, write_details, write_error, write_feedback, write_outcome,
};
pub use write::{write_entry, write_feed};

use crate::Platform;

const ATOM: &str = "http://www.w3.org/2005/Atom";
const METADATA: &str = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata";
const SERVICE_BUS: &str = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The content type of an entry.
pub const ENTRY_TYPE: &str = "application/atom+xml; type=entry; charset=utf-8";
/// The content type of a feed.
pub const FEED_TYPE: &str = "application/atom+xml; type=feed; charset=utf-8";
/// The content type of everything else.
pub const XML_TYPE: &str = "application/xml; charset=utf-8";

/// The members that say which device it is, in order; each platform has its own.
const fn handle_members(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::Apple => &["DeviceToken"],
        Platform::Gcm => &["GcmRegistrationId"],
        Platform::FcmV1 => &["FcmV1RegistrationId"],
        Platform::Windows | Platform::Mpns => &["ChannelUri"],
        Platform::Adm => &["AdmRegistrationId"],
        Platform::Baidu => &["BaiduUserId", "BaiduChannelId"],
        Platform::Browser => &["Endpoint", "P256DH", "Auth"],
        Platform::Xiaomi => &["XiaomiRegistrationId"],
    }
}

/// The list of headers that a template of the platform has, and the element of one header.
const fn header_members(platform: Platform) -> Option<(&'static str, &'static str)> {
    match platform {
        Platform::Apple => Some(("ApnsHeaders", "ApnsHeader")),
        Platform::Windows => Some(("WnsHeaders", "WnsHeader")),
        Platform::Mpns => Some(("MpnsHeaders", "MpnsHeader")),
        _ => None,
    }
}

/// The one header of Baidu's templates, which is an element of its own: 0 for a message, 1 for a
/// notification.
const BAIDU_MESSAGE_TYPE: &str = "MessageType";
