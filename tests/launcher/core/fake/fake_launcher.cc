// The launcher, all of it, with a VMM that has no guests.
#include "cli/dispatch.h"
#include "fake_driver.h"

int main(int argc, char* argv[]) {
  return launcher::dispatch(argc, argv, launcher::fake_driver);
}
