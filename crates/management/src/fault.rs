//! The refusals that several calls share, under the codes of the resource manager.

use std::borrow::Cow;

use axum::http::Method;
use kernel::{Error, ErrorKind};
use wire::ResourceId;

/// There is no such resource; `what` is its type and name from the namespace on.
pub(crate) fn not_found(what: &str, group: Option<&str>) -> Error {
    let place = match group {
        Some(group) => format!(" under resource group '{group}'"),
        None => String::new(),
    };
    let message = format!(
        "The Resource '{what}'{place} was not found. Create it with PUT on the same address."
    );
    Error::new(ErrorKind::NotFound, "ResourceNotFound", message)
}

/// There is no resource with this id.
pub(crate) fn no_resource(id: &ResourceId) -> Error {
    not_found(&format!("{}/{}", id.resource_type(), id.name()), id.resource_group())
}

/// A body that has not the form that the call takes.
pub(crate) fn content(target: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequestContent", message).target(target)
}

/// A parameter of the query that is wrong.
pub(crate) fn parameter(name: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidParameter", message).target(name)
}

/// A name that no resource of this kind can have.
pub(crate) fn name(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidResourceName", message).target(target)
}

/// An address that is understood, with a method that it does not take.
pub(crate) fn method(method: &Method, allowed: &str) -> Error {
    let message = format!("This address does not take {method}; it takes {allowed}.");
    Error::new(ErrorKind::MethodNotAllowed, "MethodNotAllowed", message)
}

/// An address that names nothing that is answered here; `known` says what is.
pub(crate) fn unknown_path(path: &str, known: &str) -> Error {
    let shown: String = path.chars().take(200).collect();
    let message =
        format!("There is no resource type or operation '{}' here. {known}", shown.escape_debug());
    Error::new(ErrorKind::NotFound, "InvalidResourceType", message)
}
