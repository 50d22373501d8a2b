//! A call that has been let in, and its answer. Namespaces see these instead of HTTP.

use axum::http::{HeaderMap, Method, StatusCode};
use kernel::Result;
use serde_json::Value;

use crate::authority::Principal;
use crate::fault;
use crate::query::Query;

/// A call whose credential and api-version hold.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is to be done.
    pub method: Method,
    /// The parameters.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The JSON body; `Null` when none was sent.
    pub body: Value,
    /// The absolute address of the call without its query.
    pub url: String,
    /// Who calls.
    pub principal: Principal,
}

impl Call {
    /// The body, which must be an object.
    ///
    /// # Errors
    /// `InvalidRequestContent`.
    pub fn object(&self) -> Result<&Value> {
        if self.body.is_object() {
            return Ok(&self.body);
        }
        Err(fault::content("body", "This call needs a JSON object as its body."))
    }

    /// `properties` of the body, an empty object when it has none.
    ///
    /// # Errors
    /// `InvalidRequestContent` when they are no object.
    pub fn properties(&self) -> Result<Value> {
        match &self.object()?["properties"] {
            Value::Null => Ok(Value::Object(serde_json::Map::new())),
            properties @ Value::Object(_) => Ok(properties.clone()),
            _ => Err(fault::content("properties", "properties must be an object.")),
        }
    }
}

/// How a call ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status; Python clients accept those of each operation's description alone.
    pub status: StatusCode,
    /// The body, if there is one.
    pub body: Option<Value>,
}

impl Answer {
    /// 200.
    pub fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body) }
    }

    /// 201.
    pub fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, body: Some(body) }
    }

    /// 200 without a body.
    pub fn done() -> Self {
        Self { status: StatusCode::OK, body: None }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None }
    }
}
