// Makes rte_vhost's thread look at a new listening socket now.
//
// DPDK 22.11 adds a listening socket to the set that its thread polls without telling the thread:
// it is in the set from the next round on, and a round without events lasts a second. So a VMM that
// connects to a new port would wait for up to a second, and all of them after a restart. A signal
// ends the round. (Later releases wait on an epoll set, which needs no such thing and is not hurt.)
//
// The signal's handler does nothing. The thread reads whole messages only, from sockets that have
// them, so nothing else that it does is cut short.
//
// Threads: main. Errors: none; without such a thread nothing happens.
#pragma once

namespace vhost {

void wake_events_thread() noexcept;

}  // namespace vhost
