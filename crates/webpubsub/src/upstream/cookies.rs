//! The cookies that a handler sets, kept for one connection and sent back: what load balancers in
//! front of handlers use to bring a connection's events to the same instance.
//!
//! A cookie goes back to exactly the origin that set it. Path, domain and expiry date are not looked
//! at; an empty value or a `Max-Age` of zero or less removes a cookie.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// More cookies than this, or longer ones, are not kept.
const MAX_COOKIES: usize = 20;
const MAX_BYTES: usize = 4096;

/// The cookies of one connection.
#[derive(Debug, Default)]
pub struct Cookies(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    origin: Box<str>,
    name: Box<str>,
    value: Box<str>,
}

impl Cookies {
    /// Takes the cookies of an answer from `origin` (scheme, host and port).
    pub fn keep(&mut self, origin: &str, headers: &HeaderMap) {
        for text in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = text.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let gone = value.is_empty() || parts.any(is_past);
            self.0.retain(|it| &*it.origin != origin || &*it.name != name);
            let fits = self.0.len() < MAX_COOKIES && name.len() + value.len() <= MAX_BYTES;
            if !gone && fits && !name.is_empty() {
                self.0.push(Cookie {
                    origin: origin.into(),
                    name: name.into(),
                    value: value.into(),
                });
            }
        }
    }

    /// The header `Cookie` of a request to `origin`, when there is something to send.
    pub fn header(&self, origin: &str) -> Option<HeaderValue> {
        let own = self.0.iter().filter(|it| &*it.origin == origin);
        let pairs: Vec<String> = own.map(|it| format!("{}={}", it.name, it.value)).collect();
        if pairs.is_empty() { None } else { HeaderValue::from_str(&pairs.join("; ")).ok() }
    }
}

/// Whether an attribute says that the cookie is over.
fn is_past(attribute: &str) -> bool {
    let Some((name, value)) = attribute.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("max-age")
        && value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://h";

    fn keep(cookies: &mut Cookies, origin: &str, texts: &[&str]) {
        let value = |text: &&str| (SET_COOKIE, HeaderValue::from_str(text).unwrap());
        cookies.keep(origin, &texts.iter().map(value).collect());
    }

    #[test]
    fn cookies_come_back_without_their_attributes() {
        let mut cookies = Cookies::default();
        assert_eq!(cookies.header(ORIGIN), None);
        keep(&mut cookies, ORIGIN, &["a=1; Path=/; HttpOnly", " b = x=y ; Max-Age=60"]);
        assert_eq!(cookies.header(ORIGIN).unwrap(), "a=1; b=x=y");
        keep(&mut cookies, ORIGIN, &["a=2"]);
        assert_eq!(cookies.header(ORIGIN).unwrap(), "b=x=y; a=2");
        keep(
            &mut cookies,
            ORIGIN,
            &["a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=1; max-age=0"],
        );
        assert_eq!(cookies.header(ORIGIN), None);
    }

    #[test]
    fn no_other_origin_sees_them() {
        let mut cookies = Cookies::default();
        keep(&mut cookies, ORIGIN, &["a=1"]);
        keep(&mut cookies, "https://other", &["a=2"]);
        assert_eq!(cookies.header(ORIGIN).unwrap(), "a=1");
        assert_eq!(cookies.header("https://h:444"), None);
    }

    #[test]
    fn a_handler_cannot_fill_the_memory() {
        let mut cookies = Cookies::default();
        for index in 0..100 {
            keep(&mut cookies, ORIGIN, &[&format!("{index}=1"), "=1", "none"]);
        }
        keep(&mut cookies, ORIGIN, &[&format!("0={}", "x".repeat(MAX_BYTES))]);
        let header = cookies.header(ORIGIN).unwrap();
        assert_eq!(header.to_str().unwrap().split("; ").count(), MAX_COOKIES - 1, "0 was replaced");
    }
}
