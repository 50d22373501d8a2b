//! The registrar's calls, as the native clients make them: `POST` and `DELETE …/v2/registrations`.
//!
//! Those clients have the address of the public service built in; a network that redirects its host
//! here meets the same paths. The user is the one whose token stands in `X-Skypetoken`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{delete, post};
use kernel::{Error, ErrorKind};

use super::devices::Devices;
use super::registration::Registration;
use crate::identity::{Caller, Identities};
use crate::resource::Resources;
use crate::rest::{self, Failure};

/// No registration needs more.
const MAX_BODY: usize = 16 * 1024;
const TOKEN: HeaderName = HeaderName::from_static("x-skypetoken");

struct Registrar {
    resources: Resources,
    identities: Identities,
    devices: Devices,
}

type Shared = State<Arc<Registrar>>;
type Answer = Result<StatusCode, Failure>;

/// The routes.
pub fn router(resources: Resources, identities: Identities, devices: Devices) -> Router {
    let registrar = Arc::new(Registrar { resources, identities, devices });
    let mut router = Router::new();
    // The second is that of the government clouds.
    for base in ["/registrar/prod/v2/registrations", "/v2/registrations"] {
        router =
            router.route(base, post(register)).route(&format!("{base}/{{id}}"), delete(unregister));
    }
    router.with_state(registrar)
}

async fn register(State(registrar): Shared, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let caller = registrar.caller(&parts).await?;
    let body = edge::body::read(body, MAX_BODY).await?;
    let registration = Registration::parse(&body)?;
    registrar.devices.put(&caller.id, &registration).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn unregister(
    State(registrar): Shared,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let (parts, _) = request.into_parts();
    let caller = registrar.caller(&parts).await?;
    registrar.devices.delete(&caller.id, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

impl Registrar {
    async fn caller(&self, parts: &Parts) -> Result<Caller, Failure> {
        let resource = self.resources.pick(rest::host(parts))?;
        let token = parts.headers.get(TOKEN).and_then(|value| value.to_str().ok());
        let Some(token) = token else {
            let message = "The header X-Skypetoken is missing; it carries the user's access token.";
            return Err(Error::new(ErrorKind::Unauthenticated, "Unauthorized", message).into());
        };
        Ok(self.identities.authenticate(resource, token).await?)
    }
}
