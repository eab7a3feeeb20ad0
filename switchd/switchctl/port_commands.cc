#include <boost/program_options/value_semantic.hpp>

#include "ctl/cli.h"
#include "ctl/table.h"

namespace switchctl {
namespace {

namespace po = boost::program_options;
using nlohmann::json;
using Texts = std::vector<std::string>;

void print_ports(const json& ports, std::ostream& out) {
  Table table(
      {"NAME", "STATE", "ISOLATED", ">MACS", ">VMM", ">CPU", "KEPT BY", "SOCKET", "REASON"});
  for (const json& port : ports) {
    table.add({cell(port.at("name")), cell(port.at("state")),
               port.at("isolated").get<bool>() ? "yes" : "no", cell(port.at("macs")),
               cell(port.at("vmm_pid")), cell(port.at("worker_cpu")), cell(port.at("origin")),
               cell(port.at("socket")), cell(port.at("reason"))});
  }
  table.print(out);
}

void print_counters(const json& counters, std::ostream& out) {
  Table table({"COUNTER", ">VALUE"});
  for (const char* group : {"ingress", "egress", "learning"}) {
    for (const auto& [name, value] : counters.at(group).items()) {
      if (value != json(0)) table.add({std::string(group) + " " + name, cell(value)});
    }
  }
  if (table.empty()) {
    out << "all counters are 0\n";
  } else {
    table.print(out);
  }
}

void print_port(const json& port, std::ostream& out) {
  Table table({});
  for (const char* key :
       {"name",         "state",        "reason",    "socket",         "mode",     "socket_mode",
        "socket_owner", "socket_group", "allow_uid", "allow_gid",      "isolated", "mac_limit",
        "mtu",          "queues",       "packed",    "running_queues", "macs",     "vmm_pid",
        "vmm_uid",      "worker_cpu",   "origin",    "features"}) {
    table.add({key, cell(port.at(key))});
  }
  table.add({"", cell(port.at("feature_names"))});
  table.print(out);
  out << "\n";
  print_counters(port.at("counters"), out);
  if (!port.contains("messages")) return;
  out << "\nMessages, oldest first:\n";
  for (const json& message : port.at("messages")) out << "  " << cell(message) << "\n";
}

void copy_if_given(const po::variables_map& variables, const char* option, const char* key,
                   json& params) {
  if (variables.count(option) != 0) params[key] = variables[option].as<std::string>();
}

void copy_list_if_given(const po::variables_map& variables, const char* option, const char* key,
                        json& params) {
  if (variables.count(option) != 0) params[key] = variables[option].as<Texts>();
}

po::options_description add_options() {
  po::options_description options;
  options.add_options()                                //
      ("socket-path", po::value<std::string>())        //
      ("client", po::bool_switch())                    //
      ("isolated", po::bool_switch())                  //
      ("mac-limit", po::value<uint32_t>())             //
      ("mtu", po::value<uint16_t>())                   //
      ("queues", po::value<uint16_t>())                //
      ("packed", po::bool_switch())                    //
      ("mode", po::value<std::string>())               //
      ("owner", po::value<std::string>())              //
      ("group", po::value<std::string>())              //
      ("allow-uid", po::value<Texts>()->composing())   //
      ("allow-gid", po::value<Texts>()->composing())   //
      ("static-mac", po::value<Texts>()->composing())  //
      ("transient", po::bool_switch());
  return options;
}

}  // namespace

void port_list(Invocation& invocation) {
  invocation.parse({}, {});
  const json result = invocation.call("port.list");
  if (!invocation.print_json(result)) print_ports(result.at("ports"), invocation.out());
}

void port_show(Invocation& invocation) {
  po::options_description options;
  options.add_options()("messages", po::bool_switch());
  const auto variables = invocation.parse(options, {"NAME"});
  const json result =
      invocation.call("port.show", {{"name", variables["NAME"].as<std::string>()},
                                    {"messages", variables["messages"].as<bool>()}});
  if (!invocation.print_json(result)) print_port(result, invocation.out());
}

void port_add(Invocation& invocation) {
  const auto variables = invocation.parse(add_options(), {"NAME"});
  json params = {{"name", variables["NAME"].as<std::string>()},
                 {"mode", variables["client"].as<bool>() ? "client" : "server"},
                 {"isolated", variables["isolated"].as<bool>()},
                 {"packed", variables["packed"].as<bool>()},
                 {"transient", variables["transient"].as<bool>()}};
  if (variables.count("socket-path") != 0) {
    params["socket"] =
        std::filesystem::absolute(variables["socket-path"].as<std::string>()).string();
  }
  if (variables.count("mac-limit") != 0)
    params["mac_limit"] = variables["mac-limit"].as<uint32_t>();
  if (variables.count("mtu") != 0) params["mtu"] = variables["mtu"].as<uint16_t>();
  if (variables.count("queues") != 0) params["queues"] = variables["queues"].as<uint16_t>();
  copy_if_given(variables, "mode", "socket_mode", params);
  copy_if_given(variables, "owner", "socket_owner", params);
  copy_if_given(variables, "group", "socket_group", params);
  copy_list_if_given(variables, "allow-uid", "allow_uid", params);
  copy_list_if_given(variables, "allow-gid", "allow_gid", params);
  copy_list_if_given(variables, "static-mac", "static_macs", params);
  const json result = invocation.call("port.add", params);
  if (!invocation.print_json(result)) {
    invocation.out() << "port " << cell(result.at("name"))
                     << (result.at("mode") == "client" ? " connects to " : " listens on ")
                     << cell(result.at("socket")) << "\n";
  }
}

void port_remove(Invocation& invocation) {
  po::options_description options;
  options.add_options()("force", po::bool_switch());
  const auto variables = invocation.parse(options, {"NAME"});
  const json result = invocation.call("port.remove", {{"name", variables["NAME"].as<std::string>()},
                                                      {"force", variables["force"].as<bool>()}});
  if (!invocation.print_json(result)) {
    invocation.out() << "port " << cell(result.at("removed")) << " is removed\n";
  }
}

}  // namespace switchctl
