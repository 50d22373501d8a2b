//! The topic of `tidings dev`, and the event subscriptions that its flags describe.
//!
//! They become the same tables that a file would hold, as hubs do.

use super::dev_hubs::set;
use super::file::Table;
use super::layers::Flag;
use super::model::{DEVELOPMENT_RESOURCE, Mode};
use super::problem::{Place, Problem};
use super::table::{EVENT_SUBSCRIPTION, TOPIC};

/// The key that a flag for an event subscription names.
const URL: &str = "eventgrid.subscription.url";

/// The one topic of development, and an event subscription for each flag.
pub(super) fn tables(flags: &[Flag], problems: &mut Vec<Problem>) -> Vec<Table> {
    let mut topic = Table::new(TOPIC, Place::Default, Mode::Dev);
    set(&mut topic, "name", DEVELOPMENT_RESOURCE, &Place::Default, problems);
    let mut tables = vec![topic];
    for flag in flags.iter().filter(|flag| flag.path == URL) {
        let place = Place::Flag(flag.name);
        let Some((name, url)) = flag.value.split_once('=') else {
            let message = "an event subscription has no name or no URL".to_owned();
            let help = "give NAME=URL, such as orders=http://localhost:3000/events";
            problems.push(Problem::error(&place, message, help));
            continue;
        };
        let mut subscription = Table::new(EVENT_SUBSCRIPTION, place.clone(), Mode::Dev);
        set(&mut subscription, "name", name.trim(), &place, problems);
        set(&mut subscription, "topic", DEVELOPMENT_RESOURCE, &place, problems);
        set(&mut subscription, "url", url, &place, problems);
        tables.push(subscription);
    }
    tables
}
