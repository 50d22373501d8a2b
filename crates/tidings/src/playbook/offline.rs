//! What is known without a running server: how far a client gets, and what a token claims. The first
//! finding is that there is no server.

use std::sync::Arc;

use ::monitor::playbook::{
    Doing, Evidence, Finding, Mitigation, Playbook, Probes, Question, Reach, Report, Token, Verdict,
};
use kernel::SystemClock;

use super::reach::Dialer;
use super::token;
use crate::config::{Config, Mode};

/// The name of the finding.
const NAME: &str = "server-not-running";

struct Outside {
    dialer: Dialer,
    /// Where the server was last, if anybody knows.
    endpoints: Vec<String>,
}

/// Asks what can be asked without a server; `why` it does not answer is told first. `endpoints` are
/// those where it was last.
///
/// # Errors
/// When the certificate authorities of the machine cannot be used.
pub async fn without_server(
    config: &Config,
    question: &Question,
    endpoints: Vec<String>,
    why: &str,
) -> anyhow::Result<Report> {
    let clock = Arc::new(SystemClock);
    let dialer = Dialer::new(config, clock.clone())?;
    let playbook = Playbook::new(Arc::new(Outside { dialer, endpoints }), clock);
    let mut report = playbook.examine(question).await;
    let command = match config.mode {
        Mode::Dev => "tidings dev",
        Mode::Serve => "tidings serve --config <file>",
    };
    let finding = Finding {
        hypothesis: NAME.to_owned(),
        title: "No server is running".to_owned(),
        verdict: Verdict::Confirmed,
        evidence: vec![Evidence::measured(format!("The server does not answer: {why}."))],
        mitigations: vec![
            Mitigation::new(
                "Start the server, or name its data folder (--data) or configuration (--config).",
            )
            .command(command),
        ],
    };
    report.findings.insert(0, finding);
    (report.healthy, report.checked) = (false, report.checked + 1);
    Ok(report)
}

impl Probes for Outside {
    fn reach<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Reach>> {
        Box::pin(async move {
            let urls = match &question.endpoint {
                Some(given) => std::slice::from_ref(given),
                None => self.endpoints.as_slice(),
            };
            Ok(self.dialer.dial_all(urls, question.proxy.as_deref()).await)
        })
    }

    fn token<'a>(&'a self, question: &'a Question) -> Doing<'a, Option<Token>> {
        let token = question.token.as_ref().and_then(|it| token::decode(it.expose()));
        Box::pin(async move { Ok(token) })
    }
}
