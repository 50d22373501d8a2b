//! The text of a shared access signature, taken apart. [`wire::shared_access_signature`] makes one.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Secret;
use percent_encoding::percent_decode_str;

use super::Refusal;
use super::refusal::Malformed;

const SCHEME: &str = "SharedAccessSignature";

/// The fields of a token, as they were sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// The audience, still encoded; what was signed.
    pub resource: &'a str,
    /// When it ends, as text; also signed.
    pub expiry: &'a str,
    /// The policy's name, perhaps encoded.
    pub policy: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Takes an `Authorization` header apart. Fields may stand in any order; unknown ones are passed
    /// over.
    pub(super) fn parse(header: Option<&'a str>) -> Result<Self, Refusal> {
        let header = header.map(str::trim).filter(|it| !it.is_empty()).ok_or(Refusal::Missing)?;
        let (scheme, fields) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(Refusal::Malformed(Malformed::Scheme));
        }
        let field = |name: &'static str| {
            let pairs = fields.trim().split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(own, _)| own.trim().eq_ignore_ascii_case(name));
            let value = values.next().map(|(_, value)| value).filter(|value| !value.is_empty());
            value.ok_or(Refusal::Malformed(Malformed::Field(name)))
        };
        Ok(Self {
            resource: field("sr")?,
            signature: field("sig")?,
            expiry: field("se")?,
            policy: field("skn")?,
        })
    }

    /// Whether `key` made the signature: over the audience as it was sent or, as the service's own
    /// documents say although no client does it, over the decoded one.
    pub(super) fn is_signed_with(&self, key: &Secret) -> bool {
        let decoded = percent_decode_str(self.signature).decode_utf8_lossy();
        let Ok(signature) = STANDARD.decode(&*decoded) else { return false };
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        let holds = |resource: &str| {
            let message = format!("{resource}\n{}", self.expiry);
            hmac::verify(&key, message.as_bytes(), &signature).is_ok()
        };
        holds(self.resource) || holds(&percent_decode_str(self.resource).decode_utf8_lossy())
    }
}
