//! What a person types: a text to send, or a command.

use serde::de::IgnoredAny;
use webpubsub::name;

/// A line of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Nothing.
    Empty,
    /// A text for the current group, or as the event `message`.
    Text(String),
    /// A JSON value for the current group, or as the event `message`.
    Json(String),
    /// An event with a text.
    Event {
        /// The event's name.
        name: String,
        /// What it carries.
        text: String,
    },
    /// Join a group.
    Join(String),
    /// Leave a group.
    Leave(String),
    /// Send texts to a group from now on; without one, as events.
    Target(Option<String>),
    /// Close the connection.
    Quit,
    /// Tell the commands.
    Help,
    /// A line that makes no sense, and why.
    Wrong(String),
}

/// The commands, as `/help` tells them.
pub const HELP: &str = "\
What you type:
  text               send it to the current group, or as the event \"message\" without one
  //text             send a text that begins with a slash
  /json VALUE        send a JSON value in the same way
  /event NAME TEXT   send an event to the application's event handler
  /join GROUP        join a group; without a current group it becomes that
  /leave GROUP       leave a group
  /group GROUP       send to this group from now on; /group alone: as events
  /help              these lines
  /quit              close the connection
";

/// Reads a line.
pub fn parse(line: &str) -> Line {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim().is_empty() {
        return Line::Empty;
    }
    let Some(command) = line.strip_prefix('/') else { return Line::Text(line.to_owned()) };
    if command.starts_with('/') {
        return Line::Text(command.to_owned());
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match word {
        "join" => group(rest).map_or_else(Line::Wrong, Line::Join),
        "leave" => group(rest).map_or_else(Line::Wrong, Line::Leave),
        "group" if rest.is_empty() => Line::Target(None),
        "group" => group(rest).map_or_else(Line::Wrong, |group| Line::Target(Some(group))),
        "event" => event(rest),
        "json" => match serde_json::from_str::<IgnoredAny>(rest) {
            Ok(_) => Line::Json(rest.to_owned()),
            Err(error) => Line::Wrong(format!("this is not JSON: {error}")),
        },
        "quit" | "exit" => Line::Quit,
        "help" | "?" => Line::Help,
        _ => Line::Wrong(format!(
            "there is no command /{word}; /help lists them, and //{word} sends it as text"
        )),
    }
}

fn group(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("name a group, as in /join news".to_owned());
    }
    name::check_group(text).map(|()| text.to_owned()).map_err(|error| error.message().to_owned())
}

fn event(rest: &str) -> Line {
    let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if !name::is_event(name) {
        return Line::Wrong(
            "name an event, as in /event order 42: a letter, then letters, digits, '_', '.' or '-'"
                .to_owned(),
        );
    }
    Line::Event { name: name.to_owned(), text: text.trim_start().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_texts_or_commands() {
        let own = str::to_owned;
        for (line, read) in [
            ("", Line::Empty),
            ("  \r", Line::Empty),
            ("hello there\r", Line::Text(own("hello there"))),
            (" /join", Line::Text(own(" /join"))),
            ("//join g", Line::Text(own("/join g"))),
            ("/join a b ", Line::Join(own("a b"))),
            ("/leave g", Line::Leave(own("g"))),
            ("/group", Line::Target(None)),
            ("/group g", Line::Target(Some(own("g")))),
            ("/json {\"a\": [1]}", Line::Json(own("{\"a\": [1]}"))),
            ("/event order  4 2", Line::Event { name: own("order"), text: own("4 2") }),
            ("/event order", Line::Event { name: own("order"), text: own("") }),
            ("/quit", Line::Quit),
            ("/?", Line::Help),
        ] {
            assert_eq!(parse(line), read, "{line:?}");
        }
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong() {
        let long = format!("/join {}", "g".repeat(1025));
        for (line, says) in [
            ("/join", "name a group"),
            (&*long, "1 to 1024 characters"),
            ("/json {a}", "not JSON"),
            ("/json", "not JSON"),
            ("/event", "name an event"),
            ("/event 1st x", "name an event"),
            ("/shrug", "//shrug sends it"),
            ("/", "no command /"),
        ] {
            let Line::Wrong(why) = parse(line) else { panic!("{line} is accepted") };
            assert!(why.contains(says), "{line}: {why}");
        }
    }

    #[test]
    fn the_help_names_every_command() {
        for command in ["/json", "/event", "/join", "/leave", "/group", "/help", "/quit"] {
            assert!(HELP.contains(&format!("  {command} ")), "{command}");
        }
    }
}
