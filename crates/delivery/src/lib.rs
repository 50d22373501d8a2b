//! Durable work: written in the transaction of the state that causes it, carried out until it
//! succeeds or is dead-lettered.
