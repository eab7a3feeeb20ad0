// Survival of torn guest memory.
//
// A guest's memory is a file that its VMM may truncate at any moment; the next access to what is
// gone raises SIGBUS, in a worker or inside rte_vhost, which may hold locks then. So the handler
// does not jump: it maps anonymous memory over the torn rest of the region, marks the region, and
// the access goes on. The owner finds the mark and sends the VMM away. A SIGBUS anywhere else is
// fatal as ever.
//
// Threads: protect() and release() by rte_vhost's thread and the main thread; torn() by any. The
// handler runs on whatever thread touched the memory, and only reads and marks a fixed table.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vhost::memory_guard {

// Installs the handler. Once, before the first region.
void install();

// `page_bytes`: of the mapping, a power of two. Returns a handle, or -1 when the table is full.
int protect(void* start, size_t bytes, size_t page_bytes) noexcept;
void release(int handle) noexcept;  // -1 is allowed
bool torn(int handle) noexcept;     // -1: false

}  // namespace vhost::memory_guard
