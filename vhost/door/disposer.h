// Closes what a VMM has handed over without letting it choose how long that takes.
//
// Theory of operation. close(2) may sleep: on a file system in user space that does not answer
// (its flush), on a TCP socket with SO_LINGER, or over gigabytes of a memfd whose last reference
// it was; closing a unix socket drops, in the same call, every descriptor still queued in it. A
// hostile VMM would stop all doors that way. So descriptors that came with a refused message, and
// a socket with something unread in it, are closed on a thread made for that one occasion. Well
// behaved VMMs never cause one. Whoever admits VMMs asks outstanding() and admits none while
// too many are stuck: the port of that VMM waits, the others do not notice.
//
// This is the one thread outside datapath/; it touches nothing but the descriptors it was given.
//
// Threads: one caller; the Disposer may go while its threads are still at work.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "vhost/unique_fd.h"

namespace vhost::door {

class Disposer {
 public:
  void close_elsewhere(std::vector<UniqueFd> fds);

  // Hangs up. On a thread only when the peer has sent something that was not read.
  void hang_up(UniqueFd socket);

  // Disposals that have not ended yet.
  int outstanding() const noexcept { return *outstanding_; }

 private:
  std::shared_ptr<std::atomic<int>> outstanding_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace vhost::door
