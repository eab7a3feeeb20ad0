// Whether this is a build under AddressSanitizer: some ten times slower, so that tests do less of
// the same; and its shadow memory, and the freed memory that it keeps back, count as the process's.
#pragma once

namespace testbed {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace testbed
