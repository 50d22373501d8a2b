//! `[console]`: where people open it, and who signs in with an identity provider.

use auth::is_safe_url;
use kernel::Secret;

use super::build::Builder;
use super::layers::Settings;
use super::model::Resource;
use super::problem::{Place, Problem};
use super::secrets::Named;

const ISSUER: &str = "console.issuer";
const CLIENT_ID: &str = "console.client_id";
const CLAIM: &str = "console.operator_claim";
const OPERATORS: &str = "console.operators";
const SCOPES: &str = "console.scopes";
const PUBLIC_ENDPOINT: &str = "console.public_endpoint";
const CLIENT_SECRET: Named = Named {
    file: "console.client_secret_file",
    variable: "console.client_secret_env",
    is_access_key: false,
};

/// `[console]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Where people open it: lower-case `scheme://authority`.
    pub public_endpoint: Option<String>,
    /// Sign-in with an identity provider, besides links.
    pub oidc: Option<Oidc>,
}

/// Sign-in to the console with OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// The `iss` of ID tokens; a URL that nobody can overhear.
    pub issuer: String,
    /// The console's name there.
    pub client_id: String,
    /// What it proves its name with, if it has to.
    pub client_secret: Option<Secret>,
    /// Further scopes to ask for.
    pub scopes: Vec<String>,
    /// The claim that tells who may sign in.
    pub operator_claim: String,
    /// Its values that may; at least one.
    pub operators: Vec<String>,
}

impl Builder<'_> {
    pub(super) fn console(&mut self, settings: &Settings, resources: &[Resource]) -> Console {
        let public_endpoint = settings.text(PUBLIC_ENDPOINT).map(str::to_owned);
        let oidc = self.oidc(settings);
        let known = public_endpoint.is_some()
            || resources.iter().any(|resource| !resource.public_endpoints.is_empty());
        if oidc.is_some() && !known {
            let message = format!("{ISSUER} is given without {PUBLIC_ENDPOINT}");
            let help = "without it, the provider sends people back to localhost; give the address at \
                        which they open the console";
            self.problems.push(Problem::warning(&settings.place(ISSUER), message, help));
        }
        Console { public_endpoint, oidc }
    }

    fn oidc(&mut self, settings: &Settings) -> Option<Oidc> {
        let Some(issuer) = settings.text(ISSUER) else {
            self.without_issuer(settings);
            return None;
        };
        let place = settings.place(ISSUER);
        if !is_safe_url(issuer) {
            let message = format!("{ISSUER} is \"{issuer}\", which does not begin with https://");
            let help = "who is in between could sign in as anybody; HTTP is for loopback";
            self.error(&place, message, help);
        }
        let client_id = settings.text(CLIENT_ID).unwrap_or_default();
        if client_id.is_empty() {
            let help = "register the console at the provider as a client, with the redirect URI \
                        <address of the console>/console/oidc/callback, and give the client's id";
            self.error(&place, format!("{ISSUER} is given without {CLIENT_ID}"), help);
        }
        let operators = settings.list(OPERATORS);
        if operators.is_empty() {
            let message =
                format!("{ISSUER} is given without {OPERATORS}, so nobody could sign in with it");
            let help = "name who may: operators = [\"ada@example.com\"]; or values of another claim, \
                        such as groups, with operator_claim";
            self.error(&place, message, help);
        }
        let texts = |list: &[(String, Place)]| list.iter().map(|(text, _)| text.clone()).collect();
        Some(Oidc {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: self.client_secret(settings),
            scopes: texts(settings.list(SCOPES)),
            operator_claim: settings.text(CLAIM).unwrap_or_default().to_owned(),
            operators: texts(operators),
        })
    }

    fn without_issuer(&mut self, settings: &Settings) {
        let rest = [CLIENT_ID, CLIENT_SECRET.file, CLIENT_SECRET.variable, SCOPES, OPERATORS];
        for path in rest {
            let place = settings.place(path);
            if place != Place::Default {
                let message = format!("{path} is given without {ISSUER}");
                let help = "name the identity provider, or leave both out";
                self.error(&place, message, help);
            }
        }
    }

    fn client_secret(&mut self, settings: &Settings) -> Option<Secret> {
        let found = self.found(settings, &CLIENT_SECRET)?;
        if found.secret.expose().is_empty() {
            let message = format!("the client secret in {} is empty", found.origin);
            let help = "put in what the identity provider has given, or remove the key: a public \
                        client needs none";
            self.error(&found.place, message, help);
        }
        Some(found.secret)
    }
}
