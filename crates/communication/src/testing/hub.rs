//! A notification hub on loopback that keeps what it is asked to send and answers as a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The id of the hub, as management calls know it.
pub(crate) const HUB_ID: &str = "/subscriptions/s/resourceGroups/g/providers/\
    Microsoft.NotificationHubs/namespaces/ns/notificationHubs/hub";

/// One send that was no question.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) format: String,
    pub(crate) handle: String,
    pub(crate) push_type: String,
    pub(crate) body: Value,
}

/// The hub.
#[derive(Clone)]
pub(crate) struct FakeHub {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answer: Mutex<Option<(u16, &'static str)>>,
    sends: Mutex<Vec<Sent>>,
    came: Notify,
}

impl State {
    fn take(&self) -> Option<Sent> {
        let mut sends = self.sends.lock().unwrap();
        (!sends.is_empty()).then(|| sends.remove(0))
    }
}

impl FakeHub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&hub.state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&state)));
            }
        });
        hub
    }

    pub(crate) fn connection_string(&self) -> String {
        format!(
            "Endpoint=http://127.0.0.1:{}/;SharedAccessKeyName=Full;SharedAccessKey=not-a-secret",
            self.port
        )
    }

    /// From now on it answers with this status and detail, or as a hub that works.
    pub(crate) fn answers(&self, answer: Option<(u16, &'static str)>) {
        *self.state.answer.lock().unwrap() = answer;
    }

    /// The next send, in any order of devices.
    pub(crate) async fn next(&self) -> Sent {
        let next = async {
            loop {
                let came = self.state.came.notified();
                if let Some(sent) = self.state.take() {
                    return sent;
                }
                came.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), next).await.expect("a send comes")
    }
}

async fn answer(stream: TcpStream, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    let (mut lines, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
        lines.push(std::mem::take(&mut line).trim().to_owned());
    }
    let header = |name: &str| {
        let mut pairs = lines.iter().filter_map(|it| it.split_once(": "));
        let found = pairs.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or_else(String::new, |(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    let is_test = lines.first().is_some_and(|it| it.contains("test=true"));
    let told = *state.answer.lock().unwrap();
    let (status, text) = match told {
        Some((status, detail)) => (status, format!("<Error><Detail>{detail}</Detail></Error>")),
        None if is_test => (201, "<Outcome>the handle is invalid</Outcome>".to_owned()),
        None => {
            let sent = Sent {
                format: header("servicebusnotification-format"),
                handle: header("servicebusnotification-devicehandle"),
                push_type: header("apns-push-type"),
                body: serde_json::from_slice(&body).unwrap(),
            };
            state.sends.lock().unwrap().push(sent);
            state.came.notify_waiters();
            (201, String::new())
        }
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
}
