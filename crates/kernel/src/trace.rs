//! W3C trace context: the ids by which one notification is known in every service, and the header that
//! carries them from one program to the next (`traceparent`, W3C Recommendation of 2021, section 3.2).
//!
//! Pure: text in, values out. Who makes ids and what is recorded under them is told in
//! [`crate::journey`].

use std::fmt;

/// Hexadecimal characters of a trace id.
const TRACE_HEX: usize = 32;
/// Hexadecimal characters of a span id.
const SPAN_HEX: usize = 16;
/// Characters of a `traceparent` of version 00.
const TRACEPARENT: usize = 55;
const SAMPLED: u8 = 1;

/// The id of a whole journey; never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// The id of one part of a journey, such as one request; never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// What one program tells the next: the journey, its own part of it, and whether it records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The journey.
    pub trace: TraceId,
    /// The part that the next one belongs to.
    pub span: SpanId,
    /// Whether the caller records the journey.
    pub sampled: bool,
}

impl TraceId {
    /// From its bytes; `None` when all are zero, which the standard forbids.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads an id as people have it in hand: 32 hexadecimal digits in any case, or the same as a
    /// UUID, which is how it stands in `x-ms-request-id`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = [0; TRACE_HEX];
        let mut count = 0;
        for (place, byte) in text.bytes().enumerate() {
            if byte == b'-' && text.len() == TRACE_HEX + 4 && matches!(place, 8 | 13 | 18 | 23) {
                continue;
            }
            *digits.get_mut(count)? = byte.to_ascii_lowercase();
            count += 1;
        }
        if count != TRACE_HEX {
            return None;
        }
        Self::from_bytes(unhex(&digits)?)
    }
}

impl SpanId {
    /// From its bytes; `None` when all are zero, which the standard forbids.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(unhex(text.as_bytes())?)
    }
}

impl TraceContext {
    /// Reads the value of a `traceparent` header. A header that breaks a rule is as good as none, so
    /// there is no error to tell: the standard has the receiver begin a journey of its own.
    pub fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        if bytes.len() < TRACEPARENT || [2, 35, 52].iter().any(|&dash| bytes[dash] != b'-') {
            return None;
        }
        let [version] = unhex(&bytes[..2])?;
        // A later version may add fields, behind another dash.
        let rest_is_known = match version {
            0 => bytes.len() == TRACEPARENT,
            0xff => false,
            _ => bytes.get(TRACEPARENT).is_none_or(|&next| next == b'-'),
        };
        if !rest_is_known {
            return None;
        }
        let [flags] = unhex(&bytes[53..TRACEPARENT])?;
        Some(Self {
            trace: TraceId::from_bytes(unhex(&bytes[3..3 + TRACE_HEX])?)?,
            span: SpanId::from_bytes(unhex(&bytes[36..36 + SPAN_HEX])?)?,
            sampled: flags & SAMPLED != 0,
        })
    }
}

/// The value of a `traceparent` header, version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, out)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, out)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, out)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, out)
    }
}

fn hex(bytes: &[u8], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

/// Lower-case hexadecimal digits as bytes; the standard knows no others.
fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let context = TraceContext::parse(EXAMPLE).unwrap();
        assert_eq!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span.to_string(), "00f067aa0ba902b7");
        assert!(context.sampled);
        assert_eq!(context.to_string(), EXAMPLE);
    }

    #[test]
    fn what_breaks_a_rule_is_no_context() {
        let cases = [
            ("", "nothing"),
            (&EXAMPLE[..54], "too short"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "longer than version 00"),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "the forbidden version"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "no trace id"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "no span id"),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "capital digits"),
            ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "another separator"),
            (
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
                "no dash after version 01",
            ),
            ("00-4bf92f3577b34da6a3ce929d0e0e473ü-0f067aa0ba902b7-01", "characters of two bytes"),
        ];
        for (header, why) in cases {
            assert_eq!(TraceContext::parse(header), None, "{why}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = format!("cc{}-what-the-future-will-be-like", &EXAMPLE[2..]);
        assert_eq!(TraceContext::parse(&later), TraceContext::parse(EXAMPLE));
        let unsampled = EXAMPLE.replace("-01", "-fe");
        assert!(!TraceContext::parse(&unsampled).unwrap().sampled);
    }

    #[test]
    fn an_id_is_read_as_people_have_it() {
        let id = TraceContext::parse(EXAMPLE).unwrap().trace;
        for text in ["4BF92F3577B34DA6A3CE929D0E0E4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"] {
            assert_eq!(TraceId::parse(text), Some(id), "{text}");
        }
        for text in ["4bf92f3577b34da6a3ce929d0e0e473", "4bf92f-3577b34da6a3ce929d0e0e4736-", "x"] {
            assert_eq!(TraceId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace: [u8; 16], span: [u8; 8], sampled: bool) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let context = TraceContext { trace: TraceId(trace), span: SpanId(span), sampled };
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
            prop_assert_eq!(TraceId::parse(&context.trace.to_string()), Some(context.trace));
            prop_assert_eq!(SpanId::parse(&context.span.to_string()), Some(context.span));
        }

        #[test]
        fn no_header_does_harm(header: String) {
            if let Some(context) = TraceContext::parse(&header) {
                prop_assert_eq!(&context.to_string()[3..52], &header[3..52]);
            }
            TraceId::parse(&header);
        }
    }
}
