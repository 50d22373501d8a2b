//! The Notification Hubs service.
