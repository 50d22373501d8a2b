//! Delivery: the handshake, the request, the retries, and the order of a connection's events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Response, StatusCode, Uri};
use bytes::Bytes;
use edge::Tasks;
use edge::outbound::{Limits, Outbound, OutboundError};
use kernel::{Clock, Timestamp};
use tokio::runtime::Handle;

use super::context::ConnectionContext;
use super::counters::Counters;
use super::failing::{Failing, FailingHandlers};
use super::hub::Handler;
use super::queue::{Pending, Pushed, QueuedEvent, UserEvent};
use super::request::{self, ConnectEvent, Event, Payload, Subject};
use super::response::{self, ConnectOutcome, Grant, UserOutcome, unexpected};
use super::settings::EventName;
use super::signature;
use super::validation::{self, Verdict};
use crate::metadata::Metadata;

/// The headers of an answer may have this many bytes.
const HEADER_BYTES: usize = 32 * 1024;
/// Verdicts are forgotten when there are more: then something makes up URLs.
const MAX_VERDICTS: usize = 4096;

/// What the delivery of events may take.
#[derive(Clone, Debug)]
pub struct UpstreamLimits {
    /// The time of one attempt. One that takes longer is not repeated.
    pub attempt: Duration,
    /// The time of a handshake.
    pub handshake: Duration,
    /// The pauses before each further attempt, after a broken connection, 408 or 5xx.
    pub retry_after: Vec<Duration>,
    /// The body of an answer, in bytes.
    pub answer_bytes: usize,
    /// What may wait for handlers in one connection.
    pub queue: Pending,
}

impl Default for UpstreamLimits {
    /// Times as the public emulator has them, an answer as large as a message, and four of the
    /// largest messages in the queue.
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(100),
            handshake: Duration::from_secs(10),
            retry_after: [1, 3, 5].map(Duration::from_secs).to_vec(),
            answer_bytes: 1024 * 1024,
            queue: Pending { events: 1000, bytes: 4 * 1024 * 1024 },
        }
    }
}

/// The road to event handlers. Cheap to clone.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    runtime: Handle,
    limits: UpstreamLimits,
    counters: Counters,
    failing: FailingHandlers,
    verdicts: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Verdict>>>>>,
}

impl Upstream {
    /// Delivers over `outbound`, in tasks of `tasks` on the runtime that this is called on.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn new(
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        limits: UpstreamLimits,
    ) -> Self {
        Self(Arc::new(Inner {
            outbound,
            clock,
            tasks,
            runtime: Handle::current(),
            limits,
            counters: Counters::default(),
            failing: FailingHandlers::default(),
            verdicts: Mutex::default(),
        }))
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The handlers whose last event failed.
    pub fn failing(&self) -> Vec<Failing> {
        self.0.failing.list()
    }

    /// Asks the handler whether a client may connect, and waits for its answer. Without a handler
    /// the client may, as its token says.
    pub async fn connect(
        &self,
        context: &Arc<ConnectionContext>,
        event: &ConnectEvent,
    ) -> ConnectOutcome {
        let name = EventName::Connect;
        let Some(handler) = context.hub.handler(name) else {
            return ConnectOutcome::Accepted(Grant::default());
        };
        let told = Event {
            name,
            id: 0,
            time: self.0.clock.now(),
            metadata: &Metadata::default(),
            payload: &Payload::connect(event),
        };
        let outcome = match self.0.deliver(&handler, context, &told).await {
            Err(reason) => ConnectOutcome::Failed(reason),
            Ok(answer) => {
                let outcome = response::connect(&answer, &event.subprotocols);
                if let ConnectOutcome::Accepted(grant) = &outcome {
                    context.keep_state(&answer);
                    if grant.user_id.is_some() {
                        context.set_user(grant.user_id.as_deref());
                    }
                }
                outcome
            }
        };
        let end = match &outcome {
            ConnectOutcome::Accepted(_) => End::Taken,
            ConnectOutcome::Refused(refusal) => End::of_refusal(refusal.status),
            ConnectOutcome::Failed(reason) => End::Failed(reason.clone()),
        };
        self.0.note(&handler, context, name, &end);
        outcome
    }

    /// Hands over an event and returns at once, on any thread. The events of a connection are
    /// delivered one after another. What came of a user event goes to its reply, in the same order;
    /// one that finds the queue full is answered before this returns.
    pub fn raise(&self, context: Arc<ConnectionContext>, event: QueuedEvent) {
        match context.queue.push(self.0.clock.now(), event, self.0.limits.queue) {
            Pushed::Waits => {}
            Pushed::Full(event) => {
                self.0.counters.overloaded.add(1);
                (event.reply)(UserOutcome::Overloaded);
            }
            Pushed::Starts => {
                let _runtime = self.0.runtime.enter();
                let drain = Arc::clone(&self.0).drain(context);
                self.0.tasks.spawn("upstream events", drain);
            }
        }
    }
}

