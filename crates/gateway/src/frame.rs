//! RFC 6455 frames: headers, masks and close payloads as pure functions.
//!
//! Knows nothing of sockets, messages or sessions. Client frames must be masked, server frames are
//! not; no extension is negotiated, so the reserved bits must be clear.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;
/// The longest header that we write: no mask, 64-bit length.
const MAX_SERVER_HEADER: usize = 10;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpCode {
    /// A further fragment of a message.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The closing handshake.
    Close,
    /// "Are you there?"
    Ping,
    /// "I am."
    Pong,
}

impl OpCode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// The kind of a frame that this program has made.
    pub(crate) fn of(frame: &[u8]) -> Option<Self> {
        frame.first().and_then(|first| Self::from_bits(first & 0x0F))
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Control frames may stand between the fragments of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        })
    }
}

/// Why the peer's bytes are refused; each maps to one close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Bytes that are no valid frame, or a frame where none may stand.
    Protocol(&'static str),
    /// A text message or close reason that is not UTF-8.
    NotUtf8,
    /// A message above the limit.
    TooLarge,
}

impl Violation {
    /// The close code of RFC 6455 section 7.4.1.
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
        }
    }

    /// The sentence that goes into the close frame.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Protocol(reason) => reason,
            Self::NotUtf8 => "The text is not valid UTF-8.",
            Self::TooLarge => "The client message is too large.",
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether the message ends with this frame.
    pub fin: bool,
    /// What the frame carries.
    pub opcode: OpCode,
    /// The key to unmask the payload with; zeros in a frame from a server, which has no mask.
    pub mask: [u8; 4],
    /// Bytes before the payload.
    pub header_len: usize,
    /// Bytes of payload.
    pub payload_len: usize,
}

/// Reads the header of a client frame at the start of `bytes`; `None` when more bytes are needed.
///
/// # Errors
/// A [`Violation`] as soon as the bytes present cannot become an acceptable frame, so that an
/// oversized message is refused before any of it is buffered.
pub fn read_header(bytes: &[u8], max_payload: usize) -> Result<Option<Header>, Violation> {
    read(bytes, max_payload, true)
}

/// Reads the header of a server frame at the start of `bytes`; `None` when more bytes are needed.
///
/// # Errors
/// As [`read_header`].
pub fn read_server_header(bytes: &[u8], max_payload: usize) -> Result<Option<Header>, Violation> {
    read(bytes, max_payload, false)
}

