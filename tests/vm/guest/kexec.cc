// kexec KERNEL INITRAMFS: starts another kernel from the running one, with the same command line,
// and without a reset of the machine (kexec_file_load(2)). Linked statically, for the initramfs.
#include <fcntl.h>
#include <linux/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace {

int fail(const char* what) {
  std::perror(what);
  return 1;
}

// Its length with a zero at the end, which takes the place of the newline; 0: it cannot be read.
std::size_t read_command_line(std::array<char, 4096>& text) {
  const int file = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  const ssize_t got = file < 0 ? -1 : read(file, text.data(), text.size());
  if (got <= 0) return 0;
  text[static_cast<std::size_t>(got) - 1] = '\0';
  return static_cast<std::size_t>(got);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: kexec KERNEL INITRAMFS\n", stderr);
    return 2;
  }
  const int kernel = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (kernel < 0) return fail(argv[1]);
  const int initramfs = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (initramfs < 0) return fail(argv[2]);
  std::array<char, 4096> command_line{};
  const std::size_t length = read_command_line(command_line);
  if (length == 0) return fail("/proc/cmdline");
  if (syscall(SYS_kexec_file_load, kernel, initramfs, length, command_line.data(), 0UL) != 0) {
    return fail("kexec_file_load");
  }
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, nullptr);
  return fail("reboot");
}