/// How an event ended, for counters and log.
enum End {
    Taken,
    /// The handler works and says no.
    Refused,
    Failed(String),
}

impl End {
    /// 400, 401 and 403 are a handler's own words. Any other status of 4xx comes from a server that
    /// does not know the event, or from something in between.
    fn of_refusal(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Self::Refused
            }
            other => Self::Failed(unexpected(other)),
        }
    }
}

impl Inner {
    /// Delivers the events of one connection until none is left.
    async fn drain(self: Arc<Self>, context: Arc<ConnectionContext>) {
        while let Some((time, event)) = context.queue.next() {
            match event {
                QueuedEvent::Connected => {
                    let payload = Payload::connected();
                    self.tell(&context, EventName::Connected, time, &payload).await;
                    context.queue.done();
                }
                QueuedEvent::Disconnected { reason } => {
                    let payload = Payload::disconnected(&reason);
                    self.tell(&context, EventName::Disconnected, time, &payload).await;
                    context.queue.done();
                }
                QueuedEvent::User(UserEvent { name, data, metadata, reply }) => {
                    let payload = Payload::user(data);
                    let outcome = self.ask(&context, &name, time, &metadata, &payload).await;
                    // Whoever gets the reply may look at what is pending.
                    context.queue.done();
                    reply(outcome);
                }
            }
        }
    }

    /// Delivers an event that nobody waits for.
    async fn tell(
        &self,
        context: &ConnectionContext,
        name: EventName<'_>,
        time: Timestamp,
        payload: &Payload,
    ) {
        let Some(handler) = context.hub.handler(name) else { return };
        let metadata = &Metadata::default();
        let told = Event { name, id: context.next_event(), time, metadata, payload };
        let answer = self.deliver(&handler, context, &told).await;
        let end = match answer.and_then(|answer| response::acknowledged(&answer)) {
            Ok(()) => End::Taken,
            Err(reason) => End::Failed(reason),
        };
        self.note(&handler, context, name, &end);
    }

    /// Delivers a client's event and reads the answer.
    async fn ask(
        &self,
        context: &ConnectionContext,
        name: &str,
        time: Timestamp,
        metadata: &Metadata,
        payload: &Payload,
    ) -> UserOutcome {
        let name = EventName::User(name);
        let Some(handler) = context.hub.handler(name) else { return UserOutcome::NoHandler };
        let told = Event { name, id: context.next_event(), time, metadata, payload };
        let outcome = match self.deliver(&handler, context, &told).await {
            Err(reason) => UserOutcome::Failed(reason),
            Ok(answer) => {
                context.keep_state(&answer);
                response::user(&answer)
            }
        };
        let end = match &outcome {
            UserOutcome::Handled(_) | UserOutcome::NoHandler | UserOutcome::Overloaded => {
                End::Taken
            }
            UserOutcome::Refused(status) => End::of_refusal(*status),
            UserOutcome::Failed(reason) => End::Failed(reason.clone()),
        };
        self.note(&handler, context, name, &end);
        outcome
    }

    /// Sends an event, again where that may help, and returns the last answer.
    async fn deliver(
        &self,
        handler: &Handler,
        context: &ConnectionContext,
        event: &Event<'_>,
    ) -> Result<Response<Bytes>, String> {
        self.validate(handler, context).await?;
        let limits = Limits {
            timeout: self.limits.attempt,
            header_bytes: HEADER_BYTES,
            body_bytes: self.limits.answer_bytes,
        };
        let url = handler.settings.url.fill(context.hub.name().as_str(), event.name.as_str());
        let origin = origin(&url);
        let mut pauses = self.limits.retry_after.iter();
        loop {
            let request = {
                let signature =
                    signature::sign(&context.keys.signing_keys(), &context.connection_id);
                let memory = context.memory();
                let subject = Subject {
                    hub: context.hub.name().as_str(),
                    connection_id: &context.connection_id,
                    user_id: memory.user_id.as_deref(),
                    subprotocol: memory.subprotocol.as_deref(),
                    state: memory.state.as_ref(),
                    cookies: memory.cookies.header(&origin),
                    origin: context.hub.origin(),
                    signature: &signature,
                };
                request::build(url.clone(), &handler.settings.auth, &subject, event)
            };
            let answer = {
                let _permit = handler.permits.acquire().await.expect("it is never closed");
                let _in_flight = self.counters.in_flight.hold();
                self.outbound.send(request, limits).await
            };
            if let Ok(answer) = &answer {
                context.keep_cookies(&origin, answer);
            }
            match pauses.next() {
                Some(pause) if is_worth_repeating(&answer) => {
                    self.counters.retries.add(1);
                    tokio::time::sleep(*pause).await;
                }
                _ => return answer.map_err(|error| error.to_string()),
            }
        }
    }

