//! A request's query, decoded once. Names compare without regard to case, as the resource manager
//! does, and may be percent-encoded (some SDKs send `api%2Dversion`).

/// The parameters of a query, in order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter that is not empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        let values = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.as_str()).find(|value| !value.is_empty())
    }

    /// The same query with one parameter set, as text.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        let others = self.0.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(name));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others).append_pair(name, value);
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_compared_without_case() {
        let query = Query::parse("api%2Dversion=2025-02-15&%24Top=&$top=5");
        assert_eq!(query.one("api-version"), Some("2025-02-15"));
        assert_eq!(query.one("$top"), Some("5"));
        assert_eq!(query.one("$filter"), None);
    }

    #[test]
    fn setting_a_parameter_replaces_it() {
        let query = Query::parse("api-version=1&$skipToken=a&$top=2");
        assert_eq!(query.with("$skiptoken", "b c"), "api-version=1&%24top=2&%24skiptoken=b+c");
    }
}
