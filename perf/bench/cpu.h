// CPUs: which there are, staying on one, how far two are apart, and the time-stamp counter.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace bench {

std::vector<int> allowed_cpus();
// The calling thread. Errors: BenchError names the CPU.
void pin_to(int cpu);
uint64_t tsc();
// Counted against the system's clock for a few milliseconds, once a process.
double tsc_hz();

// Median time for a cache line to go from one CPU to the other and back. Two virtual CPUs may be
// near or far and change within seconds, which changes every other figure: print it beside them.
// Nothing when both are the same one or the other never answered in time.
std::optional<double> round_trip_ns(int first, int second);

}  // namespace bench
