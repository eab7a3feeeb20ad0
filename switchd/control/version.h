// The version of this build.
#pragma once

namespace control {

const char* version();

}  // namespace control
