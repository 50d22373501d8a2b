//! Keys that a configuration names: read from their file or variable, and judged.
//!
//! Messages say where a key comes from and how long it is, never what it is.

use kernel::Secret;

use super::build::Builder;
use super::layers::Settings;
use super::model::{DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY, KeySource, Mode};
use super::problem::{Place, Problem};

/// The two keys of the table that may name one secret.
pub(super) struct Named {
    pub(super) file: &'static str,
    pub(super) variable: &'static str,
    /// Access keys stand in connection strings and Authorization headers, which limits them.
    pub(super) is_access_key: bool,
}

/// A secret that was found.
pub(super) struct Found {
    pub(super) secret: Secret,
    /// Where the key stands that names it.
    pub(super) place: Place,
    /// Where it comes from, for messages.
    pub(super) origin: String,
}

/// Shorter secrets could be guessed: HMAC-SHA256 wants as many bytes as it gives (RFC 2104, 3).
const MIN_CHARACTERS: usize = 32;

impl Builder<'_> {
    /// Where the secret comes from. After a problem, [`KeySource::Kept`] stands in.
    pub(super) fn secret(&mut self, settings: &Settings, named: &Named) -> KeySource {
        let Some(Found { secret, place, origin }) = self.found(settings, named) else {
            return KeySource::Kept;
        };
        self.judge(&secret, named, &place, &origin);
        KeySource::Given { secret, origin }
    }

    /// The secret that one of the two keys names, not yet judged; `None` when neither is given, or
    /// after a problem.
    pub(super) fn found(&mut self, settings: &Settings, named: &Named) -> Option<Found> {
        let (file, variable) = (settings.text(named.file), settings.text(named.variable));
        let (found, place, origin) = match (file, variable) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.error(
                    &settings.place(named.variable),
                    format!("both {} and {} are given", named.file, named.variable),
                    "keep one of the two",
                );
                return None;
            }
            (Some(file), None) => {
                let place = settings.place(named.file);
                (self.read(named.file, file, &place), place, format!("file {file}"))
            }
            (None, Some(variable)) => {
                let place = settings.place(named.variable);
                let origin = format!("environment variable {variable}");
                (self.variable(named.variable, variable, &place), place, origin)
            }
        };
        Some(Found { secret: Secret::new(found?.trim()), place, origin })
    }

    fn variable(&mut self, path: &str, name: &str, place: &Place) -> Option<String> {
        let value = self.outside.variables().into_iter().find(|(known, _)| known == name);
        if value.is_none() {
            self.error(
                place,
                format!("{path} names the environment variable {name}, which is not set"),
                format!("set {name} for the process that runs Tidings, or remove {path}"),
            );
        }
        value.map(|(_, text)| text)
    }

    fn judge(&mut self, secret: &Secret, named: &Named, place: &Place, origin: &str) {
        let length = secret.expose().chars().count();
        if length < MIN_CHARACTERS {
            self.error(
                place,
                format!("the key in {origin} has {length} characters, fewer than {MIN_CHARACTERS}"),
                "make a new one, for example with: openssl rand -base64 32",
            );
        }
        let printable = secret.expose().bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        if named.is_access_key && !printable {
            self.error(
                place,
                format!("the key in {origin} holds a space, a semicolon or a special character"),
                "connection strings cannot carry it; use letters, digits, +, / and =",
            );
        }
        if self.mode == Mode::Serve && is_development_key(secret) {
            self.error(
                place,
                format!("the key in {origin} is a well-known development key"),
                "everybody knows it: make a new one, for example with: openssl rand -base64 32",
            );
        }
    }

    /// Warns when one key stands in both places, since it could not be replaced without a gap.
    pub(super) fn warn_if_same(&mut self, primary: &KeySource, secondary: &KeySource, at: &Place) {
        if let (KeySource::Given { secret: left, .. }, KeySource::Given { secret: right, .. }) =
            (primary, secondary)
            && left == right
        {
            self.problems.push(Problem::warning(
                at,
                "the primary and the secondary key are the same".to_owned(),
                "give two keys, so that one can be replaced while clients use the other",
            ));
        }
    }
}

fn is_development_key(secret: &Secret) -> bool {
    [DEVELOPMENT_PRIMARY_KEY, DEVELOPMENT_SECONDARY_KEY].contains(&secret.expose())
}
