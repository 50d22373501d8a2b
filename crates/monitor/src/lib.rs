//! What the program knows about what it did.
