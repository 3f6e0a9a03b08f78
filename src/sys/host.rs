//! What the machine and the process are.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Uid;

/// Who this process acts as.
pub(crate) fn effective_uid() -> u32 {
    Uid::effective().as_raw()
}

/// Whether this thread may run on one core only.
#[cfg(target_os = "linux")]
pub(crate) fn one_core() -> bool {
    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;

    let Ok(cores) = sched_getaffinity(Pid::from_raw(0)) else { return false };
    let allowed = |core: &usize| cores.is_set(*core).unwrap_or(false);
    (0..CpuSet::count()).filter(allowed).take(2).count() == 1
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn one_core() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1)
}

/// The monotonic clock in nanoseconds: the same for every process on this kernel, time namespaces
/// aside. `Instant` is this clock but does not give its number away.
pub(crate) fn monotonic_ns() -> u64 {
    let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64)
}

/// A random number, for session epochs. They must differ between lives; they are no secret.
pub(crate) fn random_u64() -> u64 {
    // A kernel without randomness this early in its boot still has a clock and a process number.
    getrandom::u64().unwrap_or_else(|_| monotonic_ns() ^ (u64::from(std::process::id()) << 40))
}