    /// Makes sure that the handler has agreed to events of this service. Handshakes for one URL wait
    /// for one another, so that a crowd of clients causes one.
    async fn validate(&self, handler: &Handler, context: &ConnectionContext) -> Result<(), String> {
        let url = &handler.settings.url;
        let target = url.fill(context.hub.name().as_str(), validation::EVENT);
        let origin = context.hub.origin();
        let slot = self.verdict(format!("{origin:?} {target}"));
        let mut known = slot.lock().await;
        if let Some(verdict) = known.as_ref().filter(|it| it.holds(self.clock.now())) {
            return verdict.outcome.clone();
        }
        let limits = Limits {
            timeout: self.limits.handshake,
            header_bytes: HEADER_BYTES,
            body_bytes: self.limits.answer_bytes,
        };
        let answer = self.outbound.send(validation::request(target, origin), limits).await;
        let outcome = match answer {
            Ok(answer) => validation::judge(url, origin, answer.status(), answer.headers()),
            Err(error) => Err(format!("Abuse protection for '{url}' failed: {error}.")),
        };
        if outcome.is_err() {
            self.counters.failed_handshakes.add(1);
        }
        *known = Some(Verdict::new(outcome.clone(), self.clock.now()));
        outcome
    }

    fn verdict(&self, key: String) -> Arc<tokio::sync::Mutex<Option<Verdict>>> {
        // What panics here is at most an allocation; the map is whole in any case.
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.clear();
        }
        Arc::clone(verdicts.entry(key).or_default())
    }

    /// Counts how an event ended, and logs when a handler begins to fail or works again.
    fn note(
        &self,
        handler: &Handler,
        context: &ConnectionContext,
        event: EventName<'_>,
        end: &End,
    ) {
        let (hub, event, url) =
            (context.hub.name().as_str(), event.as_str(), &handler.settings.url);
        match end {
            End::Taken => self.counters.delivered.add(1),
            End::Refused => self.counters.refused.add(1),
            End::Failed(_) => self.counters.failed.add(1),
        }
        let connection = &*context.connection_id;
        if let End::Failed(reason) = end {
            let now = self.clock.now();
            self.failing.failed(hub, &url.to_string(), (event, reason), now);
        }
        match (end, handler.note(matches!(end, End::Failed(_)))) {
            (End::Failed(reason), true) => {
                tracing::warn!(hub, event, handler = %url, connection, reason, "an event handler fails");
            }
            (End::Failed(reason), false) => {
                tracing::debug!(hub, event, handler = %url, connection, reason, "event not delivered");
            }
            (End::Taken | End::Refused, true) => {
                self.failing.works(hub, &url.to_string());
                tracing::info!(hub, handler = %url, "an event handler works again");
            }
            (End::Taken | End::Refused, false) => {}
        }
    }
}

/// Whether another attempt makes sense: the connection failed or broke, or the handler says that
/// something went wrong on its side. A handler that takes too long would only be asked twice.
fn is_worth_repeating(answer: &Result<Response<Bytes>, OutboundError>) -> bool {
    match answer {
        Ok(answer) => {
            answer.status() == StatusCode::REQUEST_TIMEOUT || answer.status().is_server_error()
        }
        Err(error) => matches!(
            error,
            OutboundError::Connect { .. }
                | OutboundError::Resolve { .. }
                | OutboundError::Broken { .. }
        ),
    }
}

/// Scheme, host and port of a URL: whom its cookies belong to.
fn origin(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map(|it| it.as_str()).unwrap_or_default();
    format!("{scheme}://{authority}")
}
