//! The body of a batch: two parts, told apart by the name in their `Content-Disposition`. Lenient as
//! its clients are sloppy: white space around the `=` of the boundary, names with and without quotes,
//! header names in every case, no line break at the end. Pure.

use kernel::Result;

use crate::refusal::bad_request;

/// A batch, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    pub(super) notification: &'a [u8],
    pub(super) devices: &'a [u8],
}

/// Takes the body of a batch apart.
///
/// # Errors
/// `Invalid` with the part that is missing.
pub(super) fn parse<'a>(content_type: &str, body: &'a [u8]) -> Result<Batch<'a>> {
    let boundary = boundary(content_type).ok_or_else(|| {
        bad_request("The Content-Type of a batch is multipart/mixed with a boundary.")
    })?;
    let delimiter = format!("--{boundary}").into_bytes();
    let (mut notification, mut devices) = (None, None);
    for part in parts(body, &delimiter) {
        let Some((head, content)) = split_head(part) else { continue };
        match name(head).as_deref() {
            Some("notification") => notification = Some(content),
            Some("devices") => devices = Some(content),
            _ => {}
        }
    }
    let missing = |name: &str| {
        bad_request(format!(
            "The batch has no part '{name}'. Expected two parts, with Content-Disposition: inline; \
             name=notification and inline; name=devices."
        ))
    };
    Ok(Batch {
        notification: notification.ok_or_else(|| missing("notification"))?,
        devices: devices.ok_or_else(|| missing("devices"))?,
    })
}

/// The handles of the part `devices`: a JSON array of texts, also in single quotes.
///
/// # Errors
/// `Invalid` when it is none, or has too few or too many.
pub(super) fn handles(devices: &[u8], most: usize) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(devices);
    let handles: Vec<String> = serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(&text.replace('\'', "\"")))
        .map_err(|_| bad_request("The part devices is no JSON array of handles."))?;
    if handles.is_empty() || handles.len() > most {
        return Err(bad_request(format!(
            "The part devices has {} handles; a batch has 1 to {most}.",
            handles.len()
        )));
    }
    Ok(handles)
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().get(..10)?.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then_some(value)
    })
}

/// What stands between the delimiters, which begin lines.
fn parts<'a>(body: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let begins_line = |at: usize| at == 0 || body[at - 1] == b'\n';
    let places: Vec<usize> = (0..body.len().saturating_sub(delimiter.len() - 1))
        .filter(|&at| body[at..].starts_with(delimiter) && begins_line(at))
        .collect();
    let mut found = Vec::new();
    for (index, &at) in places.iter().enumerate() {
        let start = at + delimiter.len();
        if body[start..].starts_with(b"--") {
            break;
        }
        let end = places.get(index + 1).copied().unwrap_or(body.len());
        found.push(&body[start..end]);
    }
    found
}

/// The headers of a part, and its content without the line break before the next delimiter.
fn split_head(part: &[u8]) -> Option<(&str, &[u8])> {
    let part = without_line_break(part);
    let blank = |width: usize, line: &[u8]| {
        part.windows(width).position(|it| it == line).map(|at| (at, at + width))
    };
    let (head, content) = blank(4, b"\r\n\r\n").or_else(|| blank(2, b"\n\n"))?;
    let text = std::str::from_utf8(&part[..head]).ok()?;
    let content = &part[content..];
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    Some((text, content.strip_suffix(b"\r").unwrap_or(content)))
}

fn without_line_break(part: &[u8]) -> &[u8] {
    let rest = part.strip_prefix(b"\r").unwrap_or(part);
    rest.strip_prefix(b"\n").unwrap_or(rest)
}

fn name(head: &str) -> Option<String> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    line.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        name.trim().eq_ignore_ascii_case("name").then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_the_clients_are_read() {
        let javascript = "--nh-boundary-1\r\nContent-type: application/json\r\n\
            Content-Disposition: inline; name=notification\r\n\r\n{\"aps\":{}}\r\n\
            --nh-boundary-1\r\nContent-type: application/json\r\n\
            Content-Disposition: inline; name=devices\r\n\r\n[\"a\",\"b\"]\r\n--nh-boundary-1--";
        let content_type = "multipart/mixed; boundary = \"nh-boundary-1\"";
        let batch = parse(content_type, javascript.as_bytes()).unwrap();
        assert_eq!(batch.notification, b"{\"aps\":{}}");
        assert_eq!(handles(batch.devices, 10).unwrap(), ["a", "b"]);
        let java = javascript.replace("\r\n", "\n").replace("name=devices", "name=\"devices\"");
        let java = java.replace("[\"a\",\"b\"]", "['a', 'b']") + "\n";
        let batch = parse("multipart/mixed;boundary=nh-boundary-1", java.as_bytes()).unwrap();
        assert_eq!(handles(batch.devices, 10).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let one = b"--b\r\nContent-Disposition: inline; name=devices\r\n\r\n[]\r\n--b--";
        let error = parse("multipart/mixed; boundary=b", one).unwrap_err();
        assert!(error.message().contains("'notification'"), "{error}");
        assert!(parse("application/json", one).is_err());
        for (text, most) in [("[]", 2), ("[\"a\",\"b\",\"c\"]", 2), ("{}", 2), ("[1]", 2)] {
            assert!(handles(text.as_bytes(), most).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_is_too_odd(
            kind in "(multipart/mixed; ?boundary ?= ?\"?b{0,3}\"?)|.{0,40}",
            body in "(--b{0,3}|\r\n|\n|name=devices|Content-Disposition:|.){0,30}",
        ) {
            let _either_way = parse(&kind, body.as_bytes());
            let _either_way = handles(body.as_bytes(), 3);
        }
    }
}
