//! Lists, page by page, in the order of ids.

use kernel::Result;
use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::fault;
use crate::filter::Filter;

/// Resources on a page unless asked otherwise, and at most; both as documented for Event Grid.
const USUAL: usize = 20;
const MOST: usize = 100;

/// One resource of a list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its id in lower case: its place in the list.
    pub(crate) key: String,
    /// What `$filter` looks at.
    pub(crate) name: String,
    /// The resource as the list shows it.
    pub(crate) shown: Value,
}

impl Listed {
    /// A resource with an `id` and a `name`.
    pub(crate) fn of(shown: Value) -> Self {
        let text = |property: &str| shown[property].as_str().unwrap_or_default();
        Self { key: text("id").to_ascii_lowercase(), name: text("name").to_owned(), shown }
    }
}

/// The page that a call asks for with `$filter`, `$top` and the `$skipToken` of a `nextLink`.
///
/// # Errors
/// `Invalid` for a parameter out of its form.
pub(crate) fn page(call: &Call, mut items: Vec<Listed>) -> Result<Answer> {
    if let Some(filter) = call.query.one("$filter").map(Filter::parse).transpose()? {
        items.retain(|item| filter.matches(&item.name));
    }
    if let Some(after) = call.query.one("$skipToken") {
        items.retain(|item| item.key.as_str() > after);
    }
    let top = top(call)?;
    items.sort_by(|one, other| one.key.cmp(&other.key));
    let more = items.len() > top;
    items.truncate(top);
    let last = items.last().map(|last| last.key.clone()).filter(|_| more);
    let value: Vec<Value> = items.into_iter().map(|item| item.shown).collect();
    let mut body = json!({ "value": value });
    if let Some(last) = last {
        let query = call.query.with("$skipToken", &last);
        body["nextLink"] = format!("{}?{query}", call.url).into();
    }
    Ok(Answer::ok(body))
}

/// A list that is never long enough for pages.
pub(crate) fn whole(value: Vec<Value>) -> Answer {
    let mut body = json!({});
    body["value"] = Value::Array(value);
    Answer::ok(body)
}

fn top(call: &Call) -> Result<usize> {
    match call.query.one("$top").map(str::parse) {
        None => Ok(USUAL),
        Some(Ok(top)) if (1..=MOST).contains(&top) => Ok(top),
        Some(_) => Err(fault::parameter("$top", format!("$top is a number from 1 to {MOST}."))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method};

    use super::*;
    use crate::authority::Principal;
    use crate::query::Query;

    fn items(count: usize) -> Vec<Listed> {
        let named = |at: usize| {
            Listed::of(json!({ "id": format!("/S/T{at:03}"), "name": format!("t{at:03}") }))
        };
        (0..count).rev().map(named).collect()
    }

    /// The names on a page, and the query of the next.
    fn names(query: &str, count: usize) -> (Vec<String>, Option<String>) {
        let call = Call {
            method: Method::GET,
            query: Query::parse(query),
            headers: HeaderMap::new(),
            body: Value::Null,
            url: "https://h:1/list".to_owned(),
            principal: Principal::new("test"),
        };
        let body = page(&call, items(count)).unwrap().body.unwrap();
        let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
        let next = body["nextLink"]
            .as_str()
            .map(|link| link.strip_prefix("https://h:1/list?").unwrap().to_owned());
        (body["value"].as_array().unwrap().iter().map(name).collect(), next)
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap() {
        let mut query = "api-version=2025-02-15&$top=2".to_owned();
        let mut seen = Vec::new();
        let mut pages = 0;
        loop {
            let (found, next) = names(&query, 5);
            seen.extend(found);
            pages += 1;
            let Some(next) = next else { break };
            query = next;
        }
        assert_eq!(
            (seen.as_slice(), pages),
            (["t000", "t001", "t002", "t003", "t004"].map(str::to_owned).as_slice(), 3)
        );
    }

    #[test]
    fn a_full_last_page_has_no_link() {
        assert_eq!(names("$top=5", 5).1, None);
        let (shown, next) = names("", USUAL + 1);
        assert_eq!((shown.len(), next.is_some()), (USUAL, true));
    }

    #[test]
    fn a_filter_comes_before_the_page() {
        assert_eq!(names("$filter=contains(name, '4')&$top=1", 5), (vec!["t004".to_owned()], None));
    }

    #[test]
    fn a_page_size_out_of_bounds_is_refused() {
        for top in ["0", "101", "many", "-1"] {
            let query = Query::parse(&format!("$top={top}"));
            let principal = Principal::new("test");
            let call = Call {
                method: Method::GET,
                query,
                headers: HeaderMap::new(),
                body: Value::Null,
                url: String::new(),
                principal,
            };
            assert_eq!(page(&call, items(1)).unwrap_err().target_name(), Some("$top"), "{top}");
        }
    }
}
