//! The program as a library: command line, configuration, and the one place where all parts meet.
//!
//! - [`cli`]: commands, help, exit codes
//! - [`config`]: what can be set, checked and explained
//! - [`run`]: the running server; [`wiring`]: how the services meet; [`addresses`]: where they answer
//! - [`signals`]: Ctrl-C and SIGTERM
//! - [`keys`], [`key_store`]: access keys and connection strings
//! - [`node`]: who this process is to others on the same database
//! - [`communication`]: the Communication Services, over the store
//! - [`event_grid`]: Event Grid, over the store, the deliveries and Web PubSub
//! - [`notification_hubs`]: Notification Hubs, over the store and the deliveries; fake push services
//! - [`paths`]: which paths belong to a service
//! - [`identity_provider`]: whose bearer tokens are taken in production
//! - [`issuer`]: what such a provider is asked over HTTP
//! - [`phones`]: hubs, pushes and calls of the Communication Services
//! - [`playbook`]: the facts that `tidings doctor` judges by
//! - [`journeys`]: what became of each notification: recorded, kept, exported
//! - [`monitor`]: the log tables, fed from the services, and their query API
//! - [`management`]: management calls, over the services
//! - [`console`]: the web console, over the resources and their keys
//! - [`started`], [`screen`], [`ready`]: what a started server tells people and scripts
//! - [`client`]: `tidings connect` and `tidings publish`
//! - [`trust`]: how other programs come to trust the development certificate
//! - [`logging`], [`terminal`]: standard error and standard output

pub mod addresses;
pub mod cli;
pub mod client;
pub mod communication;
pub mod config;
pub mod console;
pub mod event_grid;
pub mod identity_provider;
pub mod issuer;
pub mod journeys;
pub mod key_store;
pub mod keys;
pub mod logging;
pub mod management;
pub mod monitor;
pub mod node;
pub mod notification_hubs;
pub mod paths;
pub mod phones;
pub mod playbook;
pub mod ready;
pub mod run;
pub mod screen;
pub mod signals;
pub mod started;
pub mod terminal;
pub mod trust;
pub mod wiring;
