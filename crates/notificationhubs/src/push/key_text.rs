//! Keys as people paste them: with or without PEM lines, with line ends written out as `\n`, with
//! the padding of base64 or without it, in either of its alphabets.
//!
//! No error here quotes the text: it is a secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes in the form that tokens and keys have on the web.
pub fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes of base64 text in any of its forms.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .chars()
        .filter(|it| *it != '=' && !it.is_whitespace())
        .map(|it| match it {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    STANDARD_NO_PAD.decode(plain).ok()
}

/// The DER bytes of a key in PEM, or of the base64 between the PEM lines.
pub fn der(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let inside: String = match text.split_once("-----BEGIN ") {
        None => text,
        Some((_, rest)) => {
            let (_label, rest) = rest.split_once("-----")?;
            rest.split_once("-----END ").map_or(rest, |(inside, _)| inside).to_owned()
        }
    };
    from_base64(&inside).filter(|bytes| !bytes.is_empty())
}

/// `der` as a PEM file with the given label, such as `PRIVATE KEY`.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_every_form_that_people_paste() {
        let key = [0xfb, 0xef, 0xbe, 1, 2, 3, 4];
        let pem = to_pem("PRIVATE KEY", &key);
        for text in [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
            format!("  {}", pem.lines().nth(1).unwrap()),
            "++++AQIDBA==".to_owned(),
            "----AQIDBA".to_owned(),
        ] {
            assert_eq!(der(&text).as_deref(), Some(&key[..]), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "-----BEGIN PRIVATE KEY-----", "not base64!", "-----BEGIN X"] {
            assert_eq!(der(text), None, "{text}");
        }
    }
}
