#include "ctl/cli.h"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>

#include "client/default_paths.h"

namespace switchctl {
namespace {

namespace po = boost::program_options;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

constexpr std::array<CommandRow, 12> kRows = {{
    {"status", "", "the switch as a whole", status},
    {"port list", "", "all ports", port_list},
    {"port show", "NAME [--messages]", "one port, its counters, its protocol history", port_show},
    {"port add",
     "NAME [--socket-path PATH] [--client] [--isolated] [--mac-limit N] [--mtu N] [--queues N] "
     "[--packed] [--mode MODE] "
     "[--owner USER] [--group GROUP] [--allow-uid USER]... [--allow-gid GROUP]... [--static-mac "
     "MAC]... "
     "[--transient]",
     "add a port (--client: the VMM listens); it is there again after a restart unless transient",
     port_add},
    {"port remove", "NAME [--force]", "remove a port, with a guest attached only by force",
     port_remove},
    {"mac list", "[--port NAME]", "the MAC table", mac_list},
    {"mac add", "MAC PORT [--transient]", "tie an address to a port", mac_add},
    {"mac remove", "MAC", "forget an address", mac_remove},
    {"mac flush", "[PORT]", "forget learned addresses", mac_flush},
    {"stats", "[--port NAME] [--watch [SECONDS]] [--count N]", "counters, or rates while watching",
     stats},
    {"log-level", "LEVEL", "trace, debug, info, warning, error or critical", log_level},
    {"events", "[--count N]", "follow what happens, until interrupted", events},
}};

constexpr const char* kExamples = R"(
Examples:
  switchctl port add vm3                     a port on the default socket of that name
  switchctl port list                        who is attached, and why not
  switchctl port show vm3 --messages         what its VMM said lately
  switchctl stats --watch 2                  rates and cycles a frame, every two seconds
  switchctl --json port list | jq -r '.ports[].name'

Without --socket the switch is looked for at control.sock in /run/switchd (root) or
$XDG_RUNTIME_DIR/switchd (users).
Exit status: 0 done, 1 refused or not reached (the reason is on stderr), 2 wrong command line.
)";

struct GlobalOptions {
  std::string socket;
  bool json = false;
  bool help = false;
  std::vector<std::string> rest;  // the command and what belongs to it
};

po::options_description global_options() {
  po::options_description options("Options");
  options.add_options()                                                               //
      ("socket", po::value<std::string>()->value_name("PATH"), "the control socket")  //
      ("json", "print the result as JSON, for programs")                              //
      ("help,h", "this text");
  return options;
}

GlobalOptions parse_global(const std::vector<std::string>& arguments) {
  constexpr int kStyle =
      po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  const po::options_description options = global_options();
  try {
    const auto parsed = po::command_line_parser(arguments)
                            .options(options)
                            .style(kStyle)
                            .allow_unregistered()
                            .run();
    po::variables_map variables;
    po::store(parsed, variables);
    GlobalOptions global;
    if (variables.count("socket") != 0) global.socket = variables["socket"].as<std::string>();
    global.json = variables.count("json") != 0;
    global.help = variables.count("help") != 0;
    global.rest = po::collect_unrecognized(parsed.options, po::include_positional);
    return global;
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
}

size_t count_words(std::string_view words) {
  return 1 + static_cast<size_t>(std::count(words.begin(), words.end(), ' '));
}

bool starts_with(const std::vector<std::string>& arguments, std::string_view words) {
  std::string start;
  for (size_t i = 0; i < std::min(count_words(words), arguments.size()); ++i) {
    start += (i == 0 ? "" : " ") + arguments[i];
  }
  return start == words;
}

const CommandRow& find(const std::vector<std::string>& arguments) {
  if (arguments.empty()) throw UsageError("no command; see switchctl --help");
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const CommandRow& each) {
    return starts_with(arguments, each.words);
  });
  if (row == kRows.end()) {
    const bool has_two = arguments.size() > 1 && (arguments[0] == "port" || arguments[0] == "mac");
    throw UsageError("unknown command '" + arguments[0] + (has_two ? " " + arguments[1] : "") +
                     "'; see switchctl --help");
  }
  return *row;
}

void print_help(std::ostream& out) {
  out << "switchctl: talks to a running switchd.\n"
      << "Usage: switchctl [--socket PATH] [--json] COMMAND\n\nCommands:\n";
  for (const CommandRow& row : kRows) {
    out << "  " << row.words << (row.arguments.empty() ? "" : " ") << row.arguments << "\n"
        << "      " << row.summary << "\n";
  }
  out << "\n" << global_options() << kExamples;
}

int run_or_throw(const std::vector<std::string>& arguments, std::ostream& out) {
  GlobalOptions global = parse_global(arguments);
  if (global.help) {
    print_help(out);
    return kDone;
  }
  const CommandRow& row = find(global.rest);
  global.rest.erase(global.rest.begin(),
                    global.rest.begin() + static_cast<std::ptrdiff_t>(count_words(row.words)));
  Invocation invocation(global.socket, global.json, global.rest, out);
  try {
    row.run(invocation);
  } catch (const UsageError& error) {
    throw UsageError(std::string(error.what()) + "; usage: switchctl " + std::string(row.words) +
                     " " + std::string(row.arguments));
  }
  return kDone;
}

}  // namespace

std::span<const CommandRow> command_table() {
  return kRows;
}

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& error) {
  const auto report = [&](const std::exception& reason, int status) {
    error << "switchctl: " << reason.what() << "\n";
    return status;
  };
  try {
    return run_or_throw(arguments, out);
  } catch (const UsageError& reason) {
    return report(reason, kWrongUsage);
  } catch (const std::exception& reason) {
    return report(reason, kFailed);
  }
}

}  // namespace switchctl
