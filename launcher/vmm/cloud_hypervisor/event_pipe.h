// The pipe that cloud-hypervisor's event monitor writes to: a FIFO in the VM's directory. Unlike a
// file it does not grow, needs no watching, and what the VMM does with its name later on matters to
// nobody. When it is full, for want of a reader, cloud-hypervisor drops events.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "vmm/vmm.h"

namespace launcher::cloud_hypervisor {

class EventPipe : public std::enable_shared_from_this<EventPipe> {
 public:
  using Handler = std::function<void(const VmmEvent&)>;

  EventPipe(boost::asio::io_context& loop, Handler handler)
      : pipe_(loop), handler_(std::move(handler)) {}

  // Makes the FIFO, in place of any that was there, for the owner of its directory. Throws
  // VmmError.
  void make(const std::filesystem::path& path);

  // Reads until stop(), which also lets go of the handler.
  void start();
  void stop();

 private:
  static boost::asio::awaitable<void> read(std::shared_ptr<EventPipe> self);

  boost::asio::posix::stream_descriptor pipe_;
  Handler handler_;
};

}  // namespace launcher::cloud_hypervisor
