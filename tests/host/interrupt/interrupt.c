/* Preloaded into a program, interrupts it at one of its system calls: INTERRUPT="write 9 3" sends
 * signal 9 just before the third write(). Knows the calls by which a program changes things on
 * disk and in sysfs: write() and rename(). Programs that the program starts are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char call[16];
static int signal_number;
static long calls_left;

__attribute__((constructor)) static void read_order(void) {
  const char* order = getenv("INTERRUPT");
  if (order != NULL && sscanf(order, "%15s %d %ld", call, &signal_number, &calls_left) != 3) {
    abort();
  }
  unsetenv("LD_PRELOAD");
}

static void count(const char* name) {
  if (strcmp(name, call) == 0 && --calls_left == 0) kill(getpid(), signal_number);
}

ssize_t write(int fd, const void* buffer, size_t size) {
  static ssize_t (*next)(int, const void*, size_t);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "write");
  count("write");
  return next(fd, buffer, size);
}

int rename(const char* from, const char* to) {
  static int (*next)(const char*, const char*);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "rename");
  count("rename");
  return next(from, to);
}
