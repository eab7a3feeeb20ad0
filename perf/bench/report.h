// A measurement for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "bench/measurement.h"

namespace bench {

nlohmann::json to_json(const MeasurementOptions& options, const Measurement& result);
void print(std::ostream& out, const MeasurementOptions& options, const Measurement& result);
// Errors: BenchError names the file.
void write_file(const std::string& path, const nlohmann::json& document);

}  // namespace bench
