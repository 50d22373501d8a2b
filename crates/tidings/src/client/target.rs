//! Which server a command talks to: its address, a key to sign tokens with, and whom to trust.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use auth::{ClientGrant, mint_client_token, mint_rest_token};
use kernel::{Secret, Timestamp};
use wire::Endpoint;

use crate::config::{Config, Mode};
use crate::{keys, trust};

/// How long a token can be used. Each connection and each call gets a new one.
const LIFETIME: Duration = Duration::from_secs(600);

/// A resource that can be called.
pub struct Target {
    /// Its address.
    pub endpoint: Endpoint,
    /// The certificate authority to trust besides the machine's own: that of development.
    pub ca: Option<PathBuf>,
    key: Secret,
}

impl Target {
    /// Finds a resource: the one of this name, or the only one.
    ///
    /// # Errors
    /// When there is none, several and no name, or no address is known.
    pub async fn find(
        config: &Config,
        resource: Option<&str>,
        endpoint: Option<&str>,
    ) -> anyhow::Result<Self> {
        let name = match (resource, config.resources.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => &only.name,
            (None, []) => bail!("the configuration declares no resource"),
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
                bail!("there are several resources: choose with --resource {}", names.join(" or "));
            }
        };
        let access = keys::access(config, name, endpoint).await?;
        let own_ca = Some(trust::ca_file(&config.data.folder));
        let ca = own_ca.filter(|file| config.mode == Mode::Dev && file.exists());
        Ok(Self { endpoint: access.endpoint, ca, key: access.keys.primary().clone() })
    }

    /// A token to connect with.
    pub fn client_token(
        &self,
        hub: &str,
        user: Option<&str>,
        roles: &[String],
        groups: &[String],
        now: Timestamp,
    ) -> Secret {
        let grant = ClientGrant { hub, user_id: user, roles, groups, lifetime: LIFETIME };
        mint_client_token(&self.key, &self.endpoint, &grant, now)
    }

    /// A token for one REST call.
    pub fn rest_token(&self, path: &str, now: Timestamp) -> Secret {
        mint_rest_token(&self.key, &self.endpoint, path, LIFETIME, now)
    }
}
