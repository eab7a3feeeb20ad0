#include "bench/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "bench/error.h"
#include "frontend/file_descriptor.h"

extern char** environ;

namespace bench {

std::string output_of(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw BenchError("pipe: " + std::string(std::strerror(errno)));
  const frontend::FileDescriptor from(ends[0]);
  frontend::FileDescriptor to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  to.reset();
  if (error != 0) throw BenchError(arguments[0] + ": " + std::strerror(error));

  std::string text;
  std::array<char, 4096> part;
  for (ssize_t got; (got = read(from.get(), part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw BenchError(arguments[0] + " failed: " + text);
  }
  return text;
}

}  // namespace bench
