//! From the bytes of a server to whole messages.

use bytes::{Buf as _, Bytes, BytesMut};
use gateway::frame::{self, OpCode, Violation};

use super::codec::Heard;

/// The largest message that is taken: what a server can be configured to send.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(Heard),
    /// A question that a pong with the same bytes answers.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The closing handshake: code and reason, if given.
    Close(Option<(u16, String)>),
}

/// Collects bytes until they are messages.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: BytesMut,
    /// The message whose fragments are coming in.
    partial: Option<(OpCode, BytesMut)>,
}

impl Frames {
    /// Where the next bytes belong.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The next message, once it is whole.
    ///
    /// # Errors
    /// What the server did wrong; nothing more can be read then.
    pub fn take(&mut self) -> Result<Option<Incoming>, Violation> {
        while let Some(header) = frame::read_server_header(&self.bytes, MAX_MESSAGE)? {
            let whole = header.header_len + header.payload_len;
            if self.bytes.len() < whole {
                break;
            }
            self.bytes.advance(header.header_len);
            let payload = self.bytes.split_to(header.payload_len);
            match header.opcode {
                OpCode::Ping => return Ok(Some(Incoming::Ping(payload.freeze()))),
                OpCode::Pong => return Ok(Some(Incoming::Pong)),
                OpCode::Close => {
                    let close = frame::read_close(&payload)?;
                    let close = close.map(|(code, reason)| (code, reason.to_owned()));
                    return Ok(Some(Incoming::Close(close)));
                }
                OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                    let complete = self.collect(header.opcode, payload)?;
                    if header.fin {
                        self.partial = None;
                        return message(complete).map(Some);
                    }
                    self.partial = Some(complete);
                }
            }
        }
        Ok(None)
    }

    /// The message so far, with one more fragment.
    fn collect(
        &mut self,
        opcode: OpCode,
        payload: BytesMut,
    ) -> Result<(OpCode, BytesMut), Violation> {
        match (self.partial.take(), opcode) {
            (None, OpCode::Continuation) => {
                Err(Violation::Protocol("A fragment continues nothing."))
            }
            (None, opcode) => Ok((opcode, payload)),
            (Some((opcode, mut so_far)), OpCode::Continuation) => {
                if so_far.len() + payload.len() > MAX_MESSAGE {
                    return Err(Violation::TooLarge);
                }
                so_far.unsplit(payload);
                Ok((opcode, so_far))
            }
            (Some(_), _) => Err(Violation::Protocol("A message begins within another.")),
        }
    }
}

fn message((opcode, payload): (OpCode, BytesMut)) -> Result<Incoming, Violation> {
    Ok(Incoming::Message(match opcode {
        OpCode::Text => {
            Heard::Text(String::from_utf8(payload.into()).map_err(|_| Violation::NotUtf8)?)
        }
        _ => Heard::Binary(payload.freeze()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in_pieces(bytes: &[u8], size: usize) -> Result<Vec<Incoming>, Violation> {
        let mut frames = Frames::default();
        let mut read = Vec::new();
        for piece in bytes.chunks(size) {
            frames.buffer().extend_from_slice(piece);
            while let Some(incoming) = frames.take()? {
                read.push(incoming);
            }
        }
        Ok(read)
    }

    #[test]
    fn messages_are_read_however_the_bytes_arrive() {
        let long = "x".repeat(70_000);
        let mut bytes = frame::encode(OpCode::Text, b"hi").to_vec();
        bytes.extend_from_slice(b"\x01\x03fra"); // a text that goes on
        bytes.extend_from_slice(&frame::encode(OpCode::Ping, b"p"));
        bytes.extend_from_slice(b"\x80\x04gmen");
        bytes.extend_from_slice(&frame::encode(OpCode::Text, long.as_bytes()));
        bytes.extend_from_slice(&frame::encode(OpCode::Binary, b"\xff"));
        bytes.extend_from_slice(&frame::encode_close(1001, "bye"));
        let text = |text: &str| Incoming::Message(Heard::Text(text.to_owned()));
        let expected = [
            text("hi"),
            Incoming::Ping(Bytes::from_static(b"p")),
            text("fragmen"),
            text(&long),
            Incoming::Message(Heard::Binary(Bytes::from_static(b"\xff"))),
            Incoming::Close(Some((1001, "bye".to_owned()))),
        ];
        for size in [1, 7, 1024, bytes.len()] {
            assert_eq!(read_in_pieces(&bytes, size).unwrap(), expected, "pieces of {size}");
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_refused() {
        for (bytes, code) in [
            (&b"\x80\x01x"[..], 1002),               // a fragment of nothing
            (b"\x01\x01x\x81\x01y", 1002),           // a message within another
            (b"\x81\x01\xff", 1007),                 // no UTF-8
            (b"\x81\x81\0\0\0\0x", 1002),            // masked
            (b"\x82\x7f\0\0\0\0\x04\0\0\x01", 1009), // above the limit
        ] {
            assert_eq!(read_in_pieces(bytes, 1).unwrap_err().close_code(), code, "{bytes:x?}");
        }
    }
}
