//! The files of the page, embedded in the program, with the rules that the browser is given for them.
//!
//! They are as they were written: no build step, no framework, nothing from elsewhere. A browser asks
//! again each time and hears "unchanged" by the tag, so a new version of the program is never mixed
//! with files of an older one.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The page itself.
pub(crate) const PAGE: &str = "index.html";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file.
pub(crate) struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
    tag: HeaderValue,
}

macro_rules! assets {
    ($(($name:literal, $kind:expr)),+ $(,)?) => {
        [$(Asset::new($name, $kind, include_bytes!(concat!("../assets/", $name)))),+]
    };
}

static ASSETS: LazyLock<[Asset; 18]> = LazyLock::new(|| {
    assets![
        ("index.html", HTML),
        ("style.css", CSS),
        ("icon.svg", SVG),
        ("app.js", SCRIPT),
        ("api.js", SCRIPT),
        ("ui.js", SCRIPT),
        ("charts.js", SCRIPT),
        ("signaling.js", SCRIPT),
        ("pages/overview.js", SCRIPT),
        ("pages/resources.js", SCRIPT),
        ("pages/pubsub.js", SCRIPT),
        ("pages/chat.js", SCRIPT),
        ("pages/events.js", SCRIPT),
        ("pages/push.js", SCRIPT),
        ("pages/link.js", SCRIPT),
        ("pages/journeys.js", SCRIPT),
        ("pages/logs.js", SCRIPT),
        ("pages/playbook.js", SCRIPT),
    ]
});

/// The file of this name, below `/console/`.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|it| it.name == name)
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, content: &'static [u8]) -> Self {
        let digest = digest(&SHA256, content);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12]));
        let tag = HeaderValue::try_from(tag).expect("base64url in quotes is a header value");
        Self { name, kind, content, tag }
    }

    /// The file, or "unchanged" to a browser that has it. `host` is the one that the request names.
    pub(crate) fn answer(&self, asked: &HeaderMap, host: &str) -> Response<Body> {
        let known = asked.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let tag = self.tag.to_str().unwrap_or_default();
        let unchanged = known.split(',').any(|it| it.trim().trim_start_matches("W/") == tag);
        let mut response = match unchanged {
            true => Response::new(Body::empty()),
            false => Response::new(Body::from(self.content)),
        };
        if unchanged {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("same-origin"));
        headers.insert(CONTENT_SECURITY_POLICY, policy(host));
        response
    }
}

/// The page for somebody who is not let in: it shows `refusal` beside the ways to sign in.
pub(crate) fn page_of_refusal(refusal: &str, host: &str) -> Response<Body> {
    let page = find(PAGE).expect("the page is among the files");
    let mut response = page.answer(&HeaderMap::new(), host);
    let html = std::str::from_utf8(page.content).expect("the page is text");
    // Text for the page's script, which shows it as text.
    let note = format!("<meta name=\"refusal\" content=\"{}\">\n</head>", escaped(refusal));
    *response.body_mut() = Body::from(html.replacen("</head>", &note, 1));
    response.headers_mut().remove(ETAG);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A text within an attribute of HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// What the page may do: run its own scripts, show its own styles, and speak with this server. Text
/// becomes markup nowhere, which trusted types hold.
fn policy(host: &str) -> HeaderValue {
    let clean = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    // Not every browser takes WebSockets of the same host for 'self'.
    let sockets = match !host.is_empty() && host.bytes().all(clean) {
        true => format!(" ws://{host} wss://{host}"),
        false => String::new(),
    };
    let text = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    HeaderValue::try_from(text).expect("a clean host makes a header value")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn files(folder: &Path, found: &mut Vec<String>, base: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found, base),
                false => found.push(path.strip_prefix(base).unwrap().display().to_string()),
            }
        }
    }

    #[test]
    fn every_file_is_embedded() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let mut found = Vec::new();
        files(&base, &mut found, &base);
        let mut names: Vec<_> = ASSETS.iter().map(|it| it.name.to_owned()).collect();
        found.sort();
        names.sort();
        assert_eq!(names, found);
    }

    #[test]
    fn all_files_together_are_small_even_before_they_are_compressed() {
        let bytes: usize = ASSETS.iter().map(|it| it.content.len()).sum();
        assert!(bytes < 300_000, "{bytes}");
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_text_never_becomes_markup() {
        for asset in ASSETS.iter() {
            let text = std::str::from_utf8(asset.content).unwrap();
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "@import",
            ] {
                assert!(!text.contains(forbidden), "{forbidden} in {}", asset.name);
            }
            for (at, _) in text.match_indices("://") {
                let around = &text[at.saturating_sub(5)..(at + 12).min(text.len())];
                let harmless = ["www.w3.org", "localhost", "${", "example", "\"", "'", "`"];
                let rest = &text[at + 3..(at + 24).min(text.len())];
                assert!(
                    harmless.iter().any(|it| rest.starts_with(it)),
                    "{around} in {}",
                    asset.name
                );
            }
        }
    }

    #[test]
    fn a_browser_that_has_a_file_hears_that_it_is_unchanged() {
        let asset = find(PAGE).unwrap();
        let first = asset.answer(&HeaderMap::new(), "localhost:8443");
        assert_eq!(first.status(), StatusCode::OK);
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        let again = asset.answer(&asked, "localhost:8443");
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        asked.insert(IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(asset.answer(&asked, "").status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_refusal_is_text_and_is_not_kept() {
        let strange = "\"><script src='x'>&amp;</head>";
        let response = page_of_refusal(strange, "localhost:8443");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert!(!response.headers().contains_key(ETAG));
        assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY));
        let html = edge::body::read(response.into_body(), 100_000).await.unwrap();
        let html = std::str::from_utf8(&html).unwrap();
        let expected =
            "content=\"&quot;&gt;&lt;script src=&#39;x&#39;&gt;&amp;amp;&lt;/head&gt;\">";
        assert!(html.contains(expected), "{html}");
        assert_eq!(html.matches("<script").count(), 1, "the page's own alone");
    }

    #[test]
    fn the_policy_lets_in_no_inline_script_and_no_strange_host() {
        let text = policy("localhost:8443").to_str().unwrap().to_owned();
        assert!(text.contains("connect-src 'self' ws://localhost:8443 wss://localhost:8443;"));
        assert!(!text.contains("unsafe") && text.contains("script-src 'self';"), "{text}");
        let strange = policy("evil.example; script-src *").to_str().unwrap().to_owned();
        assert!(!strange.contains("evil"), "{strange}");
    }
}
