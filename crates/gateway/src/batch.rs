//! What each connection is to be written in this turn of the loop.
//!
//! In one turn most receivers of a group get the very same frames in the same order. So a
//! connection does not hold a queue: it holds one number, a place in a tree whose edges are frames.
//! Appending a frame moves the connection to the child of its place, and connections with the same
//! history share every place. At the end of the turn each place is joined into contiguous bytes
//! once, however many connections stand there: the fan-out loop touches no allocator, no lock and
//! no reference count, and a flush is one `write` a connection.
//!
//! A frame remembers where its newest appendings led, so that receivers of several wire forms may
//! come in any order and still share their places.

use bytes::{Bytes, BytesMut};

/// A place in the tree; [`Place::EMPTY`] means "nothing to write".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Place {
    pub(crate) const EMPTY: Self = Self(0);
}

/// How many places a frame remembers; receivers of one publication stand at few.
const REMEMBERED: usize = 8;

/// One frame on its way to however many receivers of one turn.
#[derive(Debug)]
pub(crate) struct Stamped {
    frame: Bytes,
    /// The turn that the memory is about.
    turn: u64,
    /// Where an appending at a place led, by the place's last bits.
    memory: [(u32, u32); REMEMBERED],
}

impl Stamped {
    /// A frame that nobody has been given yet.
    pub(crate) fn new(frame: Bytes) -> Self {
        Self { frame, turn: 0, memory: NOTHING }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }
}

const NOTHING: [(u32, u32); REMEMBERED] = [(u32::MAX, 0); REMEMBERED];

#[derive(Debug)]
struct Node {
    parent: u32,
    frames: u32,
    bytes: usize,
    frame: Bytes,
    joined: Option<Bytes>,
}

/// The tree of one turn.
#[derive(Debug)]
pub(crate) struct Batches {
    nodes: Vec<Node>,
    turn: u64,
    bytes: usize,
}

impl Batches {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::root()], turn: 1, bytes: 0 }
    }

    /// The place of a connection that stands at `at` and is to receive `stamped` next.
    pub(crate) fn append(&mut self, at: Place, stamped: &mut Stamped) -> Place {
        if stamped.turn != self.turn {
            stamped.turn = self.turn;
            stamped.memory = NOTHING;
        }
        let memory = &mut stamped.memory[at.0 as usize % REMEMBERED];
        if memory.0 == at.0 {
            return Place(memory.1);
        }
        let parent = &self.nodes[at.0 as usize];
        let (frames, bytes) = (parent.frames + 1, parent.bytes + stamped.frame.len());
        let child = u32::try_from(self.nodes.len()).expect("a turn ends long before 2^32 places");
        *memory = (at.0, child);
        self.bytes += bytes;
        self.nodes.push(Node {
            parent: at.0,
            frames,
            bytes,
            frame: stamped.frame.clone(),
            joined: None,
        });
        Place(child)
    }

    /// Everything from the start of the turn to `at`, in order and contiguous, and the number of
    /// frames in it.
    pub(crate) fn joined(&mut self, at: Place) -> (&Bytes, u32) {
        let index = at.0 as usize;
        if self.nodes[index].joined.is_none() {
            let joined = self.join(index);
            self.nodes[index].joined = Some(joined);
        }
        let node = &self.nodes[index];
        (node.joined.as_ref().unwrap_or(&node.frame), node.frames)
    }

    fn join(&self, index: usize) -> Bytes {
        let node = &self.nodes[index];
        if node.frames <= 1 {
            return node.frame.clone();
        }
        let mut parts = Vec::with_capacity(node.frames as usize);
        let mut at = node;
        while at.frames > 0 {
            parts.push(&at.frame);
            at = &self.nodes[at.parent as usize];
        }
        let mut out = BytesMut::with_capacity(node.bytes);
        parts.into_iter().rev().for_each(|part| out.extend_from_slice(part));
        out.freeze()
    }

    /// An upper bound of the memory that joining every place would take; a turn is ended early when
    /// it grows too large.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the turn. All places but [`Place::EMPTY`] become invalid; capacity beyond an ordinary
    /// turn's is given back.
    pub(crate) fn clear(&mut self) {
        const ORDINARY_NODES: usize = 4096;
        self.nodes.clear();
        self.nodes.shrink_to(ORDINARY_NODES);
        self.nodes.push(Node::root());
        self.turn += 1;
        self.bytes = 0;
    }
}

impl Node {
    fn root() -> Self {
        Self { parent: 0, frames: 0, bytes: 0, frame: Bytes::new(), joined: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn receivers_of_the_same_frames_share_one_joined_buffer() {
        let mut batches = Batches::new();
        let mut places = [Place::EMPTY; 3];
        for frame in ["one", "two"] {
            let mut stamped = Stamped::new(Bytes::from_static(frame.as_bytes()));
            places.iter_mut().for_each(|place| *place = batches.append(*place, &mut stamped));
        }
        assert!(places.iter().all(|place| *place == places[0]));
        let first = batches.joined(places[0]).0.as_ptr();
        assert_eq!(batches.joined(places[2]).0.as_ptr(), first);
    }

    #[test]
    fn receivers_of_two_wire_forms_share_whatever_their_order() {
        let mut batches = Batches::new();
        let mut places = [Place::EMPTY; 4];
        for _ in 0..3 {
            let mut forms =
                ["text", "binary"].map(|form| Stamped::new(Bytes::from_static(form.as_bytes())));
            for (index, place) in places.iter_mut().enumerate() {
                *place = batches.append(*place, &mut forms[index % 2]);
            }
        }
        assert_eq!((places[0], places[1]), (places[2], places[3]));
        assert_ne!(places[0], places[1]);
    }

    #[test]
    fn a_frame_may_go_on_in_the_next_turn() {
        let mut batches = Batches::new();
        let mut stamped = Stamped::new(Bytes::from_static(b"x"));
        batches.append(Place::EMPTY, &mut stamped);
        batches.clear();
        let place = batches.append(Place::EMPTY, &mut stamped);
        assert_eq!(batches.joined(place).0[..], *b"x");
    }

    #[test]
    fn a_single_frame_is_not_copied() {
        let mut batches = Batches::new();
        let frame = Bytes::from(vec![1, 2, 3]);
        let place = batches.append(Place::EMPTY, &mut Stamped::new(frame.clone()));
        assert_eq!(batches.joined(place).0.as_ptr(), frame.as_ptr());
    }

    proptest! {
        /// Whatever subset of connections each frame goes to, everyone gets exactly their own
        /// frames in order.
        #[test]
        fn every_receiver_gets_its_own_frames_in_order(
            rounds in prop::collection::vec(prop::collection::vec(any::<bool>(), 5), 0..20)
        ) {
            let mut batches = Batches::new();
            let mut places = [Place::EMPTY; 5];
            let mut expected = vec![Vec::new(); 5];
            for (number, receivers) in rounds.iter().enumerate() {
                let text = format!("<{number}>");
                let mut stamped = Stamped::new(Bytes::from(text.clone()));
                for (index, receives) in receivers.iter().enumerate() {
                    if *receives {
                        places[index] = batches.append(places[index], &mut stamped);
                        expected[index].extend_from_slice(text.as_bytes());
                    }
                }
            }
            for (place, wanted) in places.iter().zip(&expected) {
                prop_assert_eq!(&batches.joined(*place).0[..], &wanted[..]);
            }
        }
    }
}
