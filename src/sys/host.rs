//! What the machine and the process are.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

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

/// The monotonic clock in nanoseconds as it stood at `now`: the same for every process on this
/// kernel, time namespaces aside. `Instant` is this clock but does not give its number away, so
/// both are read once and the rest is arithmetic.
pub(crate) fn monotonic_ns(now: Instant) -> u64 {
    static BASE: OnceLock<(Instant, u64)> = OnceLock::new();
    let (base, base_ns) = *BASE.get_or_init(|| (Instant::now(), clock_ns()));
    match now.checked_duration_since(base) {
        Some(since) => base_ns.wrapping_add(since.as_nanos() as u64),
        None => base_ns.wrapping_sub((base - now).as_nanos() as u64),
    }
}

fn clock_ns() -> u64 {
    let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    (time.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec() as u64)
}

/// A clock that is behind by some milliseconds and costs next to nothing: for looking whether it
/// is time to look.
#[cfg(target_os = "linux")]
pub(crate) fn coarse_clock() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE);
    time.map_or(Duration::MAX, Duration::from)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse_clock() -> Duration {
    Duration::from_nanos(clock_ns())
}

/// A random number, for session epochs. They must differ between lives; they are no secret.
pub(crate) fn random_u64() -> u64 {
    // A kernel without randomness this early in its boot still has a clock and a process number.
    getrandom::u64().unwrap_or_else(|_| clock_ns() ^ (u64::from(std::process::id()) << 40))
}
