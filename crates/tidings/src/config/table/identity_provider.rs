//! The keys of the identity provider.

use super::{Key, Kind, Modes, Preset};

/// Every key, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "identity_provider.issuer",
        kind: Kind::Text,
        preset: Preset::Absent(
            "no provider: publishers use keys, and management calls a management key",
        ),
        modes: Modes::ServeOnly,
        doc: "The issuer whose bearer tokens publish events, make management calls and query logs: \
              the 'iss' of its tokens, to the letter, such as \
              https://login.microsoftonline.com/<tenant>/v2.0. Its keys are found at \
              /.well-known/openid-configuration below it.",
    },
    Key {
        path: "identity_provider.audiences",
        kind: Kind::List(&Kind::Text),
        preset: Preset::Absent("must be given with an issuer"),
        modes: Modes::ServeOnly,
        doc: "What tokens for this server have as 'aud'; one of these is enough. The SDKs ask for \
              https://eventgrid.azure.net, https://management.azure.com and \
              https://api.loganalytics.io unless they are told another scope.",
    },
    Key {
        path: "identity_provider.role",
        kind: Kind::Text,
        preset: Preset::Absent("every token of the provider for these audiences does"),
        modes: Modes::ServeOnly,
        doc: "What must stand in the 'roles' of a token.",
    },
    Key {
        path: "identity_provider.keys_url",
        kind: Kind::Text,
        preset: Preset::Absent("found by discovery"),
        modes: Modes::ServeOnly,
        doc: "Where the provider's keys are (a JSON Web Key Set), for one without discovery.",
    },
];
