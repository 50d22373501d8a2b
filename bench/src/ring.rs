//! The batching yardstick over io_uring: the sends of a turn are handed to the kernel together.

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use anyhow::{Result, ensure};
use io_uring::{IoUring, opcode, squeue, types};

const ENTRIES: u32 = 1024;

/// A ring that only sends.
pub struct Ring(IoUring);

impl Ring {
    /// A ring, if the kernel has them.
    pub fn new() -> Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .build(ENTRIES)?;
        Ok(Self(ring))
    }

    /// Sends `bytes` to each of `streams` and waits until all have them.
    #[expect(unsafe_code, reason = "the kernel reads the buffer while this function waits")]
    pub fn send(&mut self, streams: &[TcpStream], bytes: &[u8]) -> Result<()> {
        for chunk in streams.chunks(ENTRIES as usize) {
            for (index, stream) in chunk.iter().enumerate() {
                let target = types::Fd(stream.as_raw_fd());
                let send = opcode::Send::new(target, bytes.as_ptr(), bytes.len() as u32)
                    .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
                    .build()
                    .flags(squeue::Flags::SKIP_SUCCESS)
                    .user_data(index as u64);
                // SAFETY: `bytes` and `streams` outlive the send: see below.
                unsafe { self.0.submission().push(&send) }?;
            }
            // Sends run while they are submitted; one that found its socket full ends later, so a
            // marker that waits for all before it ends the turn.
            self.0.submit()?;
            let marker =
                opcode::Nop::new().build().flags(squeue::Flags::IO_DRAIN).user_data(u64::MAX);
            // SAFETY: it has no buffer.
            unsafe { self.0.submission().push(&marker) }?;
            self.0.submit_and_wait(1)?;
            let mut done = false;
            while !done {
                for completion in self.0.completion() {
                    let failed = completion.user_data() != u64::MAX;
                    ensure!(!failed, "a send ended with {}", completion.result());
                    done = true;
                }
                if !done {
                    self.0.submit_and_wait(1)?;
                }
            }
        }
        Ok(())
    }
}
