//! `[identity_provider]`: whose bearer tokens are taken.

use auth::is_safe_url;

use super::build::Builder;
use super::layers::Settings;
use super::model::IdentityProvider;

const ISSUER: &str = "identity_provider.issuer";
const AUDIENCES: &str = "identity_provider.audiences";
const KEYS_URL: &str = "identity_provider.keys_url";

impl Builder<'_> {
    pub(super) fn identity_provider(&mut self, settings: &Settings) -> Option<IdentityProvider> {
        let Some(issuer) = settings.text(ISSUER) else {
            for path in [AUDIENCES, KEYS_URL, "identity_provider.role"] {
                if settings.get(path).is_some() {
                    let message = format!("{path} is given without {ISSUER}");
                    self.error(
                        &settings.place(path),
                        message,
                        "name the provider, or leave both out",
                    );
                }
            }
            return None;
        };
        let keys_url = settings.text(KEYS_URL);
        for (path, url) in [(ISSUER, Some(issuer)), (KEYS_URL, keys_url)] {
            if let Some(url) = url
                && !is_safe_url(url)
            {
                let message = format!("{path} is \"{url}\", which does not begin with https://");
                let help =
                    "keys that came over plain HTTP could be anybody's; HTTP is for loopback";
                self.error(&settings.place(path), message, help);
            }
        }
        let audiences = settings.list(AUDIENCES);
        if audiences.is_empty() {
            let message = format!("{ISSUER} is given without {AUDIENCES}");
            let help = "name what tokens for this server have as audience; tokens for others must \
                        not open it";
            self.error(&settings.place(ISSUER), message, help);
        }
        Some(IdentityProvider {
            issuer: issuer.to_owned(),
            audiences: audiences.iter().map(|(text, _)| text.clone()).collect(),
            role: settings.text("identity_provider.role").map(str::to_owned),
            keys_url: keys_url.map(str::to_owned),
        })
    }
}
