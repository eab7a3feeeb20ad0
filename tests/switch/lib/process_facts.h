// What the kernel says of a process: its memory, descriptors and threads, its rights, its CPU time.
//
// Source: proc(5), /proc/PID/status, /proc/PID/fd and /proc/PID/stat. Errors: TestbedError when it
// is gone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace testbed {

struct ProcessFacts {
  uint64_t anonymous_kib = 0;  // RssAnon
  uint64_t file_kib = 0;       // RssFile
  uint64_t shared_kib = 0;     // RssShmem: guests' memory
  uint64_t huge_kib = 0;       // HugetlbPages
  uint64_t threads = 0;
  uint64_t descriptors = 0;   // open ones
  uint64_t capabilities = 0;  // CapEff and CapPrm together
  int64_t user = -1;          // the real user

  uint64_t own_kib() const { return anonymous_kib + file_kib; }
};

ProcessFacts facts_of(pid_t pid);
// User and system time of all its threads so far.
std::chrono::duration<double> cpu_time_of(pid_t pid);

}  // namespace testbed
