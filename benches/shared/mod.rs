//! What the benchmark programs share; each uses all of it.

pub(crate) mod ends;
pub(crate) mod executor;
pub(crate) mod waits;

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The processor time of this process so far, its own and the kernel's for it.
pub(crate) fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it cannot fail for oneself");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).expect("time spent is not negative"))
}
