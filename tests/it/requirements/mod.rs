//! What fifowire must hold so that cc-bridge (`SYSTEMS.md`, CC1 to CC13) and Fido (FI4 to FI9)
//! cannot happen again, one file each.
//!
//! What is not here: that a writing end has one owner (FI1) is a matter of types; that processes
//! tear nothing of each other's (FI2) is in `shared_senders.rs`; that what is torn is skipped to
//! the next frame (FI3), in `input`. A cancel that nobody acknowledges (the end of FI5) and a
//! thousand cancels at every stage (FI6) are in `scenarios/a4_cancel`.

mod cc01_one_deadline;
mod cc02_nothing_left_behind;
mod cc03_late_reader;
mod cc04_write_timeout;
mod cc05_never_later;
mod cc06_error_fields;
mod cc07_no_writer_or_gone;
mod cc08_byte_exact;
mod cc09_not_a_fifo;
mod cc10_mode_and_names;
mod cc11_swapped_inode;
mod cc12_waiting_notice;
mod cc13_liveness;
mod fi04_cancel_ahead;
mod fi05_acknowledged;
mod fi06_one_call;
mod fi07_all_at_once;
mod fi08_half_a_frame;
mod fi09_bytes_accepted;
