//! The resource of `tidings dev`, and the hubs that its flags describe.
//!
//! They become the same tables that a file would hold, so that the same checks judge them and
//! `--print-config` writes them out.

use super::file::Table;
use super::layers::{self, Flag};
use super::model::{DEVELOPMENT_RESOURCE, Mode};
use super::problem::{Place, Problem};
use super::table::{self, EVENT_HANDLER, HUB, RESOURCE};

/// The one resource of development, with a hub for each that a flag names.
pub(super) fn resource(flags: &[Flag], problems: &mut Vec<Problem>) -> Table {
    let mut resource = Table::new(RESOURCE, Place::Default, Mode::Dev);
    set(&mut resource, "name", DEVELOPMENT_RESOURCE, &Place::Default, problems);
    set(&mut resource, "kind", "webpubsub", &Place::Default, problems);
    for flag in flags.iter().filter(|flag| flag.is_of_hub()) {
        let place = Place::Flag(flag.name);
        if flag.path == "resource.hub.event_handler.url_template" {
            let Some((name, url)) = flag.value.split_once('=') else {
                let message = format!("\"{}\" names no hub or no URL", flag.value);
                let help = "give HUB=URL, such as chat=http://localhost:3000/eventhandler/{event}; \
                            * stands for every hub";
                problems.push(Problem::error(&place, message, help));
                continue;
            };
            let hub = hub(&mut resource, name.trim(), &place, problems);
            hub.below.push(event_handler(url, &place, problems));
        } else {
            let hub = hub(&mut resource, flag.value.trim(), &place, problems);
            set(hub, table::last(flag.path), "allow", &place, problems);
        }
    }
    share_handlers(&mut resource);
    resource
}

/// Flags describe one thing at a time, so a hub that is only opened to strangers still has the
/// handlers of `*`; one with a handler of its own does not.
fn share_handlers(resource: &mut Table) {
    let is_every = |hub: &Table| hub.settings.text("resource.hub.name") == Some("*");
    let Some(every) = resource.below.iter().find(|hub| is_every(hub)) else { return };
    let handlers = every.below.clone();
    for hub in resource.below.iter_mut().filter(|hub| hub.below.is_empty()) {
        hub.below.clone_from(&handlers);
    }
}

/// The table of a hub, made when it is first named.
fn hub<'t>(
    resource: &'t mut Table,
    name: &str,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> &'t mut Table {
    let same = |table: &Table| {
        table.settings.text("resource.hub.name").is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    let at = match resource.below.iter().position(same) {
        Some(at) => at,
        None => {
            let mut hub = Table::new(HUB, place.clone(), Mode::Dev);
            set(&mut hub, "name", name, place, problems);
            resource.below.push(hub);
            resource.below.len() - 1
        }
    };
    &mut resource.below[at]
}

/// A handler of every event.
fn event_handler(url: &str, place: &Place, problems: &mut Vec<Problem>) -> Table {
    let mut handler = Table::new(EVENT_HANDLER, place.clone(), Mode::Dev);
    set(&mut handler, "url_template", url, place, problems);
    set(&mut handler, "user_events", "*", place, problems);
    set(&mut handler, "system_events", "connect,connected,disconnected", place, problems);
    handler
}

/// Sets a key of a table as a file would.
pub(super) fn set(
    table: &mut Table,
    name: &str,
    text: &str,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let path = format!("{}.{name}", table.section);
    let key = table::find(&path).expect("flags set keys of the table");
    match layers::accept_text(key, text, place) {
        Ok(value) => table.settings.set(key, value, place.clone()),
        Err(complaint) => {
            table.faulty.push(key.path);
            problems.push(Problem::error(place, complaint.message, complaint.help));
        }
    }
}
