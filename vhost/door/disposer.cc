#include "vhost/door/disposer.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <system_error>
#include <thread>
#include <utility>

namespace vhost::door {
namespace {

// A thread made in this scope takes no signals: they are the main thread's.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

void Disposer::close_elsewhere(std::vector<UniqueFd> fds) {
  if (fds.empty()) return;
  ++*outstanding_;
  const SignalsBlocked blocked;
  // Shared, so that they are still here to be closed when there is no thread to be had.
  auto shared = std::make_shared<std::vector<UniqueFd>>(std::move(fds));
  try {
    std::thread([owned = shared, outstanding = outstanding_] {
      owned->clear();
      --*outstanding;
    }).detach();
  } catch (const std::system_error&) {
    shared->clear();
    --*outstanding_;
  }
}

void Disposer::hang_up(UniqueFd socket) {
  if (!socket) return;
  ::shutdown(socket.get(), SHUT_RDWR);  // from here on nothing can be added
  int unread = 0;
  if (::ioctl(socket.get(), FIONREAD, &unread) != 0 || unread == 0) return;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(socket));
  close_elsewhere(std::move(fds));
}

}  // namespace vhost::door
