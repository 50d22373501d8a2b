//! A registration as a client sends it.

use kernel::Result;

use super::{BAIDU_MESSAGE_TYPE, handle_members, header_members};
use crate::refusal::{bad_request, shown};
use crate::registration::Description;
use crate::tag::{Tag, TagSet};
use crate::template::TemplateText;
use crate::xml::{self, Element};
use crate::{Handle, Platform};

/// What a client has sent. ETag, id and expiry within the body are passed over: path and headers
/// decide, and the service alone sets an expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The device.
    pub description: Description,
    /// Tags of the service that the client sends back; see [`Description::keep_system_tags`].
    pub system_tags: Vec<Tag>,
}

/// Reads an Atom entry with a registration, or the registration alone.
///
/// # Errors
/// `Invalid` with the member that is missing or wrong.
pub fn read_registration(body: &[u8]) -> Result<Submission> {
    let text = std::str::from_utf8(body)
        .map_err(|_| bad_request("The body is not UTF-8; send the registration's XML in UTF-8."))?;
    let root = xml::parse(text)?;
    let element = if root.name == "entry" {
        let content = root.child("content").and_then(|content| content.children.first());
        content.ok_or_else(|| {
            bad_request(
                "The entry has no content. Expected <content type=\"application/xml\"> with a \
                 registration within, such as AppleRegistrationDescription.",
            )
        })?
    } else {
        &root
    };
    let (platform, is_template) = kind(&element.name)?;
    let (tags, system_tags) = tags(element)?;
    let description = Description {
        handle: handle(platform, element)?,
        tags,
        push_variables: element.text_of("PushVariables").map(str::to_owned),
        template: is_template.then(|| template(platform, element)).transpose()?,
        secondary_tile: element.text_of("SecondaryTileName").map(str::to_owned),
    };
    description.check()?;
    Ok(Submission { description, system_tags })
}

/// The platform of a root element, and whether it is a template.
fn kind(name: &str) -> Result<(Platform, bool)> {
    let known = name.strip_suffix("RegistrationDescription").and_then(|prefix| {
        let (prefix, is_template) = match prefix.strip_suffix("Template") {
            Some(prefix) => (prefix, true),
            None => (prefix, false),
        };
        let platform = Platform::ALL.into_iter().find(|it| it.element_prefix() == prefix)?;
        Some((platform, is_template))
    });
    known.ok_or_else(|| {
        bad_request(format!(
            "The element '{}' is no registration. Expected one such as AppleRegistrationDescription or \
             FcmV1TemplateRegistrationDescription.",
            shown(name)
        ))
    })
}

fn tags(element: &Element) -> Result<(TagSet, Vec<Tag>)> {
    let list = element.text_of("Tags").unwrap_or_default();
    let is_system = |text: &&str| text.starts_with('$');
    let (system, own): (Vec<&str>, Vec<&str>) = list.split(',').map(str::trim).partition(is_system);
    let system = system.into_iter().map(Tag::parse_any).collect::<Result<_>>()?;
    Ok((TagSet::parse(own)?, system))
}

fn handle(platform: Platform, element: &Element) -> Result<Handle> {
    let part = |name: &str| {
        element.text_of(name).ok_or_else(|| {
            bad_request(format!("The registration has no {name}, the handle of the device."))
        })
    };
    match *handle_members(platform) {
        [endpoint, p256dh, auth] => Handle::browser(part(endpoint)?, part(p256dh)?, part(auth)?),
        [user, channel] => Handle::baidu(part(user)?, part(channel)?),
        [name] => Handle::new(platform, part(name)?),
        _ => unreachable!("a handle has one to three members"),
    }
}

fn template(platform: Platform, element: &Element) -> Result<TemplateText> {
    let body = element.text_of("BodyTemplate");
    let body = body.ok_or_else(|| bad_request("The template registration has no BodyTemplate."))?;
    let text = |name| element.text_of(name).map(str::to_owned);
    let list = header_members(platform).and_then(|(list, _)| element.child(list));
    let header = |header: &Element| {
        let part = |name| header.text_of(name).unwrap_or_default().to_owned();
        (part("Header"), part("Value"))
    };
    let mut headers: Vec<_> = list.into_iter().flat_map(|it| &it.children).map(header).collect();
    if let (Platform::Baidu, Some(kind)) = (platform, text(BAIDU_MESSAGE_TYPE)) {
        headers.push((BAIDU_MESSAGE_TYPE.to_owned(), kind));
    }
    Ok(TemplateText {
        body: body.to_owned(),
        name: text("TemplateName"),
        headers,
        expiry: text("Expiry"),
        priority: text("Priority"),
    })
}
