//! Changes in chat as events of the Communication resource, written in the transaction of the change.

use ::communication::chat::ChatChange;
use ::communication::{Outbox, Work, events};
use eventgrid::EventGrid;
use eventgrid::system::SystemEvent;
use serde_json::value::to_raw_value;
use wire::ResourceId;

/// Hands what happens in chat to Event Grid.
pub(super) struct Chat {
    source: ResourceId,
    event_grid: EventGrid,
}

impl Chat {
    pub(super) fn new(source: ResourceId, event_grid: EventGrid) -> Self {
        Self { source, event_grid }
    }
}

impl Outbox for Chat {
    fn work(&self, change: &ChatChange) -> Work {
        // A change in a large thread has an event for each participant: none is made for nobody.
        if !self.event_grid.wants(&self.source) {
            return Work::default();
        }
        let mut batch = self.event_grid.system_events(&self.source, &system_events(change));
        let statements = std::mem::take(&mut batch.statements);
        let event_grid = self.event_grid.clone();
        let stored = move || event_grid.system_events_stored(&batch);
        Work { statements, committed: Some(Box::new(stored)) }
    }
}

/// The events of a change; a change that is written anew has the same ones.
fn system_events(change: &ChatChange) -> Vec<SystemEvent> {
    let events = events::of(change).into_iter().enumerate();
    let events = events.map(|(number, event)| SystemEvent {
        id: format!("{}-{number}", change.transaction),
        subject: event.subject,
        event_type: event.event_type,
        time: event.time,
        data: to_raw_value(&event.data).expect("a JSON value is JSON"),
    });
    events.collect()
}
