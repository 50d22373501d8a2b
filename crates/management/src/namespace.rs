//! What a resource provider is to the resource manager: a namespace that answers below its name.
//!
//! Each service has one here, over a port of its own that the program implements.

use std::future::Future;
use std::pin::Pin;

use kernel::Result;
use wire::ResourceId;

use crate::address::ProviderPath;
use crate::call::{Answer, Call};

/// An answer that is being worked on.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A resource provider, such as `Microsoft.EventGrid`.
pub trait Namespace: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &'static str;

    /// The types of its resources, without the namespace.
    fn resource_types(&self) -> &'static [&'static str];

    /// Answers a call at an address below it.
    fn answer<'a>(&'a self, at: &'a ProviderPath, call: &'a Call) -> Pending<'a, Answer>;

    /// The form of refusals below it.
    fn envelope(&self) -> edge::Envelope {
        edge::Envelope::ResourceManager
    }

    /// The resources that it has, all of them where `within` is `None`.
    fn resources<'a>(&'a self, within: Option<&'a ResourceId>) -> Pending<'a, Vec<ResourceId>>;
}
