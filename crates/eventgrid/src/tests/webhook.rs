//! A webhook on loopback that tells what it is sent.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn is_validation(&self) -> bool {
        self.header("aeg-event-type") == "SubscriptionValidation"
    }
}

pub(super) struct Webhook {
    port: u16,
    seen: Mutex<mpsc::Receiver<Seen>>,
}

impl Webhook {
    /// One that answers everything with `answer`.
    pub(super) async fn answering<F>(answer: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, seen) = mpsc::channel(1000);
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (answer, sender) = (Arc::clone(&answer), sender.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = edge::body::read(body, 1 << 22).await.unwrap().to_vec();
                let seen = Seen { method: head.method, headers: head.headers, body };
                let answer = answer(seen.clone()).await;
                sender.send(seen).await.unwrap();
                answer
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, seen: Mutex::new(seen) }
    }

    /// One that consents, and answers events with what `status` says.
    pub(super) async fn consenting(status: impl Fn() -> u16 + Send + Sync + 'static) -> Self {
        let status = Arc::new(status);
        Self::answering(move |seen| {
            let status = Arc::clone(&status);
            async move {
                if seen.method == Method::OPTIONS {
                    return [("webhook-allowed-origin", "*")].into_response();
                }
                if seen.is_validation() {
                    let code = &seen.json()[0]["data"]["validationCode"];
                    return axum::Json(json!({ "validationResponse": code })).into_response();
                }
                StatusCode::from_u16(status()).unwrap().into_response()
            }
        })
        .await
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in?code=hunter2", self.port)
    }

    /// The next request, handshakes included.
    pub(super) async fn next(&self) -> Seen {
        let mut seen = self.seen.lock().await;
        let next = tokio::time::timeout(Duration::from_secs(20), seen.recv()).await;
        next.expect("a request within 20 seconds").expect("the webhook runs")
    }

    /// How many requests have arrived and were not looked at yet.
    pub(super) async fn unseen(&self) -> usize {
        self.seen.lock().await.len()
    }
}
