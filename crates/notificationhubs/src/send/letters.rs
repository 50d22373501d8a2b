//! The message of each device. What many devices share is made once: a native payload for its
//! platform, a template's for all who have the same one and no properties of their own.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::order::Format;
use crate::push::{Outcome, OutcomeName};
use crate::registry::HubEntry;
use crate::route::{Prepared, Route};
use crate::store::Recipient;
use crate::template::{Properties, Rendered, Template, TemplateText};
use crate::{Platform, date};

/// Templates that are remembered of one send; beyond, they are compiled again.
const MAX_TEMPLATES: usize = 4096;

/// A message for a device and the way to it, or the outcome that it would have in any case.
pub(super) type Letter = Result<(Arc<Route>, Arc<Prepared>), Arc<Outcome>>;

/// The messages of one send.
pub(super) struct Letters<'a> {
    hub: &'a HubEntry,
    headers: HeaderMap,
    content: Content,
    templates: HashMap<(Platform, TemplateText), Compiled>,
}

enum Content {
    Native(Letter),
    Template(HashMap<String, String>),
}

#[derive(Clone)]
struct Compiled {
    template: Result<Arc<Template>, Arc<Outcome>>,
    /// For devices without properties of their own.
    shared: Option<Letter>,
}

impl<'a> Letters<'a> {
    pub(super) fn new(hub: &'a HubEntry, format: Format, headers: HeaderMap, body: String) -> Self {
        let content = match format {
            Format::Native(platform) => {
                Content::Native(prepare(hub, platform, &headers, Bytes::from(body)))
            }
            // Refused when it was accepted if it were none.
            Format::Template => Content::Template(Properties::parse(&body).unwrap_or_default()),
        };
        Self { hub, headers, content, templates: HashMap::new() }
    }

    /// The message for a device.
    pub(super) fn letter(&mut self, recipient: &Recipient) -> Letter {
        let message = match &self.content {
            Content::Native(letter) => return letter.clone(),
            Content::Template(message) => message,
        };
        let platform = recipient.handle.platform();
        let Some(text) = &recipient.template else {
            let text = "the device has no template any more";
            return Err(Arc::new(Outcome::of(OutcomeName::Skipped, text)));
        };
        let key = (platform, text.clone());
        if self.templates.len() >= MAX_TEMPLATES && !self.templates.contains_key(&key) {
            self.templates.clear();
        }
        let compiled = self.templates.entry(key).or_insert_with(|| Compiled {
            template: Template::compile(platform, text).map(Arc::new).map_err(|error| {
                let name = OutcomeName::InvalidNotificationFormat;
                Arc::new(Outcome::of(name, error.message().to_owned()))
            }),
            shared: None,
        });
        let template = match &compiled.template {
            Ok(template) => Arc::clone(template),
            Err(outcome) => return Err(Arc::clone(outcome)),
        };
        let variables = recipient.push_variables.as_deref();
        let variables = variables.and_then(|text| Properties::parse(text).ok());
        let render = |variables: Option<&HashMap<String, String>>| {
            render(
                self.hub,
                platform,
                &self.headers,
                &template,
                &Properties::new(message, variables),
            )
        };
        match variables {
            Some(variables) => render(Some(&variables)),
            None => compiled.shared.get_or_insert_with(|| render(None)).clone(),
        }
    }
}

fn render(
    hub: &HubEntry,
    platform: Platform,
    headers: &HeaderMap,
    template: &Template,
    properties: &Properties<'_>,
) -> Letter {
    let rendered = template.render(properties).map_err(|too_large| {
        Arc::new(Outcome::of(OutcomeName::InvalidNotificationSize, too_large.to_string()))
    })?;
    let headers = template_headers(headers, &rendered);
    prepare(hub, platform, &headers, Bytes::from(rendered.body))
}

/// The headers of the send, and over them those of the template.
fn template_headers(headers: &HeaderMap, rendered: &Rendered) -> HeaderMap {
    let mut headers = headers.clone();
    let mut set = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase().parse::<HeaderName>().ok();
        let value = HeaderValue::from_str(value.trim()).ok().filter(|value| !value.is_empty());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    };
    for (name, value) in &rendered.headers {
        set(name, value);
    }
    if let Some(priority) = &rendered.priority {
        set("apns-priority", priority);
    }
    // Text that is neither a number nor a date says nothing about an end.
    let expiry = rendered.expiry.as_deref().and_then(|text| match text.trim() {
        "0" => Some(0),
        text => date::parse(text).map(|moment| moment.as_secs().max(0)),
    });
    if let Some(expiry) = expiry {
        set("apns-expiration", &expiry.to_string());
    }
    headers
}

fn prepare(hub: &HubEntry, platform: Platform, headers: &HeaderMap, body: Bytes) -> Letter {
    if !platform.has_sender() {
        return Err(Arc::new(Outcome::of(OutcomeName::Skipped, platform.without_sender())));
    }
    let Some(route) = hub.route(platform) else {
        let text = format!(
            "the notification hub has no credential for the platform {}; set it, then send again",
            platform.format()
        );
        return Err(Arc::new(Outcome::of(OutcomeName::InvalidCredentials, text)));
    };
    match route.prepare(headers, body) {
        Ok(prepared) => Ok((Arc::clone(route), Arc::new(prepared))),
        Err(outcome) => Err(Arc::new(*outcome)),
    }
}
