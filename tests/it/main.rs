//! Real FIFOs, real processes, under a watchdog. Nothing here needs a foreign program.
