//! What a path of the resource manager names, by its form alone.
//!
//! `/subscriptions/{id}[/resourceGroups/{name}]`, then any number of `/providers/{namespace}` with
//! pairs of type and name. The last `providers` says who answers, everything before it is the scope.
//! Words and types are compared without regard to case; names keep the case that they came in.

use kernel::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use wire::ResourceId;

/// Azure's longest names have 260 characters.
const MAX_SEGMENT_BYTES: usize = 512;
/// A resource five levels below another one that is five levels deep has fewer.
const MAX_SEGMENTS: usize = 40;

const SUBSCRIPTIONS: &str = "subscriptions";
const RESOURCE_GROUPS: &str = "resourceGroups";
const PROVIDERS: &str = "providers";

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Something that the resource manager itself answers: the segments of the path.
    Own(Vec<String>),
    /// Something that a provider answers.
    Provider(ProviderPath),
}

/// An address below a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPath {
    /// What it is about: a subscription, a resource group or another resource. `None` at the root,
    /// where providers tell about themselves.
    pub scope: Option<ResourceId>,
    /// Who answers, as it was written.
    pub namespace: String,
    /// What follows: types and names in turn, perhaps an action at the end.
    pub path: Vec<String>,
}

impl Address {
    /// Reads a path, percent-encoded as it came.
    ///
    /// # Errors
    /// `Invalid` when it cannot be decoded or is longer than anything that exists.
    pub(crate) fn parse(path: &str) -> Result<Self> {
        let mut segments = segments(path)?;
        let Some(providers) = walk(&mut segments) else { return Ok(Self::Own(segments)) };
        let mut rest = segments.split_off(providers).into_iter().skip(1);
        // `walk` has seen the namespace.
        let namespace = rest.next().unwrap_or_default();
        let scope = match segments.is_empty() {
            true => None,
            false => Some(ResourceId::parse(&segments.join("/"))?),
        };
        Ok(Self::Provider(ProviderPath { scope, namespace, path: rest.collect() }))
    }
}

/// Gives the words of the grammar their usual case, and tells where the last `providers` with a
/// namespace stands.
fn walk(segments: &mut [String]) -> Option<usize> {
    let mut at = 0;
    if is(segments, at, SUBSCRIPTIONS) && segments.len() > 1 {
        SUBSCRIPTIONS.clone_into(&mut segments[at]);
        at += 2;
        if is(segments, at, RESOURCE_GROUPS) {
            RESOURCE_GROUPS.clone_into(&mut segments[at]);
            at += 2;
        }
    }
    let mut last = None;
    while is(segments, at, PROVIDERS) && at + 1 < segments.len() {
        PROVIDERS.clone_into(&mut segments[at]);
        last = Some(at);
        at += 2;
        // A name may be "providers"; a type is not.
        while at < segments.len() && !is(segments, at, PROVIDERS) {
            at += 2;
        }
    }
    last
}

fn is(segments: &[String], at: usize, word: &str) -> bool {
    segments.get(at).is_some_and(|segment| segment.eq_ignore_ascii_case(word))
}

/// The segments of a path, decoded. A few calls of the SDKs (extension topics) send the whole id of
/// the scope as one encoded segment at the beginning.
fn segments(path: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let text = percent_decode_str(segment)
            .decode_utf8()
            .map_err(|_| invalid("The path is not percent-encoded UTF-8."))?;
        if found.is_empty() && is_scope(&text) {
            found.extend(text.split('/').filter(|inner| !inner.is_empty()).map(str::to_owned));
        } else if text.contains('/') {
            // Within an id it would begin another segment.
            return Err(invalid("A name in the path holds a slash."));
        } else {
            found.push(text.into_owned());
        }
    }
    let too_long = |segment: &String| segment.len() > MAX_SEGMENT_BYTES;
    if found.len() > MAX_SEGMENTS || found.iter().any(too_long) {
        return Err(invalid(format!(
            "The path has more than {MAX_SEGMENTS} segments, or one of more than \
             {MAX_SEGMENT_BYTES} bytes."
        )));
    }
    if found.iter().any(|segment| segment.chars().any(char::is_control)) {
        return Err(invalid("A name in the path holds a control character."));
    }
    Ok(found)
}

