//! As much of RFC 6455 as a client needs that trusts its server.

/// The text of a handshake request. The key is a constant: nothing here checks the answer to it.
pub fn handshake(host: &str, path: &str, subprotocol: Option<&str>) -> Vec<u8> {
    let subprotocol =
        subprotocol.map_or(String::new(), |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {subprotocol}\r\n"
    )
    .into_bytes()
}

/// Whether the handshake is answered: the length of the answer, or an error when it is a refusal.
pub fn answered(input: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    if input.starts_with(b"HTTP/1.1 101") {
        return Ok(Some(end + 4));
    }
    Err(String::from_utf8_lossy(&input[..input.len().min(400)]).into_owned())
}

/// The length of the first frame of a server, header included, once it is there as a whole.
pub fn frame(input: &[u8]) -> Option<usize> {
    let (header, payload) = header(input)?;
    let whole = header + usize::try_from(payload).ok()?;
    (input.len() >= whole).then_some(whole)
}

/// Opcode and payload of a frame that is there as a whole.
pub fn content(frame: &[u8]) -> Option<(u8, &[u8])> {
    let (header, _) = header(frame)?;
    Some((frame[0] & 0x0f, frame.get(header..)?))
}

/// Lengths of an unmasked frame's header and payload.
fn header(input: &[u8]) -> Option<(usize, u64)> {
    match *input.get(1)? {
        126 => Some((4, u64::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, u64::from_be_bytes(input.get(2..10)?.try_into().ok()?))),
        short => Some((2, u64::from(short))),
    }
}

/// The size of an unmasked frame with so much payload.
pub fn frame_bytes(payload: usize) -> u64 {
    let header = match payload {
        0..126 => 2,
        126..65536 => 4,
        _ => 10,
    };
    header + payload as u64
}

/// A client's frame, masked with zeros: the servers do the same work for any mask.
pub fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..65536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

/// Opcode of a text frame.
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a ping.
pub const PING: u8 = 9;
/// Opcode of the answer to a ping.
pub const PONG: u8 = 10;

/// Counts payload bytes of servers that put several messages into one frame, wherever reads cut.
#[derive(Debug)]
pub struct PayloadMeter {
    for_each_frame: u64,
    left: u64,
    partial: Vec<u8>,
}

impl PayloadMeter {
    /// Counts so many bytes more for each frame.
    pub fn new(for_each_frame: u64) -> Self {
        Self { for_each_frame, left: 0, partial: Vec::new() }
    }

    /// How many of these bytes are payload.
    pub fn count(&mut self, mut input: &[u8]) -> u64 {
        let mut payload = 0;
        while !input.is_empty() {
            if self.left == 0 {
                let joined;
                let (head, held) = if self.partial.is_empty() {
                    (input, 0)
                } else {
                    let held = self.partial.len();
                    joined = [&self.partial[..], &input[..input.len().min(10)]].concat();
                    (&joined[..], held)
                };
                let Some((header, length)) = header(head) else {
                    self.partial.extend_from_slice(input);
                    return payload;
                };
                input = &input[header - held..];
                self.partial.clear();
                self.left = length;
                payload += self.for_each_frame;
            }
            let taken = self.left.min(input.len() as u64);
            payload += taken;
            self.left -= taken;
            input = &input[taken as usize..];
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_counted_wherever_reads_cut() {
        let mut bytes = Vec::new();
        for size in [5_usize, 200, 70_000] {
            let mut frame = client_frame(BINARY, &vec![7; size]);
            let header = frame.len() - size;
            frame.drain(header - 4..header);
            frame[1] &= 0x7f;
            bytes.extend(frame);
        }
        for piece in [1, 3, 7, 4096, bytes.len()] {
            let mut meter = PayloadMeter::new(1);
            let total: u64 = bytes.chunks(piece).map(|chunk| meter.count(chunk)).sum();
            assert_eq!(total, 70_205 + 3, "pieces of {piece}");
        }
    }

    #[test]
    fn frames_have_the_size_that_is_computed() {
        for size in [0, 125, 126, 65535, 65536] {
            assert_eq!(client_frame(TEXT, &vec![0; size]).len() as u64, frame_bytes(size) + 4);
        }
    }
}
