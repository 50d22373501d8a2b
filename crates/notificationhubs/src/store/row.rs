//! A registration as a row, there and back.

use kernel::Result;
use serde::{Deserialize, Serialize};
use storage::{Row, Statement, Val, vals};

use super::HubKey;
use crate::registration::{Description, Key, Registration, RegistrationId};
use crate::tag::{Tag, TagSet};
use crate::template::TemplateText;
use crate::{BrowserKeys, Handle, Platform};
use kernel::Timestamp;

/// The columns that [`registration`] reads, in its order.
pub(super) const COLUMNS: &str = "place, id, etag, platform, address, p256dh, auth, tags, variables, \
                                  template, tile, installation, expires_at";

/// A template as the store keeps it.
#[derive(Deserialize, Serialize)]
struct StoredTemplate {
    body: String,
    name: Option<String>,
    headers: Vec<(String, String)>,
    expiry: Option<String>,
    priority: Option<String>,
}

pub(super) fn registration(row: &Row) -> Result<Registration> {
    Ok(Registration {
        key: Key(row.get(0)?),
        id: RegistrationId::stored(row.get(1)?),
        etag: row.get(2)?,
        expires_at: row.get(12)?,
        installation: row.get(11)?,
        description: Description {
            handle: handle(row, 3)?,
            tags: TagSet::stored(&row.get::<String>(7)?),
            push_variables: row.get(8)?,
            template: row.get::<Option<String>>(9)?.map(|text| template(&text)).transpose()?,
            secondary_tile: row.get(10)?,
        },
    })
}

/// The handle in four columns from `first` on.
pub(super) fn handle(row: &Row, first: usize) -> Result<Handle> {
    let platform = Platform::from_format(&row.get::<String>(first)?);
    let platform = platform.ok_or_else(|| damaged("an unknown platform"))?;
    let keys = match (row.get(first + 2)?, row.get(first + 3)?) {
        (Some(p256dh), Some(auth)) => Some(BrowserKeys { p256dh, auth }),
        _ => None,
    };
    Ok(Handle::stored(platform, row.get(first + 1)?, keys))
}

pub(super) fn template(text: &str) -> Result<TemplateText> {
    let stored: StoredTemplate = serde_json::from_str(text).map_err(|_| damaged("no template"))?;
    let StoredTemplate { body, name, headers, expiry, priority } = stored;
    Ok(TemplateText { body, name, headers, expiry, priority })
}

/// The statements that insert a registration with its tags.
pub(super) fn insert(
    hub: HubKey,
    registration: &Registration,
    part: Option<&str>,
    now: Timestamp,
) -> Vec<Statement> {
    let description = &registration.description;
    let handle = &description.handle;
    let keys = handle.keys();
    let template = description.template.as_ref().map(|text| {
        let stored = StoredTemplate {
            body: text.body.clone(),
            name: text.name.clone(),
            headers: text.headers.clone(),
            expiry: text.expiry.clone(),
            priority: text.priority.clone(),
        };
        serde_json::to_string(&stored).expect("texts are JSON")
    });
    let row = Statement::new(
        "INSERT INTO push_registrations (place, hub, id, etag, kind, platform, address, p256dh, auth,
           tags, variables, template, tile, installation, part, expires_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        vals![
            registration.key.0,
            hub.0,
            registration.id.as_str(),
            registration.etag,
            template.is_some(),
            handle.platform().format(),
            handle.address(),
            keys.map(|keys| keys.p256dh.clone()),
            keys.map(|keys| keys.auth.clone()),
            description.tags.to_list(),
            description.push_variables.clone(),
            template,
            description.secondary_tile.clone(),
            registration.installation.clone(),
            part,
            registration.expires_at,
            now
        ],
    );
    let mut statements = vec![row];
    statements.extend(insert_tags(hub, registration.key, &description.tags));
    statements
}

fn insert_tags(hub: HubKey, key: Key, tags: &TagSet) -> Option<Statement> {
    if tags.is_empty() {
        return None;
    }
    let mut sql = "INSERT INTO push_tags (hub, place, tag) VALUES ".to_owned();
    let mut params: Vec<Val> = vals![hub.0, key.0];
    for (index, tag) in tags.iter().map(Tag::folded).enumerate() {
        sql.push_str(if index == 0 { "" } else { ", " });
        sql.push_str(&format!("($1, $2, ${})", index + 3));
        params.push(tag.into());
    }
    Some(Statement::new(sql, params))
}

pub(super) fn damaged(what: &str) -> kernel::Error {
    let message = "The server cannot read something that it has stored. The log has the reason.";
    kernel::Error::new(kernel::ErrorKind::Internal, "50000", message)
        .context(format!("a stored row holds {what}; it was changed by something else"))
}
