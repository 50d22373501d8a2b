//! What a person sees: one line for each message, one for each note.
//!
//! Messages come from strangers, so control characters are shown, not sent to the terminal: nobody
//! can move the cursor, and a message is always one line.

use kernel::Timestamp;
use webpubsub::message::{Data, Message, Source};

use super::lines::HELP;
use super::session::Note;
use crate::terminal::Style;

/// How many bytes of binary data are shown.
const SHOWN_BYTES: usize = 48;

/// Writes lines.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// Whether lines may carry colour.
    pub style: Style,
    /// Whether messages say where they come from; those of the simple protocol do not.
    pub with_source: bool,
}

impl Printer {
    /// The line of a message.
    pub fn message(&self, now: Timestamp, message: &Message) -> String {
        let mut line = self.paint("2", &clock(now));
        if self.with_source {
            line.push(' ');
            match &message.source {
                Source::Server => line.push_str(&self.paint("35", "server")),
                Source::Group { group, user } => {
                    line.push_str(&self.paint("36", &format!("[{}]", plain(group))));
                    if let Some(user) = user {
                        line.push_str(&format!(" {}", self.paint("1", &plain(user))));
                    }
                }
            }
            line.push(':');
        }
        line.push_str(&format!(" {}", data(&message.data)));
        for (key, value) in message.metadata.iter() {
            line.push_str(&self.paint("2", &format!(" {key}={}", plain(value))));
        }
        line.push('\n');
        line
    }

    /// The lines of a note.
    pub fn note(&self, note: &Note) -> String {
        let quiet = |text: String| format!("{}\n", self.paint("2", &text));
        let loud = |text: String| format!("{}\n", self.paint("33", &text));
        match note {
            Note::Connected { connection_id, user } => {
                let who = user
                    .as_ref()
                    .map_or("anonymously".to_owned(), |user| format!("as {}", plain(user)));
                quiet(format!("connected {who} ({})", plain(connection_id)))
            }
            Note::Opened => quiet("connected".to_owned()),
            Note::Lost(reason) => loud(format!("connection lost: {}; reconnecting", plain(reason))),
            Note::Recovered => quiet("connection recovered; nothing was lost".to_owned()),
            Note::Replaced(0) => {
                loud("connected anew; what was sent to this client in between is lost".to_owned())
            }
            Note::Replaced(own) => loud(format!(
                "connected anew; what was sent to this client in between is lost, and {own} of its \
                 own messages may not have arrived"
            )),
            Note::Target(Some(group)) => quiet(format!("lines go to the group {}", plain(group))),
            Note::Target(None) => quiet(
                "lines go to the event handler as the event message; /join GROUP sends them to a \
                 group, /help tells more"
                    .to_owned(),
            ),
            Note::Done(what) => quiet(format!("ok: {}", plain(what))),
            Note::Refused { what, error } => loud(format!(
                "refused: {}: {} {}",
                plain(what),
                plain(&error.name),
                plain(&error.message)
            )),
            Note::Closed(reason) => loud(format!("closed by the server: {}", plain(reason))),
            Note::Help => HELP.to_owned(),
            Note::Problem(problem) => loud(plain(problem)),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// The time of day in UTC.
fn clock(now: Timestamp) -> String {
    let of_day = now.as_secs().rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

fn data(data: &Data) -> String {
    match data {
        Data::Text(text) | Data::Json(text) => plain(text),
        Data::Binary(bytes) => format!("binary, {}", hex(bytes)),
        Data::Protobuf(bytes) => format!("protobuf, {}", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown: Vec<_> = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > SHOWN_BYTES { " …" } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), shown.join(" "))
}

/// Text without control characters, nor any that turn its direction round.
fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use webpubsub::metadata::Metadata;
    use webpubsub::protocol::AckError;

    use super::*;

    const PLAIN: Printer = Printer { style: Style::Plain, with_source: true };

    fn message(source: Source, data: Data) -> Message {
        Message { source, data, metadata: Metadata::default() }
    }

    fn group(user: Option<&str>) -> Source {
        Source::Group { group: "g".into(), user: user.map(Into::into) }
    }

    #[test]
    fn a_message_is_one_line_that_tells_when_where_who_and_what() {
        let now = Timestamp::from_secs(86_400 * 20_000 + 3723);
        let text = |text: &str| Data::Text(text.into());
        for (source, data, line) in [
            (group(Some("ann")), text("hi"), "01:02:03Z [g] ann: hi\n"),
            (group(None), Data::Json("{\"a\":1}".into()), "01:02:03Z [g]: {\"a\":1}\n"),
            (
                Source::Server,
                Data::Binary(vec![0xAB, 0].into()),
                "01:02:03Z server: binary, 2 bytes: ab 00\n",
            ),
            (group(None), text("a\nb\x1b[2J\u{202e}"), "01:02:03Z [g]: a\\nb\\u{1b}[2J\\u{202e}\n"),
        ] {
            assert_eq!(PLAIN.message(now, &message(source, data)), line);
        }
        let simple = Printer { with_source: false, ..PLAIN };
        let line = simple.message(now, &message(Source::Server, text("hi")));
        assert_eq!(line, "01:02:03Z hi\n");
    }

    #[test]
    fn metadata_follows_the_data() {
        let mut message = message(group(None), Data::Text("hi".into()));
        message.metadata.insert("trace", "1\n2").unwrap();
        assert_eq!(
            PLAIN.message(Timestamp::default(), &message),
            "00:00:00Z [g]: hi trace=1\\n2\n"
        );
    }

    #[test]
    fn long_binary_data_is_cut() {
        let line = PLAIN.message(
            Timestamp::default(),
            &message(Source::Server, Data::Protobuf(vec![7; 1000].into())),
        );
        assert!(line.contains("protobuf, 1000 bytes: 07 07") && line.ends_with(" …\n"), "{line}");
        assert!(line.len() < 200);
    }

    #[test]
    fn notes_say_what_happened() {
        let error = AckError { name: "Forbidden".to_owned(), message: "No.\x07".to_owned() };
        for (note, says) in [
            (Note::Recovered, "nothing was lost"),
            (Note::Replaced(0), "in between is lost\n"),
            (Note::Replaced(3), "3 of its own messages"),
            (Note::Target(None), "as the event message"),
            (Note::Target(Some("g".to_owned())), "to the group g"),
            (
                Note::Refused { what: "send to g".to_owned(), error },
                "refused: send to g: Forbidden No.\\u{7}",
            ),
        ] {
            assert!(PLAIN.note(&note).contains(says), "{note:?}");
        }
        let user = Some("ann".to_owned());
        let note = PLAIN.note(&Note::Connected { connection_id: "c".to_owned(), user });
        assert_eq!(note, "connected as ann (c)\n");
    }

    #[test]
    fn colour_adds_only_escapes() {
        let coloured = Printer { style: Style::Colour, ..PLAIN };
        let line = coloured
            .message(Timestamp::default(), &message(group(Some("u")), Data::Text("x".into())));
        assert!(line.contains("\x1b[1mu\x1b[0m"), "{line:?}");
    }
}
