#include "control/version.h"

namespace control {

const char* version() {
  return SWITCHD_VERSION;
}

}  // namespace control
