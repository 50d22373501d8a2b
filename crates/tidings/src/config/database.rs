//! Where rows are kept: the URL of a database server, read from its place and judged.
//!
//! Messages say where a URL comes from and what is wrong with it, never the URL: it may hold a
//! password.

use kernel::Secret;
use storage::PostgresOptions;

use super::build::Builder;
use super::layers::Settings;
use super::model::Database;
use super::problem::Place;
use super::secrets::{Found, Named};

const URL: &str = "data.database_url";
const URL_ELSEWHERE: Named = Named {
    file: "data.database_url_file",
    variable: "data.database_url_env",
    is_access_key: false,
};
const EXTRA_CA: &str = "data.database_extra_ca";

impl Builder<'_> {
    /// The database that the settings name; after a problem, [`Database::File`] stands in.
    pub(super) fn database(&mut self, settings: &Settings) -> Database {
        let extra_ca = self.extra_ca(settings, EXTRA_CA);
        let Some(Found { secret: url, place, origin }) = self.database_url(settings) else {
            if extra_ca.is_some() {
                self.error(
                    &settings.place(EXTRA_CA),
                    format!("{EXTRA_CA} is given, but no database server is"),
                    format!("name the server with {URL}, or remove {EXTRA_CA}"),
                );
            }
            return Database::File;
        };
        if let Err(reason) = PostgresOptions::check_url(&url) {
            self.error(
                &place,
                format!("the database URL in {origin} cannot be used: {reason}"),
                "give one such as postgres://tidings:password@db.example.com:5432/tidings",
            );
        }
        Database::Postgres { url, extra_ca }
    }

    fn database_url(&mut self, settings: &Settings) -> Option<Found> {
        let Some(url) = settings.text(URL) else {
            return self.found(settings, &URL_ELSEWHERE);
        };
        let place = settings.place(URL);
        let both = [URL_ELSEWHERE.file, URL_ELSEWHERE.variable];
        if let Some(other) = both.into_iter().find(|path| settings.text(path).is_some()) {
            self.error(&place, format!("both {URL} and {other} are given"), "keep one of the two");
        }
        if matches!(place, Place::File { .. }) && holds_password(url) {
            self.error(
                &place,
                format!("{URL} holds a password, which leaks with the file"),
                "put the URL in a file of its own or in an environment variable, and name that with \
                 database_url_file or database_url_env",
            );
        }
        Some(Found { secret: Secret::new(url.trim()), place, origin: URL.to_owned() })
    }
}

/// Whether a password stands before the host or among the parameters.
fn holds_password(url: &str) -> bool {
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let place = before.split_once("://").map_or(before, |(_, place)| place);
    let user = place.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || parameters.split('&').any(|it| it.starts_with("password="))
}
