//! Who may query the log tables: whoever may make management calls.

use ::management::Authority;
use ::monitor::query::BearerCheck;
use kernel::Result;

/// In development any token does; in production the token is a management key.
pub(super) struct AsManagement(pub Authority);

impl BearerCheck for AsManagement {
    fn check(&self, token: &str, _over_tls: bool) -> Result<()> {
        self.0.admit(Some(&format!("Bearer {token}"))).map(|_| ())
    }
}
