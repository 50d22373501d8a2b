//! A request's query, decoded once. A `+` is a space, as HTML forms and some SDKs write it.

use axum::http::Uri;

/// The parameters of a query, in order; a name may stand several times.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// All parameters, in order.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The first value of a parameter.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_repeat_and_decode() {
        let query = Query::of(&Uri::from_static("/?excluded=a&filter=x+eq%20'%2B'&excluded=b"));
        assert_eq!(query.all("excluded").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.one("filter"), Some("x eq '+'"));
        assert_eq!(query.one("none"), None);
    }
}
