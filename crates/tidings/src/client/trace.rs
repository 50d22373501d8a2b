//! `tidings trace`: journeys of a running server, listed, or one as a timeline; and live traces.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::admin::{Admin, query};
use super::tail;
use crate::terminal::{self, Style};

/// Which journeys are listed.
pub struct Choice {
    /// From this time or age on.
    pub since: Option<String>,
    /// How they stand.
    pub outcome: Option<String>,
    /// So many at most.
    pub limit: usize,
}

/// Prints the newest journeys, a line each.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn list(
    admin: &Admin,
    choice: &Choice,
    as_json: bool,
    style: Style,
) -> anyhow::Result<()> {
    let limit = choice.limit.to_string();
    let wanted = query(&[
        ("limit", Some(&limit)),
        ("since", choice.since.as_deref()),
        ("outcome", choice.outcome.as_deref()),
    ]);
    let answer = admin.get(&format!("/journeys?{wanted}")).await?;
    if as_json {
        return Ok(terminal::say(&format!("{answer}\n"))?);
    }
    let journeys = answer["journeys"].as_array().map_or(&[][..], Vec::as_slice);
    if journeys.is_empty() {
        terminal::complain("no journeys are kept; send something, then look again\n");
    }
    terminal::say(&journeys.iter().map(|it| line(it, style)).collect::<String>())?;
    let missed = &answer["missed"];
    let lost =
        missed["journeys"].as_u64().unwrap_or(0) + missed["milestones"].as_u64().unwrap_or(0);
    if lost > 0 {
        terminal::complain(&format!(
            "not recorded since the server started: {} journeys beyond journeys.per_second, {} \
             stages for want of room\n",
            missed["journeys"], missed["milestones"]
        ));
    }
    Ok(())
}

/// Prints one journey as a timeline.
///
/// # Errors
/// When the server does not answer, or knows none.
pub async fn one(admin: &Admin, id: &str, as_json: bool, style: Style) -> anyhow::Result<()> {
    let path = format!("/journeys/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let answer = admin.get(&path).await?;
    let text = if as_json { format!("{answer:#}\n") } else { timeline(&answer, style) };
    Ok(terminal::say(&text)?)
}

/// Whom a live trace watches.
pub struct Watched {
    /// The hub.
    pub hub: String,
    /// Its resource, where there are several.
    pub resource: Option<String>,
    /// A user's connections.
    pub user: Option<String>,
    /// One connection.
    pub connection: Option<String>,
}

/// Prints what happens to the connections of a hub until Ctrl-C.
///
/// # Errors
/// When the server does not answer, refuses, or goes.
pub async fn live(
    admin: &Admin,
    watched: &Watched,
    as_json: bool,
    style: Style,
) -> anyhow::Result<()> {
    let wanted = query(&[
        ("hub", Some(&watched.hub)),
        ("resource", watched.resource.as_deref()),
        ("user", watched.user.as_deref()),
        ("connection", watched.connection.as_deref()),
    ]);
    let path = format!("/webpubsub/live-trace?{wanted}");
    tail::tail(admin, &path, as_json, |it| live_line(it, style)).await
}

fn live_line(it: &Value, style: Style) -> String {
    if it["kind"] == "missed" {
        return format!("… {} lines missed: this terminal is too slow\n", it["lines"]);
    }
    let kind = format!("{:12}", text(it, "kind"));
    let kind = match (style, text(it, "kind")) {
        (Style::Colour, "lost" | "closing" | "ended") => format!("\u{1b}[33m{kind}\u{1b}[0m"),
        _ => kind,
    };
    let user = it["user"].as_str().map(|user| format!("{}  ", clean(user))).unwrap_or_default();
    let journey = it["journey"].as_str().map(|id| format!("  (journey {id})")).unwrap_or_default();
    let (time, connection, detail) = (text(it, "time"), text(it, "connection"), text(it, "detail"));
    format!("{time}  {connection}  {user}{kind}  {}{journey}\n", clean(detail))
}

fn line(it: &Value, style: Style) -> String {
    format!(
        "{}  {}  {}  {:>3} stages  {}: {}\n",
        text(it, "started"),
        text(it, "id"),
        outcome(text(it, "outcome"), 7, style),
        it["stages"],
        text(it, "service"),
        clean(text(it, "what")),
    )
}

fn timeline(it: &Value, style: Style) -> String {
    let mut out = format!(
        "journey {}\nstarted {}  {}\n",
        text(it, "id"),
        text(it, "started"),
        outcome(text(it, "outcome"), 0, style)
    );
    for subject in items(it, "subjects") {
        out.push_str(&format!("{} {}\n", text(subject, "kind"), clean(text(subject, "value"))));
    }
    out.push('\n');
    let stages = items(it, "stages");
    let width = |name: &str| stages.iter().map(|it| text(it, name).len()).max().unwrap_or(0);
    let (service, stage) = (width("service"), width("stage"));
    for it in stages {
        let took = it["tookMs"].as_f64().map(|took| format!(" (took {})", span(took)));
        out.push_str(&format!(
            "{:>10}  {:service$}  {:stage$}  {}  {}{}\n",
            format!("+{}", span(it["offsetMs"].as_f64().unwrap_or(0.0))),
            text(it, "service"),
            text(it, "stage"),
            outcome(text(it, "outcome"), 6, style),
            clean(text(it, "detail")),
            took.unwrap_or_default(),
        ));
    }
    let others = items(it, "others");
    if !others.is_empty() {
        out.push_str(&format!("\n{} more with the same id:\n", others.len()));
        out.extend(others.iter().filter_map(Value::as_str).map(|id| format!("  {id}\n")));
    }
    out
}

/// A span of milliseconds in the unit that suits it.
fn span(millis: f64) -> String {
    match millis {
        under if under < 1_000.0 => format!("{under:.1} ms"),
        under if under < 120_000.0 => format!("{:.2} s", under / 1_000.0),
        other => format!("{:.1} min", other / 60_000.0),
    }
}

/// An outcome in words, the good ones quietly.
fn outcome(name: &str, width: usize, style: Style) -> String {
    let colour = match (style, name) {
        (Style::Plain, _) => return format!("{name:width$}"),
        (Style::Colour, "done") => "32",
        (Style::Colour, "failed") => "31",
        (Style::Colour, _) => "33",
    };
    format!("\u{1b}[{colour}m{name:width$}\u{1b}[0m")
}

/// Names in it were chosen by callers, who must not write to this terminal what they like.
fn clean(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

fn items<'a>(it: &'a Value, name: &str) -> &'a [Value] {
    it[name].as_array().map_or(&[][..], Vec::as_slice)
}

