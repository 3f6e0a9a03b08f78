//! What fifowire must hold so that cc-bridge cannot happen again (`SYSTEMS.md`, CC1 to CC13), one
//! file each.

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