fn is_scope(text: &str) -> bool {
    let mut inner = text.split('/').filter(|inner| !inner.is_empty());
    text.contains('/') && inner.next().is_some_and(|word| word.eq_ignore_ascii_case(SUBSCRIPTIONS))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn provider(path: &str) -> ProviderPath {
        match Address::parse(path).unwrap() {
            Address::Provider(found) => found,
            Address::Own(segments) => panic!("{path} is {segments:?}"),
        }
    }

    fn parts(path: &str) -> (Option<String>, String, Vec<String>) {
        let ProviderPath { scope, namespace, path } = provider(path);
        (scope.map(|it| it.as_str().to_owned()), namespace, path)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn words_get_their_usual_case_and_names_keep_theirs() {
        let path =
            "//Subscriptions/S1//resourcegroups/My.Rg/PROVIDERS/microsoft.eventgrid/topics/A%20b/";
        let scope = "/subscriptions/S1/resourceGroups/My.Rg".to_owned();
        let expected = (Some(scope), "microsoft.eventgrid".to_owned(), texts(&["topics", "A b"]));
        assert_eq!(parts(path), expected);
    }

    #[test]
    fn the_last_provider_answers_and_the_rest_is_its_scope() {
        let topic = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/t";
        let path = format!("{topic}/providers/Microsoft.EventGrid/eventSubscriptions/e/getFullUrl");
        let (scope, _, rest) = parts(&path);
        assert_eq!(scope.as_deref(), Some(topic));
        assert_eq!(rest, ["eventSubscriptions", "e", "getFullUrl"]);
    }

    #[test]
    fn a_scope_may_be_one_encoded_segment() {
        let (scope, namespace, rest) =
            parts("/%2Fsubscriptions%2Fs%2FresourceGroups%2Fa%20b/providers/N/t/n");
        assert_eq!(scope.as_deref(), Some("/subscriptions/s/resourceGroups/a b"));
        assert_eq!((namespace.as_str(), rest), ("N", texts(&["t", "n"])));
    }

    #[test]
    fn a_scope_may_be_a_subscription_or_nothing() {
        assert_eq!(
            parts("/subscriptions/s/providers/N/t"),
            (Some("/subscriptions/s".to_owned()), "N".to_owned(), texts(&["t"]))
        );
        assert_eq!(
            parts("/providers/N/operations"),
            (None, "N".to_owned(), texts(&["operations"]))
        );
        assert_eq!(parts("/providers/N").2, [""; 0]);
    }

    #[test]
    fn a_resource_may_be_named_providers() {
        let (scope, _, rest) =
            parts("/subscriptions/providers/resourceGroups/providers/providers/N/t/providers");
        assert_eq!(scope.as_deref(), Some("/subscriptions/providers/resourceGroups/providers"));
        assert_eq!(rest, ["t", "providers"]);
    }

    #[test]
    fn paths_without_a_provider_are_the_resource_managers_own() {
        for path in
            ["/subscriptions", "/subscriptions/s/resourcegroups/g", "/tenants", "/providers"]
        {
            assert!(matches!(Address::parse(path).unwrap(), Address::Own(_)), "{path}");
        }
    }

    #[test]
    fn what_no_name_can_be_is_refused() {
        let long = format!("/subscriptions/{}", "x".repeat(MAX_SEGMENT_BYTES + 1));
        let deep = "/a".repeat(MAX_SEGMENTS + 1);
        for path in [
            "/subscriptions/a%2Fb",
            "/a%2Fb",
            "/subscriptions/%00",
            "/subscriptions/%ff",
            &long,
            &deep,
        ] {
            assert_eq!(Address::parse(path).unwrap_err().kind(), ErrorKind::Invalid, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "(/(subscriptions|resourceGroups|providers|[a-c%/]{0,4})){0,12}") {
            let _ = Address::parse(&path);
        }
    }
}
