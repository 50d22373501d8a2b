//! The port through which facts come. Whoever implements it measures, reads and asks; what it does not
//! implement is not known.

use std::future;
use std::pin::Pin;

use crate::journey::Journey;

use super::facts::{
    Answers, Audience, Dead, Found, Handler, Hub, Link, Membership, Reach, Records, Subscription,
    Token, Unknown,
};
use super::question::Question;

/// Something that is being found out.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Found<T>> + Send + 'a>>;

/// Finds facts out. Each may take as long as it likes: what is not there in time is not known.
pub trait Probes: Send + Sync + 'static {
    /// Opens WebSockets as clients do.
    fn reach<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Reach>> {
        let _ = question;
        unavailable()
    }

    /// Decodes the token of the question and asks whether it holds.
    fn token<'a>(&'a self, question: &'a Question) -> Doing<'a, Option<Token>> {
        let _ = question;
        unavailable()
    }

    /// Who should have been told of chat messages in the window.
    fn audience<'a>(&'a self, question: &'a Question) -> Doing<'a, Audience> {
        let _ = question;
        unavailable()
    }

    /// Whether the user of the question is in its thread.
    fn membership<'a>(&'a self, question: &'a Question) -> Doing<'a, Option<Membership>> {
        let _ = question;
        unavailable()
    }

    /// How clients answer notifications.
    fn answers<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Answers>> {
        let _ = question;
        unavailable()
    }

    /// The hub that carries the pushes of chat; asks it whether it would.
    fn link<'a>(&'a self, question: &'a Question) -> Doing<'a, Link> {
        let _ = question;
        unavailable()
    }

    /// The notification hubs of this server; shows their credentials to the push services.
    fn hubs<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Hub>> {
        let _ = question;
        unavailable()
    }

    /// Pushes of chat that were given up in the window.
    fn pushes<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Dead>> {
        let _ = question;
        unavailable()
    }

    /// Event subscriptions; repeats the validation of webhooks that get nothing.
    fn subscriptions<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Subscription>> {
        let _ = question;
        unavailable()
    }

    /// Event handlers that fail.
    fn handlers<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Handler>> {
        let _ = question;
        unavailable()
    }

    /// Failures in the log tables; of a journey, with any of its `ids`, its own alone.
    fn records<'a>(
        &'a self,
        question: &'a Question,
        ids: Option<&'a [String]>,
    ) -> Doing<'a, Records> {
        let _ = (question, ids);
        unavailable()
    }

    /// The journey that is asked about; else those of the window that failed or wait.
    fn journeys<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Journey>> {
        let _ = question;
        unavailable()
    }
}

fn unavailable<'a, T: Send + 'a>() -> Doing<'a, T> {
    let why = "No running server could be asked.";
    Box::pin(future::ready(Err(Unknown::new(why, "Start the server, or name its data folder."))))
}
