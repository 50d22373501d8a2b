//! `tidings doctor`: asking the playbook of a running server, and telling what it says.
//!
//! Where no server runs, that is the first thing told, and what can be known without one.

use ::monitor::playbook::{Evidence, Finding, Mitigation, Question, Report, Verdict};
use anyhow::Context as _;

use super::admin::Admin;
use crate::config::{Config, Mode};
use crate::key_store::KeyStore;
use crate::playbook::without_server;
use crate::terminal;

/// Whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing is confirmed.
    Well,
    /// Something is.
    Ill,
    /// Nothing could be found out.
    Unknown,
}

/// The options that name the server, as they were typed: commands that are printed carry them on.
pub type Place = [(&'static str, String)];

/// Asks, and prints the report.
///
/// # Errors
/// When nothing can be found out: the server refuses the question, or its answer cannot be read.
pub async fn examine(
    config: &Config,
    question: &Question,
    place: &Place,
    json: bool,
) -> anyhow::Result<Health> {
    let report = report(config, question).await?;
    let text = match json {
        true => format!("{}\n", serde_json::to_string_pretty(&report)?),
        false => told(&report, place),
    };
    terminal::say(&text)?;
    Ok(match report.healthy {
        false => Health::Ill,
        true if report.with(Verdict::RuledOut).next().is_none() => Health::Unknown,
        true => Health::Well,
    })
}

async fn report(config: &Config, question: &Question) -> anyhow::Result<Report> {
    // Looking would make the folder.
    if config.mode == Mode::Dev && !config.data.folder.exists() {
        let why = format!("there is no data folder {}", config.data.folder.display());
        return without_server(config, question, Vec::new(), &why).await;
    }
    let admin = match Admin::find(config).await {
        Ok(admin) => admin,
        Err(error) => return alone(config, question, &error).await,
    };
    match admin.post("/playbook", &question.to_body()).await {
        Ok(answer) => serde_json::from_value(answer).context("the server is of another version"),
        Err(error) if is_unreachable(&error) => alone(config, question, &error).await,
        Err(error) => Err(error),
    }
}

fn is_unreachable(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<hyper::Error>())
}

async fn alone(
    config: &Config,
    question: &Question,
    error: &anyhow::Error,
) -> anyhow::Result<Report> {
    let endpoints = known_endpoints(config).await.unwrap_or_default();
    without_server(config, question, endpoints, &format!("{error:#}")).await
}

/// Where the resources were last served.
async fn known_endpoints(config: &Config) -> anyhow::Result<Vec<String>> {
    let store = KeyStore::open(config).await?;
    let mut endpoints = Vec::new();
    for resource in &config.resources {
        endpoints.extend(store.last_address(&resource.name).await?);
    }
    store.close().await;
    Ok(endpoints)
}

/// Columns of the table: where the second and the third begin, and where lines end.
const VERDICT: usize = 25;
const TEXT: usize = 38;
const END: usize = 120;

/// The report for people: a table, confirmed first; what was ruled out is one line.
fn told(report: &Report, place: &Place) -> String {
    let seconds = report.took_ms as f64 / 1000.0;
    let of = |verdict: Verdict| report.with(verdict).count();
    let checked = report.checked;
    let mut out = match (of(Verdict::Confirmed), of(Verdict::CannotTell)) {
        (0, 0) => format!("Healthy: of {checked} hypotheses none is confirmed"),
        (0, unknown) if unknown == checked => "Nothing could be found out".to_owned(),
        (0, unknown) => {
            format!("Of {checked} hypotheses none is confirmed, and {unknown} cannot be told")
        }
        (confirmed, _) => format!("{confirmed} of {checked} hypotheses confirmed"),
    };
    out.push_str(&format!(" ({seconds:.1} s).\n"));
    let rows: String = alike(report).iter().map(|same| rows(same, place)).collect();
    if !rows.is_empty() {
        let head = format!("{:VERDICT$}{:width$}", "HYPOTHESIS", "VERDICT", width = TEXT - VERDICT);
        out.push_str(&format!("\n{head}EVIDENCE, MITIGATION\n{rows}"));
    }
    let ruled_out: Vec<&str> =
        report.with(Verdict::RuledOut).map(|it| it.hypothesis.as_str()).collect();
    if !ruled_out.is_empty() {
        let names = wrapped(&format!("Ruled out: {}.", ruled_out.join(", ")), 0, END);
        out.push_str(&format!("\n{}\n", names.join("\n")));
    }
    out
}

/// What was not ruled out, in order; those of which the same cannot be told, for the same reason, stand
/// together.
fn alike(report: &Report) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in report.findings.iter().filter(|it| it.verdict != Verdict::RuledOut) {
        let is_alike = |other: &Finding| {
            let cures = |it: &Finding| it.mitigations.iter().map(|it| it.text.clone()).collect();
            let (ours, theirs): (Vec<_>, Vec<_>) = (cures(finding), cures(other));
            finding.verdict == Verdict::CannotTell
                && other.verdict == Verdict::CannotTell
                && (&finding.evidence, ours) == (&other.evidence, theirs)
        };
        match groups.iter_mut().find(|group| is_alike(group[0])) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// One finding, or several that say the same.
fn rows(same: &[&Finding], place: &Place) -> String {
    let [first, _, ..] = same else { return same.iter().map(|it| row(it, place)).collect() };
    let names: Vec<&str> = same.iter().map(|it| it.hypothesis.as_str()).collect();
    let mitigations = first.mitigations.iter().cloned();
    let together = Finding {
        hypothesis: format!("{} hypotheses", same.len()),
        title: names.join(", "),
        mitigations: mitigations.map(|it| Mitigation { link: None, ..it }).collect(),
        ..(*first).clone()
    };
    row(&together, place)
}

fn row(finding: &Finding, place: &Place) -> String {
    let Finding { hypothesis, title, verdict, evidence, mitigations } = finding;
    let mut lines = wrapped(title, 0, END - TEXT);
    for Evidence { tag, text, query, trace } in evidence {
        lines.extend(wrapped(&format!("[{}] {text}", tag.name()), 2, END - TEXT));
        // Whole on one line, to be copied.
        lines.extend(
            query
                .as_ref()
                .map(|query| format!("tidings logs query '{}'", query.replace('\n', " ")))
                .map(|command| format!("  $ {}", placed(&command, place))),
        );
        let trace = trace.as_ref().map(|id| placed(&format!("tidings trace {id}"), place));
        lines.extend(trace.map(|command| format!("  $ {command}")));
    }
    for Mitigation { text, command, link } in mitigations {
        lines.extend(wrapped(&format!("> {text}"), 2, END - TEXT));
        let command = command.as_ref().map(|command| placed(command, place));
        lines.extend(command.map(|command| format!("  $ {command}")));
        lines.extend(link.as_ref().map(|link| format!("  {link}")));
    }
    let mut row =
        format!("{hypothesis:VERDICT$}{:width$}", verdict.title(), width = TEXT - VERDICT);
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            row.push_str(&" ".repeat(TEXT));
        }
        row.push_str(line);
        row.push('\n');
    }
    row
}

