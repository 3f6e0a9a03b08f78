//! Input that no endpoint of this crate would write: every kind of it is an error of its own or a
//! counted skip, and the next good message arrives.

mod cuts;
mod one_way;
mod requests;
mod vanished;
