#include <boost/program_options/value_semantic.hpp>

#include "ctl/cli.h"
#include "ctl/table.h"

namespace switchctl {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

void print_macs(const json& macs, std::ostream& out) {
  Table table({"ADDRESS", "PORT", "KIND", ">AGE"});
  for (const json& mac : macs) {
    const bool is_static = mac.at("static").get<bool>();
    table.add({mac.at("address").get<std::string>(), mac.at("port").get<std::string>(),
               is_static ? "static" : "learned", is_static ? "-" : mac.at("age_s").dump() + " s"});
  }
  table.print(out);
}

}  // namespace

void mac_list(Invocation& invocation) {
  po::options_description options;
  options.add_options()("port", po::value<std::string>());
  const auto variables = invocation.parse(options, {});
  json params = json::object();
  if (variables.count("port") != 0) params["port"] = variables["port"].as<std::string>();
  const json result = invocation.call("mac.list", params);
  if (!invocation.print_json(result)) print_macs(result.at("macs"), invocation.out());
}

void mac_add(Invocation& invocation) {
  po::options_description options;
  options.add_options()("transient", po::bool_switch());
  const auto variables = invocation.parse(options, {"MAC", "PORT"});
  const json result =
      invocation.call("mac.add", {{"address", variables["MAC"].as<std::string>()},
                                  {"port", variables["PORT"].as<std::string>()},
                                  {"transient", variables["transient"].as<bool>()}});
  if (!invocation.print_json(result)) {
    invocation.out() << result.at("address").get<std::string>() << " lives on port "
                     << result.at("port").get<std::string>() << "\n";
  }
}

void mac_remove(Invocation& invocation) {
  const auto variables = invocation.parse({}, {"MAC"});
  const json result =
      invocation.call("mac.remove", {{"address", variables["MAC"].as<std::string>()}});
  if (!invocation.print_json(result)) {
    invocation.out() << result.at("removed").get<std::string>() << " is forgotten\n";
  }
}

void mac_flush(Invocation& invocation) {
  const auto variables = invocation.parse({}, {"[PORT]"});
  json params = json::object();
  if (variables.count("PORT") != 0) params["port"] = variables["PORT"].as<std::string>();
  const json result = invocation.call("mac.flush", params);
  if (!invocation.print_json(result)) {
    invocation.out() << result.at("flushed").dump() << " addresses are forgotten\n";
  }
}

}  // namespace switchctl
