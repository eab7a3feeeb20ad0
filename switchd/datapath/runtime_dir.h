// The directory that rte_vhost's own sockets lie in: 0700, of one instance, empty at start. Nobody
// but this process connects to what is in it.
//
// Threads: main. Errors: SwitchError naming the path and the remedy.
#pragma once

#include <filesystem>
#include <string>

#include "vhost/unique_fd.h"

namespace datapath {

class RuntimeDir {
 public:
  explicit RuntimeDir(const std::filesystem::path& path);
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

  std::filesystem::path socket_for(unsigned port) const;

 private:
  void empty() const noexcept;

  std::filesystem::path path_;
  vhost::UniqueFd lock_;
};

}  // namespace datapath
