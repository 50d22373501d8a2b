//! What a socket would not take at once, bounded.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};

/// How much may wait for a slow receiver.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Bytes, WebSocket headers included.
    pub bytes: usize,
    /// Frames.
    pub frames: usize,
}

/// The frames that wait for a receiver. Every chunk ends where a frame ends; only the first may
/// begin inside one.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    frames: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    frames: u32,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds whole frames, or what is left of them.
    pub(crate) fn push(&mut self, bytes: Bytes, frames: u32) {
        self.bytes += bytes.len();
        self.frames += frames as usize;
        self.chunks.push_back(Chunk { bytes, frames });
    }

    /// Whether more waits than may. One chunk alone is always allowed, so that a limit below the
    /// size of a message does not forbid the message.
    pub(crate) fn exceeds(&self, limits: QueueLimits) -> bool {
        self.chunks.len() > 1 && (self.bytes > limits.bytes || self.frames > limits.frames)
    }

    /// Drops what has not been begun. What stays ends at a frame's end, so a close frame may follow.
    pub(crate) fn keep_only_what_is_begun(&mut self) {
        self.chunks.truncate(1);
        self.bytes = self.chunks.front().map_or(0, |chunk| chunk.bytes.len());
        self.frames = self.chunks.front().map_or(0, |chunk| chunk.frames as usize);
    }

    /// What waits, as whole frames; for a connection that nothing was ever written to.
    pub(crate) fn into_chunks(self) -> impl Iterator<Item = Bytes> {
        self.chunks.into_iter().map(|chunk| chunk.bytes)
    }

    /// Writes until it is empty or the socket is full; returns the bytes written.
    pub(crate) fn write(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut written = 0;
        while let Some(chunk) = self.chunks.front_mut() {
            match write(&chunk.bytes) {
                // Only a TLS session whose buffer is full takes nothing without an error.
                Ok(0) => return Ok(written),
                Ok(count) => {
                    written += count;
                    self.bytes -= count;
                    chunk.bytes.advance(count);
                    if chunk.bytes.is_empty() {
                        self.frames -= chunk.frames as usize;
                        self.chunks.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A receiver that has caught up owns no queue.
        self.chunks = VecDeque::new();
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueLimits = QueueLimits { bytes: 10, frames: 3 };

    #[test]
    fn limits_count_bytes_and_frames() {
        let mut backlog = Backlog::default();
        backlog.push(Bytes::from_static(&[0; 100]), 1);
        assert!(!backlog.exceeds(LIMITS), "a single message is always allowed");
        backlog.push(Bytes::from_static(&[0; 1]), 1);
        assert!(backlog.exceeds(LIMITS), "bytes");
        let mut backlog = Backlog::default();
        (0..3).for_each(|_| backlog.push(Bytes::from_static(&[0; 1]), 1));
        assert!(!backlog.exceeds(LIMITS));
        backlog.push(Bytes::from_static(&[0; 1]), 1);
        assert!(backlog.exceeds(LIMITS), "frames");
    }

    #[test]
    fn a_full_socket_keeps_the_rest_in_order() {
        let mut backlog = Backlog::default();
        backlog.push(Bytes::from_static(b"abc"), 1);
        backlog.push(Bytes::from_static(b"def"), 2);
        let (mut room, mut seen) = (4, Vec::new());
        let mut take = |bytes: &[u8]| {
            let count = bytes.len().min(room);
            room -= count;
            seen.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
        };
        assert_eq!(backlog.write(&mut take).unwrap(), 4);
        assert_eq!((backlog.bytes, backlog.frames), (2, 2));
        backlog.push(Bytes::from_static(b"gh"), 1);
        backlog.keep_only_what_is_begun();
        assert_eq!((backlog.bytes, backlog.frames), (2, 2));
        let mut take = |bytes: &[u8]| {
            seen.extend_from_slice(bytes);
            Ok(bytes.len())
        };
        assert_eq!(backlog.write(&mut take).unwrap(), 2);
        assert!(backlog.is_empty());
        assert_eq!((backlog.bytes, backlog.frames), (0, 0));
        assert_eq!(seen, b"abcdef");
    }
}