fn text<'a>(it: &'a Value, name: &str) -> &'a str {
    it[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_timeline_is_aligned_and_harmless() {
        let journey = json!({
            "id": "ab", "started": "T", "outcome": "waiting",
            "subjects": [{ "kind": "event", "value": "e\u{1b}[2J" }], "others": ["cd"],
            "stages": [
                { "offsetMs": 0.0, "tookMs": null, "service": "edge", "stage": "accepted",
                  "outcome": "done", "detail": "one" },
                { "offsetMs": 12_345.6, "tookMs": 3.25, "service": "eventgrid",
                  "stage": "webhook answered", "outcome": "again", "detail": "HTTP 503" },
            ],
        });
        let expected = "journey ab\nstarted T  waiting\nevent e\u{fffd}[2J\n\n\
            \x20  +0.0 ms  edge       accepted          done    one\n\
            \x20 +12.35 s  eventgrid  webhook answered  again   HTTP 503 (took 3.2 ms)\n\n\
            1 more with the same id:\n  cd\n";
        assert_eq!(timeline(&journey, Style::Plain), expected);
    }

    #[test]
    fn a_line_says_how_a_journey_stands() {
        let journey = json!({ "id": "ab", "started": "T", "outcome": "failed", "stages": 7,
            "service": "webpubsub", "what": "a message" });
        let plain = line(&journey, Style::Plain);
        assert_eq!(plain, "T  ab  failed   7 stages  webpubsub: a message\n");
        assert!(line(&journey, Style::Colour).contains("\u{1b}[31mfailed \u{1b}[0m"));
    }

    #[test]
    fn a_line_of_a_live_trace_tells_when_who_and_what() {
        let mut it = json!({ "time": "T", "connection": "C", "user": "a\u{1b}b", "kind": "received",
            "detail": "message of 5 bytes", "journey": "ab" });
        let expected = "T  C  a\u{fffd}b  received      message of 5 bytes  (journey ab)\n";
        assert_eq!(live_line(&it, Style::Plain), expected);
        (it["user"], it["journey"], it["kind"]) = (Value::Null, Value::Null, "lost".into());
        let expected = "T  C  \u{1b}[33mlost        \u{1b}[0m  message of 5 bytes\n";
        assert_eq!(live_line(&it, Style::Colour), expected);
        let missed = json!({ "kind": "missed", "lines": 3 });
        assert!(live_line(&missed, Style::Plain).contains("3 lines missed"));
    }

    #[test]
    fn spans_have_the_unit_that_suits_them() {
        assert_eq!(span(0.25), "0.2 ms");
        assert_eq!(span(1_000.0), "1.00 s");
        assert_eq!(span(180_000.0), "3.0 min");
    }
}
