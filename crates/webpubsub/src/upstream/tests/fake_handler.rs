//! An event handler on loopback that remembers what it was sent.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The part of the path that the event stands in.
    pub(super) fn event(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

/// The running server.
pub(super) struct FakeHandler {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeHandler {
    /// A handler that agrees to everybody and answers events with `answer`.
    pub(super) async fn start<F, R>(
        answer: impl Fn(Seen) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        Self::start_choosy(move |seen| {
            let answer = answer.clone();
            async move {
                match seen.method {
                    Method::OPTIONS => [("webhook-allowed-origin", "*")].into_response(),
                    _ => answer(seen).await.into_response(),
                }
            }
        })
        .await
    }

    /// A handler that answers handshakes with `answer`, too.
    pub(super) async fn start_choosy<F>(
        answer: impl Fn(Seen) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let service = move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            async move {
                let (head, body) = request.into_parts();
                let body = edge::body::read(body, 1 << 20).await.unwrap();
                let seen = Seen {
                    method: head.method,
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                log.lock().unwrap().push(seen.clone());
                answer(seen).await
            }
        };
        let router = Router::new().fallback(service);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, seen }
    }

    /// The handshakes so far.
    pub(super) fn handshakes(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|it| it.method == Method::OPTIONS).count()
    }

    /// The events so far.
    pub(super) fn events(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|it| it.method == Method::POST).cloned().collect()
    }
}

/// The answer of a handler that has nothing to say.
pub(super) async fn nothing(_: Seen) -> StatusCode {
    StatusCode::NO_CONTENT
}
