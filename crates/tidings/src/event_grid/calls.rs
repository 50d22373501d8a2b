//! Calls as events of the Communication resource, written in the transaction of their cause.

use ::communication::Work;
use ::communication::calling::CallEvents;
use ::communication::events::Event;
use eventgrid::EventGrid;
use eventgrid::system::SystemEvent;
use serde_json::value::to_raw_value;
use uuid::Uuid;
use wire::ResourceId;

/// Hands what happens to calls to Event Grid.
pub(super) struct Calls {
    source: ResourceId,
    event_grid: EventGrid,
}

impl Calls {
    pub(super) fn new(source: ResourceId, event_grid: EventGrid) -> Self {
        Self { source, event_grid }
    }
}

impl CallEvents for Calls {
    fn work(&self, events: &[Event]) -> Work {
        if events.is_empty() || !self.event_grid.wants(&self.source) {
            return Work::default();
        }
        let events: Vec<SystemEvent> = events.iter().map(system_event).collect();
        let mut batch = self.event_grid.system_events(&self.source, &events);
        let statements = std::mem::take(&mut batch.statements);
        let event_grid = self.event_grid.clone();
        let stored = move || event_grid.system_events_stored(&batch);
        Work { statements, committed: Some(Box::new(stored)) }
    }
}

fn system_event(event: &Event) -> SystemEvent {
    SystemEvent {
        id: Uuid::new_v4().to_string(),
        subject: event.subject.clone(),
        event_type: event.event_type,
        time: event.time,
        data: to_raw_value(&event.data).expect("a JSON value is JSON"),
    }
}
