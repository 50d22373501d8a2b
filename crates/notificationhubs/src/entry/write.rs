//! Registrations as clients read them.

use std::fmt::Write as _;

use kernel::Timestamp;

use super::{
    ATOM, BAIDU_MESSAGE_TYPE, METADATA, SCHEMA_INSTANCE, SERVICE_BUS, handle_members,
    header_members,
};
use crate::date;
use crate::registration::Registration;
use crate::template::TemplateText;
use crate::xml::{push_close, push_element, push_open, push_optional, push_text};

/// The entry of one registration; `url` is its own address, `now` becomes its dates.
pub fn write_entry(registration: &Registration, url: &str, now: Timestamp) -> String {
    let mut out = String::with_capacity(1024);
    push_entry(&mut out, registration, url, &date::with_millis(now), Some(ATOM));
    out
}

/// A page of registrations; `url` is the page's own address, `url_of` that of one registration.
pub fn write_feed(
    registrations: &[Registration],
    url: &str,
    url_of: impl Fn(&Registration) -> String,
    now: Timestamp,
) -> String {
    let now = date::with_millis(now);
    let mut out = String::with_capacity(512 + registrations.len() * 1024);
    out.push_str("<feed xmlns=\"");
    out.push_str(ATOM);
    out.push_str("\"><title type=\"text\">Registrations</title>");
    push_element(&mut out, "id", url);
    push_element(&mut out, "updated", &now);
    push_self_link(&mut out, url);
    for registration in registrations {
        push_entry(&mut out, registration, &url_of(registration), &now, None);
    }
    out.push_str("</feed>");
    out
}

fn push_entry(
    out: &mut String,
    registration: &Registration,
    url: &str,
    now: &str,
    namespace: Option<&str>,
) {
    write!(out, "<entry a:etag=\"W/&quot;{}&quot;\"", registration.etag).expect("a string");
    if let Some(namespace) = namespace {
        write!(out, " xmlns=\"{namespace}\"").expect("a string");
    }
    write!(out, " xmlns:a=\"{METADATA}\">").expect("a string");
    push_element(out, "id", url);
    out.push_str("<title type=\"text\">");
    push_text(out, registration.id.as_str());
    out.push_str("</title>");
    push_element(out, "published", now);
    push_element(out, "updated", now);
    push_self_link(out, url);
    out.push_str("<content type=\"application/xml\">");
    push_description(out, registration);
    out.push_str("</content></entry>");
}

fn push_self_link(out: &mut String, url: &str) {
    out.push_str("<link rel=\"self\" href=\"");
    push_text(out, url);
    out.push_str("\"/>");
}

fn push_description(out: &mut String, registration: &Registration) {
    let description = &registration.description;
    let handle = &description.handle;
    let platform = handle.platform();
    let template = if description.template.is_some() { "Template" } else { "" };
    let root = format!("{}{template}RegistrationDescription", platform.element_prefix());
    write!(out, "<{root} xmlns=\"{SERVICE_BUS}\" xmlns:i=\"{SCHEMA_INSTANCE}\">")
        .expect("a string");
    push_element(out, "ETag", &registration.etag.to_string());
    push_element(out, "ExpirationTime", &date::with_millis(registration.expires_at));
    push_element(out, "RegistrationId", registration.id.as_str());
    push_optional(out, "Tags", Some(&description.tags.to_list()));
    push_optional(out, "PushVariables", description.push_variables.as_deref());
    let baidu = handle.baidu_parts();
    let values: [&str; 3] = match handle.keys() {
        Some(keys) => [handle.address(), &keys.p256dh, &keys.auth],
        None if handle_members(platform).len() == 2 => [baidu.0, baidu.1, ""],
        None => [handle.address(), "", ""],
    };
    for (name, value) in handle_members(platform).iter().zip(values) {
        push_element(out, name, value);
    }
    push_optional(out, "SecondaryTileName", description.secondary_tile.as_deref());
    if let Some(template) = &description.template {
        push_template(out, template, header_members(platform));
    }
    push_close(out, &root);
}

/// Apple has its headers last, the Windows platforms before the name.
fn push_template(out: &mut String, template: &TemplateText, headers: Option<(&str, &str)>) {
    push_element(out, "BodyTemplate", &template.body);
    let apple = matches!(headers, Some(("ApnsHeaders", _)));
    if !apple {
        push_headers(out, template, headers);
    }
    push_optional(out, "Expiry", template.expiry.as_deref());
    push_optional(out, "TemplateName", template.name.as_deref());
    push_optional(out, "Priority", template.priority.as_deref());
    if headers.is_none() {
        let kind = template.headers.iter().find(|(name, _)| name == BAIDU_MESSAGE_TYPE);
        push_optional(out, BAIDU_MESSAGE_TYPE, kind.map(|(_, value)| value.as_str()));
    }
    if apple {
        push_headers(out, template, headers);
    }
}

fn push_headers(out: &mut String, template: &TemplateText, names: Option<(&str, &str)>) {
    let Some((list, item)) = names.filter(|_| !template.headers.is_empty()) else { return };
    push_open(out, list);
    for (name, value) in &template.headers {
        push_open(out, item);
        push_element(out, "Header", name);
        push_element(out, "Value", value);
        push_close(out, item);
    }
    push_close(out, list);
}
