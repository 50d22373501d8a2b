//! The keys of the console.

use super::{Key, Kind, Literal, Modes, Preset};

/// Every key, in the order in which it is printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "console.public_endpoint",
        kind: Kind::Endpoint,
        preset: Preset::Absent(
            "the first of resource.public_endpoints, else the address of the listener",
        ),
        modes: Modes::ServeOnly,
        doc: "Where people open the console, such as https://push.example.com. Sign-in links begin \
              with it, and an identity provider sends people back to it.",
    },
    Key {
        path: "console.issuer",
        kind: Kind::Text,
        preset: Preset::Absent("sign-in with links alone"),
        modes: Modes::ServeOnly,
        doc: "The OpenID Connect provider with which people sign in, such as \
              https://accounts.google.com: the 'iss' of its tokens, to the letter. Everything else \
              about it is found at /.well-known/openid-configuration below it. Register the console \
              there as a client with the redirect URI \
              <address of the console>/console/oidc/callback.",
    },
    Key {
        path: "console.client_id",
        kind: Kind::Text,
        preset: Preset::Absent("must be given with an issuer"),
        modes: Modes::ServeOnly,
        doc: "The id that the provider has given to the console as its client.",
    },
    Key {
        path: "console.client_secret_file",
        kind: Kind::Path,
        preset: Preset::Absent("a public client, which proves itself by PKCE alone"),
        modes: Modes::ServeOnly,
        doc: "A file with the secret that the provider has given to that client.",
    },
    Key {
        path: "console.client_secret_env",
        kind: Kind::Variable,
        preset: Preset::Absent("a public client, which proves itself by PKCE alone"),
        modes: Modes::ServeOnly,
        doc: "The name of an environment variable with that secret, instead of a file.",
    },
    Key {
        path: "console.operators",
        kind: Kind::List(&Kind::Text),
        preset: Preset::Absent("must be given with an issuer"),
        modes: Modes::ServeOnly,
        doc: "Who may sign in with the provider: the values of console.operator_claim that open, such \
              as [\"ada@example.com\"]. Nobody else gets in. Whoever does sees every key of the \
              server.",
    },
    Key {
        path: "console.operator_claim",
        kind: Kind::Text,
        preset: Preset::Always(Literal::Text("email")),
        modes: Modes::ServeOnly,
        doc: "The claim that tells who is an operator, a text or a list of texts, such as email, sub, \
              groups or roles. A mail address that the provider says it has not verified does not \
              count. It is looked for in the ID token, then at the userinfo endpoint.",
    },
    Key {
        path: "console.scopes",
        kind: Kind::List(&Kind::Text),
        preset: Preset::Absent("openid, profile and email alone"),
        modes: Modes::ServeOnly,
        doc: "What the provider is asked for besides openid, profile and email, where the claim needs \
              it, such as [\"groups\"].",
    },
];
