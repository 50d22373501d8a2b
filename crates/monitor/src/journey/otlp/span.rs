//! A milestone as a span.

use kernel::Milestone;
use kernel::milestone::Outcome;

use super::wire::{
    ExportRequest, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status,
};

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const ERROR: i32 = 2;

/// Milestones as one request. `fresh` makes a number for each span that has no id of its own.
pub(super) fn request(
    milestones: &[Milestone],
    node: &str,
    mut fresh: impl FnMut() -> u64,
) -> ExportRequest {
    let spans = milestones.iter().map(|it| span(it, &mut fresh)).collect();
    let attributes = vec![
        KeyValue::text("service.name", "tidings"),
        KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::text("service.instance.id", node),
    ];
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let scope = Some(Scope { name: "tidings.journey".to_owned(), version });
    let resource = Some(Resource { attributes });
    let scope_spans = vec![ScopeSpans { scope, spans }];
    ExportRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
}

fn span(it: &Milestone, mut fresh: impl FnMut() -> u64) -> Span {
    let (span_id, parent, kind) = match it.ends {
        Some(ends) => {
            let parent = ends.parent.map(|it| it.as_bytes().to_vec()).unwrap_or_default();
            (it.span.as_bytes().to_vec(), parent, SERVER)
        }
        // All zeros would be no id.
        None => ((fresh() | 1).to_be_bytes().to_vec(), it.span.as_bytes().to_vec(), INTERNAL),
    };
    let end = nanos(it.at.as_micros());
    let took = it.took.map_or(0, |took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    let mut attributes = vec![
        KeyValue::text("tidings.service", it.service),
        KeyValue::text("tidings.stage", it.stage.as_str()),
        KeyValue::text("tidings.outcome", it.outcome.as_str()),
        KeyValue::text("tidings.detail", &*it.detail),
    ];
    attributes.extend(it.subjects.iter().map(|subject| {
        let key = format!("tidings.{}", subject.kind.replace(' ', "_"));
        KeyValue::text(&key, &*subject.value)
    }));
    let failed = it.outcome != Outcome::Done;
    Span {
        trace_id: it.trace.as_bytes().to_vec(),
        span_id,
        parent_span_id: parent,
        name: format!("{} {}", it.service, it.stage),
        kind,
        start_time_unix_nano: end.saturating_sub(took),
        end_time_unix_nano: end,
        attributes,
        status: failed.then(|| Status { message: it.detail.to_string(), code: ERROR }),
    }
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kernel::{Clock, Milestones, Note, Stage, Timestamp, TraceContext, TraceId};
    use prost::Message as _;

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1_790_000_000)
        }
    }

    /// The spans of a caller's request that failed, as they go over the wire.
    fn sent() -> (TraceContext, Vec<Span>) {
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let caller = TraceContext::parse(caller).unwrap();
        let milestones = Milestones::new(Arc::new(Still), Default::default());
        let journey = milestones.begin(Some(caller), TraceId::from_bytes([1; 16]).unwrap());
        journey.note("chat", Note::new(Stage::Stored, "a message").subject("message", "17"));
        let end = Note::new(Stage::Answered, "POST /x: 500").failed();
        journey.end("edge", end.took(Duration::from_millis(2)));
        let mut count = 0;
        let fresh = || {
            count += 2;
            count
        };
        let bytes = request(&milestones.take(), "node-1", fresh).encode_to_vec();
        let request = ExportRequest::decode(bytes.as_slice()).unwrap();
        let resource = &request.resource_spans[0];
        let names = &resource.resource.as_ref().unwrap().attributes;
        assert!(names.contains(&KeyValue::text("service.name", "tidings")));
        (caller, resource.scope_spans[0].spans.clone())
    }

    #[test]
    fn a_request_is_a_span_of_its_caller_and_its_stages_are_spans_within() {
        let (caller, spans) = sent();
        let [stage, request] = spans.as_slice() else { panic!("{spans:?}") };
        assert!(spans.iter().all(|it| it.trace_id == caller.trace.as_bytes()));
        assert_eq!(request.parent_span_id, caller.span.as_bytes());
        assert_eq!(stage.parent_span_id, request.span_id);
        assert_eq!((stage.kind, request.kind), (INTERNAL, SERVER));
        assert_eq!(stage.span_id, 3_u64.to_be_bytes());
        assert_eq!(stage.name, "chat stored");
        assert!(stage.attributes.contains(&KeyValue::text("tidings.message", "17")));
    }

    #[test]
    fn times_are_nanoseconds_and_failures_are_errors() {
        let (_, spans) = sent();
        let [stage, request] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(request.end_time_unix_nano, 1_790_000_000_000_000_000);
        assert_eq!(request.end_time_unix_nano - request.start_time_unix_nano, 2_000_000);
        assert_eq!(stage.start_time_unix_nano, stage.end_time_unix_nano);
        assert_eq!(request.status.as_ref().map(|it| it.code), Some(ERROR));
        assert_eq!(stage.status, None);
    }
}
