//! The ready file: what scripts wait for and read.
//!
//! It appears whole or not at all, once everything is served. It holds connection strings, so only
//! its owner may read it.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::started::{ServiceAccess, Started};

/// Writes the ready file: under another name in the same folder first, then renamed.
///
/// # Errors
/// When the folder does not exist or cannot be written.
pub fn write(path: &Path, started: &Started) -> anyhow::Result<()> {
    let failure = || format!("cannot write the ready file {}", path.display());
    let mut text = serde_json::to_string_pretty(&Document::of(started)).with_context(failure)?;
    text.push('\n');
    let unfinished = unfinished(path).with_context(failure)?;
    let result = write_private(&unfinished, &text).and_then(|()| fs::rename(&unfinished, path));
    if result.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    result.with_context(failure)
}

/// Removes the file of an earlier run, so that nobody takes it for this one. To be called before
/// anything else is started.
///
/// # Errors
/// When a file is there and cannot be removed.
pub fn clear(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the old {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// `.<name>.<process id>` beside `path`: a rename within one folder is atomic.
fn unfinished(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The shape of the file. A service's entry comes with the service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    http: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    https: Option<&'a str>,
    admin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console: Option<&'a str>,
    #[serde(rename = "webpubsub", skip_serializing_if = "Option::is_none")]
    web_pubsub: Option<Access<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    communication: Option<Access<'a>>,
    #[serde(rename = "eventgrid", skip_serializing_if = "Option::is_none")]
    event_grid: Option<Topic<'a>>,
    #[serde(rename = "notificationhubs", skip_serializing_if = "Option::is_none")]
    notification_hubs: Option<NotificationHub<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationHub<'a> {
    hub: &'a str,
    connection_string: &'a str,
    listen_connection_string: &'a str,
    inbox: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    apns: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Access<'a> {
    connection_string: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Topic<'a> {
    endpoint: &'a str,
    key: &'a str,
}

impl<'a> Document<'a> {
    fn of(started: &'a Started) -> Self {
        let access = |access: &'a ServiceAccess| Access {
            connection_string: access.connection_string.expose(),
        };
        Self {
            http: &started.http,
            https: started.https.as_deref(),
            admin: &started.admin,
            ca: started.ca.as_deref(),
            console: started.console.as_deref(),
            web_pubsub: started.webpubsub.as_ref().map(access),
            communication: started.communication.as_ref().map(access),
            event_grid: started
                .event_grid
                .as_ref()
                .map(|topic| Topic { endpoint: &topic.endpoint, key: topic.key.expose() }),
            notification_hubs: started.notification_hubs.as_ref().map(|it| NotificationHub {
                hub: &it.hub,
                connection_string: it.connection_string.expose(),
                listen_connection_string: it.listen_connection_string.expose(),
                inbox: &it.inbox,
                apns: it.apns.as_deref(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::screen::tests::example;

    #[test]
    fn the_file_has_the_documented_shape_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        write(&path, &example()).unwrap();
        let read: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let connection_string = example().webpubsub.unwrap().connection_string.expose().to_owned();
        assert_eq!(
            read,
            json!({
                "http": "http://localhost:8080",
                "https": "https://localhost:8443",
                "admin": "http://127.0.0.1:8081",
                "ca": "/app/.tidings/tls/ca.pem",
                "webpubsub": {"connectionString": connection_string},
                "communication": {
                    "connectionString": "endpoint=https://localhost:8443/;accesskey=a2V5",
                },
                "eventgrid": {
                    "endpoint": "https://localhost:8443/topics/local/api/events",
                    "key": "a2V5",
                },
                "notificationhubs": {
                    "hub": "local",
                    "connectionString":
                        "Endpoint=sb://localhost:8443/;SharedAccessKeyName=Full;SharedAccessKey=a2V5",
                    "listenConnectionString":
                        "Endpoint=sb://localhost:8443/;SharedAccessKeyName=Li;SharedAccessKey=a2V5",
                    "inbox": "https://localhost:8443/fake-push",
                    "apns": "https://localhost:4443",
                },
            })
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        fs::write(&path, "an earlier run").unwrap();
        write(&path, &example()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn clearing_removes_an_old_file_and_accepts_its_absence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        fs::write(&path, "{}").unwrap();
        clear(&path).unwrap();
        assert!(!path.exists());
        clear(&path).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent").join("ready.json");
        let error = write(&path, &example()).unwrap_err();
        assert!(format!("{error:#}").contains(path.to_str().unwrap()));
    }
}
