//! Systems that failed (`SYSTEMS.md`), rebuilt on fifowire: what hung, tore or leaked there is
//! played again, and beside it the way it was written before, which must fail still.

mod a3_stalled_client;
mod a4_cancel;
mod a5_payload_deadlock;