fn read(bytes: &[u8], max_payload: usize, masked: bool) -> Result<Option<Header>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::Protocol("A reserved bit is set, but no extension was negotiated."));
    }
    let Some(opcode) = OpCode::from_bits(first & 0x0F) else {
        return Err(Violation::Protocol("The frame has an unknown opcode."));
    };
    if (second & 0x80 != 0) != masked {
        return Err(Violation::Protocol(match masked {
            true => "Frames from a client must be masked.",
            false => "Frames from a server must not be masked.",
        }));
    }
    let fin = first & 0x80 != 0;
    let short = second & 0x7F;
    if opcode.is_control() && (!fin || usize::from(short) > MAX_CONTROL_PAYLOAD) {
        return Err(Violation::Protocol(
            "Control frames must be whole and at most 125 bytes long.",
        ));
    }
    let (length, length_bytes) = match short {
        126 => match rest.first_chunk::<2>() {
            Some(raw) => (u64::from(u16::from_be_bytes(*raw)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(raw) => (u64::from_be_bytes(*raw), 8),
            None => return Ok(None),
        },
        _ => (u64::from(short), 0),
    };
    if length_bytes == 2 && length < 126 || length_bytes == 8 && length <= 0xFFFF {
        return Err(Violation::Protocol("The payload length is not in its shortest form."));
    }
    if length > max_payload as u64 {
        return Err(Violation::TooLarge);
    }
    let mask = match masked {
        true => rest.get(length_bytes..).and_then(|tail| tail.first_chunk::<4>()),
        false => Some(&[0; 4]),
    };
    let Some(mask) = mask else { return Ok(None) };
    Ok(Some(Header {
        fin,
        opcode,
        mask: *mask,
        header_len: 2 + length_bytes + if masked { 4 } else { 0 },
        payload_len: usize::try_from(length).map_err(|_| Violation::TooLarge)?,
    }))
}

/// Removes the mask in place; eight bytes at a time, which the compiler widens further.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

/// Writes the header of a whole server frame.
pub fn put_header(out: &mut impl BufMut, opcode: OpCode, payload_len: usize) {
    out.put_u8(0x80 | opcode.bits());
    match payload_len {
        0..=125 => out.put_u8(payload_len as u8),
        126..=0xFFFF => {
            out.put_u8(126);
            out.put_u16(payload_len as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(payload_len as u64);
        }
    }
}

/// A whole server frame, ready to be shared by all its receivers.
pub fn encode(opcode: OpCode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(MAX_SERVER_HEADER + payload.len());
    put_header(&mut out, opcode, payload.len());
    out.put_slice(payload);
    out.freeze()
}

/// A whole client frame.
pub fn encode_masked(opcode: OpCode, payload: &[u8], mask: [u8; 4]) -> Bytes {
    let mut out = BytesMut::with_capacity(MAX_SERVER_HEADER + mask.len() + payload.len());
    put_header(&mut out, opcode, payload.len());
    out[1] |= 0x80;
    out.put_slice(&mask);
    let start = out.len();
    out.put_slice(payload);
    unmask(&mut out[start..], mask);
    out.freeze()
}

/// A close frame; the reason is cut at a character boundary where it does not fit.
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(MAX_CONTROL_PAYLOAD - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    payload.put_u16(code);
    payload.put_slice(&reason.as_bytes()[..end]);
    encode(OpCode::Close, &payload)
}

/// Reads the payload of a close frame: no payload, or a code and a reason.
///
/// # Errors
/// A [`Violation`] for a lone byte, a code that may not be sent, or a reason that is not UTF-8.
pub fn read_close(payload: &[u8]) -> Result<Option<(u16, &str)>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            // 1004 to 1006 and 1015 are never sent; below 3000 only registered codes exist.
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol("The close code may not be sent in a frame."));
            }
            let reason = std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Some((code, reason)))
        }
        _ => Err(Violation::Protocol("A close frame needs a code of two bytes, or no payload.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    #[test]
    fn reads_the_masked_hello_of_the_rfc() {
        // RFC 6455 section 5.7, a single-frame masked text message.
        let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let header = read_header(&bytes, LIMIT).unwrap().unwrap();
        assert_eq!((header.fin, header.opcode, header.payload_len), (true, OpCode::Text, 5));
        unmask(&mut bytes[header.header_len..], header.mask);
        assert_eq!(&bytes[header.header_len..], b"Hello");
    }

    #[test]
    fn writes_the_frames_of_the_rfc() {
        assert_eq!(&encode(OpCode::Text, b"Hello")[..], b"\x81\x05Hello");
        assert_eq!(&encode(OpCode::Binary, &[0; 256])[..4], b"\x82\x7e\x01\x00");
        assert_eq!(&encode(OpCode::Binary, &[0; 65536])[..10], b"\x82\x7f\0\0\0\0\0\x01\0\0");
    }

    #[test]
    fn writes_the_masked_hello_of_the_rfc() {
        let frame = encode_masked(OpCode::Text, b"Hello", *b"\x37\xfa\x21\x3d");
        assert_eq!(&frame[..], b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn what_a_server_writes_is_what_a_client_reads() {
        for len in [0, 125, 126, 65535, 65536] {
            let frame = encode(OpCode::Binary, &vec![7; len]);
            let header = read_server_header(&frame, LIMIT).unwrap().unwrap();
            assert_eq!(
                (header.fin, header.opcode, header.payload_len),
                (true, OpCode::Binary, len)
            );
            assert_eq!(header.header_len + len, frame.len());
        }
        let masked = encode_masked(OpCode::Text, b"", [1; 4]);
        assert_eq!(read_server_header(&masked, LIMIT).unwrap_err().close_code(), 1002);
    }

    #[test]
    fn an_incomplete_header_asks_for_more() {
        let whole = b"\x82\xff\0\0\0\0\0\x01\0\0mask";
        for end in 0..whole.len() {
            assert_eq!(read_header(&whole[..end], LIMIT), Ok(None), "{end} bytes");
        }
        assert_eq!(read_header(whole, LIMIT).unwrap().unwrap().payload_len, 65536);
    }

    #[test]
    fn refuses_what_the_rfc_forbids() {
        let cases: [(&[u8], u16); 8] = [
            (b"\xc1\x80", 1002),                     // reserved bit
            (b"\x83\x80", 1002),                     // unknown opcode
            (b"\x81\x05", 1002),                     // not masked
            (b"\x09\x80", 1002),                     // fragmented ping
            (b"\x89\xfe", 1002),                     // long ping
            (b"\x81\xfe\x00\x7d", 1002),             // 125 in the 16-bit form
            (b"\x81\xff\0\0\0\0\0\0\xff\xff", 1002), // 65535 in the 64-bit form
            (b"\x82\xff\x80\0\0\0\0\0\0\0", 1009),   // beyond any limit
        ];
        for (bytes, code) in cases {
            assert_eq!(read_header(bytes, LIMIT).unwrap_err().close_code(), code, "{bytes:x?}");
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let at = |len: u64| {
            let mut bytes = vec![0x82, 0xFF];
            bytes.extend_from_slice(&len.to_be_bytes());
            read_header(&bytes, LIMIT)
        };
        assert_eq!(at(LIMIT as u64), Ok(None));
        assert_eq!(at(LIMIT as u64 + 1), Err(Violation::TooLarge));
    }

    #[test]
    fn a_long_close_reason_is_cut_between_characters() {
        let frame = encode_close(1000, &"é".repeat(100));
        let (_, reason) = read_close(&frame[2..]).unwrap().unwrap();
        assert_eq!(reason.chars().count(), 61);
    }

    #[test]
    fn close_payloads_are_checked() {
        assert_eq!(read_close(b""), Ok(None));
        assert_eq!(read_close(b"\x03\xe8bye"), Ok(Some((1000, "bye"))));
        assert_eq!(read_close(b"\x03").unwrap_err().close_code(), 1002);
        assert_eq!(read_close(b"\x03\xed").unwrap_err().close_code(), 1002); // 1005
        assert_eq!(read_close(b"\x03\xe8\xff").unwrap_err(), Violation::NotUtf8);
    }
}
