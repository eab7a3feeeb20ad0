// Measuring a switchd that runs, beside whatever it does: two ports are added for the time being
// (transient: no restart brings them back), measured and removed again, also after an error.
#pragma once

#include <ostream>
#include <string>

#include "bench/measurement.h"

namespace bench {

// Progress and results go to `out`; the returned document is the JSON result.
// Errors: client::ConnectError, client::RpcError, BenchError.
nlohmann::json measure_live(const std::string& control_socket, const MeasurementOptions& options,
                            std::ostream& out);

}  // namespace bench