/// A command about the server that was asked, to be pasted as it is.
fn placed(command: &str, place: &Place) -> String {
    let mut words = command.split(' ').skip_while(|word| *word != "tidings").skip(1);
    let takes: &[&str] = match words.next() {
        None | Some("config" | "serve") => &[],
        Some("dev" | "trust") => &["--data"],
        Some(_) => &["--data", "--config"],
    };
    let mut out = command.to_owned();
    for (name, value) in place.iter().filter(|(name, _)| takes.contains(name)) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
        match !value.is_empty() && value.chars().all(is_plain) {
            true => out.push_str(&format!(" {name} {value}")),
            false => out.push_str(&format!(" {name} '{}'", value.replace('\'', "'\\''"))),
        }
    }
    out
}

/// Lines of words that are no longer than `width`, if no word is; those after the first are indented.
fn wrapped(text: &str, indent: usize, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn finding(name: &str, verdict: Verdict) -> Finding {
        let query = "T\n| where x == \"y\"";
        Finding {
            hypothesis: name.to_owned(),
            title: format!("{name} it is"),
            verdict,
            evidence: vec![Evidence::observed("word ".repeat(30)).query(query)],
            mitigations: vec![Mitigation::new("Mend it.").command("tidings mend")],
        }
    }

    #[test]
    fn confirmed_comes_first_and_what_was_ruled_out_is_one_line() {
        let findings = vec![
            finding("a", Verdict::RuledOut),
            finding("b", Verdict::CannotTell),
            finding("c", Verdict::Confirmed),
            finding("d", Verdict::RuledOut),
        ];
        let text = told(&Report::new(findings, Duration::from_millis(1234)), &[]);
        assert!(text.starts_with("1 of 4 hypotheses confirmed (1.2 s).\n\nHYPOTHESIS"), "{text}");
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in\n{text}"));
        assert!(place("\nc ") < place("\nb "), "{text}");
        assert!(text.ends_with("Ruled out: a, d.\n"), "{text}");
        place("[Observed] word");
        place("$ tidings logs query 'T | where x == \"y\"'\n");
        place("$ tidings mend\n");
        assert!(text.lines().all(|line| line.chars().count() <= END), "{text}");
    }

    #[test]
    fn a_healthy_report_says_so_and_lists_what_was_looked_at() {
        let findings = vec![finding("a", Verdict::RuledOut), finding("b", Verdict::RuledOut)];
        let text = told(&Report::new(findings, Duration::ZERO), &[]);
        let expected = "Healthy: of 2 hypotheses none is confirmed (0.0 s).\n\nRuled out: a, b.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_hypothesis_is_told_in_the_documentation() {
        let page = include_str!("../../../../docs/playbook.md");
        for it in ::monitor::playbook::ALL {
            assert!(page.contains(&format!("### {}\n", it.name)), "{}", it.name);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_called_healthy() {
        let findings = |other| vec![finding("a", Verdict::CannotTell), finding("b", other)];
        let text = told(&Report::new(findings(Verdict::RuledOut), Duration::ZERO), &[]);
        assert!(text.starts_with("Of 2 hypotheses none is confirmed, and 1 cannot be"), "{text}");
        let text = told(&Report::new(findings(Verdict::CannotTell), Duration::ZERO), &[]);
        assert!(text.starts_with("Nothing could be found out (0.0 s)."), "{text}");
    }

    #[test]
    fn what_cannot_be_told_for_the_same_reason_stands_together() {
        let findings = vec![
            finding("a", Verdict::CannotTell),
            finding("b", Verdict::CannotTell),
            finding("c", Verdict::Confirmed),
        ];
        let text = told(&Report::new(findings, Duration::ZERO), &[]);
        assert!(text.contains("\n2 hypotheses             cannot tell  a, b\n"), "{text}");
        assert_eq!(text.matches("Mend it.").count(), 2, "{text}");
    }

    #[test]
    fn commands_are_about_the_server_that_was_asked() {
        let place = [("--data", "./my data".to_owned())];
        for (command, expected) in [
            ("tidings push fix", "tidings push fix --data './my data'"),
            ("tidings trust", "tidings trust --data './my data'"),
            ("tidings config explain gateway", "tidings config explain gateway"),
            ("timedatectl status", "timedatectl status"),
        ] {
            assert_eq!(placed(command, &place), expected);
        }
        let place = [("--config", "/etc/tidings.toml".to_owned())];
        assert_eq!(placed("tidings trace 1", &place), "tidings trace 1 --config /etc/tidings.toml");
        assert_eq!(placed("tidings trust", &place), "tidings trust");
    }

    #[test]
    fn a_server_that_is_away_is_told_from_one_that_refuses() {
        let io = anyhow::Error::new(std::io::Error::other("refused")).context("no server answers");
        assert!(is_unreachable(&io));
        assert!(!is_unreachable(&anyhow::anyhow!("symptom is one of …")));
    }
}
