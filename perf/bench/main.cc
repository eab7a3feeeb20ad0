// switch-bench: options -> measurement -> report.
#include <exception>
#include <iostream>

#include "bench/cpu.h"
#include "bench/live.h"
#include "bench/measurement.h"
#include "bench/options.h"
#include "bench/report.h"

namespace {

nlohmann::json run(bench::CommandLine& line) {
  bench::MeasurementOptions& options = line.measurement;
  if (options.traffic.cpu < 0) options.traffic.cpu = bench::allowed_cpus().at(0);
  const auto probe = bench::make_probe(line.probe, line.vppctl);
  const bench::Measurement result = bench::measure(options, probe.get());
  bench::print(std::cout, options, result);
  return bench::to_json(options, result);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bench::CommandLine line = bench::parse_command_line(argc, argv);
    if (line.command == bench::CommandLine::Command::help) {
      std::cout << line.help;
      return 0;
    }
    const nlohmann::json document =
        line.command == bench::CommandLine::Command::run
            ? run(line)
            : bench::measure_live(line.control_socket, line.measurement, std::cout);
    if (!line.json_file.empty()) bench::write_file(line.json_file, document);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "switch-bench: " << error.what() << '\n';
    return 1;
  }
}
